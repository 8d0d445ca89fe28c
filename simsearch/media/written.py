"""The split as a file beside the encoder: which sources were on which side."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np

from simsearch.errors import TrainingError
from simsearch.manifest import replacing
from simsearch.media.files import why
from simsearch.media.material import SIDES, Labelled
from simsearch.media.splits import Split


def write_split(path: Path, labelled: Labelled, made: Split, source: Path) -> None:
    """Writes, whole or not at all, what is on each side: paths within the folder `source`, or lines of that file."""
    chosen = made.rows or (made.train, made.validation, made.test)
    origins = list(_origins(labelled, source))
    written = {name: [origins[position] for position in side] for name, side in zip(SIDES, chosen, strict=True)}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"by": made.by, **written}), encoding="utf-8")


def with_written_split(labelled: Labelled, path: Path, source: Path) -> Labelled:
    """The same with the sides of a file that `write_split` made of the same source, for a split by "given".

    What is not in it is on no side. Raises TrainingError when it cannot be read, or names what is not there.
    """
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        side_of = {origin: number for number, name in enumerate(SIDES) for origin in written[name]}
    except OSError as error:
        raise TrainingError(f"{path}: {why(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: not a split that simsearch has written") from error
    sides = np.array([side_of.pop(origin, -1) for origin in _origins(labelled, source)], dtype=np.int8)
    if side_of:
        raise TrainingError(f"{path}: names {next(iter(side_of))!r} and {len(side_of) - 1} more that {source} has not")
    return replace(labelled, sides=sides)


def _origins(labelled: Labelled, source: Path) -> Iterator[str | int]:
    """Where each row, or each source where there are no rows, comes from."""
    if not source.is_dir():
        assert labelled.lines is not None
        yield from labelled.lines.tolist()
        return
    files = labelled.files or labelled.sources
    within = len(os.path.abspath(source).rstrip("/\\")) + 1  # noqa: PTH100
    for position, file in enumerate(files):
        name = PurePath(file[within:]).as_posix()
        yield name if labelled.lines is None else f"{name}#{labelled.lines[position]}"
