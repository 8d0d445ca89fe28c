"""Evaluation of an encoder on labeled data, with baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders import open_encoder
from simsearch.errors import MediaError, UsageError, VectorError
from simsearch.evaluation import judging
from simsearch.evaluation.embedding import Embed, baselines_for, embed
from simsearch.evaluation.judging import KINDS_OF, EvaluationOptions
from simsearch.evaluation.metrics import best_threshold
from simsearch.evaluation.results import Evaluation, Section, System, Threshold
from simsearch.evaluation.runs import Runs, is_runs, read_runs
from simsearch.evaluation.selection import Selection, provenance, select, used_only
from simsearch.evaluation.statistics.probability import SameCurve, encoder_curve
from simsearch.labelled.reading import Reading
from simsearch.media.arguments import (
    FLAG,
    NUMBER,
    PATH,
    TEXTS,
    allow,
    as_progress,
    require,
    require_encoder,
    require_instance,
)
from simsearch.progress import Progress

if TYPE_CHECKING:
    from simsearch.labelled.material import Labelled, Modality
    from simsearch.types import Encoder, Skip, Vectors

DEFAULTS = {
    "classes": ("episodes", "verification", "retrieval"),
    "pairs": ("verification",),
    "graded": ("graded",),
    "triplets": ("triplets",),
}
VALIDATION = 1


@dataclass(frozen=True, slots=True)
class _Material:
    """The data that is evaluated on, without unreadable sources, and its embeddings."""

    sources: tuple[str, ...]
    vectors: Vectors
    data: Labelled | None
    runs: Runs | None
    remarks: tuple[str, ...] = ()
    skipped: tuple[Skip, ...] = ()

    @property
    def kind(self) -> str:
        return "classes" if self.data is None else self.data.kind


def evaluate(
    encoder: str | Path | Encoder,
    source: str | Path,
    *,
    protocols: Sequence[str] = (),
    options: EvaluationOptions | None = None,
    selection: Selection | None = None,
    reading: Reading | None = None,
    threshold: float | None = None,
    threshold_from: str | Path | None = None,
    with_baselines: bool = False,
    progress: Progress | bool | None = None,
) -> Evaluation:
    """The metrics of an encoder on a folder or file that `read_labelled` reads, or on a folder of runs.

    `encoder` is the encoder, its name or its folder.
    Without `protocols`, those that DEFAULTS has for the data are run; one that turns out not to apply is omitted with a
    remark.
    The verification accuracy is at `threshold`, else at the best threshold for the pairs of `threshold_from`, else at
    the one that was chosen on validation data when the encoder was trained; never at one chosen on the evaluated pairs.
    `with_baselines` evaluates the baselines on the same data. Raises UsageError, TrainingError, MediaError,
    VectorError.
    """
    require(PATH, source=source)
    require(FLAG, with_baselines=with_baselines)
    require_instance(EvaluationOptions, "simsearch.EvaluationOptions(...)", options=options)
    require_instance(Selection, "simsearch.Selection(...)", selection=selection)
    require_instance(Reading, "simsearch.Reading(...)", reading=reading)
    _check(protocols, threshold, threshold_from)
    options, reading, shown = options or EvaluationOptions(), reading or Reading(), as_progress(progress)
    encoder = open_encoder(encoder) if isinstance(encoder, (str, Path)) else encoder
    require_encoder(encoder)
    material = _material(encoder, Path(source), selection or Selection(), reading, protocols, options, shown)
    other = None
    if threshold_from is not None:
        other = _other(encoder, Path(threshold_from), reading, material)
    job = _Job(material, options, shown, other)
    own = Threshold(threshold, "as given") if threshold is not None else _recorded(encoder)
    asked = tuple(protocols) or (("runs",) if material.data is None else _defaults(material.kind))
    first, remarks = job.first(encoder, asked, own, strict=bool(protocols))
    systems = [first]
    if with_baselines:
        done = tuple(section.protocol for section in first.sections)
        systems += [job.baseline(name, made, done) for name, made in baselines_for(encoder.modality).items()]
    data = material.data
    return Evaluation(
        _shown(encoder),
        encoder.fingerprint,
        str(source),
        encoder.modality,
        material.sources,
        None if data is None else data.labels,
        () if data is None else data.classes,
        tuple(systems),
        (*material.remarks, *remarks),
        material.skipped,
        options.seed,
        options.rounds,
    )


def _read(reading: Reading, source: Path, encoder: Encoder) -> Labelled:
    """The material, of the modality of the encoder."""
    modality: Modality = "text" if encoder.modality == "text" else "image"
    if reading.modality not in (None, modality):
        raise UsageError(f"{source} is to be read as {reading.modality}, but {encoder.name} is for {encoder.modality}")
    return replace(reading, modality=modality).read(source)


def _shown(encoder: Encoder) -> str:
    """The name of the encoder, or the last part of the path of its folder."""
    path = Path(encoder.name)
    return path.name if path.is_absolute() else encoder.name


def _check(protocols: Sequence[str], threshold: float | None, threshold_from: str | Path | None) -> None:
    require(TEXTS, protocols=protocols)
    allow(NUMBER, threshold=threshold)
    allow(PATH, threshold_from=threshold_from)
    for name in protocols:
        if name not in KINDS_OF:
            raise UsageError(f"no protocol {name!r}; there are {', '.join(KINDS_OF)}")
    if threshold is not None and threshold_from is not None:
        raise UsageError("--threshold and --threshold-from exclude each other; give one of them")
    if protocols and "verification" not in protocols and (threshold is not None or threshold_from is not None):
        raise UsageError("a threshold applies to --protocol verification, which is not among the protocols")


def _defaults(kind: str) -> tuple[str, ...]:
    if kind not in DEFAULTS:
        raise UsageError(f"the data is {kind}, without labels to evaluate by; give classes, pairs or grades")
    return DEFAULTS[kind]


def _recorded(encoder: Encoder) -> Threshold | None:
    value = provenance(encoder).threshold
    return None if value is None else Threshold(value, "from the encoder's validation")


def _material(
    encoder: Encoder,
    source: Path,
    selection: Selection,
    reading: Reading,
    protocols: Sequence[str],
    options: EvaluationOptions,
    progress: Progress,
) -> _Material:
    if source.is_dir() and is_runs(source):
        return _of_runs(encoder, source, selection, protocols, progress)
    data, remarks = select(_read(reading, source, encoder), selection, provenance(encoder))
    found = embed(encoder, data.sources, progress)
    data = data.keep(found.positions)
    runs = judging.runs_of(data, options) if "runs" in protocols else None
    return _Material(data.sources, found.vectors, data, runs, remarks, (*data.skipped, *found.skipped))


def _of_runs(
    encoder: Encoder, source: Path, selection: Selection, protocols: Sequence[str], progress: Progress
) -> _Material:
    unfit = sorted(set(protocols) - {"runs"})
    if unfit or selection != Selection():
        what = f"--protocol {unfit[0]}" if unfit else "a choice of classes or of a partition"
        raise UsageError(f"{source} is a folder of runs, which {what} does not fit; give class folders")
    if encoder.modality != "image":
        raise UsageError(
            f"{source} is a folder of runs of images, but {encoder.name} is an encoder of modality {encoder.modality}"
        )
    runs = read_runs(source)
    found = embed(encoder, runs.sources, progress)
    if found.skipped:
        raise MediaError(f"{found.skipped[0].path}: {found.skipped[0].reason}; a run needs all of its images")
    return _Material(runs.sources, found.vectors, None, runs)


def _other(encoder: Encoder, source: Path, reading: Reading, material: _Material) -> Labelled:
    """The data that a threshold is chosen on: its validation partition, if it has one. It shares no pairs."""
    data = _read(reading, source, encoder)
    if data.partitions is not None and (data.partitions == VALIDATION).any():
        rows = np.flatnonzero(data.partitions == VALIDATION)
        data = data.keep(rows) if data.rows is None else used_only(data.take(rows))
    judged = material.data
    if judged is None or "verification" not in _fitting(judged.kind) or "verification" not in _fitting(data.kind):
        raise UsageError(
            f"--threshold-from {source}: a threshold needs classes or pairs, there and in the evaluated data"
        )
    shared = len(_contents(data) & _contents(judged))
    if shared:
        what = "pairs" if data.kind == "pairs" else "files or texts"
        raise UsageError(
            f"--threshold-from {source}: {shared:,} of its {what} are also evaluated on: a threshold chosen on them "
            "would make the accuracy too high; give other data"
        )
    return data


def _fitting(kind: str) -> tuple[str, ...]:
    return tuple(name for name, kinds in KINDS_OF.items() if kind in kinds)


def _contents(data: Labelled) -> set[str | frozenset[str]]:
    """What must not be shared by both: the pairs, or the sources of classes."""
    if data.pairs is None:
        return set(data.sources)
    return {frozenset((data.sources[left], data.sources[right])) for left, right in data.pairs.tolist()}


@dataclass(frozen=True, slots=True)
class _Job:
    material: _Material
    options: EvaluationOptions
    progress: Progress
    other: Labelled | None
    """The data that a threshold is chosen on."""

    def first(
        self, encoder: Encoder, asked: Sequence[str], own: Threshold | None, strict: bool
    ) -> tuple[System, tuple[str, ...]]:
        """The evaluated encoder, and a remark for each protocol that was omitted."""
        vectors = self.material.vectors
        if self.other is not None:
            found = embed(encoder, self.other.sources, self.progress)
            own = self._chosen(found.vectors, self.other.keep(found.positions))
        sections, remarks, failures = [], [], []
        for protocol in asked:
            try:
                sections.append(self._judge(protocol, vectors, own, encoder_curve(encoder)))
            except (UsageError, VectorError) as error:
                if strict or (protocol == "episodes" and self.options.asks_for_episodes):
                    raise
                failures.append(error)
                remarks.append(f"{protocol} was omitted: {error}")
        if failures and not sections:
            raise failures[0]
        return System(_shown(encoder), encoder.dim, vectors, tuple(sections)), tuple(remarks)

    def baseline(self, name: str, made: Embed, asked: Sequence[str]) -> System:
        """The evaluated baseline, with a threshold of its own if one can be chosen."""
        vectors = made(self.material.sources)
        own = None if self.other is None else self._chosen(made(self.other.sources), self.other)
        return System(name, vectors.shape[1], vectors, tuple(self._judge(protocol, vectors, own) for protocol in asked))

    def _chosen(self, vectors: Vectors, other: Labelled) -> Threshold:
        _, scores, same = judging.scored_pairs(vectors, other, self.options)
        return Threshold(best_threshold(scores, same)[0], f"chosen on {len(same):,} other pairs")

    def _judge(
        self, protocol: str, vectors: Vectors, threshold: Threshold | None, same: SameCurve | None = None
    ) -> Section:
        data, runs = self.material.data, self.material.runs
        if protocol == "runs":
            assert runs is not None
            return judging.judge_runs(vectors, runs, self.options)
        assert data is not None
        if protocol == "verification":
            return judging.judge_verification(vectors, data, self.options, threshold)
        if protocol == "retrieval":
            return judging.judge_retrieval(vectors, data, self.options, self.progress)
        if protocol == "open-set":
            return judging.judge_open_set(vectors, data, self.options, same)
        judge = {"episodes": judging.judge_episodes, "graded": judging.judge_graded, "triplets": judging.judge_triplets}
        return judge[protocol](vectors, data, self.options)
