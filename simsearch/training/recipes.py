"""The presets: which network, loss and schedule, and what the reference that they reproduce reached."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from simsearch.errors import UsageError
from simsearch.training.models import ModelSpec, compact

LOSSES = ("contrastive", "dot", "triplet", "classifier")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training run but for its files. An epoch counts pairs, `batch_classes` x `batch_images` pictures form a batch.

    Every picture of a batch is encoded once and the pairs are formed from the encoded ones.
    """

    name: str
    summary: str
    model: ModelSpec
    fit: str
    loss: str
    optimizer: str
    learning_rate: float
    batch_classes: int
    batch_images: int
    steps: int = 0
    """Optimiser steps; 0 follows from the epochs."""
    epochs: int = 0
    pairs_per_epoch: int = 0
    """0 means all pairs of the training pictures."""
    margin: float = 1.0
    positive_share: float = 0.0
    """The least share of positive pairs in a batch; negative ones are thinned out to reach it."""
    weight_decay: float = 0.0
    cosine_decay: bool = False
    clip: float = 5.0
    augmentation: str = "none"
    quarter_turns: bool = False
    """Each class turned by 90, 180 and 270 degrees counts as three more classes (for drawings)."""
    contrast_weight: float = 0.0
    """Weight of the supervised contrastive loss beside the classifier."""
    scale: float = 8.0
    """What the classifier multiplies cosines with."""
    label_smoothing: float = 0.0
    """The share of the classifier's target that all classes divide among them (Szegedy et al. 2016)."""
    training_side: int = 0
    """Augmented pictures have this side while a network learns; 0 is the network's. Fewer pixels, more pictures."""
    averaging: float = 0.0
    """Decay of the running mean of the weights that is validated and kept (Polyak and Juditsky 1992); 0 keeps the
    weights themselves."""
    whitening: float = 0.0
    """Share of a unit matrix in the within-class covariance that the last layer undoes after training; 0 leaves it."""
    split: str = "content"
    counts: tuple[float, float, float] = (0.6, 0.2, 0.2)
    """Train, validation and test: shares, or pictures a class; for a split by class shares of the classes."""
    evaluate_every: int = 100
    validation_ways: int = 5
    """For a split by class, the classes among which one-shot recognition chooses when a run is validated."""
    threads: int = 0
    """Processor threads; 0 is torch's choice. A small network loses more by waiting for others than they help."""
    patience: int = 0
    """Evaluations without a gain after which the run stops; 0 never stops early."""
    seed: int = 0

    @property
    def batch_pairs(self) -> int:
        images = self.batch_classes * self.batch_images
        return images * (images - 1) // 2

    def total_steps(self, images: int) -> int:
        """Optimiser steps for this many training pictures."""
        if self.steps:
            return self.steps
        pairs = self.pairs_per_epoch or images * (images - 1) // 2
        return max(1, math.ceil(self.epochs * pairs / self.batch_pairs))


SHAPES = Recipe(
    "shapes",
    "small pictures in colour: two convolutions, the dot product regressed on same or different",
    ModelSpec("shapes", 28, 28, 3, 16),
    fit="squash", loss="dot", optimizer="adamw", learning_rate=4e-3,
    batch_classes=3, batch_images=6, epochs=10, counts=(20, 20, 20), evaluate_every=50, threads=1,
)  # fmt: skip

DIGITS = Recipe(
    "digits",
    "grey pictures: three dense layers of 128, contrastive loss with margin 1 (Hadsell et al. 2006)",
    ModelSpec("digits", 28, 28, 1, 128, dropout=0.3),
    fit="pad", loss="contrastive", optimizer="rmsprop", learning_rate=2e-3, cosine_decay=True,
    batch_classes=10, batch_images=12, epochs=20, pairs_per_epoch=1_100_000, positive_share=0.3,
    counts=(0.7, 0.1, 0.2), evaluate_every=200, threads=1,
)  # fmt: skip

BACKBONE = Recipe(
    "backbone",
    "pictures in colour at 128 pixels: two convolutions, two dense layers, contrastive or triplet loss",
    ModelSpec("backbone", 128, 128, 3, 128),
    fit="crop", loss="contrastive", optimizer="adamw", learning_rate=1e-3,
    batch_classes=8, batch_images=4, epochs=20, pairs_per_epoch=20_000, positive_share=0.2,
    evaluate_every=50, patience=10,
)  # fmt: skip

PHOTO = Recipe(
    "photo",
    "photos of many classes: a residual network that learns to place classes it has never seen",
    replace(compact(64, 64), views=("plain", "mirror")),
    fit="crop", loss="classifier", optimizer="sgd", learning_rate=0.1,
    batch_classes=64, batch_images=2, steps=3_600, weight_decay=5e-4, cosine_decay=True,
    augmentation="photo", training_side=48, averaging=0.998,
    split="class", counts=(0.7, 0.14, 0.16), evaluate_every=900,
)  # fmt: skip

GLYPH = Recipe(
    "glyph",
    "drawings and handwriting: a residual network, turned drawings as further classes",
    ModelSpec(
        "residual", 32, 32, 1, 128, widths=(48, 96, 192), stem_width=16, first_stride=2, pooling="flat",
    ),
    fit="pad", loss="classifier", optimizer="sgd", learning_rate=0.1,
    batch_classes=64, batch_images=2, steps=3_000, weight_decay=5e-4, cosine_decay=True,
    augmentation="drawing", quarter_turns=True, contrast_weight=0.5, averaging=0.998,
    split="class", counts=(0.8, 0.1, 0.1), evaluate_every=500, validation_ways=20,
)  # fmt: skip

PRESETS = {recipe.name: recipe for recipe in (SHAPES, DIGITS, BACKBONE, PHOTO, GLYPH)}


def preset(name: str) -> Recipe:
    """The preset of this name. Raises UsageError listing all."""
    if name not in PRESETS:
        raise UsageError(f"No preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def adjusted(
    recipe: Recipe,
    *,
    loss: str | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
    split: str | None = None,
    learning_rate: float | None = None,
    margin: float | None = None,
) -> Recipe:
    """The recipe with what is given in place of its own. Raises UsageError for values that make no sense."""
    if loss is not None and loss not in LOSSES:
        raise UsageError(f"No loss {loss!r}; there are {', '.join(LOSSES)}")
    if split is not None and split not in ("content", "class"):
        raise UsageError(f"No split {split!r}; there are content, class")
    for name, value in (("epochs", epochs), ("steps", steps), ("learning rate", learning_rate), ("margin", margin)):
        if value is not None and value <= 0:
            raise UsageError(f"{name} must be above 0, not {value}")
    if loss == "triplet" and margin is None and recipe.loss != "triplet":
        margin = 0.2
    if epochs is not None:
        steps = 0
    changes = {
        "loss": loss, "epochs": epochs, "steps": steps, "seed": seed, "split": split,
        "learning_rate": learning_rate, "margin": margin,
    }  # fmt: skip
    changed = replace(recipe, **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
    if split is not None and split != recipe.split:
        changed = replace(changed, counts=(0.6, 0.2, 0.2))
    if not changed.steps and not changed.epochs:
        raise UsageError(f"preset {recipe.name!r} needs steps or epochs")
    return changed


def on_everything(recipe: Recipe) -> Recipe:
    """The recipe with all classes to train on; one picture in twenty of each is kept to validate with."""
    return replace(recipe, split="content", counts=(0.95, 0.05, 0.0))
