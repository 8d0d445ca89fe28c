"""Heads on a backbone that stays as it is: learned in seconds from features that are computed once."""

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
TIMED = 4
"""Batches that are timed, after one that is not."""
LEAST_SECONDS = 40.0
"""With less time left after encoding, fine-tuning the last blocks is not begun."""
MOST_MAPS = 2**30
"""Bytes."""

Outputs = tuple["NDArray[np.float32]", ...]
"""Features (n, d), and maps (n, c, h, w) where these are wanted."""
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
    """The features of every input and of changed views of it, float16, in the memory-mapped file `cache`.

    With `seconds` there are as many views as fit into FEATURES_SHARE of them, else MOST_VIEWS. With `block` too, and
    where LEAST_SECONDS are left after that, the maps that this block of the trunk takes are cached beside the features,
    at most MOST_MAPS bytes. A finished cache of an earlier run is taken as it is. Raises TrainingError when not even
    the inputs themselves fit.
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
        np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(len(inputs), kept, *output.shape[1:]))
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
    # The features last: their file says that all is there.
    for path, (target, _) in reversed(list(zip(made, targets, strict=True))):
        path.replace(target)
    return Cached(_opened(cache), _opened(map_cache) if count else None)


def _opened(cache: Path) -> Views:
    return Views(np.load(cache, mmap_mode="r", allow_pickle=False))


def _possible_views(seconds: float, seconds_each: float, inputs: int) -> int:
    """How many views of each input can be encoded. Raises TrainingError for none."""
    possible = int(seconds * FEATURES_SHARE / (seconds_each * inputs))
    if possible < 1:
        short = seconds_each * inputs / FEATURES_SHARE - seconds
        raise TrainingError(
            f"{inputs:,} inputs want about {short / 60 + 0.05:.1f} minutes more than were given: raise "
            "--minutes by that, or learn from fewer inputs"
        )
    return possible


def _mapped_views(outputs: Outputs, inputs: int, views: int, seconds_after: float) -> int:
    """Of how many views the maps are kept: none where there are no maps, or no time for them after the encoding."""
    if len(outputs) < 2 or seconds_after < LEAST_SECONDS:
        return 0
    return min(views, MOST_MAPS // (2 * outputs[1].size * inputs))


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


def _timed(encoder: OnnxEncoder, inputs: Inputs, block: int | None) -> tuple[Run, float]:
    """What computes features, and maps where there is a `block`, and the seconds that it takes for an input."""

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
    """The head that has `learned` beside a linear map that needs no learning, weighed as validation says.

    The map weakens what varies within the classes of the training side. It alone is best where the classes will be
    others, as persons are, and what was learned where they stay. `data` has the inputs themselves as features. The
    largest weight of the map that is within a standard error of the best is taken, or `recipe.start_share`.
    """
    head = BlendedHead(linear_half(data, views, recipe), learned).eval()
    if recipe.start_share is not None:
        head.weigh(recipe.start_share)
        return head, Interpolation(recipe.start_share, {})
    measured = {}
    with Working(progress, len(KEPT_SHARES), "shares", "keeping"):
        for share in KEPT_SHARES:
            head.weigh(share)
            found = ranking_precision(SiameseEncoder(nn.Identity(), head), data, recipe)
            if found is not None:
                measured[share] = found
            progress.advance()
    share = one_standard_error_rule(measured) if measured else UNMEASURED
    head.weigh(share)
    return head, Interpolation(share, {each: accuracy for each, (accuracy, _) in measured.items()})


def linear_half(data: Dataset, views: Views, recipe: Recipe) -> nn.Linear:
    """`weakening` of the training side, to as many numbers as the recipe gives the linear half."""
    labels = data.train.labels
    assert labels is not None
    if data.train.forged is not None:
        labels = np.where(data.train.forged, NO_CLASS, labels)
    rows = sample_by_class(labels)
    features = views.rows[data.train.rows[rows], : max(1, MOST_INPUTS // len(rows))].astype(np.float32)
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
    weakened = wccn_matrix(features[of_class] * gain, labels[of_class], power, floor=FLOOR)
    weakened *= gain[:, None]
    left = (features - mean) @ weakened
    directions = np.linalg.eigh(left.T @ left / len(left))[1][:, -dim:]
    matrix = torch.from_numpy(np.ascontiguousarray((weakened @ directions).T, dtype=np.float32))
    linear = nn.Linear(matrix.shape[1], dim)
    with torch.no_grad():
        linear.weight.copy_(matrix)
        linear.bias.copy_(-(matrix @ torch.from_numpy(mean)))
    return linear
