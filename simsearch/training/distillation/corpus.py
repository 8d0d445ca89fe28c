"""The texts for distillation, and the pairs among them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import MediaError, TrainingError
from simsearch.labelled.material import Labelled
from simsearch.labelled.reading import Reading, read_labelled
from simsearch.labelled.text_lines import are_lines
from simsearch.media.encodings import check_encoding
from simsearch.training.distillation.loop import Pairs
from simsearch.types import Skip, shortened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Encoder

LEAST_TEXTS = 10


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts without repetition, and the pairs among them."""

    texts: tuple[str, ...]
    graded: Pairs
    pairs: Pairs
    skipped: tuple[Skip, ...] = ()
    """Files and rows that could not be read."""

    def digest(self) -> str:
        known = [[array.tolist() for array in (each.rows, each.known)] for each in (self.graded, self.pairs)]
        return hashlib.sha256(json.dumps([self.texts, known]).encode()).hexdigest()


def read_corpus(sources: Sequence[Path], reading: Reading) -> Corpus:
    """The texts of all sources without repetition, in order. Raises TrainingError."""
    numbers: dict[str, int] = {}
    graded, pairs = [_no_pairs()], [_no_pairs()]
    skipped: list[Skip] = []
    for source in sources:
        labelled = _read(source, reading)
        skipped += labelled.skipped
        place = np.array([numbers.setdefault(text, len(numbers)) for text in labelled.sources], dtype=np.int64)
        if labelled.pairs is not None and labelled.scores is not None:
            graded.append(Pairs(place[labelled.pairs], labelled.scores))
        if labelled.pairs is not None and labelled.same is not None:
            pairs.append(Pairs(place[labelled.pairs], labelled.same.astype(np.float32)))
    if len(numbers) < LEAST_TEXTS:
        raise TrainingError(f"{len(numbers)} different texts are too few for distillation; give thousands")
    return Corpus(tuple(numbers), _joined(graded), _joined(pairs), tuple(skipped))


def known_to(teacher: Encoder, corpus: Corpus) -> Corpus:
    """The corpus without the texts that the teacher cannot embed, which are skipped, and without their pairs."""
    place, unknown = np.full(len(corpus.texts), -1, dtype=np.int64), list[Skip]()
    for number, text in enumerate(corpus.texts):
        try:
            teacher.prepare(text)
        except MediaError as error:
            unknown.append(Skip(shortened(text), str(error)))
        else:
            place[number] = number - len(unknown)
    if not unknown:
        return corpus
    texts = tuple(text for text, kept in zip(corpus.texts, place >= 0, strict=True) if kept)
    graded, pairs = _among(corpus.graded, place), _among(corpus.pairs, place)
    return Corpus(texts, graded, pairs, (*corpus.skipped, *unknown))


def _among(pairs: Pairs, place: NDArray[np.int64]) -> Pairs:
    """The pairs of texts that have a place, by these."""
    kept = (place[pairs.rows] >= 0).all(axis=1)
    return Pairs(place[pairs.rows[kept]], pairs.known[kept])


def _no_pairs() -> Pairs:
    return Pairs(np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.float32))


def _joined(parts: Sequence[Pairs]) -> Pairs:
    return Pairs(np.concatenate([each.rows for each in parts]), np.concatenate([each.known for each in parts]))


def read_graded(source: Path, reading: Reading) -> Labelled:
    """The graded pairs of this file. Raises TrainingError for anything else."""
    labelled = _read(source, reading)
    if labelled.scores is None:
        raise TrainingError(f"{source} holds {labelled.kind}, but validation needs graded pairs")
    return labelled


def _read(source: Path, reading: Reading) -> Labelled:
    """The texts of a file, or of all files of a folder, whose classes do not matter here."""
    encoding, strict = reading.encoding, reading.strict
    if source.is_dir():
        return read_labelled(
            source,
            modality="text",
            kind="unlabelled",
            by_line=reading.by_line,
            encoding=encoding,
            strict=strict,
            exclude=reading.exclude,
            include_hidden=reading.include_hidden,
        )
    check_encoding(encoding)
    if source.suffix.lower() == ".txt" and are_lines(source, None, encoding):
        return read_labelled(source, modality="text", encoding=encoding, strict=strict)
    return read_labelled(
        source,
        modality="text",
        columns=reading.columns,
        convention=reading.convention,
        score_range=reading.score_range,
        encoding=encoding,
        strict=strict,
    )
