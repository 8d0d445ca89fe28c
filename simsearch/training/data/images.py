"""Training images as one memory-mapped array."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import MediaError, TrainingError
from simsearch.media.ahead import ahead
from simsearch.media.images import Picture, PixelSpec, decode, read_file
from simsearch.progress import Progress, Working
from simsearch.training.data.reserved import reserved_array
from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pictures:
    """Decoded files: row i of `pixels` (n, height, width, channels) is file number `positions[i]`."""

    pixels: NDArray[np.uint8]
    positions: NDArray[np.int64]
    contents: tuple[bytes, ...]
    """SHA-256 of the pixels of each row: equal for identical pictures, however the file was written."""
    skipped: tuple[Skip, ...]


def load_pictures(paths: Sequence[str], spec: PixelSpec, cache: Path, progress: Progress) -> Pictures:
    """All files that can be read, decoded into the file `cache`, which is memory-mapped: memory stays small.

    Takes width x height x channels bytes of disk a picture. Unreadable files are in `skipped`.
    """
    shape = (len(paths), spec.height, spec.width, spec.channels)
    stored = reserved_array(cache, np.uint8, shape)
    positions: list[int] = []
    contents: list[bytes] = []
    skipped: list[Skip] = []
    with Working(progress, len(paths), "files", "reading"):
        for position, outcome in enumerate(_decoded(paths, spec)):
            progress.advance()
            if isinstance(outcome, Skip):
                skipped.append(outcome)
                continue
            stored[len(positions)] = outcome.pixels
            contents.append(hashlib.sha256(outcome.pixels.data).digest())
            positions.append(position)
    if not positions:
        raise TrainingError(f"none of the {len(paths)} files can be read; the first: {skipped[0].reason}")
    stored.flush()
    pixels = np.load(cache, mmap_mode="r", allow_pickle=False)[: len(positions)]
    return Pictures(pixels, np.array(positions, dtype=np.int64), tuple(contents), tuple(skipped))


def _decoded(paths: Sequence[str], spec: PixelSpec) -> Iterable[Picture | Skip]:
    def one(path: str) -> Picture | Skip:
        try:
            return decode(read_file(path), spec)
        except MediaError as error:
            return Skip(path, str(error))

    return ahead(one, paths)
