"""Where an encoder folder is made, and how it takes the place of an earlier one."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from simsearch.encoders.folder import CONFIG_NAME
from simsearch.errors import UsageError


def require_place(folder: Path, *, overwrite: bool) -> None:
    """Raises UsageError where something is, unless that is an encoder and may be replaced."""
    if folder.exists() and not (overwrite and (folder / CONFIG_NAME).is_file()):
        raise UsageError(f"{folder} exists; choose another name, or --overwrite to replace the encoder in it")


@contextlib.contextmanager
def placed(folder: Path, work: Path) -> Iterator[Path]:
    """An empty folder within `work`, which becomes `folder` when all is written; an encoder there moves to `work`."""
    made, replaced = work / "encoder", work / "replaced"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    yield made
    if folder.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        folder.replace(replaced)
    made.replace(folder)
