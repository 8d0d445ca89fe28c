"""Heads on a backbone that stays as it is: learned in seconds from features that are computed once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from simsearch.encoders.onnx import OnnxEncoder
from simsearch.errors import TrainingError
from simsearch.media.ahead import ahead
from simsearch.media.images import Picture
from simsearch.progress import Progress, Working
from simsearch.training.augment import augment
from simsearch.training.inputs import Views
from simsearch.training.keeping import Kept, largest_as_good, recognised
from simsearch.training.models import Blend, SiameseEncoder
from simsearch.training.within import LOOKED_AT, looked_at, within_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.training.dataset import Dataset
    from simsearch.training.inputs import Inputs
    from simsearch.training.recipes import Recipe

BATCH = 32
MOST_VIEWS = 5
"""Of each input: itself and this many less one changed as augmentation does it."""
FLOOR = 1.0
"""Of the mean variance: few examples say little of 1,280 directions."""
KEPT_SHARES = (0.0, 0.3, 0.5, 0.7, 0.85, 1.0)
"""The weights of the linear half of a head that are compared."""
UNMEASURED = 0.5
"""Its weight where there is nothing to compare them on."""
FEATURES_SHARE = 0.6
"""Of the time that is left, at most so much goes into features."""
NO_CLASS = -1
TINY = 1e-6
HIDDEN, DROPOUT = 256, 0.2
"""Of the half of a head that learns."""
TIMED = 4
"""Batches that are timed, after one that is not."""


def cached_views(
    encoder: OnnxEncoder, inputs: Inputs, recipe: Recipe, cache: Path, seconds: float | None, progress: Progress
) -> Views:
    """The features of every input and of changed views of it, float16, in the memory-mapped file `cache`.

    With `seconds` there are as many views as fit into FEATURES_SHARE of them, else MOST_VIEWS. A finished cache of an
    earlier run is taken as it is. Raises TrainingError when not even the inputs themselves fit.
    """
    if cache.is_file():
        return Views(np.load(cache, mmap_mode="r", allow_pickle=False))
    views = MOST_VIEWS if recipe.augmentation != "none" else 1
    pace, length = _pace(encoder, inputs)
    if seconds is not None:
        possible = int(seconds * FEATURES_SHARE / (pace * len(inputs)))
        if possible < 1:
            short = pace * len(inputs) / FEATURES_SHARE - seconds
            raise TrainingError(
                f"{len(inputs):,} inputs want about {short / 60 + 0.05:.1f} minutes more than were given: raise "
                "--minutes by that, or learn from fewer inputs"
            )
        views = min(views, possible)
    made = cache.with_suffix(".making")
    stored = np.lib.format.open_memmap(made, mode="w+", dtype=np.float16, shape=(len(inputs), views, length))
    with Working(progress, len(inputs) * views, "views", "encoding"):
        pictures = _pictures(inputs, recipe, views)
        for number, features in enumerate(ahead(encoder.features, pictures, depth=4)):
            part, view = divmod(number, views)
            stored[part * BATCH : part * BATCH + len(features), view] = features
            progress.advance(len(features))
    stored.flush()
    del stored
    made.replace(cache)
    return Views(np.load(cache, mmap_mode="r", allow_pickle=False))


def _pictures(inputs: Inputs, recipe: Recipe, views: int) -> Iterator[list[Picture]]:
    """Batches of the inputs, each batch as it is and then changed; the changes follow from the seed and the place."""
    for start in range(0, len(inputs), BATCH):
        pixels = inputs.batch(np.arange(start, min(start + BATCH, len(inputs)), dtype=np.int64))
        yield _as_pictures(pixels.numpy())
        images = pixels.permute(0, 3, 1, 2) / 255.0
        for view in range(1, views):
            torch.manual_seed(recipe.seed * 1_000_003 + start * MOST_VIEWS + view)
            changed = (augment(images, recipe.augmentation).clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)
            yield _as_pictures(changed.permute(0, 2, 3, 1).contiguous().numpy())


def _as_pictures(pixels: NDArray[np.uint8]) -> list[Picture]:
    return [Picture(each, each.shape[1], each.shape[0]) for each in pixels]


def _pace(encoder: OnnxEncoder, inputs: Inputs) -> tuple[float, int]:
    """Seconds that an input takes, on all processors, and the length of its features."""
    first = _as_pictures(inputs.batch(np.arange(min(BATCH, len(inputs)), dtype=np.int64)).numpy())
    length = encoder.features(first[:1]).shape[1]
    encoder.features(first)
    began = time.perf_counter()
    for _ in ahead(encoder.features, [first] * TIMED):
        pass
    return (time.perf_counter() - began) / (TIMED * len(first)), length


def blended(
    learned: nn.Sequential, data: Dataset, views: Views, recipe: Recipe, progress: Progress
) -> tuple[Blend, Kept]:
    """The head that has `learned` beside a linear map that needs no learning, weighed as validation says.

    The map weakens what varies within the classes of the training side. It alone is best where the classes will be
    others, as persons are, and what was learned where they stay. `data` has the inputs themselves as features. The
    largest weight of the map that is within a standard error of the best is taken, or `recipe.start_share`.
    """
    head = Blend(linear_half(data, views, recipe), learned).eval()
    if recipe.start_share is not None:
        head.weigh(recipe.start_share)
        return head, Kept(recipe.start_share, {})
    measured = {}
    with Working(progress, len(KEPT_SHARES), "shares", "keeping"):
        for share in KEPT_SHARES:
            head.weigh(share)
            found = recognised(SiameseEncoder(nn.Identity(), head), data, recipe)
            if found is not None:
                measured[share] = found
            progress.advance()
    share = largest_as_good(measured) if measured else UNMEASURED
    head.weigh(share)
    return head, Kept(share, {each: accuracy for each, (accuracy, _) in measured.items()})


def linear_half(data: Dataset, views: Views, recipe: Recipe) -> nn.Linear:
    """`weakening` of the training side, to as many numbers as the recipe gives the linear half."""
    labels = data.train.labels
    assert labels is not None
    if data.train.forged is not None:
        labels = np.where(data.train.forged, NO_CLASS, labels)
    rows = looked_at(labels)
    features = views.rows[data.train.rows[rows], : max(1, LOOKED_AT // len(rows))].astype(np.float32)
    every = np.repeat(labels[rows], features.shape[1])
    return weakening(
        features.reshape(-1, features.shape[2]), every, recipe.halves[0], recipe.within_power,
        standardized=recipe.standardized,
    )  # fmt: skip


def weakening(
    features: NDArray[np.float32], labels: NDArray[np.int64], dim: int, power: float, *, standardized: bool = False
) -> nn.Linear:
    """The linear map to `dim` numbers that weakens what varies within classes, and keeps the most of what is left.

    What has NO_CLASS says only where there is something. With `standardized` each feature is divided by its standard
    deviation first.
    """
    mean = features.mean(axis=0)
    gain = 1.0 / np.maximum(features.std(axis=0), TINY) if standardized else np.ones_like(mean)
    of_class = labels != NO_CLASS
    weakened = within_classes(features[of_class] * gain, labels[of_class], power, floor=FLOOR)
    weakened *= gain[:, None]
    left = (features - mean) @ weakened
    directions = np.linalg.eigh(left.T @ left / len(left))[1][:, -dim:]
    matrix = torch.from_numpy(np.ascontiguousarray((weakened @ directions).T, dtype=np.float32))
    linear = nn.Linear(matrix.shape[1], dim)
    with torch.no_grad():
        linear.weight.copy_(matrix)
        linear.bias.copy_(-(matrix @ torch.from_numpy(mean)))
    return linear
