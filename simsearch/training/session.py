"""One training run from files to an encoder folder."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import importlib.util
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import numpy as np
import torch

from simsearch.errors import LockedError, MissingExtraError, UsageError
from simsearch.media.labelled import read_labelled
from simsearch.progress import Progress, Silent
from simsearch.training.beginning import begin_at_means
from simsearch.training.dataset import Dataset, load_dataset, make_sampler
from simsearch.training.finishing import Run, Trained, finish
from simsearch.training.freezing import FREEZES, divided, features_of, of_features
from simsearch.training.imitation import CACHE, agreement, imitating, made_teacher, require_no_loss
from simsearch.training.keeping import keep_between
from simsearch.training.loop import Validate, fit
from simsearch.training.loss_table import default_loss
from simsearch.training.measure import validation_figure
from simsearch.training.models import Network, SiameseEncoder, build
from simsearch.training.objective import Objective
from simsearch.training.placing import require_place
from simsearch.training.presets import preset
from simsearch.training.processes import Processes, open_processes, processor_threads
from simsearch.training.recipes import Changes, Recipe, adjusted, on_everything, suited
from simsearch.training.starting import Start, start_from, with_head
from simsearch.training.text_models import TextSpec, build_text

if TYPE_CHECKING:
    from simsearch.media.labelled import Kind, Labelled, Modality
    from simsearch.media.splits import By
    from simsearch.training.imitation import Teacher

CHECKPOINT_NAME = "checkpoint.pt"
STATISTICS_SAMPLE = 2_000
DEFAULT_RECIPES: Mapping[str, str] = {"image": "backbone", "text": "words"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How the source is to be read where it does not say so itself; see `media.labelled.read_labelled`."""

    kind: Kind | None = None
    modality: Modality | None = None
    columns: str | None = None
    convention: str | None = None
    score_range: tuple[float, float] | None = None
    label_until: str | None = None
    by_line: bool = False


