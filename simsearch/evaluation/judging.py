"""One function for each protocol, from embeddings and labels to a section of metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import UsageError
from simsearch.evaluation.open_set import judging as open_set
from simsearch.evaluation.open_set.judging import OpenSetOptions
from simsearch.evaluation.pairs import cosines, pair_scores, sample_pairs
from simsearch.evaluation.protocols import episodes
from simsearch.evaluation.ranking import rank_queries
from simsearch.evaluation.results import GradedDetail, OpenSetDetail, PairDetail, RunsDetail, Section, Threshold
from simsearch.evaluation.runs import RUNS, WAYS, Runs, draw_runs, run_answers
from simsearch.evaluation.statistics.correlation import graded_figures
from simsearch.evaluation.statistics.intervals import ROUNDS, Figure, mean_figures
from simsearch.evaluation.verifying import FARS, operating_points, verification_figures
from simsearch.media.arguments import check_fields

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.evaluation.statistics.probability import SameCurve
    from simsearch.labelled.material import Labelled
    from simsearch.progress import Progress
    from simsearch.types import Scores, Vectors

DEFAULT_WAYS = (5, 20)


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """Parameters of the protocols; `rounds` is the number of bootstrap resamples, `seed` that of all draws."""

    ways: tuple[int, ...] = ()
    """Ways of episodes; by default 5 and 20, or as many as there are classes."""
    shots: tuple[int, ...] = ()
    """Examples of each class: by default 1 in episodes, and 1, 2 and 5 in open-set recognition."""
    identities: tuple[int, ...] = ()
    """Enrolled classes of open-set recognition; by default an eighth, a quarter and half of those that there are."""
    draws: int = 5
    episodes: int = 1000
    runs: int = RUNS
    pairs: int = 20_000
    fars: tuple[float, ...] = FARS
    at: tuple[int, ...] = (1, 5, 10)
    rounds: int = ROUNDS
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        least = {"ways": 2, "shots": 1, "identities": 1, "draws": 1, "episodes": 2, "runs": 1, "pairs": 1, "at": 1}
        least |= {"rounds": 1, "seed": 0}
        for name, bound in least.items():
            given = getattr(self, name)
            for value in given if isinstance(given, (tuple, list)) else (given,):
                if value < bound:
                    raise UsageError(f"--{name} {value}: must be at least {bound}")
        for far in self.fars:
            if not 0 <= far <= 1:
                raise UsageError(f"--far {far}: give a rate from 0 to 1")

    @property
    def asks_for_episodes(self) -> bool:
        """Whether the size of episodes was given, so that one that does not fit the data is an error."""
        return bool(self.ways or self.shots)


def judge_episodes(vectors: Vectors, data: Labelled, options: EvaluationOptions) -> Section:
    """N-way K-shot accuracy, with the 95 % interval of the mean over the episodes."""
    labels, groups = _labels(data, "episodes"), class_groups(data)
    figures = {}
    for shots in options.shots or (1,):
        for ways in options.ways or _ways(labels, groups, shots):
            found = episodes(
                vectors,
                labels,
                ways=ways,
                shots=shots,
                queries=1,
                count=options.episodes,
                seed=options.seed,
                groups=groups,
            )
            figures[f"{ways}-way {shots}-shot"] = Figure(
                found.accuracy, found.accuracy - found.half_width, found.accuracy + found.half_width
            )
    within = "" if groups is None else ", each within one group"
    return Section("episodes", f"{options.episodes:,} episodes{within}, one query for each class", figures)


def _ways(labels: NDArray[np.int64], groups: NDArray[np.int64] | None, shots: int) -> tuple[int, ...]:
    """5 and 20, or as many classes as there are in a group."""
    _, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    enough = sizes > shots
    most = int(enough.sum()) if groups is None else int(np.bincount(groups[first][enough]).max(initial=0))
    # If there are too few for any, `episodes` raises.
    return tuple(sorted({max(2, min(ways, most)) for ways in DEFAULT_WAYS}))


def judge_runs(vectors: Vectors, runs: Runs, options: EvaluationOptions) -> Section:
    """The accuracy over the runs, each of two drawers; the bootstrap is over runs."""
    given = run_answers(vectors, runs)
    shares = np.array([np.mean(found == true) for found, true in zip(given, runs.answers, strict=True)])
    (figure,) = mean_figures(shares[:, None], seed=options.seed, rounds=options.rounds)
    asked = sum(map(len, runs.asked))
    sizes = sorted({len(known) for known in runs.known})
    ways = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    setting = f"{len(runs.names)} runs of two drawers, {ways} ways, {asked:,} queries"
    return Section("runs", setting, {"accuracy": figure}, RunsDetail(runs, given))


def runs_of(data: Labelled, options: EvaluationOptions) -> Runs:
    """Runs drawn from class folders of drawings, within their groups, with `ways` characters, by default 20."""
    labels = _labels(data, "runs")
    groups = class_groups(data)
    names = np.array(data.groups)[labels] if groups is not None else np.full(len(labels), "all classes")
    ways = options.ways[0] if options.ways else WAYS
    return draw_runs(data.sources, labels, names, runs=options.runs, ways=ways, seed=options.seed)


def judge_verification(
    vectors: Vectors, data: Labelled, options: EvaluationOptions, threshold: Threshold | None
) -> Section:
    """Verification of the given pairs, or of pairs drawn from the classes, half of them genuine."""
    pairs, scores, same = scored_pairs(vectors, data, options)
    classes = None if data.labels is None else data.labels[pairs]
    figures = verification_figures(
        scores,
        same,
        fars=options.fars,
        threshold=None if threshold is None else threshold.value,
        classes=classes,
        seed=options.seed,
        rounds=options.rounds,
    )
    setting = f"{len(same):,} pairs, {np.count_nonzero(same):,} of them genuine"
    if data.labels is not None:
        setting += f", of {len(np.unique(data.labels)):,} classes"
    if threshold is not None:
        setting += f"; threshold {threshold.value:.3f} {threshold.origin}"
    points = operating_points(scores, same, options.fars)
    return Section("verification", setting, figures, PairDetail(pairs, scores, same, threshold), points)


def scored_pairs(
    vectors: Vectors, data: Labelled, options: EvaluationOptions
) -> tuple[NDArray[np.int64], Scores, NDArray[np.bool_]]:
    """The pairs to verify, their cosine similarities, and whether they are genuine."""
    if data.kind == "classes":
        labels = _labels(data, "verification")
        pairs = sample_pairs(labels, options.pairs, np.random.default_rng(options.seed))
        return pairs, *pair_scores(vectors, labels, pairs=pairs)
    if data.pairs is None or data.same is None:
        raise UsageError(_unfit("verification", "pairs or classes", data))
    return data.pairs, cosines(vectors, data.pairs), data.same


def judge_retrieval(vectors: Vectors, data: Labelled, options: EvaluationOptions, progress: Progress) -> Section:
    """Retrieval metrics of items of the same class; the bootstrap is over the classes of the queries."""
    labels = _labels(data, "retrieval")
    ranked = rank_queries(vectors, labels, options.at, progress=progress)
    found = mean_figures(ranked.values, labels[ranked.rows], seed=options.seed, rounds=options.rounds)
    setting = f"{len(ranked.rows):,} queries among {len(labels):,} of {len(np.unique(labels)):,} classes"
    return Section("retrieval", setting, dict(zip(ranked.names, found, strict=True)), ranked)


def judge_open_set(vectors: Vectors, data: Labelled, options: EvaluationOptions, same: SameCurve | None) -> Section:
    """Recognition among enrolled identities with unknown queries; the bootstrap is over the classes."""
    chosen = OpenSetOptions(
        options.shots, options.identities, options.draws, options.fars, options.rounds, options.seed
    )
    setting, found = open_set.judge(vectors, _labels(data, "open-set"), chosen, same)
    return Section("open-set", setting, open_set.named_figures(found), OpenSetDetail(found))


def judge_graded(vectors: Vectors, data: Labelled, options: EvaluationOptions) -> Section:
    """Correlation of cosine similarities with grades; the bootstrap is over pairs."""
    if data.kind != "graded" or data.pairs is None or data.scores is None:
        raise UsageError(_unfit("graded", "graded pairs", data))
    low, high = data.score_range or (0.0, 1.0)
    truth = low + data.scores.astype(np.float64) * (high - low)
    scores = cosines(vectors, data.pairs)
    figures = graded_figures(scores, truth, seed=options.seed, rounds=options.rounds)
    setting = f"{len(scores):,} pairs, graded from {truth.min():g} to {truth.max():g}"
    return Section("graded", setting, figures, GradedDetail(data.pairs, scores, truth))


def judge_triplets(vectors: Vectors, data: Labelled, options: EvaluationOptions) -> Section:
    """How often the positive is nearer to the anchor than the negative, ties counting one half."""
    if data.triplets is None:
        raise UsageError(_unfit("triplets", "triplets", data))
    near, far = (cosines(vectors, data.triplets[:, [0, side]]) for side in (1, 2))
    right = np.where(near == far, 0.5, near > far)
    (figure,) = mean_figures(right[:, None], seed=options.seed, rounds=options.rounds)
    return Section("triplets", f"{len(right):,} triplets", {"accuracy": figure})


def class_groups(data: Labelled) -> NDArray[np.int64] | None:
    """The number of the group of each source, where groups hold several classes."""
    assert data.labels is not None
    present = np.unique(data.labels)
    number = np.unique(np.array(data.groups), return_inverse=True)[1].astype(np.int64)
    return number[data.labels] if len(np.unique(number[present])) < len(present) else None


def _labels(data: Labelled, protocol: str) -> NDArray[np.int64]:
    if data.labels is None:
        raise UsageError(_unfit(protocol, "classes", data))
    return data.labels


def _unfit(protocol: str, needed: str, data: Labelled) -> str:
    fitting = ", ".join(name for name, kinds in KINDS_OF.items() if data.kind in kinds) or "none without labels"
    return f"--protocol {protocol} needs {needed}, but the data is {data.kind}; protocols for it: {fitting}"


KINDS_OF = {
    "episodes": ("classes",),
    "runs": ("classes",),
    "verification": ("classes", "pairs"),
    "retrieval": ("classes",),
    "open-set": ("classes",),
    "graded": ("graded",),
    "triplets": ("triplets",),
}
"""The kinds of data that each protocol applies to; `runs` also applies to a folder of runs."""
