"""How well copies of photos are found, by kind of edit, beside the embedding alone and perceptual hashes."""

from __future__ import annotations

import argparse
import io
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from duplicate_drawings import page, product
from duplicate_edits import EDITS, HARD
from measuring import Bar, Report
from numpy.typing import NDArray
from PIL import Image

from simsearch.collection.duplicates.pictures import GRAY_ALIKE, GRAY_NEAREST
from simsearch.duplicates.finding.evidence import Evidence, described, examine
from simsearch.duplicates.finding.features import view_of
from simsearch.duplicates.finding.kinds import PRESETS
from simsearch.duplicates.finding.nearest import nearest_pairs
from simsearch.duplicates.finding.proving import Pair, Prover, Source
from simsearch.encoders import open_encoder
from simsearch.evaluation.metrics import average_precision
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.image_facts import small_gray
from simsearch.media.images import thumbnail
from simsearch.media.scan import scan
from simsearch.types import Encoder, Skip

LONGEST, NEAREST, EACH = 640, 10, 4
"""Pixels of the longer side of the photos; candidates for each; copies of each."""
DEFAULT = PRESETS["default"]


@dataclass(frozen=True, slots=True)
class Material:
    """Pictures, the photo that each was made from, and by which edit (empty for the photo itself)."""

    pictures: list[Image.Image]
    sources: NDArray[np.int64]
    edits: list[str]


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of all pairs (i < j) of some material, by each method; `proved` has those that were examined."""

    methods: dict[str, NDArray[np.float64]]
    proved: dict[tuple[int, int], Evidence]
    seconds: dict[str, float]


def photos(folder: Path, count: int, seed: int) -> tuple[list[str], list[Image.Image]]:
    """So many photos of the folder and of those in it, drawn at random, reduced; no two with equal bytes."""
    paths = sorted(entry.path for entry in scan(folder, IMAGE_SUFFIXES) if not isinstance(entry, Skip))
    names, found, seen = [], [], set()
    for place in np.random.default_rng(seed).permutation(len(paths)):
        content = Path(paths[place]).read_bytes()
        if content not in seen and len(found) < count:
            seen.add(content)
            names.append(f"{Path(paths[place]).parent.name}/{Path(paths[place]).name}")
            found.append(thumbnail(content, LONGEST))
    return names, found


def mixed(originals: Sequence[Image.Image], copied: int, seed: int) -> Material:
    """All originals, and `EACH` copies of the first `copied` of them by edits drawn at random."""
    rng, names = np.random.default_rng(seed), list(EDITS)
    pictures, sources, edits = list(originals), list(range(len(originals))), [""] * len(originals)
    for source in range(copied):
        for chosen in rng.choice(len(names), EACH, replace=False):
            pictures.append(EDITS[names[chosen]](originals[source], rng).convert("RGB"))
            sources.append(source)
            edits.append(names[chosen])
    return Material(pictures, np.array(sources), edits)


def scored(pictures: Sequence[Image.Image]) -> Scored:
    seconds, started = {}, time.process_time()
    encoder, vectors = open_encoder("photo"), []
    for start in range(0, len(pictures), 32):
        vectors.append(encoder.encode(pictures[start : start + 32]))
    rows, count = np.concatenate(vectors), len(pictures)
    seconds["encoding a picture"] = (time.process_time() - started) / count
    started = time.process_time()
    proved = examined(pictures, candidates(rows, gray_rows(encoder, pictures)))
    seconds["finding and proving, a picture"] = (time.process_time() - started) / count
    upper = np.triu_indices(count, 1)
    cosines = (rows.astype(np.float64) @ rows.T)[upper]
    # Pairs that were not proved come behind all that were, by their cosines.
    proofs = cosines / 1e6
    places = {pair: n for n, pair in enumerate(zip(*(side.tolist() for side in upper), strict=True))}
    for pair, evidence in proved.items():
        proofs[places[pair]] += evidence.score
    methods = {"embedding and proof": proofs, "embedding": cosines}
    for name, function in HASHES.items():
        bits = np.stack([function(picture) for picture in pictures]).astype(np.float64) * 2 - 1
        methods[name] = (bits @ bits.T)[upper]
    return Scored(methods, proved, seconds)


def candidates(rows: NDArray[np.float32], grays: NDArray[np.float32]) -> list[Pair]:
    """The nearest of each, as the command takes them."""
    everything = range(len(rows))
    parts = list(nearest_pairs(rows, NEAREST, (DEFAULT.cosine, 2.0), everything, everything))
    parts += nearest_pairs(grays, GRAY_NEAREST, (GRAY_ALIKE, 2.0), everything, everything)
    return sorted({pair for part in parts for pair in zip(part.left.tolist(), part.right.tolist(), strict=True)})


def gray_rows(encoder: Encoder, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
    """The gray levels of each picture as the command compares them."""
    levels = [np.frombuffer(small_gray(encoder.prepare(picture).pixels), np.uint8) for picture in pictures]
    rows = np.stack(levels).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1.0)


def examined(pictures: Sequence[Image.Image], pairs: Sequence[Pair]) -> dict[Pair, Evidence]:
    """The evidence that the stages of the command find; pictures are handed over as the bytes of files."""

    def read(number: int) -> bytes:
        stream = io.BytesIO()
        pictures[number].convert("RGB").save(stream, "BMP")
        return stream.getvalue()

    def failed(number: int, why: str) -> None:
        raise AssertionError(f"picture {number}: {why}")

    return {pair: found.evidence for pair, found in Prover(Source(read, failed))(pairs) if found is not None}


def _hash(name: str) -> Callable[[Image.Image], NDArray[np.bool_]]:
    """A perceptual hash of 64 bits of the library imagehash."""

    def bits(picture: Image.Image) -> NDArray[np.bool_]:
        try:
            import imagehash
        except ImportError:
            raise SystemExit("perceptual hashes need: pip install imagehash") from None
        return np.asarray(getattr(imagehash, name)(picture).hash).ravel()

    return bits


HASHES = {"pHash": _hash("phash"), "dHash": _hash("dhash"), "wHash": _hash("whash")}


def threshold_at(scores: NDArray[np.float64], same: NDArray[np.bool_], precision: float) -> float:
    """The lowest threshold at which that precision is reached; infinity where none does. Ties are taken whole."""
    order = np.argsort(-scores)
    hits = np.cumsum(same[order])
    last = np.r_[np.diff(scores[order]) != 0, True]
    good = np.flatnonzero(last & (hits >= precision * np.arange(1, len(order) + 1)))
    return float(scores[order][good[-1]]) if len(good) else np.inf


def recall(scores: NDArray[np.float64], same: NDArray[np.bool_], threshold: float) -> float:
    return float((scores[same] >= threshold).mean())


def by_edit(originals: Sequence[Image.Image], thresholds: dict[str, float], seed: int) -> list[tuple[str, ...]]:
    """For each edit the share of originals whose copy is found: by cosine and proof, by the proof with all features,
    by the embedding, by each hash."""
    encoder, rng = open_encoder("photo"), np.random.default_rng(seed)
    looks = [described(view_of(np.asarray(photo))) for photo in originals]
    rows, count = encoder.encode(originals), len(originals)
    bits = {name: np.stack([function(photo) for photo in originals]) for name, function in HASHES.items()}
    table = []
    for name, edit in (EDITS | HARD).items():
        copies = [edit(photo, rng).convert("RGB") for photo in originals]
        cosines = np.einsum("ij,ij->i", rows, encoder.encode(copies))
        staged = examined([*originals, *copies], [(n, n + count) for n in range(count)])
        proofs = np.array([staged[n, n + count].score if (n, n + count) in staged else 0.0 for n in range(count)])
        full = [examine(one, described(view_of(np.asarray(copy)))) for one, copy in zip(looks, copies, strict=True)]
        figures = [
            (cosines >= DEFAULT.cosine) & (proofs >= DEFAULT.score),
            np.array([found.score if found else 0.0 for found in full]) >= DEFAULT.score,
            cosines >= thresholds["embedding"],
        ]
        for hashed, function in HASHES.items():
            agreeing = 64 - 2 * (np.stack([function(copy) for copy in copies]) != bits[hashed]).sum(axis=1)
            figures.append(agreeing >= thresholds[hashed])
        hard = " (hard)" if name in HARD else ""
        table.append((name + hard, *[f"{share.mean():.3f}" for share in figures], f"{cosines.min():.2f}"))
    return table


def false_pairs(pictures: Sequence[Image.Image]) -> tuple[int, int, float]:
    """How many pairs of pictures that are no copies are accepted, of how many pairs, and the highest score."""
    encoder = open_encoder("photo")
    rows = np.concatenate([encoder.encode(pictures[start : start + 32]) for start in range(0, len(pictures), 32)])
    scores = [
        evidence.score for evidence in examined(pictures, candidates(rows, gray_rows(encoder, pictures))).values()
    ]
    accepted = sum(score >= DEFAULT.score for score in scores)
    return accepted, len(pictures) * (len(pictures) - 1) // 2, max(scores, default=0.0)


def at_most(count: int, trials: int) -> float:
    """The upper bound, at 95 %, of the probability of what came `count` times (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    return float(beta.ppf(0.95, count + 1, trials - count))


def distinct(names: list[str], originals: list[Image.Image]) -> tuple[list[str], list[Image.Image], list[str]]:
    """The photos without those that are proved copies of an earlier one, and these pairs, to be looked at."""
    proved = scored(originals).proved
    pairs = sorted((pair, e) for pair, e in proved.items() if e.score >= DEFAULT.score)
    gone = {pair[1] for pair, _ in pairs}
    kept = [n for n in range(len(names)) if n not in gone]
    listed = [f"{names[a]} = {names[b]} ({e.score:.2f})" for (a, b), e in pairs]
    return [names[n] for n in kept], [originals[n] for n in kept], listed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="distinct photos, or class folders of them")
    parser.add_argument("--photos", type=int, default=60, help="photos of which copies are made")
    parser.add_argument("--distractors", type=int, default=240)
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="folders that hold no copies")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names, originals = photos(options.folder, options.photos + options.distractors, options.seed)
    names, originals, twice = distinct(names, originals)
    material = mixed(originals, options.photos, options.seed)
    found = scored(material.pictures)
    upper = np.triu_indices(len(material.pictures), 1)
    same = material.sources[upper[0]] == material.sources[upper[1]]
    rows: list[tuple[str, ...]] = [("method", "average precision", "recall at precision 0.99", "at 0.999")]
    limits, bars = {}, []
    for method, scores in found.methods.items():
        limits[method] = threshold_at(scores, same, 0.99)
        figures = (
            float(average_precision(scores, same)),
            recall(scores, same, limits[method]),
            recall(scores, same, threshold_at(scores, same, 0.999)),
        )
        rows.append((method, *[f"{figure:.4f}" for figure in figures]))
        if method == "embedding and proof":
            bars = [
                Bar("average precision", figures[0], at_least=0.995),
                Bar("recall at precision 0.999", figures[2], at_least=0.99),
            ]
    for preset, values in PRESETS.items():
        accepted = found.methods["embedding and proof"] >= values.score
        precision = same[accepted].mean() if accepted.any() else 1.0
        rows.append((f"preset {preset}", f"precision {precision:.4f}", f"recall {accepted[same].mean():.4f}", ""))
    remarks = [
        f"{len(material.pictures)} pictures, {int(same.sum())} true pairs of {len(same)}; "
        f"{len(found.proved)} candidates with a transformation",
        "seconds: " + ", ".join(f"{name} {value:.4f}" for name, value in found.seconds.items()),
        f"photos of the folder that were taken for one and left out: {'; '.join(twice) or 'none'}",
    ]
    missed = Counter[str]()
    for left, right in zip(
        *(side[same & (found.methods["embedding and proof"] < DEFAULT.score)] for side in upper), strict=True
    ):
        missed[" - ".join(sorted((material.edits[left] or "photo", material.edits[right] or "photo")))] += 1
    remarks.append(f"missed by default: {dict(missed.most_common(12)) or 'none'}")
    wrong = [
        f"{material.sources[upper[0][n]]}/{material.sources[upper[1][n]]}"
        for n in np.flatnonzero(~same & (found.methods["embedding and proof"] >= DEFAULT.score))
    ]
    remarks.append(f"false by default: {wrong or 'none'}")
    edits = by_edit(originals[: options.photos], limits, options.seed)
    without: list[tuple[str, Callable[[], list[Image.Image]]]] = [
        ("drawn pages", lambda: [page(n) for n in range(100)]),
        ("drawn series", lambda: [product(n) for n in range(100)]),
    ]
    for folder in options.others:
        without.append((folder.name, lambda folder=folder: photos(folder, options.distractors, options.seed)[1]))
    for name, made in without:
        count, pairs, highest = false_pairs(made())
        remarks.append(
            f"{name}, no copies: {count} false pairs of {pairs:,} by default (at most {at_most(count, pairs):.1e} of "
            f"all at 95 %); highest score {highest:.2f}"
        )
    Report(
        "duplicates",
        "Copies are found through edits and crops, and pictures merely alike are not.",
        f"{options.folder.name}: {options.photos} photos with {EACH} copies each among {len(originals)}",
        rows,
        bars,
        remarks,
    ).publish()
    names_of_methods = ("by default", "proof with all features", "embedding at 0.99", *(f"{h} at 0.99" for h in HASHES))
    Report(
        "duplicates_by_edit",
        "Each edit by itself: the share of originals whose copy is found.",
        f"{options.folder.name}: {options.photos} photos",
        [("edit", *names_of_methods, "least cosine"), *edits],
    ).publish()


if __name__ == "__main__":
    main()
