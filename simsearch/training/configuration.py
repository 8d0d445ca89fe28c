"""The recipe of a run, from the defaults, the initial encoder, the data and the given changes."""

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
from simsearch.training.recipes import SHARES, Changes, Recipe, check_changes

if TYPE_CHECKING:
    from simsearch.labelled.reading import Kind, Labelled

ENOUGH_LINKED = 20
"""Of fewer classes that similar pairs link, a tenth would be too few to validate with: their items are divided."""


def configure(
    named: str | Recipe | None,
    given: Changes,
    source: Labelled,
    initial: InitialEncoder | None,
    freeze: str,
    *,
    everything: bool = False,
    linked: bool = False,
) -> Recipe:
    """The recipe of a run; later steps override earlier ones. `linked` classes are what similar pairs link.

    Raises UsageError for incompatible values, before any file is read.
    """
    check_changes(given)
    recipe = _default(named, source, initial, freeze)
    _require_modality(recipe, source, initial)
    recipe = _for_initial_encoder(recipe, initial, freeze)
    recipe = _for_data(recipe, source, given)
    if linked:
        recipe = _for_linked(recipe, given, len(source.classes))
    recipe = _for_frozen_layers(recipe, initial, freeze)
    recipe = _as_given(recipe, given)
    if everything:
        # All classes are trained on; 5 % of the items of each are the validation partition.
        recipe = replace(recipe, split="content", counts=(0.95, 0.05, 0.0))
    _require_network_settings(recipe, given)
    _require_loss_settings(recipe, given, source.kind)
    _require_poses_and_weights(recipe, given, source.kind, initial, freeze)
    _require_views(given, source.kind, initial, freeze)
    return recipe


def chosen_freeze(given: str | None, initial: InitialEncoder | None) -> str:
    """How much of the encoder is frozen: the given choice, else all of one with features for a new head."""
    if given is not None:
        return given
    return "all" if initial is not None and initial.base is not None else "none"


# -- the steps, in the order of their precedence -------------------------------------------------------------------


def _default(named: str | Recipe | None, source: Labelled, initial: InitialEncoder | None, freeze: str) -> Recipe:
    """The preset, or the default recipe for fine-tuning this encoder."""
    if named is not None:
        return named if isinstance(named, Recipe) else preset(named)
    assert initial is not None
    kind = initial.spec.kind
    if _on_features(initial, freeze):
        head = HEADS.get(kind, HEAD)
        return head if source.kind == "classes" else replace(head, learning_rate=HEAD_ONWARD)
    recipe = ONWARD[source.modality]
    if freeze != "all" and kind in (PRETRAINED, "lite", "strokes"):
        return replace(recipe, optimizer="adamw", learning_rate=GENTLE, weight_decay=1e-2)
    if freeze != "all" and kind in RATES:
        like = RATES[kind]
        return replace(
            recipe, optimizer=like.optimizer, learning_rate=like.learning_rate, weight_decay=like.weight_decay
        )
    return recipe


def _for_initial_encoder(recipe: Recipe, initial: InitialEncoder | None, freeze: str) -> Recipe:
    """The recipe with the network of the initial encoder."""
    if initial is None:
        return recipe
    # WCCN that is applied repeatedly would remove all variation.
    power = 0.0 if initial.spec.head and not _on_features(initial, freeze) else recipe.within_power
    return replace(recipe, model=initial.spec, fit=initial.fit, within_power=power)


def _for_data(recipe: Recipe, source: Labelled, given: Changes) -> Recipe:
    """The recipe with a loss, augmentation and split that suit this kind of data."""
    kind, forgeries = source.kind, writers_of(source.classes) is not None
    if given.loss is None:
        recipe = _with_suitable_loss(recipe, kind, forgeries)
    if kind != "classes":
        recipe = replace(recipe, poses=1, contrast_weight=0.0, within_power=0.0, start_share=recipe.start_share or 0.0)
    if kind not in ("classes", "unlabelled") and recipe.augmentation == "text":
        # A label of two texts refers to the whole texts.
        recipe = replace(recipe, augmentation="none")
    if kind == "unlabelled" and recipe.augmentation == "none":
        # Two equal views of an input carry no training signal.
        recipe = replace(recipe, augmentation="photo" if source.modality == "image" else "text")
    grouped = len(set(source.groups)) < len(source.classes)
    if given.split is None and ((recipe.split == "class" and grouped) or forgeries):
        recipe = replace(recipe, split="group")
    return recipe


