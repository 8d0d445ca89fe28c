"""The end of a training run: figures, the encoder folder, and what it says of itself."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders.folder import EncoderConfig, read_config
from simsearch.encoders.placing import placed
from simsearch.progress import Progress, Silent
from simsearch.training.export.folder import export_encoder, round_weights
from simsearch.training.export.report import write_report
from simsearch.training.measure import chosen_threshold, embed_rows, figures_of_test
from simsearch.training.networks.encoder import SiameseEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.training.data.dataset import Dataset
    from simsearch.training.finetuning.initial import InitialEncoder
    from simsearch.training.finetuning.interpolation import Interpolation
    from simsearch.training.loop import Fitted
    from simsearch.training.networks.encoder import Network
    from simsearch.training.processes import Processes
    from simsearch.training.recipes import Recipe
    from simsearch.types import JSONValue, Skip


RESERVE = 0.04
"""Of the budget of time, kept for measuring and exporting at the end."""
FINISHING = 8.0
"""Seconds that exporting and drawing take, however short a run is."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run: where the encoder is, what it reached, what was left out."""

    folder: Path
    figures: Mapping[str, JSONValue]
    history: tuple[dict[str, float], ...]
    pictures: tuple[Path, ...]
    skipped: tuple[Skip, ...]

    @property
    def config(self) -> EncoderConfig:
        """What encoder.json says."""
        return read_config(self.folder)


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is given beside its data."""

    recipe: Recipe
    folder: Path
    work: Path
    start: InitialEncoder | None
    freeze: str
    minutes: float | None
    half: bool
    report: bool
    processes: Processes
    progress: Progress = field(default_factory=Silent)
    began: float = field(default_factory=time.monotonic)
    starts_compared: Mapping[str, float] = field(default_factory=dict)
    """The encoders among which `start` was chosen, and how much each knew of the training side."""
    deeper: bool = False
    """Whether the last blocks of the backbone may be fine-tuned too, where time is left after the head."""
    depths_compared: Mapping[str, float] = field(default_factory=dict)
    """Mean average precision of validation items with the head alone, and with fine-tuned blocks and their head."""

    @property
    def on_features(self) -> bool:
        """Whether only a head is learned, from the features of an encoder that stays as it is."""
        return self.freeze == "all" and self.start is not None and self.start.base is not None

    def seconds_left(self) -> float | None:
        """What is left of the minutes for learning, less what the end of a run takes; None where nothing limits it."""
        if self.minutes is None:
            return None
        return self.minutes * 60 * (1 - RESERVE) - FINISHING - (time.monotonic() - self.began)

    def minutes_left(self) -> float | None:
        """The same in minutes, at least a second."""
        seconds = self.seconds_left()
        return None if seconds is None else max(seconds, 1.0) / 60

    @property
    def seen_before(self) -> frozenset[str]:
        """The classes, or groups of them, that the encoder it begins with had learned from."""
        return frozenset() if self.start is None else self.start.seen

    @property
    def own(self) -> str:
        """What tells the files of this process from those of others."""
        return "" if self.processes.rank == 0 else f"-{self.processes.rank}"


@dataclass(frozen=True, slots=True)
class Exported:
    """The encoder that is written where another network was trained, of which it has the layers, and inputs of it."""

    encoder: SiameseEncoder
    sample: NDArray[np.uint8]


def finish(
    encoder: Network, run: Run, data: Dataset, fitted: Fitted, kept: Interpolation | None,
    *, judged: Network | None = None, exported: Exported | None = None,
) -> Trained:  # fmt: skip
    """Measures, exports and draws, and puts the encoder folder in its place; `kept` says what is left of its start.

    Where `encoder` has learned from validation too, `judged` is one that has not: the threshold is chosen by it.
    Where it is a part of an encoder, `exported` is the whole, which shares its layers.
    """
    encoder.eval()
    if exported is None:
        assert isinstance(encoder, SiameseEncoder)
        exported = Exported(encoder, data.inputs.batch(data.train.rows[:256]).numpy())
    if run.half:
        round_weights(exported.encoder)
    recipe, threshold = run.recipe, None
    figures: dict[str, JSONValue] = dict(_known({"validation": fitted.best_figure}))
    if kept is not None and kept.compared:
        figures["start_share"] = kept.weight
    verification, tested = None, None
    known = data.validation if len(data.validation) else data.train
    if known.labels is not None or known.same is not None:
        vectors = embed_rows(judged or encoder, data.inputs, known.rows)
        threshold, accuracy = chosen_threshold(known, vectors, recipe.seed)
        side = "validation" if known is data.validation else "training"
        figures |= {f"{side}_pair_accuracy": accuracy, "threshold": threshold}
    if len(data.test):
        tested = embed_rows(encoder, data.inputs, data.test.rows)
        measured, verification = figures_of_test(encoder, data, tested, threshold, recipe)
        figures |= measured
        seen_before = len(unseen_classes(data)) - len(held_out(data, run.seen_before))
        if seen_before:
            figures["test_classes_seen_before"] = seen_before
    with placed(run.folder, run.work) as made:
        export_encoder(
            exported.encoder, recipe.model, made, name=run.folder.name, fit=recipe.fit, tokenizer=data.tokenizer,
            sample=exported.sample, half=run.half,
            base=run.start.base if run.on_features and run.start is not None else None,
            training=_record(run, data, fitted, kept), figures=figures,
        )  # fmt: skip
        if run.report:
            write_report(made / "report", data, tested, verification, fitted.history)
    pictures = tuple(sorted((run.folder / "report").glob("*.png")))
    return Trained(run.folder, figures, fitted.history, pictures, data.skipped)


def _record(run: Run, data: Dataset, fitted: Fitted, kept: Interpolation | None) -> dict[str, JSONValue]:
    """What encoder.json says about how the weights were made."""
    record: dict[str, JSONValue] = json.loads(json.dumps(asdict(run.recipe)))
    del record["model"]
    start: dict[str, JSONValue] | None = None
    if run.start is not None and kept is not None:
        start = {
            "encoder": run.start.name, "fingerprint": run.start.fingerprint, "freeze": run.freeze,
            "encoders_compared": {name: round(known, 4) for name, known in run.starts_compared.items()},
            "shares_compared": {f"{share:g}": round(accuracy, 4) for share, accuracy in kept.compared.items()},
        }  # fmt: skip
        if run.depths_compared:
            start["depths_compared"] = {name: round(known, 4) for name, known in run.depths_compared.items()}
        record["start_share"] = kept.weight
    return record | {
        "kind": data.kind, "split_by": data.split.by, "split_record": dict(data.split.record), "start": start,
        "inputs": [len(side) for side in (data.train, data.validation, data.test)],
        "learned": [*learned(data)], "held_out": [*held_out(data, run.seen_before)],
        "seen_before": [*sorted(run.seen_before)],
        "copies": data.copies, "digest": data.digest,
        "steps_taken": fitted.steps, "best_step": fitted.best_step, "seconds": round(fitted.seconds, 1),
        "inputs_encoded": fitted.steps * run.recipe.batch_inputs, "processes": run.processes.world,
        "history": [dict(_known(row)) for row in fitted.history],
    }  # fmt: skip


def _known(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures without those for which there was nothing to measure on, which JSON cannot hold."""
    return {name: value for name, value in figures.items() if not math.isnan(value)}


def learned(data: Dataset) -> list[str]:
    """The names of the classes on the sides that the weights learn from or are chosen by."""
    labels = [side.labels for side in (data.train, data.validation) if side.labels is not None]
    return [data.classes[number] for number in np.unique(np.concatenate(labels))] if labels else []


def held_out(data: Dataset, seen_before: frozenset[str]) -> list[str]:
    """The names of the classes of the test side, when no class is on two sides, without those that were seen before."""
    group = dict(zip(data.classes, data.groups, strict=False))
    return [name for name in unseen_classes(data) if not seen_before & {name, group.get(name)}]


def unseen_classes(data: Dataset) -> list[str]:
    """The names of the classes of the test side, when no class is on two sides."""
    if data.split.by not in ("class", "group") or data.test.labels is None:
        return []
    return [data.classes[number] for number in np.unique(data.test.labels)]
