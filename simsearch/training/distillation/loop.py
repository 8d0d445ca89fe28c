"""The loop that trains a bag of tokens on teacher embeddings, graded pairs and pairs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from simsearch.encoders.text import padded
from simsearch.errors import TrainingError
from simsearch.progress import Progress, Working
from simsearch.training.checkpoint import CHECKPOINT_FORMAT, State, load_checkpoint, save_checkpoint
from simsearch.training.data.product_codes import CodePairs
from simsearch.training.losses.functional import contrastive, dot_regression
from simsearch.training.networks.encoder import SiameseEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 16
"""Number of batches among which texts are sorted by length, for less padding."""
LOSS_MEMORY = 0.95
WARM_UP = 0.02


@dataclass(frozen=True, slots=True)
class Distilling:
    """The configuration of a distillation."""

    dim: int = 256
    vocabulary: int = 18_000
    """Maximum size of the vocabulary."""
    codes: int = 2_048
    """Embeddings for hashed words with digits (see `encoders.tokens`); 0 is none."""
    max_tokens: int = 512
    epochs: int = 4
    batch: int = 512
    """Texts in a batch, to which a quarter as many graded pairs, pairs, and texts with synthetic codes are added."""
    learning_rate: float = 6e-3
    graded_weight: float = 1.0
    pairs_weight: float = 0.5
    codes_weight: float = 1.0
    code_share: float = 0.7
    """The share of equal codes in the target similarity of two texts with codes."""
    evaluate_every: int = 100
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of texts by number, with their labels: grades in [0, 1], or 1 and 0 for same and different."""

    rows: NDArray[np.int64]
    known: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DistillationTargets:
    """The training set: ids and teacher embeddings of the texts, and pairs of them."""

    ids: Sequence[tuple[int, ...]]
    embeddings: NDArray[np.float32]
    graded: Pairs
    pairs: Pairs
    codes: CodePairs | None

    def steps(self, how: Distilling) -> int:
        return max(1, how.epochs * math.ceil(len(self.ids) / how.batch))


@dataclass(frozen=True, slots=True)
class FittedStudent:
    """A finished distillation; the encoder holds the last weights."""

    history: tuple[dict[str, float], ...]
    steps: int
    seconds: float


class BatchOrder:
    """The texts of each batch, as a function of the seed and the step."""

    def __init__(self, lengths: NDArray[np.int64], how: Distilling) -> None:
        self._lengths, self._how = lengths, how
        self._epoch, self._batches = -1, list[np.ndarray]()

    def batch(self, step: int) -> NDArray[np.int64]:
        epoch, place = divmod(step, math.ceil(len(self._lengths) / self._how.batch))
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffled(np.random.default_rng((self._how.seed, epoch)))
        rows: NDArray[np.int64] = self._batches[place]
        return rows

    def _shuffled(self, rng: np.random.Generator) -> list[np.ndarray]:
        order, size = rng.permutation(len(self._lengths)), self._how.batch
        batches: list[np.ndarray] = []
        for start in range(0, len(order), CHUNK * size):
            part = order[start : start + CHUNK * size]
            part = part[np.argsort(self._lengths[part], kind="stable")]
            batches += [part[first : first + size] for first in range(0, len(part), size)]
        return [batches[place] for place in rng.permutation(len(batches))]


def fit_student(
    encoder: SiameseEncoder,
    targets: DistillationTargets,
    how: Distilling,
    *,
    validate: Callable[[], float],
    checkpoint: Path,
    configuration: str,
    progress: Progress,
) -> FittedStudent:
    """Trains for all epochs, resuming from `checkpoint` if it exists.

    Raises TrainingError for a loss that is not finite.
    """
    steps = targets.steps(how)
    # A step updates few rows of a large table; the moments of the others are unchanged.
    optimizer = torch.optim.SparseAdam(list(encoder.parameters()), lr=how.learning_rate)
    state = load_checkpoint(checkpoint, configuration) or _first(encoder, optimizer, configuration, steps)
    encoder.load_state_dict(state["objective"])
    optimizer.load_state_dict(state["optimizer"])
    started = time.monotonic() - state["seconds"]
    running = state["history"][-1]["loss"] if state["history"] else math.nan
    order = BatchOrder(np.fromiter(map(len, targets.ids), np.int64, len(targets.ids)), how)
    with Working(progress, steps, "steps", "distilling"):
        progress.advance(state["step"])
        for step in range(state["step"], steps):
            optimizer.param_groups[0]["lr"] = how.learning_rate * _learning_rate_factor(step, steps)
            value = _learn(encoder, optimizer, targets, how, order.batch(step), step)
            running = value if math.isnan(running) else LOSS_MEMORY * running + (1 - LOSS_MEMORY) * value
            progress.advance()
            if (step + 1) % how.evaluate_every == 0 or step + 1 == steps:
                figure = validate()
                progress.note(f"loss {running:.3f}, validation {figure:.3f}")
                state["history"].append({"step": float(step + 1), "loss": running, "validation": figure})
                state["step"], state["seconds"] = step + 1, time.monotonic() - started
                state["objective"], state["optimizer"] = encoder.state_dict(), optimizer.state_dict()
                save_checkpoint(checkpoint, state)
    return FittedStudent(tuple(state["history"]), steps, state["seconds"])


