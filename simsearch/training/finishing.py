"""The end of a training run: metrics, the encoder folder and its training record."""

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
from simsearch.evaluation.statistics.probability import same_curve
from simsearch.progress import Progress, Silent
from simsearch.training.export.folder import export_encoder, round_weights
from simsearch.training.export.report import write_report
from simsearch.training.measure import Verification, chosen_threshold, embed_rows, figures_of_test
from simsearch.training.networks.encoder import SiameseEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.training.data.dataset import Dataset
    from simsearch.training.finetuning.initial import InitialEncoder
    from simsearch.training.finetuning.interpolation import Interpolation
    from simsearch.training.loop import Fitted
    from simsearch.training.measure import Verification
    from simsearch.training.networks.encoder import Network
    from simsearch.training.processes import Processes
    from simsearch.training.recipes import Recipe
    from simsearch.types import JSONValue, Skip, Vectors


RESERVE = 0.04
"""The share of the time limit that is reserved for evaluation and export."""
FINISHING = 8.0
"""Seconds that export and plots take in any run."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run: the encoder folder, its metrics, and the skipped files."""

    folder: Path
    figures: Mapping[str, JSONValue]
    history: tuple[dict[str, float], ...]
    pictures: tuple[Path, ...]
    skipped: tuple[Skip, ...]

    @property
    def config(self) -> EncoderConfig:
        """The content of encoder.json."""
        return read_config(self.folder)


@dataclass(frozen=True, slots=True)
class Run:
    """The parameters of a run, without its data."""

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
    encoders_compared: Mapping[str, float] = field(default_factory=dict)
    """The metric on the train partition of each encoder among which `initial` was chosen."""
    fine_tune_blocks: bool = False
    """Whether the last blocks of the backbone are fine-tuned too, if time is left after the head."""
    depths_compared: Mapping[str, float] = field(default_factory=dict)
    """Mean average precision of validation items with the head alone, and with fine-tuned blocks and their head."""

    @property
    def on_features(self) -> bool:
        """Whether only a head is trained, on the features of a frozen encoder."""
        return self.freeze == "all" and self.start is not None and self.start.base is not None

    def seconds_left(self) -> float | None:
        """The remaining time for training, without that of the end of a run; None without a time limit."""
        if self.minutes is None:
            return None
        return self.minutes * 60 * (1 - RESERVE) - FINISHING - (time.monotonic() - self.began)

    def minutes_left(self) -> float | None:
        """The remaining time in minutes, at least a second."""
        seconds = self.seconds_left()
        return None if seconds is None else max(seconds, 1.0) / 60

    @property
    def seen_before(self) -> frozenset[str]:
        """The classes, or groups of them, that the initial encoder was trained on."""
        return frozenset() if self.start is None else self.start.seen

    @property
    def own(self) -> str:
        """The suffix of the files of this process, empty for the first."""
        return "" if self.processes.rank == 0 else f"-{self.processes.rank}"


@dataclass(frozen=True, slots=True)
class Exported:
    """The encoder to export if a part of it was trained, with sample inputs."""

    encoder: SiameseEncoder
    sample: NDArray[np.uint8]


def finish(
    encoder: Network,
    run: Run,
    data: Dataset,
    fitted: Fitted,
    interpolation: Interpolation | None,
    *,
    validated: Network | None = None,
    exported: Exported | None = None,
) -> Trained:
    """Evaluates the encoder, and writes the encoder folder and its plots.

    If `encoder` was trained on the validation partition too, `validated` is one that was not, for choosing the
    threshold. If it is a part of an encoder, `exported` is the whole encoder, which shares its layers.
    """
    encoder.eval()
    if exported is None:
        assert isinstance(encoder, SiameseEncoder)
        exported = Exported(encoder, data.inputs.batch(data.train.rows[:256]).numpy())
    if run.half:
        round_weights(exported.encoder)
    figures, tested, verification = _measured(encoder, validated or encoder, run, data, fitted, interpolation)
    with placed(run.folder, run.work) as made:
        export_encoder(
            exported.encoder,
            run.recipe.model,
            made,
            name=run.folder.name,
            fit=run.recipe.fit,
            tokenizer=data.tokenizer,
            sample=exported.sample,
            half=run.half,
            base=run.start.base if run.on_features and run.start is not None else None,
            training=_record(run, data, fitted, interpolation),
            figures=figures,
            curves=_curves(data, verification),
        )
        if run.report:
            write_report(made / "report", data, tested, verification, fitted.history)
    pictures = tuple(sorted((run.folder / "report").glob("*.png")))
    return Trained(run.folder, figures, fitted.history, pictures, data.skipped)


