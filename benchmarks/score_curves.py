"""Calibration of a bundled encoder: the curve from score to P(same), on data that it was not trained on.

    python benchmarks/score_curves.py photo DATA/flowers-12 DATA/yale-faces \
        DATA/clothing-1000/{shirt,shoes,shorts,skirt,t-shirt}
    python benchmarks/score_curves.py glyph DATA/omniglot-background/{Tifinagh,Korean,Grantha,Japanese_(katakana)} \
        --measured benchmarks/held_out/glyph
    python benchmarks/score_curves.py strokes MNIST    (100 drawings of each digit, a folder each)
    python benchmarks/score_curves.py text DATA/text/quora-pairs.tsv

Folders with class folders in them count as one source each, class folders given by themselves as one together. As many
pairs of each source are drawn. With --write the curve goes into encoder.json.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import simsearch
from simsearch.encoders.folder import encoder_folder, read_config, write_config
from simsearch.evaluation.statistics.probability import same_curve
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.scan import scan
from simsearch.types import Encoder, Skip

DIFFERENT = 5_000
"""Different pairs of each source, at most."""
Pairs = tuple[NDArray[np.float32], NDArray[np.bool_]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="the encoder whose curve it is: a name or a folder")
    parser.add_argument("sources", type=Path, nargs="+", help="folders of classes, class folders, or a table of pairs")
    parser.add_argument(
        "--measured", help="the encoder that is measured, where the one that ships has seen the classes"
    )
    parser.add_argument("--write", action="store_true", help="put the curve into encoder.json")
    options = parser.parse_args()
    encoder = simsearch.open_encoder(options.measured or options.encoder)
    rng = np.random.default_rng(0)
    found = [pairs_of_table(encoder, path) for path in options.sources if path.is_file()]
    names = [path.name for path in options.sources]
    found += [pairs_of_classes(encoder, classes) for classes in grouped([p for p in options.sources if p.is_dir()])]
    scores, same = even(found, rng)
    curve = same_curve(scores, same, f"{', '.join(names)} with {encoder.name} {encoder.fingerprint}")
    for row in zip(curve.scores, curve.p_same, curve.far, curve.tar, strict=True):
        print("  ".join(f"{value:8.4f}" for value in row))
    if options.write:
        folder = encoder_folder(options.encoder)
        config = read_config(folder)
        compared = "texts" if config.modality == "text" else "images"
        write_config(folder, replace(config, curves={**config.curves, compared: curve.document()}))


def grouped(folders: Sequence[Path]) -> Iterator[dict[str, list[str]]]:
    """The classes of each source with their files."""
    alone = {}
    for folder in folders:
        inner = sorted(path for path in folder.iterdir() if path.is_dir())
        if inner:
            yield {path.name: files_in(path) for path in inner}
        else:
            alone[folder.name] = files_in(folder)
    if alone:
        yield alone


def files_in(folder: Path) -> list[str]:
    return sorted(str(entry.path) for entry in scan(folder, IMAGE_SUFFIXES) if not isinstance(entry, Skip))


def pairs_of_classes(encoder: Encoder, classes: dict[str, list[str]]) -> Pairs:
    """All pairs of the files of these classes; of files that are equal to the byte there is one."""
    contents: dict[bytes, tuple[str, str]] = {}
    for name, paths in classes.items():
        for path in paths:
            contents.setdefault(Path(path).read_bytes(), (path, name))
    paths, labels = zip(*contents.values(), strict=True)
    vectors = encoder.encode(list(paths))
    numbers = np.unique(np.array(labels), return_inverse=True)[1]
    left, right = np.triu_indices(len(vectors), 1)
    return (vectors @ vectors.T)[left, right], numbers[left] == numbers[right]


def pairs_of_table(encoder: Encoder, path: Path) -> Pairs:
    """The pairs of a table of two texts and 1 for the same or 0."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE) if row[-1] in ("0", "1")]
    left, right = (encoder.encode([row[place] for row in rows]) for place in (0, 1))
    return np.einsum("ij,ij->i", left, right), np.array([row[-1] == "1" for row in rows])


def even(found: Sequence[Pairs], rng: np.random.Generator) -> Pairs:
    """As many same pairs of each source, and as many different ones."""
    alike = min(int(same.sum()) for _, same in found)
    other = min(DIFFERENT, *(int((~same).sum()) for _, same in found))
    scores, truths = [], []
    for values, same in found:
        for kind, count in ((True, alike), (False, other)):
            scores.append(rng.permutation(values[same == kind])[:count])
            truths.append(np.full(count, kind))
    return np.concatenate(scores), np.concatenate(truths)


if __name__ == "__main__":
    main()
