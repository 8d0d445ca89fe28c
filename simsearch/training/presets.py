"""The presets: network, loss and training schedule by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from simsearch.errors import UsageError
from simsearch.training.networks.specification import ModelSpec, TextSpec
from simsearch.training.recipes import Recipe

SHAPES = Recipe(
    "shapes",
    "small color images: two convolutions, dot product regressed on same or different",
    ModelSpec("shapes", 28, 28, 3, 16),
    fit="squash",
    loss="dot",
    optimizer="adamw",
    learning_rate=4e-3,
    batch_classes=3,
    batch_images=6,
    epochs=10,
    counts=(20, 20, 20),
    evaluate_every=50,
    threads=1,
)

DIGITS = Recipe(
    "digits",
    "grayscale images: three dense layers of 128 units, contrastive loss with margin 1 (Hadsell et al. 2006)",
    ModelSpec("digits", 28, 28, 1, 128, dropout=0.3),
    fit="pad",
    loss="contrastive",
    optimizer="rmsprop",
    learning_rate=2e-3,
    cosine_decay=True,
    batch_classes=10,
    batch_images=12,
    epochs=20,
    pairs_per_epoch=1_100_000,
    positive_share=0.3,
    counts=(0.7, 0.1, 0.2),
    evaluate_every=200,
    threads=1,
)

BACKBONE = Recipe(
    "backbone",
    "color images at 128 pixels: two convolutions, two dense layers, contrastive or triplet loss",
    ModelSpec("backbone", 128, 128, 3, 128),
    fit="crop",
    loss="contrastive",
    optimizer="adamw",
    learning_rate=1e-3,
    batch_classes=8,
    batch_images=4,
    epochs=20,
    pairs_per_epoch=20_000,
    positive_share=0.2,
    evaluate_every=50,
    patience=10,
)

GLYPH = Recipe(
    "glyph",
    "drawings and handwriting: residual network, rotated drawings as additional classes",
    ModelSpec(
        "residual",
        32,
        32,
        1,
        128,
        widths=(48, 96, 192),
        stem_width=16,
        first_stride=2,
        pooling="flat",
    ),
    fit="ink",
    loss="classifier",
    optimizer="sgd",
    learning_rate=0.1,
    batch_classes=128,
    batch_images=2,
    steps=3_000,
    weight_decay=5e-4,
    cosine_decay=True,
    augmentation="drawing",
    poses=4,
    scale=20.0,
    contrast_weight=0.5,
    averaging=0.998,
    within_power=0.3,
    split="class",
    counts=(0.8, 0.1, 0.1),
    evaluate_every=250,
    validation_ways=20,
)

WORDS = Recipe(
    "words",
    "texts: bag of subword embeddings, summed; the fastest to train and to encode",
    TextSpec("bag", vocabulary=12_000, dim=256, codes=2_000, dropout=0.1),
    fit="",
    loss="infonce",
    optimizer="adam",
    learning_rate=3e-3,
    cosine_decay=True,
    batch_classes=64,
    batch_images=2,
    epochs=20,
    pairs_per_epoch=200_000,
    augmentation="text",
    evaluate_every=100,
    patience=10,
)

SEQUENCES = Recipe(
    "sequences",
    "texts in which word order matters: recurrent network (GRU)",
    TextSpec("recurrent", vocabulary=8_000, dim=256, width=128, dropout=0.1),
    fit="",
    loss="infonce",
    optimizer="adamw",
    learning_rate=2e-3,
    weight_decay=1e-2,
    cosine_decay=True,
    batch_classes=64,
    batch_images=2,
    epochs=20,
    pairs_per_epoch=400_000,
    augmentation="text",
    evaluate_every=100,
    patience=10,
)

TRANSFORMER = Recipe(
    "transformer",
    "large text corpora, on a GPU: transformer of four layers",
    TextSpec("transformer", vocabulary=16_000, dim=256, width=256, layers=4, dropout=0.1),
    fit="",
    loss="infonce",
    optimizer="adamw",
    learning_rate=5e-4,
    weight_decay=1e-2,
    cosine_decay=True,
    batch_classes=64,
    batch_images=2,
    epochs=20,
    pairs_per_epoch=800_000,
    augmentation="text",
    evaluate_every=100,
    patience=10,
)

ONWARD: Mapping[str, Recipe] = {
    "image": replace(
        BACKBONE,
        name="onward",
        summary="images: fine-tuning of an encoder",
        loss="infonce",
        within_power=0.2,
    ),
    "text": replace(WORDS, name="onward", summary="texts: fine-tuning of an encoder"),
}
"""The default recipes of fine-tuning, with the network of the initial encoder in place of the one here."""
HEAD = replace(
    BACKBONE,
    name="head",
    summary="images: a new head on frozen features of an encoder",
    loss="classifier",
    scale=16.0,
    optimizer="adamw",
    learning_rate=2e-3,
    weight_decay=1e-2,
    cosine_decay=True,
    batch_classes=48,
    batch_images=12,
    steps=400,
    epochs=0,
    pairs_per_epoch=0,
    positive_share=0.0,
    augmentation="photo",
    evaluate_every=100,
    patience=0,
    within_power=0.5,
)
"""The default recipe of a new head on frozen features. The exponent is that of Hatch et al. (2006), for the linear half
of the head."""
HEADS: Mapping[str, Recipe] = {
    "strokes": replace(HEAD, augmentation="drawing", halves=(384, 128), standardized=True),
}
"""The exceptions from it, by kind of network."""
HEAD_ONWARD = 3e-4
"""The learning rate for fine-tuning the head that an encoder has."""
RATES: Mapping[str, Recipe] = {recipe.model.kind: recipe for recipe in (SEQUENCES, TRANSFORMER)}
"""By kind of network, the recipe whose optimizer and learning rate fine-tuning takes."""
GENTLE = 3e-5
"""The learning rate of a pretrained network; a hundred times this causes catastrophic forgetting."""

PRESETS = {recipe.name: recipe for recipe in (SHAPES, DIGITS, BACKBONE, GLYPH, WORDS, SEQUENCES, TRANSFORMER)}
RETIRED: Mapping[str, str] = {
    "photo": "without --preset",
    "photo-large": "without --preset",
    "photo-copies": "with --kind unlabelled --augmentation copies and no --preset",
}
"""Presets of older versions for photos, and what replaces each."""


def preset(name: str) -> Recipe:
    """The preset of this name. Raises UsageError listing all, or naming the replacement of a retired one."""
    if name in RETIRED:
        raise UsageError(f"Preset {name!r} was removed; {RETIRED[name]}, train fine-tunes the encoder photo")
    if name not in PRESETS:
        raise UsageError(f"No preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def preset_rows() -> Sequence[tuple[str, ...]]:
    """The printed table of presets, header first: name, loss, network and purpose."""
    return [("preset", "loss", "data and network"), *[(r.name, r.loss, r.summary) for r in PRESETS.values()]]
