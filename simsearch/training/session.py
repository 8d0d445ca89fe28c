"""One training run from files to an encoder folder."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import numpy as np
import torch

from simsearch.encoders.folder import CONFIG_NAME, WEIGHTS_NAME, EncoderConfig, read_config
from simsearch.errors import LockedError, MissingExtraError, TrainingError, UsageError
from simsearch.progress import Progress, Silent
from simsearch.training.dataset import Dataset, load_dataset
from simsearch.training.export import export_encoder, round_weights
from simsearch.training.loop import Fitted, fit
from simsearch.training.measure import Verification, chosen_threshold, embed_rows, one_shot, verify
from simsearch.training.models import SiameseEncoder, build
from simsearch.training.objective import Objective
from simsearch.training.recipes import Recipe, adjusted, on_everything, preset
from simsearch.training.report import write_report

if TYPE_CHECKING:
    from simsearch.types import JSONValue, Skip

STATISTICS_SAMPLE = 2_000
REPORTED_WAYS = {"content": (5, 10), "class": (5, 20)}


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run: where the encoder is, what it reached, what was left out."""

    folder: Path
    config: EncoderConfig
    figures: dict[str, JSONValue]
    history: tuple[dict[str, float], ...]
    pictures: tuple[Path, ...]
    skipped: tuple[Skip, ...]