def train(
    source: str | Path,
    out: str | Path,
    *,
    recipe: str | Recipe | None = None,
    start: str | Path | None = None,
    freeze: str = "none",
    teacher: str | Path | None = None,
    loss: str | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    learning_rate: float | None = None,
    split: By | None = None,
    test: Sequence[str] = (),
    everything: bool = False,
    seed: int | None = None,
    changes: Changes | None = None,
    reading: Reading | None = None,
    half: bool = False,
    report: bool = True,
    restart: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Trained:
    """Trains a siamese encoder on `source` and writes the encoder folder `out`.

    `source` is whatever `media.labelled.read_labelled` reads: class folders, a table of classes, pairs, graded pairs
    or triplets, or unlabelled files; `reading` says what it does not say itself. `start` names the encoder to go on
    from, of which `freeze` leaves none, a part or all as it is; of the weights that learn from classes as much is left
    as these allow, or `changes.start_share`. With a `teacher`, an image encoder, the network learns
    to say of class folders or unlabelled pictures what that one says. `changes` holds what is wanted otherwise than
    the recipe has it beyond the arguments here. A run that was stopped goes on from its last checkpoint, kept in
    `OUT.training`, when it is started again with the same arguments; `restart` starts it anew. `test` names classes or
    groups to hold out for the test; with `everything` no class is held out. With `half` the weights are stored in 16
    bits. Under a launcher of several processes all of them return, but the first alone writes and has figures.
    Raises TrainingError, UsageError.
    """
    _check(freeze, start, teacher, (epochs, steps, minutes), report)
    if everything and (test or split):
        raise UsageError(f"to train on everything leaves nothing to hold out; take {test[0] if test else split!r} away")
    began = _began(start, freeze)
    labelled = read_labelled(Path(source), **asdict(reading or Reading()))
    wanted = (changes or Changes()).also(
        loss=loss, epochs=epochs, steps=steps, learning_rate=learning_rate, split=split, seed=seed
    )
    if teacher is None:
        chosen, taught = _chosen(recipe, wanted, labelled, began, freeze), None
    else:
        require_no_loss(wanted)
        taught = start_from(str(teacher))
        chosen = imitating(_chosen(recipe, wanted, labelled, began, freeze), taught, labelled.kind, wanted, began)
    if everything:
        chosen = on_everything(chosen)
    if test and chosen.split not in ("class", "group"):
        raise UsageError(f"--test {test[0]} holds a class out, which needs --split class")
    processes = open_processes()
    run = Run(
        chosen, Path(out), _workplace(Path(out), overwrite), began, taught, freeze, minutes, half, report, processes,
        (progress if processes.rank == 0 else None) or Silent(),
    )  # fmt: skip
    return _carried_out(run, labelled, test, restart)


def _began(start: str | Path | None, freeze: str) -> Start | None:
    if start is None:
        return None
    found = start_from(str(start))
    return with_head(found) if freeze == "all" else found


def _carried_out(run: Run, labelled: Labelled, test: Sequence[str], restart: bool) -> Trained:
    """The run from its data to its end, alone in its folder; that folder goes when all is done."""
    try:
        with _alone_in(run.work, run.processes), processor_threads(run.recipe.threads):
            if restart and run.processes.rank == 0:
                for path in (run.work / CHECKPOINT_NAME, *run.work.glob(f"{CACHE}*")):
                    path.unlink(missing_ok=True)
            run.processes.wait()
            dataset = load_dataset(
                labelled, run.recipe, test=test, tokenizer=b"" if run.start is None else run.start.tokenizer,
                cache=run.work / f"pixels{run.own}.npy", progress=run.progress,
            )  # fmt: skip
            trained = _train(run, dataset)
    except filelock.Timeout:
        raise LockedError(f"another training works in {run.work}; wait for it, or choose another -o") from None
    run.processes.wait()
    if run.processes.rank == 0:
        shutil.rmtree(run.work, ignore_errors=True)
    return trained


def _check(
    freeze: str, start: str | Path | None, teacher: str | Path | None, lengths: tuple[float | None, ...], report: bool
) -> None:
    if freeze not in FREEZES:
        raise UsageError(f"no freeze {freeze!r}; there are {', '.join(FREEZES)}")
    if freeze != "none" and teacher is not None:
        raise UsageError(f"a teacher teaches a whole network; take --freeze {freeze} away")
    if freeze != "none" and start is None:
        raise UsageError(f"--freeze {freeze} needs an encoder whose layers are worth keeping: name it with --from")
    if sum(length is not None for length in lengths) > 1:
        raise UsageError("epochs, steps and minutes each say how long to train; give one of them")
    if lengths[2] is not None and lengths[2] <= 0:
        raise UsageError(f"minutes must be above 0, not {lengths[2]}")
    if report and importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("The report's pictures (--no-report leaves them out)", "plots")


def _chosen(
    recipe: str | Recipe | None, wanted: Changes, labelled: Labelled, start: Start | None, freeze: str
) -> Recipe:
    """The recipe of this run: a preset, made to suit the data, the encoder it starts from and what is asked for."""
    named = recipe if isinstance(recipe, Recipe) else preset(recipe or DEFAULT_RECIPES[labelled.modality])
    if start is None and named.modality != labelled.modality:
        raise UsageError(f"preset {named.name!r} is for {named.modality}s, but these are {labelled.modality}s")
    if start is not None:
        if start.modality != labelled.modality:
            raise UsageError(f"{start.name} is an encoder of {start.modality}s, but these are {labelled.modality}s")
        # Fewer pixels while learning are a share of the preset's own size.
        side = named.training_side if start.spec.width == named.model.width else 0
        named = replace(named, model=start.spec, fit=start.fit, training_side=side)
        if recipe is None:
            # The default preset's loss is that of the network which it was published with.
            wanted = replace(wanted, loss=wanted.loss or default_loss(labelled.kind))
    if wanted.poses is not None and labelled.kind != "classes":
        raise UsageError(f"poses make further classes, and these are {labelled.kind}; take --poses away")
    chosen = suited(adjusted(named, wanted), labelled.kind, asked=wanted.loss is not None)
    if start is None and chosen.start_share:
        raise UsageError(f"start share {chosen.start_share:g} needs an encoder to go on from; name it with --from")
    if freeze != "none":
        chosen = of_features(chosen, wanted, labelled.kind, freeze)
    elif labelled.kind == "unlabelled" and chosen.augmentation == "none" and wanted.augmentation is None:
        # Two equal views of an input teach nothing.
        chosen = replace(chosen, augmentation="photo" if labelled.modality == "image" else "text")
    grouped = len(set(labelled.groups)) < len(labelled.classes)
    if chosen.split == "class" and wanted.split is None and grouped:
        chosen = replace(chosen, split="group")
    return chosen


def _workplace(folder: Path, overwrite: bool) -> Path:
    """The folder beside the encoder's in which a run keeps its checkpoint; it may hold one from an earlier run."""
    require_place(folder, overwrite=overwrite)
    work = folder.with_name(folder.name + ".training")
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{work} cannot be made: {error.strerror or error}") from error
    return work


def _alone_in(work: Path, processes: Processes) -> contextlib.AbstractContextManager[object]:
    """Holds the run's folder against other runs; raises filelock.Timeout when one works there."""
    return filelock.FileLock(work / "lock", timeout=0) if processes.rank == 0 else contextlib.nullcontext()


def _train(run: Run, data: Dataset) -> Trained:
    if isinstance(run.recipe.model, TextSpec) and run.start is None:
        # A tokenizer learned from few texts has fewer tokens than it may.
        run = replace(run, recipe=replace(run.recipe, model=replace(run.recipe.model, vocabulary=data.vocabulary)))
    recipe = run.recipe
    torch.manual_seed(recipe.seed)
    encoder = _fresh(recipe, data) if run.start is None else run.start.encoder
    network: Network = encoder
    # Processes that share their batch statistics put other layers in the place of those that have any.
    written = copy.deepcopy(encoder)
    if run.freeze != "none":
        front, network = divided(encoder, run.freeze)
        features = features_of(
            front, data.inputs, run.work / f"features{run.own}.npy", run.processes.device, run.progress
        )
        learned_on = replace(data, inputs=features)
    else:
        learned_on = data
    teacher = None
    if run.teacher is not None:
        known = None if run.start is None else network.to(run.processes.device)
        teacher = made_teacher(
            run.teacher, data.inputs, data.train.rows, recipe.model.dim, student=known, folder=run.work,
            configuration=_configuration(run, data), processes=run.processes,
        )  # fmt: skip
    objective = Objective(network, recipe, data.training_classes, run.processes, teacher)
    if teacher is None and run.start is not None and data.train.labels is not None:
        dense = np.unique(data.train.labels, return_inverse=True)[1]
        begin_at_means(objective, learned_on.inputs, data.train.rows, dense)
    fitted = fit(
        objective, make_sampler(data.train, recipe), learned_on.inputs, recipe=recipe,
        steps=recipe.total_steps(data.train), minutes=run.minutes,
        validate=_figure(learned_on, recipe, teacher),
        checkpoint=run.work / CHECKPOINT_NAME, configuration=_configuration(run, data), processes=run.processes,
        progress=run.progress,
    )  # fmt: skip
    if run.processes.rank:
        return Trained(run.folder, {}, fitted.history, (), data.skipped)
    kept = None
    if run.start is not None:
        kept = keep_between(encoder, written.state_dict(), network, learned_on, recipe, run.progress)
        if kept.share:
            fitted = replace(fitted, best_figure=_figure(learned_on, recipe, teacher)(network))
    written.load_state_dict(encoder.state_dict())
    return finish(written, run, data, fitted, kept)


def _figure(data: Dataset, recipe: Recipe, teacher: Teacher | None) -> Validate:
    """The figure by which weights are chosen: of what has no labels, how far it agrees with its teacher."""
    if teacher is not None and data.validation.labels is None and len(data.validation):
        return agreement(teacher, data.inputs, data.validation.rows)
    return lambda trained: validation_figure(trained, data, recipe)


def _fresh(recipe: Recipe, data: Dataset) -> SiameseEncoder:
    """An encoder with random weights, pictures standardized as those that are trained on ask for.

    Mean and standard deviation of each channel are those of at most 2,000 of them.
    """
    if isinstance(recipe.model, TextSpec):
        return build_text(recipe.model)
    rows = data.train.rows[:: max(1, len(data.train.rows) // STATISTICS_SAMPLE)]
    sample = data.inputs.batch(rows).numpy().astype(np.float64) / 255.0
    mean, std = sample.mean(axis=(0, 1, 2)), sample.std(axis=(0, 1, 2))
    return build(recipe.model, mean=tuple(mean.round(4).tolist()), std=tuple(np.maximum(std, 1e-3).round(4).tolist()))


def _configuration(run: Run, data: Dataset) -> str:
    """What must be the same for a checkpoint to be gone on from."""
    start, teacher = (None if each is None else each.fingerprint for each in (run.start, run.teacher))
    text = json.dumps([asdict(run.recipe), data.digest, start, teacher, run.freeze, run.minutes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
