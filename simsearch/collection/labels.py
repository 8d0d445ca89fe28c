"""Labels for items: from their folders, or from a table beside them."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

from simsearch.errors import UsageError


def labeller(labels: str | None, root: str) -> Callable[[str], str | None]:
    """A function from an item's path to its label, or to None where there is none.

    `labels` is None, "folder" (the folder that holds the file, relative to `root`; files directly in `root` get
    none), or the path of a CSV file with the columns `path`, relative to that file, and `label`.
    """
    if labels is None:
        return lambda _: None
    if labels == "folder":
        return lambda path: _folder(path, root)
    table = _table(Path(labels))
    return table.get


def _folder(path: str, root: str) -> str | None:
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
