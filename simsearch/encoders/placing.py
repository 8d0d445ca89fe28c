"""Atomic creation and replacement of an encoder folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from simsearch.encoders.folder import CONFIG_NAME, FILES
from simsearch.errors import UsageError
from simsearch.media.files import refuse_url
from simsearch.outputs import first_foreign

OWN = (CONFIG_NAME, *FILES, "report", "CARD.md")
"""What an encoder folder holds."""
MADE, REPLACED, LOCK = "encoder", "replaced", "lock"
WORK = (MADE, REPLACED, LOCK, "checkpoint*.pt", "pixels*.npy", "features*.npy", "features*.making", "teacher", ".*.tmp")
"""What the working folders of training, distillation and conversion hold."""


def require_place(folder: Path, work: Path, *, overwrite: bool) -> None:
    """Raises UsageError for a URL, and if `folder` exists, unless it is an encoder alone and `overwrite` is set.

    `work`, the working folder beside it, is deleted at the end: it must be that of a run, or not be there.
    """
    refuse_url(folder, "a folder to write the encoder to")
    if os.path.lexists(folder):
        if not (overwrite and _is_encoder(folder)):
            raise UsageError(f"{folder} exists; choose another name, or --overwrite to replace the encoder in it")
        if (other := _other(folder)) is not None:
            raise UsageError(f"{folder} holds more than an encoder ({other}); choose another name, or move that away")
    if work.is_dir() and (other := first_foreign(work, WORK)) is not None:
        raise UsageError(f"{work} holds something else than an unfinished run ({other}); choose another name for -o")


def _is_encoder(folder: Path) -> bool:
    """Whether encoder.json is of simsearch; the other files may be damaged."""
    try:
        document = json.loads((folder / CONFIG_NAME).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and {"format", "modality", "fingerprint"} <= document.keys()


def _other(folder: Path) -> str | None:
    other, report = first_foreign(folder, OWN), folder / "report"
    if other is None and report.is_dir() and (inside := first_foreign(report, ("*.png",))) is not None:
        other = f"report/{inside}"
    return other


@contextlib.contextmanager
def placed(folder: Path, work: Path) -> Iterator[Path]:
    """An empty folder within `work`, moved to `folder` at the end; an encoder there is moved into `work`."""
    made, replaced = work / MADE, work / REPLACED
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    yield made
    if folder.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        folder.replace(replaced)
    made.replace(folder)
