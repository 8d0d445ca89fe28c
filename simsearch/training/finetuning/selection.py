"""Choice of the initial encoder: the bundled one with the best metric on the train partition."""

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
from simsearch.training.data.partition import Partition
from simsearch.training.finetuning.initial import InitialEncoder, load_initial_encoder, with_head
from simsearch.training.measure import order_figures, row_products
from simsearch.training.recipes import Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from simsearch.labelled.reading import Labelled, Modality
    from simsearch.training.data.dataset import Dataset
    from simsearch.types import Encoder, Vectors

CANDIDATES: Mapping[Modality, tuple[str, ...]] = {"image": ("photo", "glyph", "strokes"), "text": ("text",)}
"""The encoders that are compared; the first is the default in case of a tie."""
MOST = 1_000
"""The approximate number of inputs, pairs or triplets that they are compared on."""
LEAST_OF_A_CLASS = 10
"""The number of inputs sampled from each class; more if there are few classes."""


def initial_encoders(
    recipe: str | Recipe | None, start: str | Path | None, labelled: Labelled, freeze: str | None
) -> Sequence[InitialEncoder | None]:
    """The candidate initial encoders: the named one, None for a preset (random weights), or the bundled ones."""
    names: Sequence[str | Path | None] = (start,)
    if start is None and recipe is None:
        names = CANDIDATES[labelled.modality]
    found = [None if name is None else load_initial_encoder(str(name)) for name in names]
    return [with_head(began) if began is not None and freeze == "all" else began for began in found]


def compare_encoders(fits: Mapping[str, str], data: Dataset, seed: int, progress: Progress) -> Mapping[str, float]:
    """The metric of each of these encoders on the train partition: larger is better.

    `fits` has the image fit of each. For classes it is recall@1, for pairs the area under the ROC curve, for genuine
    and forged ones the mean of that over writers, for grades Spearman's correlation, for triplets the share in the
    right order. Empty without any of these.
    """
    partition = _some_of(data.train, seed)
    if partition is None:
        return {}
    sources = [data.sources[row] for row in partition.rows]
    known = {}
    with Working(progress, len(fits), "encoders", "choosing"):
        for name, fit in fits.items():
            known[name] = _known(partition, _fitting(open_encoder(name), fit).encode(sources))
            progress.advance()
    return known


def _fitting(encoder: Encoder, fit: str) -> Encoder:
    """The encoder with this image fit."""
    if isinstance(encoder, OnnxEncoder):
        return replace(encoder, config=replace(encoder.config, fit=fit))
    return encoder


def _some_of(partition: Partition, seed: int) -> Partition | None:
    """A random sample of about 1,000 inputs, pairs or triplets; None if it has one kind of label only."""
    rng = np.random.default_rng(seed)
    if partition.forged is not None:
        return some_writers(partition, MOST, rng)
    if partition.labels is not None:
        chosen = _of_classes(partition.labels, rng)
        return (
            Partition(partition.rows[chosen], partition.labels[chosen])
            if len(np.unique(partition.labels[chosen])) > 1
            else None
        )
    values = partition.pairs if partition.pairs is not None else partition.triplets
    if values is None:
        return None
    chosen = rng.permutation(len(values))
    if partition.same is None:
        chosen = chosen[:MOST]
    else:
        # As many positive as negative pairs.
        chosen = np.concatenate([chosen[partition.same[chosen] == kind][: MOST // 2] for kind in (True, False)])
    used, places = np.unique(values[chosen], return_inverse=True)
    places = places.reshape(-1, values.shape[1])
    if partition.triplets is not None:
        return Partition(partition.rows[used], triplets=places)
    same = None if partition.same is None else partition.same[chosen]
    scores = None if partition.scores is None else partition.scores[chosen]
    if all(truth is None or len(np.unique(truth)) < 2 for truth in (same, scores)):
        return None
    return Partition(partition.rows[used], pairs=places, same=same, scores=scores)


def _of_classes(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of the inputs of random classes, equally many of each, until there are enough."""
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


def _known(partition: Partition, vectors: Vectors) -> float:
    if partition.forged is not None:
        pairs, same = writer_pairs(partition)
        return float(np.mean(auc_of_writers(partition, pairs, row_products(vectors, pairs), same)))
    if partition.labels is not None:
        return retrieval(vectors, partition.labels, ks=(1,))["recall@1"]
    if partition.pairs is not None:
        scores = row_products(vectors, partition.pairs)
        if partition.same is not None:
            return roc_auc(scores, partition.same)
        if not np.ptp(scores):
            # The correlation with constant scores is undefined.
            return 0.0
    return next(iter(order_figures(partition, vectors).values()))
