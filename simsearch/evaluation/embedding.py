"""Embeddings of the evaluated data, by the encoder and by the baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import MediaError, UsageError
from simsearch.evaluation.baselines import color_histogram, raw_pixels
from simsearch.evaluation.tfidf import tfidf
from simsearch.media.ahead import ahead
from simsearch.media.images import PixelSpec, decode, read_file
from simsearch.progress import Progress, Working
from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Encoder, Prepared, Vectors

BATCH = 128
PIXELS = PixelSpec(32, 32, 3, "pad")
COLORS = PixelSpec(64, 64, 3, "pad")
Embed = Callable[[Sequence[str]], "Vectors"]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Embeddings of the sources at `positions`; the others could not be read."""

    vectors: Vectors
    positions: NDArray[np.int64]
    skipped: tuple[Skip, ...]


def embed(encoder: Encoder, sources: Sequence[str], progress: Progress) -> Embedded:
    """Embeddings of all sources that can be read; the next images are decoded while the network runs.

    Raises MediaError when none can be read.
    """

    def prepared(source: str) -> Prepared | MediaError:
        try:
            return encoder.prepare(source)
        except MediaError as error:
            return error

    parts, pending, positions, skipped = [], [], [], []
    with Working(progress, len(sources), "texts" if encoder.modality == "text" else "images", "encoding") as working:
        for position, found in enumerate(ahead(prepared, sources)):
            working.progress.advance()
            if isinstance(found, MediaError):
                skipped.append(Skip(sources[position], str(found)))
                continue
            pending.append(found)
            positions.append(position)
            if len(pending) == BATCH:
                parts.append(encoder.embed(pending))
                pending = []
        if pending:
            parts.append(encoder.embed(pending))
    if not parts:
        reason = f"; the first: {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise MediaError(f"none of {len(sources)} inputs can be read{reason}")
    return Embedded(np.concatenate(parts), np.array(positions, dtype=np.int64), tuple(skipped))


def baselines_for(modality: str) -> dict[str, Embed]:
    """The baselines of a modality by name: raw pixels and color histograms for images, TF-IDF for texts."""
    if modality == "image":
        return {
            "raw pixels": lambda paths: raw_pixels(_pixels(paths, PIXELS)),
            "color histogram": lambda paths: color_histogram(_pixels(paths, COLORS)),
        }
    if modality == "text":
        return {"TF-IDF": tfidf}
    raise UsageError(f"there are no baselines for {modality!r}; there are for image and text")


def _pixels(paths: Sequence[str], spec: PixelSpec) -> NDArray[np.uint8]:
    pixels = np.empty((len(paths), spec.height, spec.width, spec.channels), dtype=np.uint8)
    for row, picture in zip(pixels, ahead(lambda path: decode(read_file(path), spec), paths), strict=True):
        row[:] = picture.pixels
    return pixels
