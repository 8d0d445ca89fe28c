"""A training configuration, and what may be given in place of its values. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from simsearch.errors import UsageError
from simsearch.labelled.splits import BY, By
from simsearch.media.images import FITS
from simsearch.training.losses.table import LOSSES, Distance
from simsearch.training.networks.specification import ModelSpec, TextSpec

if TYPE_CHECKING:
    from simsearch.labelled.reading import Modality

AUGMENTATIONS = ("none", "photo", "drawing", "copies", "text")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
OPTIMIZERS = ("adamw", "adam", "sgd", "rmsprop")
POSES = (1, 4, 8)
SHARES = (0.6, 0.2, 0.2)
"""Of training, validation and test, where nothing else is said."""
MOST = {"memory": 1_000_000, "patience": 1_000_000, "threads": 1_024, "seed": 2**63 - 1, "weight_decay": 1_000}
"""The largest values that make sense, or that what they are given to takes."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training configuration. An epoch counts pairs, `batch_classes` x `batch_images` pictures form a batch.

    Every picture of a batch is encoded once and the pairs are formed from the encoded ones.
    """

    name: str
    summary: str
    model: ModelSpec | TextSpec
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
    margin: float | Literal["soft"] | None = None
    """This and the next three: the loss's own where None."""
    temperature: float | None = None
    scale: float | None = None
    distance: Distance | None = None
    miner: str | None = None
    memory: int = 0
    """Embeddings of past batches that a batch is compared with as well."""
    positive_share: float = 0.0
    """The least share of positive pairs in a batch; negative ones are thinned out to reach it."""
    weight_decay: float = 0.0
    cosine_decay: bool = False
    clip: float = 5.0
    augmentation: str = "none"
    poses: int = 1
    """For drawings: with 4 each class turned by 90, 180 and 270 degrees counts as three more classes, with 8 each of
    these mirrored as four more."""
    contrast_weight: float = 0.0
    """Weight of the supervised contrastive loss beside the classifier."""
    within_power: float = 0.0
    """Of classes: the exponent of within-class covariance normalization; 0 is none, see `finetuning.wccn`."""
    split: By = "content"
    counts: tuple[float, float, float] = SHARES
    """Train, validation and test: shares, or pictures a class; for a split by class shares of the classes."""
    evaluate_every: int = 100
    validation_ways: int = 5
    """For a split by class, the classes among which one-shot recognition chooses when a run is validated."""
    threads: int = 0
    """Processor threads; 0 is torch's choice. A small network loses more by waiting for others than they help."""
    averaging: float = 0.0
    """Decay of the running mean of the weights that is validated and kept (Polyak and Juditsky 1992); 0 keeps the
    weights themselves."""
    start_share: float | None = None
    """The weight of the initial encoder when it is interpolated with the fine-tuned one (WiSE-FT). By default
    validation chooses it for classes, and it is 0 for other data; see `finetuning.interpolation`."""
    halves: tuple[int, int] = (256, 128)
    """Of a head on features that stay as they are: the numbers of its linear half and of the one that learns, which
    may be 0: then it is the linear map alone."""
    standardized: bool = False
    """Whether every feature that the linear half takes counts by how far it is from usual on the training side."""
    precision: str = "auto"
    patience: int = 0
    """Evaluations without a gain after which the run stops; 0 never stops early."""
    seed: int = 0

    @property
    def modality(self) -> Modality:
        return "text" if isinstance(self.model, TextSpec) else "image"

    @property
    def batch_inputs(self) -> int:
        return self.batch_classes * self.batch_images

    @property
    def batch_pairs(self) -> int:
        """The pairs that a batch of classes makes."""
        return self.batch_inputs * (self.batch_inputs - 1) // 2


@dataclass(frozen=True, slots=True)
class Changes:
    """What somebody wants otherwise than the preset has it; None leaves the preset's."""

    fit: str | None = None
    poses: int | None = None
    loss: str | None = None
    epochs: int | None = None
    steps: int | None = None
    learning_rate: float | None = None
    cosine_decay: bool | None = None
    weight_decay: float | None = None
    margin: float | Literal["soft"] | None = None
    temperature: float | None = None
    scale: float | None = None
    distance: Distance | None = None
    miner: str | None = None
    memory: int | None = None
    optimizer: str | None = None
    batch_classes: int | None = None
    batch_images: int | None = None
    augmentation: str | None = None
    averaging: float | None = None
    within_power: float | None = None
    start_share: float | None = None
    precision: str | None = None
    patience: int | None = None
    threads: int | None = None
    split: By | None = None
    counts: tuple[float, float, float] | None = None
    seed: int | None = None

    def also(
        self,
        *,
        loss: str | None,
        epochs: int | None,
        steps: int | None,
        learning_rate: float | None,
        split: By | None,
        seed: int | None,
    ) -> Changes:
        """The same with those of these that are not None in place of its own."""
        return replace(
            self,
            loss=loss or self.loss,
            epochs=self.epochs if epochs is None else epochs,
            steps=self.steps if steps is None else steps,
            learning_rate=self.learning_rate if learning_rate is None else learning_rate,
            split=split or self.split,
            seed=self.seed if seed is None else seed,
        )


def check_changes(changes: Changes) -> None:
    """Raises UsageError for values that make no sense whatever the recipe."""
    choices = {
        "loss": (changes.loss, tuple(LOSSES)), "optimizer": (changes.optimizer, OPTIMIZERS),
        "split": (changes.split, BY), "augmentation": (changes.augmentation, AUGMENTATIONS),
        "precision": (changes.precision, PRECISIONS), "fit": (changes.fit, FITS),
        "poses": (changes.poses, POSES),
    }  # fmt: skip
    for name, (value, possible) in choices.items():
        if value is not None and value not in possible:
            raise UsageError(f"No {name} {value!r}; there are {', '.join(map(str, possible))}")
    for name in ("epochs", "steps", "learning_rate", "batch_classes", "batch_images"):
        value = getattr(changes, name)
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"{name.replace('_', ' ')} must be above 0, not {value}")
    for name, most in MOST.items():
        value = getattr(changes, name)
        if value is not None and not 0 <= value <= most:
            raise UsageError(f"{name.replace('_', ' ')} must be from 0 to {most:,}, not {value}")
    for name in ("averaging", "start_share", "within_power"):
        value = getattr(changes, name)
        if value is not None and not 0 <= value < 1:
            raise UsageError(f"{name.replace('_', ' ')} must be from 0 to below 1, not {value}")
    if changes.counts is not None:
        _check_shares(changes.counts)


def _check_shares(counts: tuple[float, float, float]) -> None:
    said = "shares " + " ".join(f"{count:g}" for count in counts)
    if not all(0 <= count < math.inf for count in counts) or not counts[0]:
        raise UsageError(f"{said}: each must be a number from 0, and that of training above it")
    if max(counts) <= 1 and sum(counts) > 1 + 1e-9:
        raise UsageError(f"{said}: they add up to {sum(counts):g}, and all there is is 1; numbers above 1 are counted")