def train(
    source: str | Path,
    out: str | Path,
    *,
    recipe: str | Recipe = "backbone",
    loss: str | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    margin: float | None = None,
    split: str | None = None,
    test: Sequence[str] = (),
    everything: bool = False,
    start: str | Path | None = None,
    convention: str | None = None,
    seed: int | None = None,
    half: bool = False,
    report: bool = True,
    restart: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Trained:
    """Trains a siamese encoder on `source` and writes the encoder folder `out`.

    `source` is a folder of class folders, or a CSV file of pairs (see `media.labelled.read_pairs`). A run that was
    stopped goes on from its last checkpoint, kept in `OUT.training`, when it is started again with the same
    arguments; `restart` starts it anew. `test` names classes or groups to hold out for the test; with `everything` no
    class is held out. With `start`, an encoder folder of the same network, training begins with its weights; they
    should have 32 bits, for rounding to 16 moves the scales of layers. With `half` the weights are stored in 16 bits.
    Raises TrainingError, UsageError.
    """
    if everything and (test or split):
        raise UsageError(f"to train on everything leaves nothing to hold out; take {test[0] if test else split!r} away")
    chosen = adjusted(
        preset(recipe) if isinstance(recipe, str) else recipe, loss=loss, epochs=epochs, steps=steps,
        learning_rate=learning_rate, margin=margin, split=split, seed=seed,
    )  # fmt: skip
    if everything:
        chosen = on_everything(chosen)
    if test and chosen.split != "class":
        raise UsageError(f"--test {test[0]} holds a class out, which needs --split class")
    if report and importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("The report's pictures (--no-report leaves them out)", "plots")
    folder = Path(out)
    work = _workplace(folder, overwrite)
    try:
        with filelock.FileLock(work / "lock", timeout=0):
            if restart:
                (work / "checkpoint.pt").unlink(missing_ok=True)
            dataset = load_dataset(
                Path(source), chosen, test=test, convention=convention, cache=work / "pixels.npy",
                progress=progress or Silent(),
            )  # fmt: skip
            with _threads(chosen.threads):
                trained = _run(chosen, dataset, folder, work, start, half, report, progress or Silent())
    except filelock.Timeout:
        raise LockedError(f"another training works in {work}; wait for it, or choose another -o") from None
    shutil.rmtree(work, ignore_errors=True)
    return trained


def _workplace(folder: Path, overwrite: bool) -> Path:
    """The folder beside the encoder's in which a run keeps its checkpoint; it may hold one from an earlier run."""
    if folder.exists() and not (overwrite and (folder / CONFIG_NAME).is_file()):
        raise UsageError(f"{folder} exists; choose another name, or --overwrite to replace the encoder in it")
    work = folder.with_name(folder.name + ".training")
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{work} cannot be made: {error.strerror or error}") from error
    return work


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _run(
    recipe: Recipe,
    data: Dataset,
    folder: Path,
    work: Path,
    start: str | Path | None,
    half: bool,
    report: bool,
    progress: Progress,
) -> Trained:
    torch.manual_seed(recipe.seed)
    mean, std = _statistics(data)
    encoder = build(recipe.model, mean=mean, std=std)
    begun = "" if start is None else _begin_from(encoder, Path(start))
    objective = Objective(encoder, recipe, data.training_classes)
    fitted = fit(
        objective, data.sampler, data.pixels, recipe=recipe, steps=recipe.total_steps(len(data.train.rows)),
        validate=lambda: _validation(objective.kept, data, recipe), checkpoint=work / "checkpoint.pt",
        configuration=_configuration(recipe, data, begun), progress=progress,
    )  # fmt: skip
    return _finish(objective.kept, recipe, data, fitted, folder, work, begun, half, report)


def _begin_from(encoder: SiameseEncoder, folder: Path) -> str:
    """The fingerprint of the encoder in this folder, whose weights the new one has from now on."""
    from safetensors.torch import load_file

    config = read_config(folder)
    try:
        encoder.load_state_dict(load_file(folder / WEIGHTS_NAME))
    except (OSError, RuntimeError) as error:
        cause = str(error).splitlines()[0]
        raise TrainingError(f"{folder}: its weights do not fit the preset's network ({cause})") from error
    return config.fingerprint


def _statistics(data: Dataset) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over at most 2,000 training pictures."""
    rows = data.train.rows[:: max(1, len(data.train.rows) // STATISTICS_SAMPLE)]
    sample = data.pixels[rows].astype(np.float64) / 255.0
    mean, std = sample.mean(axis=(0, 1, 2)), sample.std(axis=(0, 1, 2))
    return tuple(mean.round(4).tolist()), tuple(np.maximum(std, 1e-3).round(4).tolist())


def _configuration(recipe: Recipe, data: Dataset, begun: str) -> str:
    """What must be the same for a checkpoint to be gone on from."""
    text = json.dumps(asdict(recipe), sort_keys=True) + data.digest + begun
    return hashlib.sha256(text.encode()).hexdigest()


def _validation(encoder: SiameseEncoder, data: Dataset, recipe: Recipe) -> float:
    """One-shot accuracy on held-out classes, or the best accuracy on held-out pairs."""
    vectors = embed_rows(encoder, data.pixels, data.validation.rows)
    if data.split == "class":
        result = one_shot(data.validation, vectors, most_ways=recipe.validation_ways, seed=recipe.seed)
        if result is not None:
            return result.accuracy
    return chosen_threshold(data.validation, vectors, recipe.seed)[1]


def _finish(
    encoder: SiameseEncoder,
    recipe: Recipe,
    data: Dataset,
    fitted: Fitted,
    folder: Path,
    work: Path,
    begun: str,
    half: bool,
    report: bool,
) -> Trained:
    encoder.eval()
    if half:
        round_weights(encoder)
    vectors = embed_rows(encoder, data.pixels, data.validation.rows)
    threshold, accuracy = chosen_threshold(data.validation, vectors, recipe.seed)
    figures: dict[str, JSONValue] = {
        "validation": fitted.best_figure, "validation_pair_accuracy": accuracy, "threshold": threshold,
    }  # fmt: skip
    verification = None
    if len(data.test.rows):
        tested = embed_rows(encoder, data.pixels, data.test.rows)
        verification = verify(data.test, tested, threshold=threshold, seed=recipe.seed)
        figures |= _test_figures(data, tested, verification, recipe)
    temporary = work / "encoder"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    config = export_encoder(
        encoder, recipe.model, temporary, name=folder.name, fit=recipe.fit,
        sample=data.pixels[data.validation.rows[:256]], half=half,
        training=_training_record(recipe, data, fitted, begun), figures=figures,
    )  # fmt: skip
    if report and verification is not None:
        write_report(temporary / "report", data, tested, verification, fitted.history)
    if folder.exists():
        shutil.rmtree(work / "replaced", ignore_errors=True)
        folder.replace(work / "replaced")
    temporary.replace(folder)
    pictures = tuple(sorted((folder / "report").glob("*.png")))
    return Trained(folder, config, figures, fitted.history, pictures, data.skipped)


def _test_figures(
    data: Dataset, vectors: np.ndarray, verification: Verification, recipe: Recipe
) -> dict[str, JSONValue]:
    figures: dict[str, JSONValue] = {
        "test_pairs": len(verification.pairs),
        "test_pair_accuracy": verification.accuracy,
        "test_pair_accuracy_at_distance_0.5": verification.accuracy_at_half_distance,
        "test_pair_accuracy_at_score_0.5": verification.accuracy_at_half_score,
        "test_roc_auc": verification.auc,
    }
    for ways in REPORTED_WAYS[data.split]:
        result = one_shot(data.test, vectors, most_ways=ways, seed=recipe.seed)
        if result is not None:
            figures[f"test_{result.ways}_way_1_shot"] = result.accuracy
            figures[f"test_{result.ways}_way_1_shot_interval"] = result.half_width
    return figures


def _training_record(recipe: Recipe, data: Dataset, fitted: Fitted, begun: str) -> dict[str, JSONValue]:
    """What encoder.json says about how the weights were made."""
    record: dict[str, JSONValue] = json.loads(json.dumps(asdict(recipe)))
    del record["model"]
    return record | {
        "split_by": data.split, "pictures": [len(side.rows) for side in (data.train, data.validation, data.test)],
        "held_out": _held_out(data), "copies": data.copies, "digest": data.digest, "begun_from": begun,
        "steps_taken": fitted.steps, "best_step": fitted.best_step, "seconds": round(fitted.seconds, 1),
        "images_encoded": fitted.steps * recipe.batch_classes * recipe.batch_images,
        "history": [dict(row) for row in fitted.history],
    }  # fmt: skip


def _held_out(data: Dataset) -> list[JSONValue]:
    """The names of the classes of the test side, when no class is on two sides."""
    if data.split != "class" or data.test.labels is None:
        return []
    return [data.classes[number] for number in np.unique(data.test.labels)]
