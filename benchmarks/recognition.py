"""Recognition on classes that were not learned: rules of decision, the guarantee, and the calibration error.

    python benchmarks/recognition.py --drawings OMNIGLOT --texts DATA [--photos FOLDER ...] [--beside MINILM]
                                     [--cache FOLDER] [--diagram FILE.png]

OMNIGLOT has Omniglot's background set as ALPHABET/CHARACTER/*.png; the alphabets that benchmarks/held_out/glyph has not
seen are measured with it. DATA has banking77-train.csv and clinc150-train.json; the intents that `text_corpus.py` holds
out are measured with `text`, each set by itself, and with the sentence encoder MINILM. A FOLDER of photos has a folder
for each class, of classes that `photo` has not learned. --cache keeps the embeddings for the next run.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from guarantee import CONFIDENCE, WAYS, best_f1
from measuring import Bar, Report
from text_corpus import held_out, intents

from simsearch import open_encoder
from simsearch.evaluation.open_set.draws import draw_roles, usable
from simsearch.evaluation.open_set.measure import PRIOR, Drawn, decide, gallery_of
from simsearch.evaluation.statistics.intervals import bootstrap
from simsearch.evaluation.statistics.open_set import figure_names, open_set_figures
from simsearch.evaluation.statistics.reliability import Reliability, expected_calibration_error, reliability
from simsearch.labelled.reading import read_labelled
from simsearch.recognition.binomial import impostors_needed, largest_exceeding
from simsearch.recognition.decide import top_scores
from simsearch.recognition.gallery import RULE, RULES, Rule
from simsearch.recognition.threshold import guaranteed_threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Vectors

ALPHABETS = ("Tifinagh", "Korean", "Grantha", "Japanese_(katakana)")
GLYPH = Path(__file__).parent / "held_out" / "glyph"
SHOTS = (1, 2, 5)
FAR = 0.01
RATES = (0.1, 0.05)
BINS = 15
BESIDE = " MiniLM"
"""Behind the name of classes that are encoded by the other sentence encoder."""
LEAST_DECISIONS = 5_000
"""Fewer decisions than these cannot tell a calibration error of 0.03."""


@dataclass(frozen=True, slots=True)
class Material:
    """The embeddings of classes that were not learned."""

    name: str
    vectors: Vectors
    labels: NDArray[np.int64]


def drawings(folder: Path) -> tuple[list[str], list[str]]:
    """The files of the held-out alphabets, and their characters."""
    found = read_labelled(folder, modality="image")
    assert found.labels is not None
    rows = [(path, found.classes[label]) for path, label in zip(found.sources, found.labels.tolist(), strict=True)]
    kept = [row for row in rows if row[1].split("/")[0] in ALPHABETS]
    return [path for path, _ in kept], [name for _, name in kept]


def requests(folder: Path, kind: str) -> tuple[list[str], list[str]]:
    """The distinct texts of the held-out intents of one set, and their intents."""
    rows = intents(folder)
    held = held_out(name for _, name in rows)
    kept = sorted({row for row in rows if row[1] in held and row[1].startswith(kind)})
    return [text for text, _ in kept], [name for _, name in kept]


def photos(folder: Path) -> tuple[list[str], list[str]]:
    found = read_labelled(folder, modality="image")
    assert found.labels is not None
    return list(found.sources), [found.classes[label] for label in found.labels.tolist()]


def embedded(
    name: str,
    encoder: str | Path,
    read: Callable[[], tuple[list[str], list[str]]],
    cache: Path | None,
) -> Material:
    """The material, encoded or from the cache."""
    place = None if cache is None else cache / f"{name.replace(' ', '-')}.npz"
    if place is None or not place.exists():
        sources, names = read()
        labels = np.unique(names, return_inverse=True)[1].astype(np.int64)
        vectors = open_encoder(encoder).encode(sources)
        if place is None:
            return Material(name, vectors, labels)
        np.savez(place, vectors=vectors, labels=labels)
    with np.load(place) as stored:
        return Material(name, stored["vectors"], stored["labels"])


def materials(given: argparse.Namespace) -> list[Material]:
    """All classes; the intents of both sets also together, as more identities."""
    found = [embedded("characters", GLYPH, lambda: drawings(given.drawings), given.cache)]
    for suffix, encoder in {"": "text", BESIDE: given.beside}.items():
        if encoder is None:
            continue
        parts = [
            embedded(f"{kind}{suffix}", encoder, lambda kind=kind: requests(given.texts, kind), given.cache)  # type: ignore[misc]
            for kind in ("banking", "clinc")
        ]
        labels = np.concatenate([parts[0].labels, parts[1].labels + parts[0].labels.max() + 1])
        found += [*parts, Material(f"intents{suffix}", np.concatenate([one.vectors for one in parts]), labels)]
    for folder in given.photos:
        found.append(embedded(f"photos {folder.name}", "photo", lambda folder=folder: photos(folder), given.cache))  # type: ignore[misc]
    return found


def drawn(material: Material, shots: int, draws: int, rule: Rule, share: int = 2) -> tuple[list[Drawn], int]:
    """The decisions of each draw, one in `share` classes enrolled, and the number of classes."""
    classes = usable(material.labels, max(SHOTS))
    found = [
        decide(
            material.vectors,
            material.labels,
            classes,
            draw_roles(material.labels, classes, shots, len(classes) // share, seed),
            rule=rule,
        )
        for seed in range(draws)
    ]
    return found, len(classes)


def rules_report(found: Sequence[Material], draws: int, rounds: int) -> None:
    """Rules of decision at several shots; the difference is to the nearest example, on the same draws."""
    rows: list[tuple[str, ...]] = [
        ("classes", "shots", "rule", "accuracy", "DIR at FAR 0.01", "AUROC", "OSCR", "OSCR minus that of nearest")
    ]
    names = figure_names((FAR,))
    for material in found:
        for shots in SHOTS:
            base: NDArray[np.float64] | None = None
            for rule in RULES if shots > 1 else RULES[:1]:
                made, classes = drawn(material, shots, draws, rule)
                values, spread = resampled(made, classes, rounds)
                base = spread if base is None else base
                gain = (spread - base)[:, names.index("oscr")]
                ends = np.quantile(gain, (0.025, 0.975))
                shown = f"{np.mean(gain):+.3f} [{ends[0]:+.3f}, {ends[1]:+.3f}]" if rule != "nearest" else ""
                figures = [f"{values[names.index(name)]:.3f}" for name in names[:-1]]
                named = f"{rule}" if shots > 1 else "all three"
                rows.append((f"{material.name} ({classes})", f"{shots}", named, *figures, shown))
                print(*rows[-1], sep="  ", flush=True)
    Report(
        "recognition-rules",
        "Open-set recognition by the nearest example, the mean of the examples, and the average of both scores. Half "
        "of the classes are enrolled, a quarter is unknown; the interval is over resampled classes.",
        f"classes that were not learned (their number in brackets), {draws} draws each",
        rows,
    ).publish()


def resampled(made: Sequence[Drawn], classes: int, rounds: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The figures, the mean over the draws, and those of each resample of the classes."""
    kept: list[NDArray[np.float64]] = []

    def figures(counts: NDArray[np.float64] | None) -> NDArray[np.float64]:
        each = [
            open_set_figures(one.decisions, (FAR,), None if counts is None else counts[..., one.decisions.identities])
            for one in made
        ]
        kept.append(np.nanmean(each, axis=0))
        return kept[-1]

    values = figures(None)
    bootstrap(figures, classes, width=max(len(one.decisions.scores) for one in made), seed=0, rounds=rounds)
    return values, np.concatenate(kept[1:])