def _for_linked(recipe: Recipe, given: Changes, classes: int) -> Recipe:
    """The recipe for many classes of two: in-batch negatives, as many classes in a batch as it has pairs."""
    if given.loss is None:
        recipe = replace(_with_loss(recipe, "infonce"), contrast_weight=0.0)
    if given.split is None and classes >= ENOUGH_LINKED:
        # Most classes are one pair, which cannot be divided.
        recipe = replace(recipe, split="class", counts=SHARES)
    return replace(recipe, batch_classes=max(2, recipe.batch_classes * recipe.batch_images // 2), batch_images=2)


def _with_suitable_loss(recipe: Recipe, kind: Kind, forgeries: bool) -> Recipe:
    """The recipe with the recommended loss if its own does not take this kind of data.

    Forgeries need a loss without class proxies, and a head that is a linear map alone.
    """
    if kind not in loss_entry(recipe.loss).takes:
        recipe = replace(_with_loss(recipe, default_loss(kind)), contrast_weight=0.0)
    if forgeries:
        recipe = replace(recipe, halves=(sum(recipe.halves), 0), augmentation="none")
        if loss_entry(recipe.loss).learns:
            recipe = replace(_with_loss(recipe, "supervised-contrastive"), contrast_weight=0.0)
    return recipe


def _with_loss(recipe: Recipe, loss: str) -> Recipe:
    """The recipe with another loss and its default settings."""
    return replace(recipe, loss=loss, margin=None, temperature=None, scale=None, distance=None, miner=None)


def _for_frozen_layers(recipe: Recipe, initial: InitialEncoder | None, freeze: str) -> Recipe:
    """The recipe without augmentation for the cached features of frozen layers, which have one view of each input."""
    if freeze == "none" or _on_features(initial, freeze):
        return recipe
    return replace(recipe, augmentation="none", poses=1)


def _as_given(recipe: Recipe, given: Changes) -> Recipe:
    """The recipe with the given changes."""
    values = {item.name: getattr(given, item.name) for item in fields(given)}
    values = {name: value for name, value in values.items() if value is not None}
    if given.loss is not None and given.loss != recipe.loss:
        recipe = _with_loss(recipe, given.loss)
    if given.epochs is not None:
        values["steps"] = 0
    if given.split not in (None, recipe.split):
        recipe = replace(recipe, counts=SHARES)
    return replace(recipe, **values)


# -- incompatible values -------------------------------------------------------------------------------------------


def _require_modality(recipe: Recipe, source: Labelled, initial: InitialEncoder | None) -> None:
    if initial is None and recipe.modality != source.modality:
        raise UsageError(f"preset {recipe.name!r} is for {recipe.modality}s, but the source holds {source.modality}s")
    if initial is not None and initial.modality != source.modality:
        raise UsageError(
            f"{initial.name} is an encoder of {initial.modality}s, but the source holds {source.modality}s"
        )


def _require_network_settings(recipe: Recipe, given: Changes) -> None:
    for name, value in (("fit", given.fit), ("poses", given.poses)):
        if recipe.modality == "text" and value is not None:
            raise UsageError(f"{name} {value!r} applies to images; preset {recipe.name!r} is for texts")
    model = recipe.model
    if recipe.poses > 1 and isinstance(model, ModelSpec) and model.width != model.height:
        raise UsageError(
            f"poses {recipe.poses} rotates square images; {recipe.name!r} takes {model.width} x {model.height}"
        )
    if not recipe.steps and not recipe.epochs:
        raise UsageError(f"preset {recipe.name!r} needs steps or epochs")


def _require_loss_settings(recipe: Recipe, given: Changes, kind: Kind) -> None:
    require_kind(recipe.loss, kind)
    if given.within_power and kind != "classes":
        raise UsageError(f"within_power {given.within_power:g} applies to classes, not {kind}")
    if recipe.memory:
        if kind not in ("classes", "unlabelled"):
            raise UsageError(f"memory {recipe.memory} applies to classes and unlabelled, not {kind}")
        require_memory(recipe.loss)
    # Raises UsageError for a setting that the loss does not have.
    loss_of(recipe, classes=1)


def _require_poses_and_weights(
    recipe: Recipe, given: Changes, kind: Kind, initial: InitialEncoder | None, freeze: str
) -> None:
    if given.poses is not None and kind != "classes":
        raise UsageError(f"poses applies to classes, not {kind}; omit it")
    if initial is None and recipe.start_share:
        raise UsageError(f"start_share {recipe.start_share:g} needs an initial encoder; name it with --from")
    if _on_features(initial, freeze) and recipe.poses > 1:
        raise UsageError(f"poses {recipe.poses} needs a network that is trained; omit it, or add --freeze none")


def _require_views(given: Changes, kind: Kind, initial: InitialEncoder | None, freeze: str) -> None:
    """Raises UsageError for augmentation with frozen layers, whose features are cached for one view of each input."""
    if freeze == "none" or _on_features(initial, freeze):
        return
    for name, value in (("augmentation", given.augmentation), ("poses", given.poses)):
        if value not in (None, "none", 1):
            raise UsageError(f"--freeze {freeze} encodes each input once, without {name}; omit one of them")
    if kind == "unlabelled":
        raise UsageError(f"unlabelled files need two views of each, but --freeze {freeze} has one; omit it")


def _on_features(initial: InitialEncoder | None, freeze: str) -> bool:
    return freeze == "all" and initial is not None and initial.base is not None
