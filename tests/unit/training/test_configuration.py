"""A recipe follows from defaults, data and what is given, in this order; what makes no sense is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from simsearch.errors import UsageError
from simsearch.labelled.reading import Kind, Labelled
from simsearch.training.configuration import configure
from simsearch.training.data.partition import Partition
from simsearch.training.loop import learning_rate
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.presets import PRESETS, preset
from simsearch.training.recipes import Changes, Recipe
from simsearch.training.schedule import total_steps


def configured(
    recipe: Recipe, changes: Changes | None = None, *, kind: Kind = "classes", everything: bool = False
) -> Recipe:
    """The recipe of a run with random initial weights on data of this kind."""
    source = Labelled(recipe.modality, kind, ())
    return configure(recipe, changes or Changes(), source, None, "none", everything=everything)


def classes(count: int) -> Partition:
    """A side of this many inputs with labels."""
    return Partition(np.arange(count), labels=np.arange(count) % 2)


def test_nothing_given_changes_nothing() -> None:
    for recipe in PRESETS.values():
        assert configured(recipe) == recipe


def test_what_is_given_stands_in_place() -> None:
    changed = configured(preset("shapes"), Changes(loss="contrastive", epochs=3, seed=9, learning_rate=0.5, margin=0.7))
    expected = replace(preset("shapes"), loss="contrastive", epochs=3, seed=9, learning_rate=0.5, margin=0.7)
    assert changed == expected


def test_epochs_take_the_place_of_steps() -> None:
    recipe = configured(preset("glyph"), Changes(epochs=2))
    assert (recipe.steps, recipe.epochs) == (0, 2)
    assert total_steps(recipe, classes(100)) == math.ceil(2 * math.comb(100, 2) / recipe.batch_pairs)


def test_steps_take_the_place_of_epochs() -> None:
    assert total_steps(configured(preset("shapes"), Changes(steps=11)), classes(1000)) == 11


def test_the_learning_rate_stays_when_that_is_asked_for() -> None:
    constant = configured(preset("glyph"), Changes(cosine_decay=False, weight_decay=0.0))
    assert {learning_rate(constant, step, 100) for step in (0, 50, 99)} == {constant.learning_rate}
    assert constant.weight_decay == 0.0
    falling = configured(preset("shapes"), Changes(cosine_decay=True))
    assert learning_rate(falling, 99, 100) < 0.01 * falling.learning_rate


@pytest.mark.parametrize(("margin", "expected"), [(None, None), (0.5, 0.5)])
def test_another_loss_does_not_take_over_the_margin(margin: float | None, expected: float) -> None:
    assert configured(preset("backbone"), Changes(loss="triplet", margin=margin)).margin == expected


def test_another_split_takes_shares() -> None:
    assert configured(preset("shapes"), Changes(split="class")).counts == (0.6, 0.2, 0.2)
    assert configured(preset("shapes"), Changes(split="content")).counts == preset("shapes").counts


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
        ({"weight_decay": math.nan}, "weight_decay is nan"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
        ({"learning_rate": math.inf}, "learning rate must be above 0, not inf"),
        ({"seed": 10**20}, "seed must be from 0 to 9,223,372,036,854,775,807, not 1"),
        ({"within_power": math.nan}, "within_power is nan"),
        ({"counts": (math.nan, 0.2, 0.2)}, r"counts is \(nan, 0\.2, 0\.2\)"),
        ({"counts": (0.8, 0.2, math.inf)}, r"counts 0\.8,0\.2,inf"),
        ({"counts": (0.5, 0.9, 0.9)}, r"counts 0\.5,0\.9,0\.9: .* add up to at most 1, not 2\.3"),
        ({"counts": (0.5, -0.1, 0.2)}, r"counts 0\.5,-0\.1,0\.2"),
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
        configured(preset("shapes"), Changes(**change))  # type: ignore[arg-type]


def test_a_recipe_without_steps_or_epochs_is_refused() -> None:
    with pytest.raises(UsageError, match="'shapes' needs steps or epochs"):
        configured(replace(preset("shapes"), epochs=0, steps=0))


def test_a_loss_of_the_preset_gives_way_to_one_that_learns_from_the_data() -> None:
    backbone = replace(preset("backbone"), margin=0.7)
    assert configured(backbone, kind="classes") == backbone
    graded = configured(backbone, kind="graded")
    assert (graded.loss, graded.margin) == ("bce", None)
    asked = Changes(scale=77.0, miner="hard")
    kept = configured(replace(preset("words"), margin=0.7), asked, kind="pairs")
    assert (kept.loss, kept.scale, kept.miner, kept.margin) == ("bce", 77.0, "hard", None)
    assert configured(preset("glyph"), kind="unlabelled").poses == 1
    with pytest.raises(UsageError, match="'contrastive' does not learn from graded"):
        configured(backbone, Changes(loss="contrastive"), kind="graded")


@pytest.mark.parametrize(
    ("kind", "augmentation"),
    [("classes", "text"), ("unlabelled", "text"), ("pairs", "none"), ("graded", "none"), ("triplets", "none")],
)
def test_texts_of_which_a_relation_is_known_stay_whole(kind: Kind, augmentation: str) -> None:
    assert configured(preset("words"), kind=kind).augmentation == augmentation
    wanted = Changes(augmentation="text")
    assert configured(preset("words"), wanted, kind=kind).augmentation == "text"
    assert configured(preset("glyph"), kind=kind).augmentation == "drawing"


def test_a_memory_that_nothing_would_be_compared_with_is_refused() -> None:
    remembering = replace(preset("backbone"), loss="infonce", margin=None, memory=64)
    assert configured(remembering, kind="classes").memory == configured(remembering, kind="unlabelled").memory
    with pytest.raises(UsageError, match="memory 64 applies to classes and unlabelled, not triplets"):
        configured(remembering, kind="triplets")
    with pytest.raises(UsageError, match="'classifier' takes no cross-batch memory; those that do: "):
        configured(replace(preset("glyph"), memory=64), kind="classes")


def test_pictures_are_fitted_as_is_wanted_and_texts_are_not() -> None:
    assert configured(preset("glyph"), Changes(fit="squash")) == replace(preset("glyph"), fit="squash")
    assert configured(preset("glyph"), Changes(poses=8)) == replace(preset("glyph"), poses=8)
    with pytest.raises(UsageError, match="fit 'pad' applies to images; preset 'words' is for texts"):
        configured(preset("words"), Changes(fit="pad"))
    with pytest.raises(UsageError, match="poses 4 applies to images; preset 'words' is for texts"):
        configured(preset("words"), Changes(poses=4))
    wide = replace(preset("shapes"), model=ModelSpec("shapes", 28, 20, 3, 16))
    with pytest.raises(UsageError, match="poses 4 rotates square images; 'shapes' takes 28 x 20"):
        configured(wide, Changes(poses=4))


def test_everything_holds_no_class_out() -> None:
    recipe = configured(preset("glyph"), everything=True)
    assert (recipe.split, recipe.counts) == ("content", (0.95, 0.05, 0.0))
    assert replace(recipe, split=preset("glyph").split, counts=preset("glyph").counts) == preset("glyph")
