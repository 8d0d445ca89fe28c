"""Heads on a frozen backbone, trained on cached features."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from simsearch.encoders.converting.intermediate import features_and_maps
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.errors import TrainingError
from simsearch.media.ahead import ahead
from simsearch.media.images import Picture
from simsearch.progress import Progress, Working
from simsearch.training.data.image_augmentation import augment
from simsearch.training.data.inputs import Views
from simsearch.training.data.reserved import reserved_array
from simsearch.training.finetuning.interpolation import Interpolation, one_standard_error_rule, ranking_precision
from simsearch.training.finetuning.wccn import MOST_INPUTS, sample_by_class, wccn_matrix
from simsearch.training.networks.encoder import SiameseEncoder
from simsearch.training.networks.head import BlendedHead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.training.data.dataset import Dataset
    from simsearch.training.data.inputs import Inputs
    from simsearch.training.recipes import Recipe

BATCH = 32
MOST_VIEWS = 5
"""The largest number of views of each input: itself and augmented ones."""
FLOOR = 1.0
"""The regularization of WCCN, as a multiple of the mean variance: 1,280 dimensions are many for few examples."""
LINEAR_WEIGHTS = (0.0, 0.3, 0.5, 0.7, 0.85, 1.0)
"""The weights of the linear half of a head that are compared."""
DEFAULT_LINEAR_WEIGHT = 0.5
"""Its weight without validation data."""
FEATURES_SHARE = 0.6
"""The largest share of the remaining time that is spent on features."""
NO_CLASS = -1
TINY = 1e-6
TIMED = 4
"""The number of batches that are timed, after one for warmup."""
LEAST_SECONDS = 40.0
"""The least time left after encoding for which the last blocks are fine-tuned."""
MOST_MAPS = 2**30
"""Bytes."""

Outputs = tuple["NDArray[np.float32]", ...]
"""Features (n, d), and feature maps (n, c, h, w) if requested."""
Run = Callable[[Sequence[Picture]], Outputs]


@dataclass(frozen=True, slots=True)
class Cached:
    """Features (n, views, d) of all inputs, and the maps (n, views, c, h, w) of some of their views, if any."""

    features: Views
    maps: Views | None = None


def cached_views(
    encoder: OnnxEncoder,
    inputs: Inputs,
    recipe: Recipe,
    cache: Path,
    seconds: float | None,
    progress: Progress,
    *,
    block: int | None = None,
) -> Cached:
    """The features of every input and of augmented views of it, float16, in the memory-mapped file `cache`.

    With `seconds` there are as many views as fit into FEATURES_SHARE of them, else MOST_VIEWS. With `block` too, and
    if LEAST_SECONDS are left after that, the feature maps that this block of the trunk takes are cached as well, at
    most MOST_MAPS bytes. A finished cache of an earlier run is reused. Raises TrainingError if not even the inputs
    themselves can be encoded in time.
    """
    map_cache = cache.with_suffix(".maps.npy")
    if cache.is_file():
        return Cached(_opened(cache), _opened(map_cache) if map_cache.is_file() else None)
    run, seconds_each = _timed(encoder, inputs, block if seconds is not None else None)
    views = MOST_VIEWS if recipe.augmentation != "none" else 1
    if seconds is not None:
        views = min(views, _possible_views(seconds, seconds_each, len(inputs)))
    first = run(_as_pictures(inputs.batch(np.zeros(1, dtype=np.int64)).numpy()))
    count = _mapped_views(first, len(inputs), views, (seconds or 0.0) - seconds_each * len(inputs) * views)
    targets = [(cache, views), (map_cache, count)] if count else [(cache, views)]
    made = [path.with_suffix(".making") for path, _ in targets]
    stored = [
        reserved_array(path, np.float16, (len(inputs), kept, *output.shape[1:]))
        for path, (_, kept), output in zip(made, targets, first, strict=False)
    ]
    with Working(progress, len(inputs) * views, "views", "encoding"):
        for number, outputs in enumerate(ahead(run, _pictures(inputs, recipe, views), depth=4)):
            part, view = divmod(number, views)
            for array, output in zip(stored, outputs, strict=False):
                if view < array.shape[1]:
                    array[part * BATCH : part * BATCH + len(output), view] = output
            progress.advance(len(outputs[0]))
    for array in stored:
        array.flush()
    del stored, array
    # The features last: their file marks the cache as complete.
    for path, (target, _) in reversed(list(zip(made, targets, strict=True))):
        path.replace(target)
    return Cached(_opened(cache), _opened(map_cache) if count else None)


def _opened(cache: Path) -> Views:
    return Views(np.load(cache, mmap_mode="r", allow_pickle=False))


def _possible_views(seconds: float, seconds_each: float, inputs: int) -> int:
    """The number of views of each input that can be encoded in time. Raises TrainingError for none."""
    possible = int(seconds * FEATURES_SHARE / (seconds_each * inputs))
    if possible < 1:
        short = seconds_each * inputs / FEATURES_SHARE - seconds
        raise TrainingError(
            f"{inputs:,} inputs need about {short / 60 + 0.05:.1f} minutes more: raise --minutes by that, or "
            "train on fewer inputs"
        )
    return possible


def _mapped_views(outputs: Outputs, inputs: int, views: int, seconds_after: float) -> int:
    """The number of views whose feature maps are cached: 0 without maps, or without time to fine-tune on them."""
    if len(outputs) < 2 or seconds_after < LEAST_SECONDS:
        return 0
    return min(views, MOST_MAPS // (2 * outputs[1].size * inputs))


def _pictures(inputs: Inputs, recipe: Recipe, views: int) -> Iterator[list[Picture]]:
    """Batches of the inputs, each unchanged and then augmented; augmentation is a function of seed and position."""
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


def _timed(encoder: OnnxEncoder, inputs: Inputs, block: int | None) -> tuple[Run, float]:
    """The function that computes features, and feature maps for a `block`, and its time for an input in seconds."""

    def features(pictures: Sequence[Picture]) -> Outputs:
        return (encoder.features(pictures),)

    run: Run = (None if block is None else features_and_maps(encoder, block)) or features
    first = _as_pictures(inputs.batch(np.arange(min(BATCH, len(inputs)), dtype=np.int64)).numpy())
    run(first)
    began = time.perf_counter()
    for _ in ahead(run, [first] * TIMED):
        pass
    return run, (time.perf_counter() - began) / (TIMED * len(first))


def blended(
    learned: nn.Sequential, data: Dataset, views: Views, recipe: Recipe, progress: Progress
) -> tuple[BlendedHead, Interpolation]:
    """The head of the trained half `learned` and a closed-form linear half, with weights chosen by validation.

    The linear half is WCCN on the train partition. It is best for unseen classes, such as persons, the trained half
    for classes that were trained on. `data` has the inputs themselves as features. The weight is the largest of the
    linear half within one standard error of the best, or `recipe.start_share`.
    """
    head = BlendedHead(linear_half(data, views, recipe), learned).eval()
    if recipe.start_share is not None:
        head.set_linear_weight(recipe.start_share)
        return head, Interpolation(recipe.start_share, {})
    measured = {}
    with Working(progress, len(LINEAR_WEIGHTS), "weights", "blending"):
        for weight in LINEAR_WEIGHTS:
            head.set_linear_weight(weight)
            found = ranking_precision(SiameseEncoder(nn.Identity(), head), data, recipe)
            if found is not None:
                measured[weight] = found
            progress.advance()
    weight = one_standard_error_rule(measured) if measured else DEFAULT_LINEAR_WEIGHT
    head.set_linear_weight(weight)
    return head, Interpolation(weight, {each: accuracy for each, (accuracy, _) in measured.items()})


def linear_half(data: Dataset, views: Views, recipe: Recipe) -> nn.Linear:
    """`wccn_projection` of the train partition, with the dimension of the linear half in the recipe."""
    labels = data.train.labels
    assert labels is not None
    if data.train.forged is not None:
        labels = np.where(data.train.forged, NO_CLASS, labels)
    rows = sample_by_class(labels)
    features = views.rows[data.train.rows[rows], : max(1, MOST_INPUTS // len(rows))].astype(np.float32)
    every = np.repeat(labels[rows], features.shape[1])
    return wccn_projection(
        features.reshape(-1, features.shape[2]),
        every,
        recipe.halves[0],
        recipe.within_power,
        standardized=recipe.standardized,
    )


def wccn_projection(
    features: NDArray[np.float32], labels: NDArray[np.int64], dim: int, power: float, *, standardized: bool = False
) -> nn.Linear:
    """The linear map of WCCN, then centering and projection on the first `dim` principal components.

    Features with NO_CLASS count for the components only. With `standardized` each feature is divided by its standard
    deviation first.
    """
    mean = features.mean(axis=0)
    gain = 1.0 / np.maximum(features.std(axis=0), TINY) if standardized else np.ones_like(mean)
    of_class = labels != NO_CLASS
    normalized = wccn_matrix(features[of_class] * gain, labels[of_class], power, floor=FLOOR)
    normalized *= gain[:, None]
    left = (features - mean) @ normalized
    directions = np.linalg.eigh(left.T @ left / len(left))[1][:, -dim:]
    matrix = torch.from_numpy(np.ascontiguousarray((normalized @ directions).T, dtype=np.float32))
    linear = nn.Linear(matrix.shape[1], dim)
    with torch.no_grad():
        linear.weight.copy_(matrix)
        linear.bias.copy_(-(matrix @ torch.from_numpy(mean)))
    return linear
