"""Where the files of a run go: the quarantine folder, and a path in it for each of them."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from simsearch.duplicates.removal.places import Roots
from simsearch.duplicates.removal.plan import Header
from simsearch.errors import PlanError, UsageError


def default_quarantine(header: Header) -> Path:
    """A folder beside the first searched folder that lies in none of them, nor in the reference. Not made yet."""
    roots = Roots.of([*header.searched, *header.reference])
    first = Path(os.path.realpath(header.searched[0]))
    for above in first.parents:
        candidate = above / f"{first.name or 'files'}.quarantine"
        if roots.holding(candidate) is None:
            return candidate
    raise UsageError(f"every folder above {first} was searched: name a quarantine folder")


def make_quarantine(header: Header, folder: Path) -> Path:
    """The quarantine folder, made where it is missing, as an absolute path free of links.

    Raises UsageError where it lies in a folder that was searched or in the reference, PlanError where it cannot be
    made.
    """
    for kind, folders in (("searched folder", header.searched), ("reference", header.reference)):
        # What a link leads to counts here, as files go there.
        holding = Roots.of(folders).holding(os.path.realpath(folder))
        if holding is not None:
            raise UsageError(f"the quarantine folder {folder} lies in the {kind} {holding}: name one outside")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise PlanError(f"the quarantine folder {folder} cannot be made: {error.strerror or error}") from error
    return Path(os.path.realpath(folder))


def new_run(quarantine: Path) -> Path:
    """The folder of a new run; names sort by time."""
    return quarantine / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(2)}"


def quarantined(run: Path, path: str) -> str:
    """A free path in a run's folder that mirrors the whole path of a file, so that people find it without a journal.

    Names may clash all the same, as where letters of another case are the same name; then a number is added.
    """
    drive = Path(path).drive.replace(":", "").strip("\\/")
    wanted = run.joinpath("files", drive, *Path(path).parts[1:])
    found, number = wanted, 1
    while os.path.lexists(found):
        number += 1
        found = wanted.with_name(f"{wanted.stem}~{number}{wanted.suffix}")
    return str(found)


def temporary_name(run: Path, unit: int, step: int) -> str:
    """The name under which a file of a step is made; no one else's, as runs have random names."""
    return f".simsearch-{run.name}-{unit}-{step}.tmp"


def link_target(path: str, kept: str) -> str:
    """What a symbolic link in the place of `path` says, to lead to `kept`: relative, as disks move; else absolute."""
    folder = os.path.realpath(os.path.dirname(path))  # noqa: PTH120
    real = os.path.join(os.path.realpath(os.path.dirname(kept)), os.path.basename(kept))  # noqa: PTH118, PTH119, PTH120
    try:
        return os.path.relpath(real, folder)
    except ValueError:
        # On Windows no relative path leads to another drive.
        return real
