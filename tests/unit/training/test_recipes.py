"""The presets have the published settings, and changes to them are checked."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from simsearch.errors import UsageError
from simsearch.labelled.reading import Kind
from simsearch.media.images import FITS
from simsearch.training.configuration import adjusted, suited
from simsearch.training.data.partition import Partition
from simsearch.training.loop import learning_rate
from simsearch.training.losses.table import LOSSES
from simsearch.training.networks.specification import ModelSpec, TextSpec
from simsearch.training.presets import PRESETS, RETIRED, preset
from simsearch.training.recipes import AUGMENTATIONS, OPTIMIZERS, Changes, Recipe
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
    with pytest.raises(UsageError, match=f"Preset '{name}' is no more; with.* --preset, train goes on from the enc"):
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


def test_nothing_given_changes_nothing() -> None:
    for recipe in PRESETS.values():
        assert adjusted(recipe, Changes()) == recipe


def test_what_is_given_stands_in_place() -> None:
    changed = adjusted(preset("shapes"), Changes(loss="contrastive", epochs=3, seed=9, learning_rate=0.5, margin=0.7))
    expected = replace(preset("shapes"), loss="contrastive", epochs=3, seed=9, learning_rate=0.5, margin=0.7)
    assert changed == expected


def test_epochs_take_the_place_of_steps() -> None:
    recipe = adjusted(preset("glyph"), Changes(epochs=2))
    assert (recipe.steps, recipe.epochs) == (0, 2)
    assert total_steps(recipe, classes(100)) == math.ceil(2 * math.comb(100, 2) / recipe.batch_pairs)


def test_steps_take_the_place_of_epochs() -> None:
    assert total_steps(adjusted(preset("shapes"), Changes(steps=11)), classes(1000)) == 11


def test_the_learning_rate_stays_when_that_is_asked_for() -> None:
    constant = adjusted(preset("glyph"), Changes(cosine_decay=False, weight_decay=0.0))
    assert {learning_rate(constant, step, 100) for step in (0, 50, 99)} == {constant.learning_rate}
    assert constant.weight_decay == 0.0
    falling = adjusted(preset("shapes"), Changes(cosine_decay=True))
    assert learning_rate(falling, 99, 100) < 0.01 * falling.learning_rate


@pytest.mark.parametrize(("margin", "expected"), [(None, None), (0.5, 0.5)])
def test_another_loss_does_not_take_over_the_margin(margin: float | None, expected: float) -> None:
    assert adjusted(preset("backbone"), Changes(loss="triplet", margin=margin)).margin == expected


def test_another_split_takes_shares() -> None:
    assert adjusted(preset("shapes"), Changes(split="class")).counts == (0.6, 0.2, 0.2)
    assert adjusted(preset("shapes"), Changes(split="content")).counts == preset("shapes").counts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "hinge"}, "'hinge'.*classifier, arcface"),
        ({"split": "random"}, "'random'.*content, class, group, given"),
        ({"epochs": 0}, "epochs must be above 0, not 0"),
        ({"steps": -1}, "steps must be above 0, not -1"),
        ({"learning_rate": 0.0}, "learning rate must be above 0, not 0.0"),
        ({"batch_images": 0}, "batch images must be above 0, not 0"),
        ({"memory": -1}, "memory must be from 0 to 1,000,000, not -1"),
        ({"memory": 99_999_999}, "memory must be from 0 to 1,000,000, not 99999999"),
        ({"weight_decay": -0.5}, "weight decay must be from 0 to 1,000, not -0.5"),
        ({"weight_decay": math.nan}, "weight decay must be from 0 to 1,000, not nan"),
        ({"learning_rate": math.nan}, "learning rate must be above 0, not nan"),
        ({"learning_rate": math.inf}, "learning rate must be above 0, not inf"),
        ({"seed": 10**20}, "seed must be from 0 to 9,223,372,036,854,775,807, not 1"),
        ({"within_power": math.nan}, "within power must be from 0 to below 1, not nan"),
        ({"counts": (math.nan, 0.2, 0.2)}, r"shares nan 0\.2 0\.2"),
        ({"counts": (0.8, 0.2, math.inf)}, r"shares 0\.8 0\.2 inf"),
        ({"counts": (0.5, 0.9, 0.9)}, r"shares 0\.5 0\.9 0\.9: .* add up to 2\.3"),
        ({"counts": (0.5, -0.1, 0.2)}, r"shares 0\.5 -0\.1 0\.2"),
        ({"fit": "stretch"}, "'stretch'; there are squash, crop, pad, ink"),
        ({"poses": 2}, "No poses 2; there are 1, 4, 8"),
        ({"averaging": 1.0}, "averaging must be from 0 to below 1, not 1.0"),
        ({"optimizer": "lion"}, "'lion'.*adamw, adam, sgd, rmsprop"),
        ({"precision": "int8"}, "'int8'.*auto, float32, bfloat16, float16"),
        ({"augmentation": "blur"}, "'blur'.*none, photo, drawing"),
    ],
)
def test_values_without_sense_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        adjusted(preset("shapes"), Changes(**change))  # type: ignore[arg-type]


def test_a_recipe_without_steps_or_epochs_is_refused() -> None:
    with pytest.raises(UsageError, match="'shapes' needs steps or epochs"):
        adjusted(replace(preset("shapes"), epochs=0, steps=0), Changes())


def test_given_rows_count_for_an_epoch_as_they_are() -> None:
    recipe = replace(preset("shapes"), steps=0, epochs=3, batch_classes=3, batch_images=4)
    pairs = np.zeros((100, 2), dtype=np.int64)
    assert total_steps(recipe, Partition(np.arange(2), pairs=pairs, same=np.ones(100, dtype=bool))) == 50
    assert total_steps(recipe, Partition(np.arange(2), pairs=pairs, scores=np.ones(100, dtype=np.float32))) == 50
    assert total_steps(recipe, Partition(np.arange(2), triplets=np.zeros((60, 3), dtype=np.int64))) == 30
    assert total_steps(recipe, Partition(np.arange(40))) == 20


def test_a_loss_of_the_preset_gives_way_to_one_that_learns_from_the_data() -> None:
    backbone = replace(preset("backbone"), margin=0.7)
    assert suited(backbone, "classes", Changes()) == backbone
    graded = suited(backbone, "graded", Changes())
    assert (graded.loss, graded.margin) == ("bce", None)
    asked = Changes(scale=77.0, miner="hard")
    kept = suited(replace(preset("words"), margin=0.7), "pairs", asked)
    assert (kept.loss, kept.scale, kept.miner, kept.margin) == ("bce", 77.0, "hard", None)
    assert suited(preset("glyph"), "unlabelled", Changes()).poses == 1
    with pytest.raises(UsageError, match="'contrastive' does not learn from graded"):
        suited(backbone, "graded", Changes(loss="contrastive"))


@pytest.mark.parametrize(
    ("kind", "augmentation"),
    [("classes", "text"), ("unlabelled", "text"), ("pairs", "none"), ("graded", "none"), ("triplets", "none")],
)
def test_texts_of_which_a_relation_is_known_stay_whole(kind: Kind, augmentation: str) -> None:
    assert suited(preset("words"), kind, Changes()).augmentation == augmentation
    wanted = Changes(augmentation="text")
    assert suited(adjusted(preset("words"), wanted), kind, wanted).augmentation == "text"
    assert suited(preset("glyph"), kind, Changes()).augmentation == "drawing"


def test_a_memory_that_nothing_would_be_compared_with_is_refused() -> None:
    remembering = replace(preset("backbone"), loss="infonce", margin=None, memory=64)
    assert suited(remembering, "classes", Changes()).memory == suited(remembering, "unlabelled", Changes()).memory
    with pytest.raises(UsageError, match="64 past embeddings is for classes and unlabelled, not triplets"):
        suited(remembering, "triplets", Changes())
    with pytest.raises(UsageError, match="'classifier' compares with no past batches; those that do: "):
        suited(replace(preset("glyph"), memory=64), "classes", Changes())


def test_pictures_are_fitted_as_is_wanted_and_texts_are_not() -> None:
    assert adjusted(preset("glyph"), Changes(fit="squash")) == replace(preset("glyph"), fit="squash")
    assert adjusted(preset("glyph"), Changes(poses=8)) == replace(preset("glyph"), poses=8)
    with pytest.raises(UsageError, match="fit 'pad' is for pictures; preset 'words' is for texts"):
        adjusted(preset("words"), Changes(fit="pad"))
    with pytest.raises(UsageError, match="poses 4 is for pictures; preset 'words' is for texts"):
        adjusted(preset("words"), Changes(poses=4))
    wide = replace(preset("shapes"), model=ModelSpec("shapes", 28, 20, 3, 16))
    with pytest.raises(UsageError, match="poses 4 turns square pictures; 'shapes' takes 28 x 20"):
        adjusted(wide, Changes(poses=4))
