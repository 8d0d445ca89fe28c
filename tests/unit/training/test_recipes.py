"""The presets have the published settings."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from simsearch.errors import UsageError
from simsearch.media.images import FITS
from simsearch.training.data.partition import Partition
from simsearch.training.losses.table import LOSSES
from simsearch.training.networks.specification import TextSpec
from simsearch.training.presets import PRESETS, RETIRED, preset
from simsearch.training.recipes import AUGMENTATIONS, OPTIMIZERS, Recipe
from simsearch.training.schedule import total_steps


def classes(count: int) -> Partition:
    """A side of this many inputs with labels."""
    return Partition(np.arange(count), labels=np.arange(count) % 2)


def test_shapes_has_the_published_settings() -> None:
    recipe = preset("shapes")
    model = recipe.model
    assert (model.kind, model.width, model.height, model.channels, model.dim) == ("shapes", 28, 28, 3, 16)
    assert recipe.loss == "dot"
    # AdamW without decay is Adam.
    assert (recipe.optimizer, recipe.weight_decay) == ("adamw", 0.0)
    assert recipe.epochs == 10
    assert recipe.pairs_per_epoch == 0
    assert recipe.counts == (20, 20, 20)


def test_digits_has_the_published_settings() -> None:
    recipe = preset("digits")
    model = recipe.model
    assert (model.kind, model.width, model.height, model.channels, model.dim) == ("digits", 28, 28, 1, 128)
    assert model.dropout == 0.3
    assert (recipe.loss, recipe.margin) == ("contrastive", None)
    assert recipe.optimizer == "rmsprop"
    assert recipe.epochs == 20


def test_backbone_has_the_published_settings() -> None:
    model = preset("backbone").model
    assert (model.kind, model.width, model.height, model.channels, model.dim) == ("backbone", 128, 128, 3, 128)
    assert preset("backbone").loss == "contrastive"


@pytest.mark.parametrize("recipe", PRESETS.values(), ids=PRESETS)
def test_every_preset_makes_sense(recipe: Recipe) -> None:
    assert PRESETS[recipe.name] is recipe
    assert recipe.loss in LOSSES
    assert recipe.augmentation in AUGMENTATIONS
    assert recipe.optimizer in OPTIMIZERS
    assert recipe.split in ("content", "class")
    of_texts = isinstance(recipe.model, TextSpec)
    assert recipe.fit in (("",) if of_texts else FITS)
    assert recipe.steps or recipe.epochs
    assert recipe.batch_classes >= 2
    assert recipe.batch_images >= 2
    assert recipe.poses == 1 or recipe.model.width == recipe.model.height
    assert recipe.summary


def test_an_unknown_preset_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"'faces'.*shapes, digits, backbone, glyph, words"):
        preset("faces")


@pytest.mark.parametrize("name", RETIRED)
def test_a_retired_preset_says_what_to_do_now(name: str) -> None:
    with pytest.raises(UsageError, match=f"Preset '{name}' was removed; with.* --preset, train fine-tunes the enc"):
        preset(name)


def test_batch_pairs_are_all_pairs_of_a_batch() -> None:
    recipe = replace(preset("shapes"), batch_classes=3, batch_images=4)
    assert recipe.batch_pairs == math.comb(12, 2)


@pytest.mark.parametrize(
    ("epochs", "per_epoch", "images", "expected"),
    [
        (10, 0, 60, 269),
        (1, 0, 2, 1),
        (1, 66, 1000, 1),
        (1, 67, 1000, 2),
        (3, 660, 1000, 30),
    ],
)
def test_an_epoch_counts_pairs(epochs: int, per_epoch: int, images: int, expected: int) -> None:
    recipe = replace(
        preset("shapes"), steps=0, epochs=epochs, pairs_per_epoch=per_epoch, batch_classes=3, batch_images=4
    )
    pairs = per_epoch or math.comb(images, 2)
    assert total_steps(recipe, classes(images)) == max(1, math.ceil(epochs * pairs / 66)) == expected


def test_given_steps_stand_above_epochs() -> None:
    assert total_steps(replace(preset("shapes"), steps=7, epochs=100), classes(1000)) == 7


def test_given_rows_count_for_an_epoch_as_they_are() -> None:
    recipe = replace(preset("shapes"), steps=0, epochs=3, batch_classes=3, batch_images=4)
    pairs = np.zeros((100, 2), dtype=np.int64)
    assert total_steps(recipe, Partition(np.arange(2), pairs=pairs, same=np.ones(100, dtype=bool))) == 50
    assert total_steps(recipe, Partition(np.arange(2), pairs=pairs, scores=np.ones(100, dtype=np.float32))) == 50
    assert total_steps(recipe, Partition(np.arange(2), triplets=np.zeros((60, 3), dtype=np.int64))) == 30
    assert total_steps(recipe, Partition(np.arange(40))) == 20