def _measured(
    encoder: Network,
    validated: Network,
    run: Run,
    data: Dataset,
    fitted: Fitted,
    interpolation: Interpolation | None,
) -> tuple[dict[str, JSONValue], Vectors | None, Verification | None]:
    """All metrics, the embeddings of the test partition, and the result of verification on it."""
    figures: dict[str, JSONValue] = dict(_known({"validation": fitted.best_figure}))
    if interpolation is not None and interpolation.compared:
        figures["start_share"] = interpolation.weight
    threshold, verification, tested = None, None, None
    known = data.validation if len(data.validation) else data.train
    if known.labels is not None or known.same is not None:
        vectors = embed_rows(validated, data.inputs, known.rows)
        threshold, accuracy = chosen_threshold(known, vectors, run.recipe.seed)
        name = "validation" if known is data.validation else "training"
        figures |= {f"{name}_pair_accuracy": accuracy, "threshold": threshold}
    if len(data.test):
        tested = embed_rows(encoder, data.inputs, data.test.rows)
        measured, verification = figures_of_test(encoder, data, tested, threshold, run.recipe)
        figures |= measured
        seen_before = len(unseen_classes(data)) - len(held_out(data, run.seen_before))
        if seen_before:
            figures["test_classes_seen_before"] = seen_before
    return figures, tested, verification


def _record(run: Run, data: Dataset, fitted: Fitted, interpolation: Interpolation | None) -> dict[str, JSONValue]:
    """The training record in encoder.json."""
    record: dict[str, JSONValue] = json.loads(json.dumps(asdict(run.recipe)))
    del record["model"]
    start: dict[str, JSONValue] | None = None
    if run.start is not None and interpolation is not None:
        start = {
            "encoder": run.start.name,
            "fingerprint": run.start.fingerprint,
            "freeze": run.freeze,
            "encoders_compared": {name: round(known, 4) for name, known in run.encoders_compared.items()},
            "shares_compared": {f"{share:g}": round(accuracy, 4) for share, accuracy in interpolation.compared.items()},
        }
        if run.depths_compared:
            start["depths_compared"] = {name: round(known, 4) for name, known in run.depths_compared.items()}
        record["start_share"] = interpolation.weight
    return record | {
        "kind": data.kind,
        "split_by": data.split.by,
        "split_record": dict(data.split.record),
        "start": start,
        "inputs": [len(part) for part in (data.train, data.validation, data.test)],
        "learned": [*learned(data)],
        "held_out": [*held_out(data, run.seen_before)],
        "seen_before": [*sorted(run.seen_before)],
        "copies": data.copies,
        "digest": data.digest,
        "steps_taken": fitted.steps,
        "best_step": fitted.best_step,
        "seconds": round(fitted.seconds, 1),
        "inputs_encoded": fitted.steps * run.recipe.batch_inputs,
        "processes": run.processes.world,
        "history": [dict(_known(row)) for row in fitted.history],
    }


def _curves(data: Dataset, verification: Verification | None) -> dict[str, JSONValue]:
    """The calibration curve of the test pairs, by what they compare; none without such pairs."""
    if verification is None:
        return {}
    unseen = len(unseen_classes(data))
    source = f"{unseen:,} classes that were not trained on" if unseen else "the test items of the training data"
    compared = "texts" if data.modality == "text" else "images"
    return {compared: same_curve(verification.scores, verification.same, source).document()}


def _known(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures without NaN, which JSON cannot represent."""
    return {name: value for name, value in figures.items() if not math.isnan(value)}


def learned(data: Dataset) -> list[str]:
    """The names of the classes in the train and validation partitions."""
    labels = [part.labels for part in (data.train, data.validation) if part.labels is not None]
    return [data.classes[number] for number in np.unique(np.concatenate(labels))] if labels else []


def held_out(data: Dataset, seen_before: frozenset[str]) -> list[str]:
    """The names of the unseen test classes, without those that the initial encoder was trained on."""
    group = dict(zip(data.classes, data.groups, strict=False))
    return [name for name in unseen_classes(data) if not seen_before & {name, group.get(name)}]


def unseen_classes(data: Dataset) -> list[str]:
    """The names of the test classes if the split is by class or group, else none."""
    if data.split.by not in ("class", "group") or data.test.labels is None:
        return []
    return [data.classes[number] for number in np.unique(data.test.labels)]
