"""The recipe of a run: a preset, made to suit the data, the encoder that it begins with and what is asked for."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from simsearch.errors import UsageError
from simsearch.labelled.forgeries import writers_of
from simsearch.training.finetuning.initial import PRETRAINED, InitialEncoder
from simsearch.training.losses.table import default_loss, loss_entry, require_kind, require_memory
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.objective import loss_of
from simsearch.training.presets import GENTLE, HEAD, HEAD_ONWARD, HEADS, ONWARD, RATES, preset
from simsearch.training.recipes import Changes, Recipe, check_changes

if TYPE_CHECKING:
    from simsearch.labelled.reading import Kind, Labelled


def chosen_recipe(
    recipe: str | Recipe | None, wanted: Changes, labelled: Labelled, start: InitialEncoder | None, freeze: str
) -> Recipe:
    """The recipe of a run: a preset, made to suit the data, the encoder that it begins with and what is asked for."""
    named = _named(recipe, labelled, start, freeze)
    if start is None and named.modality != labelled.modality:
        raise UsageError(f"preset {named.name!r} is for {named.modality}s, but these are {labelled.modality}s")
    if start is not None:
        if start.modality != labelled.modality:
            raise UsageError(f"{start.name} is an encoder of {start.modality}s, but these are {labelled.modality}s")
        # A last layer that is there weighs already: again and again would leave nothing that varies.
        within = 0.0 if start.spec.head and not _on_features(start, freeze) else named.within_power
        named = replace(named, model=start.spec, fit=start.fit, within_power=within)
    chosen = suited(adjusted(named, wanted), labelled.kind, wanted)
    forgeries = writers_of(labelled.classes) is not None
    if forgeries and wanted.loss is None:
        chosen = replace(for_forgeries(chosen), augmentation=wanted.augmentation or "none")
    # A setting that the loss does not have is refused before any file is read.
    loss_of(chosen, classes=1)
    _check(chosen, wanted, labelled, start, freeze)
    if freeze != "none" and not _on_features(start, freeze):
        chosen = of_features(chosen, wanted, labelled.kind, freeze)
    elif labelled.kind == "unlabelled" and chosen.augmentation == "none" and wanted.augmentation is None:
        # Two equal views of an input teach nothing.
        chosen = replace(chosen, augmentation="photo" if labelled.modality == "image" else "text")
    grouped = len(set(labelled.groups)) < len(labelled.classes)
    if wanted.split is None and ((chosen.split == "class" and grouped) or forgeries):
        chosen = replace(chosen, split="group")
    return chosen


def _check(chosen: Recipe, wanted: Changes, labelled: Labelled, start: InitialEncoder | None, freeze: str) -> None:
    """Raises UsageError for a setting that the data, or what the run begins with, has no use for."""
    if wanted.poses is not None and labelled.kind != "classes":
        raise UsageError(f"poses make further classes, and these are {labelled.kind}; take --poses away")
    if start is None and chosen.start_share:
        raise UsageError(f"start share {chosen.start_share:g} needs an encoder to go on from; name it with --from")
    if _on_features(start, freeze) and chosen.poses > 1:
        raise UsageError(f"poses {chosen.poses} are for networks that learn; take --poses away, or add --freeze none")


def _onward(recipe: Recipe, kind: str, freeze: str) -> Recipe:
    """The recipe at the pace that suits a network of this kind; a new last layer alone learns at the recipe's own."""
    if freeze == "all":
        return recipe
    if kind in (PRETRAINED, "lite", "strokes"):
        return replace(recipe, optimizer="adamw", learning_rate=GENTLE, weight_decay=1e-2)
    if kind in RATES:
        like = RATES[kind]
        return replace(
            recipe, optimizer=like.optimizer, learning_rate=like.learning_rate, weight_decay=like.weight_decay
        )
    return recipe


def _named(recipe: str | Recipe | None, labelled: Labelled, start: InitialEncoder | None, freeze: str) -> Recipe:
    """The recipe as it is named, or what is learned where none is, which begins with an encoder."""
    if recipe is not None:
        return recipe if isinstance(recipe, Recipe) else preset(recipe)
    assert start is not None
    if _on_features(start, freeze):
        head = HEADS.get(start.spec.kind, HEAD)
        return head if labelled.kind == "classes" else replace(head, learning_rate=HEAD_ONWARD)
    return _onward(ONWARD[labelled.modality], start.spec.kind, freeze)


