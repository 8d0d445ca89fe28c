"""Labels for items: from their folders, or from a table beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from simsearch.collection.adding.roots import is_in
from simsearch.collection.adding.run import Labeller
from simsearch.errors import MediaError, UsageError
from simsearch.media.files import refuse_url
from simsearch.media.rows import BadRow, BadRows
from simsearch.media.tables import open_table, shown

LISTED = 20
"""How many bad rows of a table of labels are listed."""


def labeller(
    labels: str, root: str, encoding: str | None = None, roots: Sequence[str] = (), given: str | None = None
) -> Labeller:
    """A function from a file's path and an item's uri to the item's label, or to None where there is none.

    `labels` is "folder" (the folder that holds the file, relative to `root`; files directly in `root` get none, and a
    `root` that is a file the name of its folder), or the path of a table with the columns `path`, relative to that
    table, and `label`; `given` is another name of the root that its paths may use. A row of a file can be named in it
    by its uri, else it has the label of the file. Raises UsageError for a table with bad rows, and lists them, and for
    one of which no path exists under any of `roots`: then the paths are relative to another place.
    """
    if labels == "folder":
        return lambda path, _: folder_label(path, root)
    table = _table(Path(labels), encoding)
    require_files(table, f"--labels {labels}", roots)
    if given is not None and given != root:
        table |= {root + path[len(given) :]: label for path, label in table.items() if is_in(path, given)}
    return lambda path, uri: table.get(uri, table.get(path))


def require_files(table: Mapping[str, object], option: str, roots: Sequence[str]) -> None:
    """Raises UsageError when no path of a table is there. A root that is not there is not judged."""
    folders = [root.rstrip(os.sep) + os.sep for root in roots]
    under = (path for path in table if path in roots or path.startswith(tuple(folders)))
    if not (table and roots) or any(not os.path.lexists(root) for root in roots) or any(map(_is_there, under)):
        return
    raise UsageError(
        f"{option}: none of its {len(table):,} paths is a file in {', '.join(roots)}; the first is "
        f"{next(iter(table))}. Paths are relative to the folder of the table"
    )


def _is_there(path: str) -> bool:
    """Whether there is such a file, or the file of such a row."""
    return os.path.lexists(path) or os.path.lexists(path.rpartition("#")[0])


def folder_label(path: str, root: str) -> str | None:
    """The folder that holds a file, relative to `root` and with slashes; None for a file directly in it."""
    if path == root:
        return Path(path).parent.name or None
    relative = os.path.relpath(Path(path).parent, root)
    return None if relative == os.curdir else Path(relative).as_posix()


def _table(file: Path, encoding: str | None) -> dict[str, str]:
    refuse_url(file, "a table with path and label")
    labels, bad, base = dict[str, str](), BadRows(str(file), LISTED), file.absolute().parent
    try:
        with open_table(file, encoding=encoding) as table:
            if table.columns is not None and not {"path", "label"} <= set(table.columns):
                raise MediaError(f"no columns path and label; the columns are {shown(table.columns)}")
            for row in table.rows:
                if isinstance(row, BadRow):
                    bad.add(row)
                    continue
                path, label = row.text("path"), row.text("label").strip()
                if path and label:
                    labels[os.path.normpath(base / path)] = label
    except MediaError as error:
        raise UsageError(f"--labels {file}: {error}; give 'folder' or a table with path and label") from error
    if len(bad):
        raise bad.error(UsageError, "correct or remove them")
    return labels
