"""Vectors of queries that are no stored items, and what an encoder takes as a query."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import MediaError, UsageError, rows_of
from simsearch.media.arguments import shown
from simsearch.media.texts import decode_text, read_text_bytes
from simsearch.types import DualEncoder, Text

if TYPE_CHECKING:
    from simsearch.types import Encoder, Source, Vectors


def takes_text(encoder: Encoder) -> bool:
    """Whether queries may be texts."""
    return encoder.modality == "text" or isinstance(encoder, DualEncoder)


def encoded(encoder: Encoder, sources: Sequence[Source], encoding: str | None = None) -> Vectors:
    """The vectors of sources that are no items: of images, of texts, or of both for a dual encoder.

    `encoding` is that of text files without a byte order mark.
    """
    if encoder.modality == "text":
        return encoder.encode([_text_at(row, source, encoding) for row, source in enumerate(sources)])
    words = [number for number, source in enumerate(sources) if isinstance(source, Text)]
    if not isinstance(encoder, DualEncoder):
        if words:
            raise UsageError(f"the encoder {encoder.name} takes images, not words; give a file, or {_instead()}")
        _check_files(encoder, sources)
    if not words:
        return encoder.encode(sources)
    assert isinstance(encoder, DualEncoder)
    vectors = np.empty((len(sources), encoder.dim), dtype=np.float32)
    with rows_of(words):
        vectors[words] = encoder.encode_texts([str(sources[number]) for number in words])
    images = sorted(set(range(len(sources))) - set(words))
    if images:
        with rows_of(images):
            vectors[images] = encoder.encode([sources[number] for number in images])
    return vectors


def _text_at(row: int, source: Source, encoding: str | None) -> str:
    try:
        return text_of(source, encoding)
    except MediaError as error:
        raise (error if isinstance(source, Path) else MediaError(error.reason, row)) from error


def _check_files(encoder: Encoder, sources: Sequence[Source]) -> None:
    """Raises a MediaError that names encoders of texts for missing files whose names look like words."""
    for source in sources:
        if isinstance(source, Path) and like_words(source):
            raise MediaError(f"{source}: no such file, and {encoder.name} does not take words; {_instead()}")


def like_words(path: Path) -> bool:
    """Whether there is no such file and the name is like words: with a space, or with neither suffix nor folder."""
    from simsearch.media.formats import IMAGE_SUFFIXES

    spaced = len(str(path).split()) > 1 and path.suffix.lower() not in IMAGE_SUFFIXES
    return (spaced or (len(path.parts) == 1 and not path.suffix)) and _is_missing(path)


def _is_missing(path: Path) -> bool:
    try:
        return not path.exists()
    except (OSError, ValueError):
        # Too long for a name, or with a character that no name has: reading it reports that.
        return False


def _instead() -> str:
    """Names the encoders that take texts as queries."""
    from simsearch.encoders.folder import bundled_with_words

    names = [*bundled_with_words(), "a CLIP or SigLIP model (simsearch convert)"]
    return f"index the images with an encoder that takes words too: {', '.join(names)}"


def text_of(source: Source, encoding: str | None = None) -> str:
    """The text that a source is, or that its file or its bytes hold. Raises MediaError naming the file."""
    if isinstance(source, Path):
        try:
            return decode_text(read_text_bytes(source), encoding)
        except MediaError as error:
            raise MediaError(f"{source}: {error.reason}") from error
    if isinstance(source, bytes):
        return decode_text(source, encoding)
    if not isinstance(source, str):
        raise UsageError(f"this collection holds texts, and {shown(source)} is none; give a text or a file of text")
    if not source.strip():
        raise MediaError("no text")
    return str(source)