def law(impostors: int, exceeding: int, tested: int, rate: float) -> float:
    """P(more than the rate of `tested` unknown identities is accepted): beta-binomial, without ties exact."""

    def log_choose(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    total = log_choose(impostors + tested, tested)
    # Of all orders of both kinds, those in which `accepted` of the tested lie above the (exceeding + 1)-th impostor.
    ways = [
        log_choose(exceeding + accepted, accepted)
        + log_choose(impostors - exceeding - 1 + tested - accepted, tested - accepted)
        for accepted in range(tested + 1)
        if accepted > rate * tested + 1e-9
    ]
    return math.fsum(math.exp(way - total) for way in ways)


def guarantee_report(found: Sequence[Material], resamplings: int) -> None:
    """The share of resamplings in which more of the tested unknown identities are accepted than the rate says."""
    rows: list[tuple[str, ...]] = [
        (
            "classes",
            "rate asked",
            "enrolled",
            "impostors",
            "tested",
            "true rate above (law)",
            "test rate above (law)",
            *WAYS,
        )
    ]
    worst = 0.0
    for material in found:
        classes = np.unique(material.labels)
        for rate in RATES:
            enrolled = max(5, len(classes) // 5)
            impostors = max(impostors_needed(rate, CONFIDENCE), (len(classes) - enrolled) // 2)
            tested = len(classes) - enrolled - impostors
            if tested < 1 / rate:
                continue
            shares = violations(material, rate, enrolled, impostors, resamplings)
            exceeding = largest_exceeding(impostors, rate, CONFIDENCE) or 0
            expected = law(impostors, exceeding, tested, rate)
            true = law(impostors, exceeding, 100_000, rate)
            error = math.sqrt(expected * (1 - expected) / resamplings)
            worst = max(worst, abs(shares[0] - expected) / error)
            rows.append(
                (
                    material.name,
                    f"{rate:g}",
                    *(f"{count}" for count in (enrolled, impostors, tested)),
                    *(f"{share:.3f}" for share in (true, expected, *shares)),
                )
            )
            print(*rows[-1], sep="  ", flush=True)
    Report(
        "recognition-guarantee",
        "Share of resamplings in which more unknown identities are accepted than the rate asked for, at confidence "
        f"{CONFIDENCE:g}. With so few tested ones their rate can be above the true one: its law is beta-binomial.",
        f"classes that were not learned, {resamplings:,} resamplings of who is enrolled (2 shots), calibrates and is "
        "tested",
        rows,
        (Bar("largest distance from the law, in standard errors", worst, at_most=4),),
    ).publish()


def violations(material: Material, rate: float, enrolled: int, impostors: int, resamplings: int) -> list[float]:
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(material.labels == label) for label in np.unique(material.labels)]
    above = np.zeros(len(WAYS))
    for _ in range(resamplings):
        picked = [rng.choice(members[place], 3, replace=False) for place in rng.permutation(len(members))]
        rows = np.stack(picked)
        gallery, _ = gallery_of(material.vectors, rows[:enrolled, :2], material.labels)
        known, others = (
            top_scores(material.vectors[some], gallery, RULE) for some in (rows[:enrolled, 2], rows[enrolled:, 0])
        )
        calibrating, tested = others[:impostors], others[impostors:]
        place = len(calibrating) - 1 - math.floor(len(calibrating) * rate)
        quantile = float(np.nextafter(np.sort(calibrating)[place], np.float32(2)))
        held = guaranteed_threshold(calibrating, rate, CONFIDENCE).score
        for way, threshold in enumerate((held, quantile, best_f1(known, calibrating), 0.5)):
            above[way] += np.mean(tested >= threshold) > rate + 1e-9
    return [float(share) for share in above / resamplings]


def calibration_report(found: Sequence[Material], draws: int, diagram: Path | None) -> None:
    """The calibration error of probabilities and of raw scores, over the decisions of all draws."""
    rows: list[tuple[str, ...]] = [
        (
            *("classes", "shots", "enrolled", "impostors", "decisions", "probability", "raw score, (s + 1) / 2"),
            *("raw score, max(s, 0)", "one draw", "one draw, if the probabilities were true"),
        )
    ]
    bars, drawn_bins = [], dict[str, Reliability]()
    for material in found:
        for shots, share in ((shots, share) for share in (4, 2) for shots in SHOTS[1:]):
            made, classes = drawn(material, shots, draws, RULE, share)
            if any(one.probabilities is None for one in made):
                continue
            probabilities, scores, right, weights = (
                np.concatenate(parts)
                for parts in (
                    [one.probabilities for one in made if one.probabilities is not None],
                    [one.decisions.scores for one in made],
                    [one.decisions.right for one in made],
                    [one.decisions.weights(PRIOR) for one in made],
                )
            )
            errors = [
                expected_calibration_error(values, right, weights, BINS)
                for values in (probabilities, ((scores + 1) / 2).clip(0, 1), scores.clip(0, 1))
            ]
            single = np.mean(
                [
                    expected_calibration_error(
                        one.probabilities, one.decisions.right, one.decisions.weights(PRIOR), BINS
                    )
                    for one in made
                    if one.probabilities is not None
                ]
            )
            least = np.mean([error_of_truth(one, seed) for seed, one in enumerate(made)])
            shown = (*(f"{error:.3f}" for error in errors), f"{single:.3f}", f"{least:.3f}")
            counts = (shots, classes // share, (classes - classes // 2) // 2, len(right))
            rows.append((material.name, *(f"{count:,}" for count in counts), *shown))
            print(*rows[-1], sep="  ", flush=True)
            if shots == max(SHOTS):
                drawn_bins[material.name] = reliability(probabilities, right, weights, BINS)
                if len(right) >= LEAST_DECISIONS:
                    name = f"{material.name}, {classes // share} enrolled"
                    bars.append(Bar(f"{name}: calibration error", errors[0], at_most=0.03))
                    bars.append(Bar(f"{name}: share of the raw score's", errors[0] / min(errors[1:]), at_most=1 / 3))
    Report(
        "recognition-calibration",
        "Expected calibration error of the probability of a decision, fitted on the enrolled examples and on "
        "impostors, of other queries, unknown ones with half of the weight; beside the raw score.",
        f"classes that were not learned, {draws} draws together, {BINS} bins of equal count; one draw: the mean error "
        "of a single draw",
        rows,
        bars,
    ).publish()
    if diagram is not None:
        plot(drawn_bins, diagram)


def error_of_truth(made: Drawn, seed: int, times: int = 5) -> float:
    """The mean calibration error of outcomes that are drawn with the given probabilities, independently."""
    assert made.probabilities is not None
    rng, weights = np.random.default_rng(seed), made.decisions.weights(PRIOR)
    draws = [rng.random(len(weights)) < made.probabilities for _ in range(times)]
    return float(np.mean([expected_calibration_error(made.probabilities, right, weights, BINS) for right in draws]))


def plot(found: dict[str, Reliability], path: Path) -> None:
    """The reliability diagram of all classes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.6), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#b8b8b8", linestyle=":", label="perfect")
    colors = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#262626")
    # Another encoder of the same classes has their color, dashed.
    plain = list(dict.fromkeys(name.removesuffix(BESIDE) for name in found))
    for name, bins in found.items():
        place = plain.index(name.removesuffix(BESIDE))
        axes.plot(
            bins.predicted,
            bins.observed,
            color=colors[place],
            marker="os^vDPX"[place],
            markersize=4,
            linewidth=1.2,
            linestyle="--" if name.endswith(BESIDE) else "-",
            label=f"{name}, error {float(bins.error()):.3f}",
        )
    axes.set(xlabel="probability that the label is right", ylabel="share of right labels", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--photos", type=Path, nargs="*", default=[])
    parser.add_argument("--beside", metavar="MINILM")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--diagram", type=Path)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--resamplings", type=int, default=1000)
    parser.add_argument("--only", choices=("rules", "guarantee", "calibration"), help="one of the three tables")
    given = parser.parse_args()
    found = materials(given)
    if given.only in (None, "rules"):
        rules_report(found, given.draws, given.rounds)
    if given.only in (None, "guarantee"):
        guarantee_report(found, given.resamplings)
    if given.only in (None, "calibration"):
        calibration_report(found, given.draws, given.diagram)


if __name__ == "__main__":
    main()
