"""Labels for items: from their folders, or from a table beside them."""

from __future__ import annotations

import os
from pathlib import Path

from simsearch.collection.adding.run import Labeller
from simsearch.errors import MediaError, UsageError
from simsearch.media.rows import BadRow, BadRows
from simsearch.media.tables import open_table, shown

LISTED = 20
"""How many bad rows of a table of labels are listed."""


def labeller(labels: str, root: str, encoding: str | None = None) -> Labeller:
    """A function from a file's path and an item's uri to the item's label, or to None where there is none.

    `labels` is "folder" (the folder that holds the file, relative to `root`; files directly in `root` get none, and a
    `root` that is a file the name of its folder), or the path of a table with the columns `path`, relative to that
    table, and `label`. A row of a file can be named in it by its uri, else it has the label of the file. Raises
    UsageError for a table with bad rows, and lists them.
    """
    if labels == "folder":
        return lambda path, _: folder_label(path, root)
    table = _table(Path(labels), encoding)
    return lambda path, uri: table.get(uri, table.get(path))


def folder_label(path: str, root: str) -> str | None:
    """The folder that holds a file, relative to `root` and with slashes; None for a file directly in it."""
    if path == root:
        return Path(path).parent.name or None
    relative = os.path.relpath(Path(path).parent, root)
    return None if relative == os.curdir else Path(relative).as_posix()


def _table(file: Path, encoding: str | None) -> dict[str, str]:
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