def frozen(freeze: str | None, start: InitialEncoder | None) -> str:
    """How much of the encoder stays as it is: what is wanted, else all of one whose features a new head can take."""
    if freeze is not None:
        return freeze
    return "all" if start is not None and start.base is not None else "none"


def _on_features(start: InitialEncoder | None, freeze: str) -> bool:
    return freeze == "all" and start is not None and start.base is not None


def adjusted(recipe: Recipe, changes: Changes) -> Recipe:
    """The recipe with what is given in place of its own. Raises UsageError for values that make no sense."""
    check_changes(changes)
    given = {item.name: getattr(changes, item.name) for item in fields(changes)}
    wanted = {name: value for name, value in given.items() if value is not None}
    if changes.loss is not None and changes.loss != recipe.loss:
        # Settings of the preset's loss are not those of another one.
        wanted = {"margin": None, "temperature": None, "scale": None, "distance": None, "miner": None} | wanted
    if changes.epochs is not None:
        wanted["steps"] = 0
    if changes.split not in (None, recipe.split) and changes.counts is None:
        wanted["counts"] = (0.6, 0.2, 0.2)
    if recipe.modality == "text":
        for name in ("fit", "poses"):
            if name in wanted:
                raise UsageError(f"{name} {wanted[name]!r} is for pictures; preset {recipe.name!r} is for texts")
    changed = replace(recipe, **wanted)
    if changed.poses > 1 and isinstance(changed.model, ModelSpec) and changed.model.width != changed.model.height:
        raise UsageError(
            f"poses {changed.poses} turns square pictures; {recipe.name!r} takes {changed.model.width} x "
            f"{changed.model.height}"
        )
    if not changed.steps and not changed.epochs:
        raise UsageError(f"preset {recipe.name!r} needs steps or epochs")
    return changed


def suited(recipe: Recipe, kind: Kind, wanted: Changes) -> Recipe:
    """The recipe for this kind of data: where its loss does not learn from that, the one recommended for it, with the
    settings that are wanted.

    Raises UsageError when the loss was asked for, and for a memory that nothing would be compared with.
    """
    if wanted.loss is not None:
        require_kind(recipe.loss, kind)
    if kind not in loss_entry(recipe.loss).takes:
        recipe = replace(
            recipe, loss=default_loss(kind), margin=wanted.margin, temperature=wanted.temperature, scale=wanted.scale,
            distance=wanted.distance, miner=wanted.miner, contrast_weight=0.0,
        )  # fmt: skip
    if kind != "classes":
        if wanted.within_power:
            raise UsageError(f"a power of {wanted.within_power:g} within classes is for classes, not {kind}")
        recipe = replace(recipe, poses=1, contrast_weight=0.0, within_power=0.0, start_share=recipe.start_share or 0.0)
    if kind not in ("classes", "unlabelled") and recipe.augmentation == "text" and wanted.augmentation is None:
        # What is known of two texts holds of the whole ones.
        recipe = replace(recipe, augmentation="none")
    if recipe.memory:
        if kind not in ("classes", "unlabelled"):
            raise UsageError(f"a memory of {recipe.memory} past embeddings is for classes and unlabelled, not {kind}")
        require_memory(recipe.loss)
    return recipe


def on_everything(recipe: Recipe) -> Recipe:
    """The recipe with all classes to train on; one picture in twenty of each is kept to validate with."""
    return replace(recipe, split="content", counts=(0.95, 0.05, 0.0))


def of_features(recipe: Recipe, wanted: Changes, kind: Kind, freeze: str) -> Recipe:
    """The recipe for features that are computed once, so that there is one view of each input.

    Raises UsageError for what wants several.
    """
    for name, value in (("augmentation", wanted.augmentation), ("poses", wanted.poses)):
        if value not in (None, "none", 1):
            raise UsageError(f"--freeze {freeze} encodes each input once, without --{name}; take one of them away")
    if kind == "unlabelled":
        raise UsageError(f"unlabelled files teach by two views of each, and --freeze {freeze} makes one; take it away")
    return replace(recipe, augmentation="none", poses=1)


def for_forgeries(recipe: Recipe) -> Recipe:
    """The recipe with a loss that has no direction for each class, and with a head that is a linear map alone."""
    recipe = replace(recipe, halves=(sum(recipe.halves), 0))
    if not loss_entry(recipe.loss).learns:
        return recipe
    return replace(recipe, loss="supervised-contrastive", scale=None, margin=None, contrast_weight=0.0)
