"""Atomic creation and replacement of an encoder folder."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from simsearch.encoders.folder import CONFIG_NAME
from simsearch.errors import UsageError
from simsearch.media.files import refuse_url


def require_place(folder: Path, *, overwrite: bool) -> None:
    """Raises UsageError for a URL, and if `folder` exists, unless it is an encoder and `overwrite` is set."""
    refuse_url(folder, "a folder to write the encoder to")
    if folder.exists() and not (overwrite and (folder / CONFIG_NAME).is_file()):
        raise UsageError(f"{folder} exists; choose another name, or --overwrite to replace the encoder in it")


@contextlib.contextmanager
def placed(folder: Path, work: Path) -> Iterator[Path]:
    """An empty folder within `work`, moved to `folder` at the end; an encoder there is moved into `work`."""
    made, replaced = work / "encoder", work / "replaced"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    yield made
    if folder.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        folder.replace(replaced)
    made.replace(folder)
