"""What a run is made of: its recipe, and the encoder that it goes on from where nobody has said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders import open_encoder
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.evaluation.metrics import roc_auc
from simsearch.evaluation.ranking import retrieval
from simsearch.progress import Progress, Working
from simsearch.training.data.forgeries import auc_of_writers, some_writers, writer_pairs
from simsearch.training.data.partition import Side
from simsearch.training.finetuning.initial import Start, start_from, with_head
from simsearch.training.measure import figures_in_order, row_products
from simsearch.training.recipes import Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from simsearch.labelled.reading import Labelled, Modality
    from simsearch.training.data.dataset import Dataset
    from simsearch.types import Encoder, Vectors

STARTS: Mapping[Modality, tuple[str, ...]] = {"image": ("photo", "glyph", "strokes"), "text": ("text",)}
"""The encoders that are compared, first the one that is taken where nothing tells them apart."""
MOST = 1_000
"""Inputs, pairs or triplets that they are compared on, about."""
LEAST_OF_A_CLASS = 10
"""Inputs of a class that are asked, where it has as many; more where there are few classes."""


def starts_of(
    recipe: str | Recipe | None, start: str | Path | None, labelled: Labelled, freeze: str | None
) -> Sequence[Start | None]:
    """What a run may begin with: the named encoder, fresh weights (None) for a preset, or those that ship."""
    names: Sequence[str | Path | None] = (start,)
    if start is None and recipe is None:
        names = STARTS[labelled.modality]
    found = [None if name is None else start_from(str(name)) for name in names]
    return [with_head(began) if began is not None and freeze == "all" else began for began in found]


def compare_starts(fits: Mapping[str, str], data: Dataset, seed: int, progress: Progress) -> Mapping[str, float]:
    """How much each of these encoders knows of the training side already: larger is better.

    `fits` says of each how it is to fit pictures. For classes it is how often the nearest is of the same one, for
    pairs the area under the ROC curve, for genuine ones and their forgeries the mean of that over writers, for grades
    Spearman's correlation, for triplets the share in the right order. Nothing is compared without any of these.
    """
    side = _some_of(data.train, seed)
    if side is None:
        return {}
    sources = [data.sources[row] for row in side.rows]
    known = {}
    with Working(progress, len(fits), "encoders", "choosing"):
        for name, fit in fits.items():
            known[name] = _known(side, _fitting(open_encoder(name), fit).encode(sources))
            progress.advance()
    return known


def _fitting(encoder: Encoder, fit: str) -> Encoder:
    """The encoder, which sees pictures fitted as the run wants them."""
    if isinstance(encoder, OnnxEncoder):
        return replace(encoder, config=replace(encoder.config, fit=fit))
    return encoder


def _some_of(side: Side, seed: int) -> Side | None:
    """About 1,000 inputs of classes, or as many pairs or triplets, at random; None where they tell nothing apart."""
    rng = np.random.default_rng(seed)
    if side.forged is not None:
        return some_writers(side, MOST, rng)
    if side.labels is not None:
        chosen = _of_classes(side.labels, rng)
        return Side(side.rows[chosen], side.labels[chosen]) if len(np.unique(side.labels[chosen])) > 1 else None
    values = side.pairs if side.pairs is not None else side.triplets
    if values is None:
        return None
    chosen = rng.permutation(len(values))
    if side.same is None:
        chosen = chosen[:MOST]
    else:
        # Half of each kind, however rare one is.
        chosen = np.concatenate([chosen[side.same[chosen] == kind][: MOST // 2] for kind in (True, False)])
    used, places = np.unique(values[chosen], return_inverse=True)
    places = places.reshape(-1, values.shape[1])
    if side.triplets is not None:
        return Side(side.rows[used], triplets=places)
    same = None if side.same is None else side.same[chosen]
    scores = None if side.scores is None else side.scores[chosen]
    if all(truth is None or len(np.unique(truth)) < 2 for truth in (same, scores)):
        return None
    return Side(side.rows[used], pairs=places, same=same, scores=scores)


def _of_classes(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of classes drawn at random, as many of each, until there are enough."""
    starts = np.flatnonzero(np.diff(np.sort(labels))) + 1
    classes = np.split(np.argsort(labels, kind="stable"), starts)
    each = max(LEAST_OF_A_CLASS, MOST // len(classes))
    chosen: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    count = 0
    for number in rng.permutation(len(classes)):
        if len(classes[number]) > 1 and count < MOST:
            chosen.append(rng.permutation(classes[number])[:each])
            count += len(chosen[-1])
    return np.concatenate(chosen)


def _known(side: Side, vectors: Vectors) -> float:
    if side.forged is not None:
        pairs, same = writer_pairs(side)
        return float(np.mean(auc_of_writers(side, pairs, row_products(vectors, pairs), same)))
    if side.labels is not None:
        return retrieval(vectors, side.labels, ks=(1,))["recall@1"]
    if side.pairs is not None:
        scores = row_products(vectors, side.pairs)
        if side.same is not None:
            return roc_auc(scores, side.same)
        if not np.ptp(scores):
            # There is no correlation with equal ones.
            return 0.0
    return next(iter(figures_in_order(side, vectors).values()))
