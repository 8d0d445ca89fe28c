"""The texts for distillation, and the pairs among them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simsearch.errors import TrainingError
from simsearch.labelled.material import Labelled
from simsearch.labelled.reading import Reading, read_labelled
from simsearch.labelled.text_lines import are_lines
from simsearch.media.encodings import check_encoding
from simsearch.training.distillation.loop import Pairs
from simsearch.types import Skip

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
