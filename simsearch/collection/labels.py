"""Labels for items: from their folders, or from a table beside them."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from simsearch.collection.run import Labeller
from simsearch.errors import UsageError


def labeller(labels: str, root: str) -> Labeller:
    """A function from a file's path and an item's uri to the item's label, or to None where there is none.

    `labels` is "folder" (the folder that holds the file, relative to `root`; files directly in `root` get none, and a
    `root` that is a file the name of its folder), or
    the path of a CSV file with the columns `path`, relative to that file, and `label`. A row of a file can be named
    in it by its uri, else it has the label of the file.
    """
    if labels == "folder":
        return lambda path, _: _folder(path, root)
    table = _table(Path(labels))
    return lambda path, uri: table.get(uri, table.get(path))


def _folder(path: str, root: str) -> str | None:
    if path == root:
        return Path(path).parent.name or None
    relative = os.path.relpath(Path(path).parent, root)
    return None if relative == os.curdir else Path(relative).as_posix()


def _table(file: Path) -> dict[str, str]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            if not {"path", "label"} <= set(reader.fieldnames or ()):
                raise UsageError(f"{file} needs the columns path and label; it has {reader.fieldnames}")
            base = file.absolute().parent
            return {
                os.path.normpath(base / row["path"]): row["label"] for row in reader if row["path"] and row["label"]
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"--labels {file}: {error}; give 'folder' or a CSV file with path and label") from error
