"""How well copies of photos are found, by kind of edit, beside the embedding alone and perceptual hashes."""

from __future__ import annotations

import argparse
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

from simsearch.duplicates.finding.evidence import Described, Evidence, described, examine
from simsearch.duplicates.finding.features import opencv, view_of
from simsearch.duplicates.finding.join import pairs_within
from simsearch.duplicates.finding.kinds import PRESETS
from simsearch.duplicates.finding.pairs import Pairs, strongest
from simsearch.encoders import open_encoder
from simsearch.evaluation.metrics import average_precision
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.images import thumbnail
from simsearch.media.scan import scan
from simsearch.types import Skip

LONGEST, NEAREST, EACH = 640, 20, 4
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
    seconds, started = {}, time.perf_counter()
    encoder, vectors = open_encoder("photo"), []
    for start in range(0, len(pictures), 32):
        vectors.append(encoder.encode(pictures[start : start + 32]))
    rows = np.concatenate(vectors)
    seconds["encoding a picture"] = (time.perf_counter() - started) / len(pictures)
    candidates = strongest(Pairs.joined(pairs_within(rows, DEFAULT.cosine)), NEAREST)
    started = time.perf_counter()
    wanted = np.unique(np.concatenate([candidates.left, candidates.right]))
    looks: dict[int, Described] = {int(n): described(view_of(np.asarray(pictures[n]))) for n in wanted}
    seconds["features of a picture"] = (time.perf_counter() - started) / max(1, len(looks))
    started = time.perf_counter()
    proved = {}
    for left, right in zip(candidates.left.tolist(), candidates.right.tolist(), strict=True):
        if (evidence := examine(looks[left], looks[right])) is not None:
            proved[left, right] = evidence
    seconds["a candidate"] = (time.perf_counter() - started) / max(1, len(candidates))
    upper = np.triu_indices(len(pictures), 1)
    cosines = (rows.astype(np.float64) @ rows.T)[upper]
    # Pairs that were not proved come behind all that were, by their cosines.
    proofs = cosines / 1e6
    places = {pair: n for n, pair in enumerate(zip(*(side.tolist() for side in upper), strict=True))}
    for pair, evidence in proved.items():
        proofs[places[pair]] += evidence.score
    methods = {"embedding and proof": proofs, "embedding": cosines}
    for name, function in (("pHash", phash), ("dHash", dhash)):
        bits = np.stack([function(picture) for picture in pictures]).astype(np.float64) * 2 - 1
        methods[name] = (bits @ bits.T)[upper]
    return Scored(methods, proved, seconds)


def phash(picture: Image.Image) -> NDArray[np.bool_]:
    """64 bits: low frequencies of the cosine transform against their median (Zauner 2010)."""
    small = np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.LANCZOS), dtype=np.float32)
    low = opencv().dct(small)[:8, :8].ravel()
    return low > np.median(low)


def dhash(picture: Image.Image) -> NDArray[np.bool_]:
    """64 bits: whether each pixel of 9 x 8 is darker than the next."""
    small = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.LANCZOS), dtype=np.int16)
    return (small[:, 1:] > small[:, :-1]).ravel()


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
    """For each edit the share of originals whose copy is found: by cosine and proof, by the embedding, by pHash."""
    encoder, rng = open_encoder("photo"), np.random.default_rng(seed)
    looks = [described(view_of(np.asarray(photo))) for photo in originals]
    rows, bits = encoder.encode(originals), np.stack([phash(photo) for photo in originals])
    table = []
    for name, edit in (EDITS | HARD).items():
        copies = [edit(photo, rng).convert("RGB") for photo in originals]
        cosines = np.einsum("ij,ij->i", rows, encoder.encode(copies))
        hashes = 64 - 2 * (np.stack([phash(copy) for copy in copies]) != bits).sum(axis=1)
        evidence = [examine(one, described(view_of(np.asarray(copy)))) for one, copy in zip(looks, copies, strict=True)]
        proofs = np.array([found.score if found else 0.0 for found in evidence])
        figures = (
            (cosines >= DEFAULT.cosine) & (proofs >= DEFAULT.score),
            proofs >= DEFAULT.score,
            cosines >= thresholds["embedding"],
            hashes >= thresholds["pHash"],
        )
        hard = " (hard)" if name in HARD else ""
        table.append((name + hard, *[f"{share.mean():.3f}" for share in figures], f"{cosines.min():.2f}"))
    return table


def false_pairs(pictures: Sequence[Image.Image], preset: float) -> tuple[int, int, float]:
    """How many pairs of pictures that are no copies reach the score, of how many pairs, and the highest score."""
    found = scored(pictures)
    scores = [evidence.score for evidence in found.proved.values()]
    return sum(s >= preset for s in scores), len(pictures) * (len(pictures) - 1) // 2, max(scores, default=0.0)


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
    rows.append(("edit: recall by default", "proof alone", "embedding at 0.99", "pHash at 0.99"))
    for name, both, alone, cosine, hashed, least in by_edit(originals[: options.photos], limits, options.seed):
        rows.append((f"{name}: {both}", alone, cosine, f"{hashed} (least cosine {least})"))
    without: list[tuple[str, Callable[[], list[Image.Image]]]] = [
        ("drawn pages", lambda: [page(n) for n in range(100)]),
        ("drawn series", lambda: [product(n) for n in range(100)]),
    ]
    for folder in options.others:
        without.append((folder.name, lambda folder=folder: photos(folder, options.distractors, options.seed)[1]))
    for name, made in without:
        count, pairs, highest = false_pairs(made(), DEFAULT.score)
        bound = f"at most {3 / pairs:.1e} at 95 %" if not count else ""
        remarks.append(
            f"{name}, no copies: {count} false pairs of {pairs:,} by default ({bound}); highest {highest:.2f}"
        )
    Report(
        "duplicates",
        "Copies are found through edits and crops, and pictures merely alike are not.",
        f"{options.folder.name}: {options.photos} photos with {EACH} copies each among {len(originals)}",
        rows,
        bars,
        remarks,
    ).publish()


if __name__ == "__main__":
    main()
