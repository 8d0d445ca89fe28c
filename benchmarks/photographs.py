"""Evaluation of an encoder on unseen classes of photos (flowers, clothes, faces) and on edited copies.

    python benchmarks/photographs.py photo DATA --beside OLD_ENCODER_FOLDER

DATA holds flowers-12, clothing-1000 and yale-faces, each with a folder a class. Byte-identical files count
once. Scores are cosine similarities, all systems in one run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from class_folders import files_of, recognized
from measuring import Bar, Report
from numpy.typing import NDArray
from photo_edits import EDITS
from PIL import Image, ImageOps

import simsearch
from simsearch.evaluation.baselines import color_histogram, raw_pixels
from simsearch.evaluation.metrics import equal_error_rate
from simsearch.evaluation.ranking import retrieval
from simsearch.media.images import PixelSpec, from_image

SIDE = 64
"""Pixels of a side that vectors without learning see."""
LARGEST = 448
"""Photos are edited at this size, and all of them encoded at it."""
Vectors = NDArray[np.float32]
EDITED, EDITS_EACH, OTHERS = 150, 4, 350
PRECISION = 0.99
ALIKE = 0.97
Encode = Callable[[Sequence[Image.Image]], Vectors]


@dataclass(frozen=True)
class Photos:
    pictures: list[Image.Image]
    labels: NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder")
    parser.add_argument("data", type=Path)
    parser.add_argument("--beside", nargs="*", default=[], help="other encoders in the same run")
    options = parser.parse_args()
    systems: dict[str, Encode] = {}
    for name in (options.encoder, *options.beside):
        systems[Path(name).name if name not in systems else name] = simsearch.open_encoder(name).encode
    systems["histogram of colors"] = lambda pictures: color_histogram(small(pictures))
    systems["raw pixels"] = lambda pictures: raw_pixels(small(pictures))
    flowers, clothes, faces = (read(options.data / name) for name in ("flowers-12", "clothing-1000", "yale-faces"))
    rows: list[Sequence[str]] = [("figure", *systems)]
    found = {name: dict(figures(encode, flowers, clothes, faces)) for name, encode in systems.items()}
    first = next(iter(found.values()))
    rows += [(figure, *[f"{each[figure]:.3f}" for each in found.values()]) for figure in first]
    Report(
        f"photographs-{Path(options.encoder).name}",
        "Unseen classes of photos, and edited copies; the script describes each figure.",
        f"{len(flowers.pictures)} photos of 12 kinds of flowers, {len(clothes.pictures)} of 10 kinds of clothes, "
        f"{len(faces.pictures)} of 15 faces; edits of benchmarks/photo_edits.py",
        rows,
        [Bar(name, value) for name, value in first.items()],
    ).publish()


def read(folder: Path) -> Photos:
    files, labels = files_of(folder)
    pictures = []
    for file in files:
        picture = ImageOps.exif_transpose(Image.open(file)).convert("RGB")
        picture.thumbnail((LARGEST, LARGEST))
        pictures.append(picture)
    return Photos(pictures, labels)


def small(pictures: Sequence[Image.Image]) -> NDArray[np.uint8]:
    spec = PixelSpec(SIDE, SIDE, 3, "crop")
    return np.stack([from_image(picture, spec).pixels for picture in pictures])


def figures(encode: Encode, flowers: Photos, clothes: Photos, faces: Photos) -> Iterator[tuple[str, float]]:
    vectors = {}
    for name, photos in (("flowers", flowers), ("clothes", clothes)):
        vectors[name] = encode(photos.pictures)
        ranked = retrieval(vectors[name], photos.labels, ks=(1,))
        yield f"{name}: recall@1", ranked["recall@1"]
        yield f"{name}: mAP@R", ranked["map@r"]
        for shots in (1, 5):
            yield f"{name}: {shots}-shot accuracy", recognized(vectors[name], photos.labels, shots)
    seen = encode(faces.pictures)
    left, right = np.triu_indices(len(seen), 1)
    yield "faces: one-shot accuracy", recognized(seen, faces.labels, 1)
    yield (
        "faces: equal error rate of pairs",
        float(equal_error_rate((seen @ seen.T)[left, right], faces.labels[left] == faces.labels[right])),
    )
    yield from of_copies(encode, flowers, clothes, vectors)


def of_copies(
    encode: Encode, flowers: Photos, clothes: Photos, vectors: Mapping[str, Vectors]
) -> Iterator[tuple[str, float]]:
    """Pairs of edited copies among all pairs, and each edit by itself among 500 photos."""
    rng = np.random.default_rng(7)
    half = (EDITED + OTHERS) // 2
    drawn = [rng.permutation(distinct(photos.pictures))[:half] for photos in (flowers, clothes)]
    gallery = np.concatenate([vectors["flowers"][drawn[0]], vectors["clothes"][drawn[1]]])
    photos = [flowers.pictures[place] for place in drawn[0]] + [clothes.pictures[place] for place in drawn[1]]
    edited = np.concatenate([np.arange(EDITED // 2), half + np.arange(EDITED // 2)])
    copies = {}
    for kind, edit in EDITS.items():
        made = [edit(photos[place], np.random.default_rng((1, place))).convert("RGB") for place in edited]
        copies[kind] = encode(made)
    kinds = list(EDITS)
    groups, rows = [np.arange(len(photos))], [gallery]
    for number, place in enumerate(edited):
        for each in range(EDITS_EACH):
            rows.append(copies[kinds[(number * EDITS_EACH + each) % len(kinds)]][number][None])
            groups.append(np.array([place]))
    yield from of_pairs(np.concatenate(rows), np.concatenate(groups))
    for kind, found in copies.items():
        yield f"copies by {kind}: recall@1 of the original", float(np.mean((found @ gallery.T).argmax(1) == edited))


def distinct(pictures: Sequence[Image.Image]) -> NDArray[np.int64]:
    """The images without those that an earlier one nearly is, by the correlation of 16 x 16 gray levels."""
    gray = np.stack([np.asarray(each.convert("L").resize((16, 16)), dtype=np.float64).ravel() for each in pictures])
    gray -= gray.mean(axis=1, keepdims=True)
    gray /= np.linalg.norm(gray, axis=1, keepdims=True) + 1e-9
    return np.flatnonzero(~(np.tril(gray @ gray.T, -1) > ALIKE).any(axis=1))


def of_pairs(vectors: Vectors, groups: NDArray[np.int64]) -> Iterator[tuple[str, float]]:
    scores = vectors @ vectors.T
    left, right = np.triu_indices(len(vectors), 1)
    order = np.argsort(-scores[left, right], kind="stable")
    same = (groups[left] == groups[right])[order]
    precision = np.cumsum(same) / np.arange(1, len(same) + 1)
    enough = np.flatnonzero(precision >= PRECISION)
    reached = same[: enough[-1] + 1].sum() / same.sum() if len(enough) else 0.0
    yield f"copies: recall of true pairs at precision {PRECISION}", float(reached)
    np.fill_diagonal(scores, -np.inf)
    asked = np.flatnonzero(np.bincount(groups)[groups] > 1)
    nearest = groups[np.argsort(-scores[asked], axis=1)[:, :10]] == groups[asked, None]
    yield "copies: recall@10", float(nearest.any(axis=1).mean())


if __name__ == "__main__":
    main()
