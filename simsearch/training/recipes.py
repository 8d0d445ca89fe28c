"""Training configurations, and changes to them. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from simsearch.errors import UsageError
from simsearch.labelled.splits import BY, By
from simsearch.media.arguments import check_fields
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
"""The default fractions of training, validation and test."""
MOST = {"memory": 1_000_000, "patience": 1_000_000, "threads": 1_024, "seed": 2**63 - 1, "weight_decay": 1_000}
"""The largest valid values."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training configuration. An epoch counts pairs; `batch_classes` x `batch_images` inputs form a batch.

    Every input of a batch is encoded once, and pairs are formed from the embeddings.
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
    """Optimizer steps; 0 follows from the epochs."""
    epochs: int = 0
    pairs_per_epoch: int = 0
    """0 means all pairs of the training inputs."""
    margin: float | Literal["soft"] | None = None
    """For this and the next three None is the default of the loss."""
    temperature: float | None = None
    scale: float | None = None
    distance: Distance | None = None
    miner: str | None = None
    memory: int = 0
    """Size of the cross-batch memory."""
    positive_share: float = 0.0
    """The least share of positive pairs in a batch; negative ones are subsampled to reach it."""
    weight_decay: float = 0.0
    cosine_decay: bool = False
    clip: float = 5.0
    augmentation: str = "none"
    poses: int = 1
    """For drawings: with 4 the rotations of each class by 90, 180 and 270 degrees are three more classes, with 8 the
    reflections of these are four more."""
    contrast_weight: float = 0.0
    """Weight of the supervised contrastive loss beside the classifier."""
    within_power: float = 0.0
    """For classes: the exponent of within-class covariance normalization; 0 is none, see `finetuning.wccn`."""
    split: By = "content"
    counts: tuple[float, float, float] = SHARES
    """Train, validation and test: fractions, or inputs of each class; for a split by class fractions of the classes."""
    evaluate_every: int = 100
    validation_ways: int = 5
    """For a split by class, the number of ways of one-shot validation."""
    threads: int = 0
    """CPU threads; 0 is torch's default. Synchronizing threads slows small networks down."""
    averaging: float = 0.0
    """Decay of the moving average of the weights that is validated and exported (Polyak and Juditsky 1992); 0 is no
    averaging."""
    start_share: float | None = None
    """The weight of the initial encoder when it is interpolated with the fine-tuned one (WiSE-FT). By default
    validation chooses it for classes, and it is 0 for other data; see `finetuning.interpolation`."""
    halves: tuple[int, int] = (256, 128)
    """For a head on frozen features: the dimensions of its linear and of its trained half, which may be 0 for the
    linear map alone."""
    standardized: bool = False
    """Whether the linear half standardizes its features, by the train partition."""
    precision: str = "auto"
    patience: int = 0
    """Evaluations without improvement until early stopping; 0 is off."""
    seed: int = 0

    @property
    def modality(self) -> Modality:
        return "text" if isinstance(self.model, TextSpec) else "image"

    @property
    def batch_inputs(self) -> int:
        return self.batch_classes * self.batch_images

    @property
    def batch_pairs(self) -> int:
        """The number of pairs in a batch of classes."""
        return self.batch_inputs * (self.batch_inputs - 1) // 2


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes to a recipe; None leaves its value."""

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
        """These changes, updated with the arguments that are not None."""
        return replace(
            self,
            loss=self.loss if loss is None else loss,
            epochs=self.epochs if epochs is None else epochs,
            steps=self.steps if steps is None else steps,
            learning_rate=self.learning_rate if learning_rate is None else learning_rate,
            split=self.split if split is None else split,
            seed=self.seed if seed is None else seed,
        )


def check_changes(changes: Changes) -> None:
    """Raises UsageError for values that are invalid in any recipe."""
    check_fields(changes)
    choices = {
        "loss": (changes.loss, tuple(LOSSES)),
        "optimizer": (changes.optimizer, OPTIMIZERS),
        "split": (changes.split, BY),
        "augmentation": (changes.augmentation, AUGMENTATIONS),
        "precision": (changes.precision, PRECISIONS),
        "fit": (changes.fit, FITS),
        "poses": (changes.poses, POSES),
    }
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
    shown = "counts " + ",".join(f"{count:g}" for count in counts)
    if not all(0 <= count < math.inf for count in counts) or not counts[0]:
        raise UsageError(f"{shown}: none may be negative, and that of train must be above 0")
    if max(counts) <= 1 and sum(counts) > 1 + 1e-9:
        raise UsageError(f"{shown}: fractions must add up to at most 1, not {sum(counts):g}")