def _learn(
    encoder: SiameseEncoder,
    optimizer: torch.optim.SparseAdam,
    targets: DistillationTargets,
    how: Distilling,
    rows: NDArray[np.int64],
    step: int,
) -> float:
    """The loss of a batch, after an optimizer step."""
    loss = _loss(encoder.train(), targets, how, rows, np.random.default_rng((how.seed, step, 1)))
    value = float(loss.item())
    if not math.isfinite(value):
        raise TrainingError(f"the loss is {value} at step {step}; lower the learning rate ({how.learning_rate} now)")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()  # type: ignore[no-untyped-call]
    return value


def _first(encoder: SiameseEncoder, optimizer: torch.optim.Optimizer, configuration: str, steps: int) -> State:
    return State(
        format=CHECKPOINT_FORMAT,
        configuration=configuration,
        step=0,
        steps=steps,
        objective=encoder.state_dict(),
        optimizer=optimizer.state_dict(),
        scaler={},
        best={},
        best_figure=-math.inf,
        best_step=0,
        history=[],
        seconds=0.0,
    )


def _learning_rate_factor(step: int, steps: int) -> float:
    """The factor of the learning rate: warmup, then linear decay to 0.02."""
    warm = max(1, round(WARM_UP * steps))
    return (step + 1) / warm if step < warm else max(0.02, 1.0 - (step - warm) / max(1, steps - warm))


def _loss(
    encoder: SiameseEncoder,
    targets: DistillationTargets,
    how: Distilling,
    rows: NDArray[np.int64],
    rng: np.random.Generator,
) -> Tensor:
    """The loss of a batch: one minus the cosine with the teacher embeddings, and the losses of pairs and codes."""
    loss = (
        1.0 - (_embedded(encoder, [targets.ids[row] for row in rows]) * _of(targets.embeddings[rows])).sum(dim=1)
    ).mean()
    few = max(1, how.batch // 4)
    if len(targets.graded.rows):
        scores, known = _scores(encoder, targets, targets.graded, few, rng)
        loss = loss + how.graded_weight * dot_regression(scores, known)
    if len(targets.pairs.rows):
        scores, known = _scores(encoder, targets, targets.pairs, few, rng)
        loss = loss + how.pairs_weight * contrastive(scores, known)
    if targets.codes is not None:
        chosen = rng.choice(rows, min(few, len(rows)), replace=False)
        left, right, wanted = targets.codes.draw([targets.ids[row] for row in chosen], targets.embeddings[chosen], rng)
        loss = loss + how.codes_weight * dot_regression(_cosines(encoder, left, right), _of(wanted))
    return loss


def _scores(
    encoder: SiameseEncoder, targets: DistillationTargets, pairs: Pairs, count: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    chosen = rng.choice(len(pairs.rows), min(count, len(pairs.rows)), replace=False)
    left, right = ([targets.ids[row] for row in pairs.rows[chosen, side]] for side in (0, 1))
    return _cosines(encoder, left, right), _of(pairs.known[chosen])


def _cosines(encoder: SiameseEncoder, left: Sequence[tuple[int, ...]], right: Sequence[tuple[int, ...]]) -> Tensor:
    both = _embedded(encoder, [*left, *right])
    return (both[: len(left)] * both[len(left) :]).sum(dim=1)


def _embedded(encoder: SiameseEncoder, ids: Sequence[tuple[int, ...]]) -> Tensor:
    embeddings: Tensor = encoder(torch.from_numpy(padded(ids)))
    return embeddings


def _of(values: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(values)
