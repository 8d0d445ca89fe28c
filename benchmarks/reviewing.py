"""What the review of examples finds of wrong ones, and what it reports of right ones.

    python benchmarks/reviewing.py --drawings OMNIGLOT --texts DATA [--photos FOLDER ...] [--cache FOLDER]

The data is that of recognition.py: classes that the encoders have not learned. Half of the classes are enrolled with a
number of examples each. To these are added 1 in 40 of another enrolled class (mislabeled), and as many of a class that
is not enrolled (stranger).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measuring import Report
from numpy.typing import NDArray
from recognition import Material, materials

from simsearch.recognition.gallery import RULE, Gallery
from simsearch.recognition.review import findings, lower_fence, own_scores
from simsearch.types import Example

SHOTS = (3, 10)
SHARE = 40
RIGHT, MISLABELED, STRANGER = range(3)
NAMES = ("right", "mislabeled", "stranger")


def with_wrong_ones(material: Material, shots: int, rng: np.random.Generator) -> tuple[Gallery, NDArray[np.int64]]:
    """A gallery with wrong examples among the right ones, and the kind of each of its rows."""
    classes = rng.permutation(np.unique(material.labels))
    enrolled, outside = classes[: len(classes) // 2], classes[len(classes) // 2 :]
    rows, labels = list[int](), list[int]()
    for label in enrolled.tolist():
        rows += rng.permutation(np.flatnonzero(material.labels == label))[:shots].tolist()
        labels += [label] * (len(rows) - len(labels))
    kinds, count = [RIGHT] * len(rows), max(2, len(rows) // SHARE)
    rest = np.setdiff1d(np.flatnonzero(np.isin(material.labels, enrolled)), rows)
    strange = np.flatnonzero(np.isin(material.labels, outside))
    for kind, source in ((MISLABELED, rest), (STRANGER, strange)):
        for row in rng.choice(source, min(count, len(source)), replace=False).tolist():
            rows.append(row)
            labels.append(int(rng.choice(enrolled[enrolled != material.labels[row]])))
            kinds.append(kind)
    examples = [Example(number + 1, f"{label:05}", "") for number, label in enumerate(labels)]
    gallery = Gallery.of(examples, material.vectors[rows])
    return gallery, np.array(kinds)[gallery.ids - 1]


def reported(material: Material, shots: int, draws: int) -> NDArray[np.float64]:
    """The shares that are reported, shape (closer or outlier, kinds). A row can be both."""
    hits, total = np.zeros((2, 3)), np.zeros(3)
    for seed in range(draws):
        gallery, kinds = with_wrong_ones(material, shots, np.random.default_rng(seed))
        rows = np.arange(len(kinds))
        found = findings(gallery, rows, threshold=None, rule=RULE)
        closer = np.array([number in found and found[number].kind == "closer" for number in gallery.ids.tolist()])
        scores = own_scores(gallery, RULE)
        for place, chosen in enumerate((closer, scores < lower_fence(scores))):
            hits[place] += np.bincount(kinds[chosen], minlength=3)
        total += np.bincount(kinds, minlength=3)
    return np.asarray(hits / total)


def report(found: Sequence[Material], draws: int) -> None:
    rows: list[tuple[str, ...]] = [
        ("classes", "examples of each", *(f"{what}: {kind}" for what in ("closer", "outlier") for kind in NAMES))
    ]
    for material in found:
        for shots in SHOTS:
            shares = reported(material, shots, draws)
            rows.append((material.name, f"{shots}", *(f"{share:.3f}" for share in shares.ravel())))
            print(*rows[-1], sep="  ", flush=True)
    Report(
        "reviewing",
        "Share of the right, mislabeled and strange examples that the review reports, by each of its two scores.",
        f"classes that were not learned, half of them enrolled, {draws} draws",
        rows,
    ).publish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--photos", type=Path, nargs="*", default=[])
    parser.add_argument("--beside", metavar="MINILM")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    given = parser.parse_args()
    report(materials(given), given.draws)


if __name__ == "__main__":
    main()
