"""One training run from files to an encoder folder."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import numpy as np

from simsearch.encoders.placing import LOCK, require_place
from simsearch.errors import LockedError, MissingExtraError, TrainingError, UsageError
from simsearch.labelled.reading import Reading
from simsearch.labelled.similar import linked_classes, only_similar
from simsearch.media.arguments import (
    FLAG,
    NUMBER,
    PATH,
    TEXT,
    TEXTS,
    allow,
    as_progress,
    check_fields,
    require,
    require_instance,
)
from simsearch.progress import Progress
from simsearch.space import telling_full_disk
from simsearch.training.configuration import chosen_freeze, configure
from simsearch.training.data.dataset import Dataset, load_dataset
from simsearch.training.finetuning.freezing import FREEZES
from simsearch.training.finetuning.selection import compare_encoders, initial_encoders
from simsearch.training.finishing import Run, Trained
from simsearch.training.head_run import train_head
from simsearch.training.network_run import train_network
from simsearch.training.processes import Processes, open_processes, processor_threads
from simsearch.training.recipes import Changes, Recipe

if TYPE_CHECKING:
    from simsearch.labelled.reading import Labelled
    from simsearch.labelled.splits import By

CHECKPOINT_NAME = "checkpoint.pt"


def train(
    source: str | Path,
    out: str | Path,
    *,
    recipe: str | Recipe | None = None,
    start: str | Path | None = None,
    freeze: str | None = None,
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
    progress: Progress | bool | None = None,
) -> Trained:
    """Trains a siamese encoder on `source`, and writes the encoder folder `out`.

    `source` is whatever `labelled.read_labelled` reads: class folders, a table of classes, pairs, graded pairs
    or triplets, or unlabelled files, with the options in `reading`. `start` names the initial encoder; without it and
    without a `recipe` it is the bundled one with the best metric on the train partition. `freeze` freezes none, a part
    or all of it: by default none, but all of an encoder with features for a new head, and `out` then holds that head.
    For classes the fine-tuned weights are interpolated with the initial ones (WiSE-FT), by `changes.start_share` or as
    validation chooses. `changes` overrides other values of the recipe. An interrupted run resumes from its last
    checkpoint, in `OUT.training`, when it is called with the same arguments; `restart` trains from the beginning.
    `test` names classes or groups to hold out for the test; with `everything` no class is held out. With `half` the
    weights are stored in 16 bits. Under a launcher of several processes all of them return, but only the first one
    writes and has figures.
    Raises TrainingError, UsageError.
    """
    started = time.monotonic()
    flags = {"everything": everything, "half": half, "report": report, "restart": restart, "overwrite": overwrite}
    _check_types(source, out, start, freeze, minutes, test, changes, reading, flags)
    given = (changes or Changes()).also(
        loss=loss, epochs=epochs, steps=steps, learning_rate=learning_rate, split=split, seed=seed
    )
    check_fields(given)
    _check(freeze, recipe is not None and start is None, (given.epochs, given.steps, minutes), report)
    if everything and (test or given.split):
        held = test[0] if test else given.split
        raise UsageError(f"everything holds nothing out; omit {held!r}")
    work = Path(out).with_name(Path(out).name + ".training")
    require_place(Path(out), work, overwrite=overwrite)
    labelled = (reading or Reading()).read(Path(source))
    linked = only_similar(labelled)
    labelled = linked_classes(labelled) if linked else labelled
    processes = open_processes()
    runs = []
    for initial in initial_encoders(recipe, start, labelled, freeze):
        frozen = chosen_freeze(freeze, initial)
        chosen = configure(recipe, given, labelled, initial, frozen, everything=everything, linked=linked)
        if test and chosen.split not in ("class", "group"):
            raise UsageError(f"--test {test[0]} needs --split class or group")
        runs.append(
            Run(
                chosen,
                Path(out),
                _made(work),
                initial,
                frozen,
                minutes,
                half,
                report,
                processes,
                as_progress(progress if processes.rank == 0 else None),
                started,
                fine_tune_blocks=freeze is None and minutes is not None,
            )
        )
    return _carried_out(runs, labelled, test, restart)


def _carried_out(runs: Sequence[Run], labelled: Labelled, test: Sequence[str], restart: bool) -> Trained:
    """The result of a run, which locks its working folder and removes it at the end.

    Of several runs with different initial encoders, the one with the best metric on the train partition is run.
    """
    run = runs[0]
    try:
        with (
            telling_full_disk(run.work, TrainingError),
            _alone_in(run.work, run.processes),
            processor_threads(run.recipe.threads),
        ):
            if restart and run.processes.rank == 0:
                for checkpoint in run.work.glob("checkpoint*.pt"):
                    checkpoint.unlink(missing_ok=True)
            run.processes.wait()
            dataset = _dataset_of(run, labelled, test)
            if len(runs) > 1:
                run = best_initial_run(runs, dataset)
                if run.start is not runs[0].start:
                    # The file of its pixels is rewritten, which Windows refuses while it is mapped.
                    del dataset
                    dataset = _dataset_of(run, labelled, test)
            trained = _train(run, dataset)
    except filelock.Timeout:
        raise LockedError(f"another training run uses {run.work}; wait for it, or choose another -o") from None
    run.processes.wait()
    if run.processes.rank == 0:
        shutil.rmtree(run.work, ignore_errors=True)
    return trained


def best_initial_run(runs: Sequence[Run], data: Dataset) -> Run:
    """The run whose initial encoder has the best metric on the train partition, the first of equals.

    `data` was read for the first of them.
    """
    first = runs[0]
    fits = {run.start.name: run.recipe.fit for run in runs if run.start}
    known = compare_encoders(fits, data, first.recipe.seed, first.progress)
    figures = list(known.values()) or [0.0]
    # All processes take the choice of the first one, as their last digits may differ.
    place = first.processes.broadcast(float(np.argmax(figures)))
    return replace(runs[int(place)], encoders_compared=known)


def _dataset_of(run: Run, labelled: Labelled, test: Sequence[str]) -> Dataset:
    return load_dataset(
        labelled,
        run.recipe,
        test=test,
        tokenizer=b"" if run.start is None else run.start.tokenizer,
        cache=run.work / f"pixels{run.own}.npy",
        progress=run.progress,
    )


def _check_types(
    source: object,
    out: object,
    start: object,
    freeze: object,
    minutes: object,
    test: object,
    changes: object,
    reading: object,
    flags: Mapping[str, object],
) -> None:
    """Raises UsageError for an argument of another type than it must have."""
    require(PATH, source=source, out=out)
    allow(PATH, start=start)
    allow(TEXT, freeze=freeze)
    allow(NUMBER, minutes=minutes)
    require(TEXTS, test=test)
    require(FLAG, **flags)
    require_instance(Changes, "simsearch.Changes(...)", changes=changes)
    require_instance(Reading, "simsearch.Reading(...)", reading=reading)


def _check(freeze: str | None, preset_only: bool, lengths: tuple[float | None, ...], report: bool) -> None:
    if freeze is not None and freeze not in FREEZES:
        raise UsageError(f"no freeze {freeze!r}; there are {', '.join(FREEZES)}")
    if freeze not in (None, "none") and preset_only:
        raise UsageError(f"--freeze {freeze} needs an initial encoder: name it with --from, or omit --preset")
    if sum(length is not None for length in lengths) > 1:
        raise UsageError("give only one of epochs, steps and minutes")
    if lengths[2] is not None and not 0 < lengths[2] < math.inf:
        raise UsageError(f"minutes must be above 0, not {lengths[2]}")
    if report and importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("The plots of the report (--no-report omits them)", "plots")


def _made(work: Path) -> Path:
    """The working folder beside the encoder folder, which may hold the checkpoint of an earlier run."""
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{work} cannot be created: {error.strerror or error}") from error
    return work


def _alone_in(work: Path, processes: Processes) -> contextlib.AbstractContextManager[object]:
    """The lock of the working folder; raises filelock.Timeout if another run holds it."""
    return filelock.FileLock(work / LOCK, timeout=0) if processes.rank == 0 else contextlib.nullcontext()


def _train(run: Run, data: Dataset) -> Trained:
    train_part = train_head if run.on_features else train_network
    return train_part(run, data, _configuration(run, data), run.work / CHECKPOINT_NAME)


def _configuration(run: Run, data: Dataset) -> str:
    """A hash of what must be equal for a run to resume from a checkpoint."""
    start = None if run.start is None else run.start.fingerprint
    text = json.dumps([asdict(run.recipe), data.digest, start, run.freeze, run.minutes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
