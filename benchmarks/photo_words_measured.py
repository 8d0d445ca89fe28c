"""Search of photos by words: precision@10 of the text tower of photo_words.py, compared with a baseline.

    python benchmarks/photo_words_measured.py PHOTO BACKBONE CLASSES WORDNET TOWER \\
        --kinds TINY_IMAGENET --others FLOWERS CLOTHES --folds --curve curve.json

The first five arguments are those of photo_words.py, TOWER being the folder that it wrote. KINDS is a folder of photos
by ImageNet number, each of OTHERS one of photos by name. With --folds, the names of KINDS are held out in five folds of
cross-validation, and --curve is the file for the resulting calibration curve.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from make_photo import EACH_CLASS
from photo_words import TEACHER, Corpus, Making, material, tower_of
from tokenizers import Tokenizer
from words_nouns import Nouns
from words_onnx import to_onnx
from words_targets import Head, classifier, unit
from words_tower import encoded

import simsearch
from simsearch.encoders.converting.exporting import to_onnx as to_onnx_file
from simsearch.encoders.folder import WORDS_NAME, WORDS_TOKENIZER_NAME
from simsearch.encoders.network import load_session
from simsearch.evaluation.statistics.probability import SameCurve, same_curve
from simsearch.training.networks.efficientnet import MEAN, STD, from_published

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

EACH = 30
SIDE = 224
FOLDS = 5
TEMPERATURE = 0.07
FOLDER_NAMES = {"colts-foot": "coltsfoot", "lily-valley": "lily of the valley", "tigerlily": "tiger lily"}
"""The spelling of names of folders that are written differently."""


@dataclass(frozen=True)
class Pictures:
    """Photos as the classifier and as the head takes them, and what each shows."""

    mean: Array
    pooled: Array
    labels: NDArray[np.str_]


def pictures(options: argparse.Namespace, folder: Path, each: int | None) -> Pictures:
    """Of up to `each` photos of each folder, drawn at random, kept in the cache."""
    kept = options.cache / f"{folder.name}-{each}.npz"
    if not kept.is_file():
        chosen = []
        for place in sorted(path for path in folder.iterdir() if path.is_dir()):
            files = sorted(path for path in place.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
            # The head has learned from the first of each, without words.
            files = files[EACH_CLASS:] if each else files
            random.Random(0).shuffle(files)
            chosen += [(path, place.name) for path in files[:each]]
        session = load_session(poolings(options.backbone), str(options.backbone))
        parts = [
            session.run(["mean", "pooled"], {"pixels": np.stack([square(path) for path, _ in chosen[at : at + 32]])})
            for at in range(0, len(chosen), 32)
        ]
        mean, pooled = (np.concatenate(rows) for rows in zip(*parts, strict=True))
        np.savez(kept, mean=mean, pooled=pooled, labels=[name for _, name in chosen])
    with np.load(kept) as stored:
        return Pictures(stored["mean"].astype(np.float64), stored["pooled"].astype(np.float64), stored["labels"])


class Poolings(torch.nn.Module):
    """What the classifier takes of a photo, and what the head takes."""

    def __init__(self, trunk: torch.nn.Sequential) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        *layers, last = self.trunk
        maps = (pixels.permute(0, 3, 1, 2) / 255.0 - MEAN) / STD
        for layer in layers:
            maps = layer(maps)
        return torch.nn.functional.relu6(last.convolution(maps)).mean(dim=(2, 3)), last(maps)


def poolings(published: Path) -> bytes:
    """The published backbone as an ONNX file with both outputs."""
    trunk = from_published(torch.load(published, weights_only=True), 0)
    example = np.zeros((2, SIDE, SIDE, 3), dtype=np.uint8)
    return to_onnx_file(Poolings(trunk).eval(), example, outputs=("mean", "pooled"))


def square(path: Path) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    width, height = image.size
    side = min(width, height)
    box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box, reducing_gap=3))


@dataclass(frozen=True)
class NameQueries:
    """Names as queries, with the relevant labels of each."""

    names: Sequence[str]
    answers: Sequence[frozenset[str]]


def precision(scores: Array, labels: NDArray[np.str_], asked: NameQueries) -> Array:
    """precision@10 of each name."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    return np.array([np.isin(labels[row], list(right)).mean() for row, right in zip(best, asked.answers, strict=True)])


def mean(values: Array) -> float:
    return round(float(values.mean()), 3)


def words(model: bytes, tokenizer: Tokenizer, names: Sequence[str]) -> Array:
    found = load_session(model, "words").run(None, {"ids": encoded(tokenizer, names).numpy()})[0]
    return np.asarray(found, dtype=np.float64)


class Trial:
    """The baseline: `text` compares a name with the class names, which gives weights of the classes."""

    def __init__(self, class_names: Sequence[str], head: Head, weights: Array, bias: Array) -> None:
        self.text = simsearch.open_encoder("text")
        self.known = self.text.encode(list(class_names))
        self.vectors = unit((weights - weights.mean(axis=0)) @ head.weight.T)
        self._weights, self._bias = weights, bias

    def shares(self, names: Sequence[str], without: Sequence[int | None]) -> Array:
        cosines = self.text.encode(list(names)) @ self.known.T
        shares: Array = np.exp(cosines.astype(np.float64) / TEMPERATURE)
        for row, column in enumerate(without):
            if column is not None:
                shares[row, column] = 0.0
        shares /= shares.sum(axis=1, keepdims=True)
        return shares

    def probabilities(self, features: Array) -> Array:
        logits = features @ self._weights.T + self._bias
        powers: Array = np.exp(logits - logits.max(axis=1, keepdims=True))
        powers /= powers.sum(axis=1, keepdims=True)
        return powers


def wider(nouns: Nouns, labels: Sequence[str]) -> NameQueries:
    """Kinds above 2 to half of the labels; of those above the same labels, one."""
    below: dict[str, set[str]] = {}
    for label in labels:
        for kind in nouns.above(label) - {label}:
            below.setdefault(kind, set()).add(label)
    found: dict[frozenset[str], str] = {}
    for kind in sorted(below, reverse=True):
        if 2 <= len(below[kind]) <= len(labels) / 2:
            found[frozenset(below[kind])] = kind
    return NameQueries([nouns.of[kind].names[0] for kind in found.values()], list(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("photo", "backbone", "classes", "wordnet", "tower"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--kinds", type=Path, required=True)
    parser.add_argument("--others", type=Path, nargs="*", default=[])
    parser.add_argument("--cache", type=Path, default=Path())
    parser.add_argument("--said", type=Path, default=Path("photo-words-said.npz"))
    parser.add_argument("--teacher", default=TEACHER)
    parser.add_argument("--folds", action="store_true")
    parser.add_argument("--curve", type=Path, help="where to write the curve of names left out, as encoder.json has it")
    parser.add_argument("--steps", type=int, default=Making.steps)
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    options = parser.parse_args()
    figures = measured(options)
    print(json.dumps(figures, indent=1))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1))


def measured(options: argparse.Namespace) -> dict[str, object]:
    numbers = [line.removeprefix("n") for line in options.classes.read_text().split()]
    weights, bias = classifier(options.backbone)
    head = Head.read(options.photo)
    given = material(options.wordnet, numbers, options.said, options.teacher)
    trial = Trial([given.nouns.of[each].names[0] for each in numbers], head, weights, bias)
    kinds = pictures(options, options.kinds, EACH)
    kinds = Pictures(kinds.mean, kinds.pooled, np.array([label.removeprefix("n") for label in kinds.labels]))
    others = [pictures(options, folder, None) for folder in options.others]
    every = together([kinds, *others])
    asked = {label: given.nouns.of[label].names[0] for label in sorted(set(kinds.labels.tolist()))}
    sets = {
        "names": (NameQueries(list(asked.values()), [frozenset({each}) for each in asked]), kinds),
        "wider kinds": (wider(given.nouns, list(asked)), kinds),
    }
    for folder, each in zip(options.others, others, strict=True):
        found = sorted(set(each.labels.tolist()))
        question = NameQueries([FOLDER_NAMES.get(name, name) for name in found], [frozenset({name}) for name in found])
        sets[folder.name] = (question, every)
    model = (options.tower / WORDS_NAME).read_bytes()
    tokenizer = Tokenizer.from_file(str(options.tower / WORDS_TOKENIZER_NAME))
    figures: dict[str, object] = {
        name: compared(words(model, tokenizer, question.names), trial, head, question, photos)
        for name, (question, photos) in sets.items()
    }
    if options.folds:
        classes = dict(zip(numbers, head.classes(weights), strict=True))
        figures["left out"], found = left_out(given, classes, trial, head, kinds, asked, Making(steps=options.steps))
        if options.curve:
            options.curve.write_text(json.dumps(found.document()), encoding="utf-8")
    return figures


def together(parts: Sequence[Pictures]) -> Pictures:
    return Pictures(
        np.concatenate([each.mean for each in parts]),
        np.concatenate([each.pooled for each in parts]),
        np.concatenate([each.labels for each in parts]),
    )


def compared(vectors: Array, trial: Trial, head: Head, asked: NameQueries, photos: Pictures) -> dict[str, object]:
    shown = head.pictures(photos.pooled)
    shares = trial.shares(asked.names, [None] * len(asked.names))
    scores = vectors @ shown.T
    tower = precision(scores, photos.labels, asked)
    return {
        "names": len(asked.names),
        "photos": len(shown),
        "tower": mean(tower),
        "trial, probabilities": mean(precision(shares @ trial.probabilities(photos.mean).T, photos.labels, asked)),
        "trial, cosine": mean(precision(shares @ trial.vectors @ shown.T, photos.labels, asked)),
        "each": dict(zip(asked.names, tower.round(2).tolist(), strict=True)),
    }


def left_out(
    given: Corpus,
    classes: Mapping[str, Array],
    trial: Trial,
    head: Head,
    photos: Pictures,
    asked: Mapping[str, str],
    making: Making,
) -> tuple[dict[str, float], SameCurve]:
    """Each name once unknown: precision among all photos, and among those of the names left out with it alone; and what
    its scores mean."""
    shown, order = head.pictures(photos.pooled), list(asked)
    random.Random(0).shuffle(order)
    column = {number: place for place, number in enumerate(classes)}
    rows: dict[str, list[float]] = {}
    positive, negative = [], []
    for fold in range(FOLDS):
        out = order[fold::FOLDS]
        tower, tokenizer, _ = tower_of(given, {k: v for k, v in classes.items() if k not in out}, making)
        names = NameQueries([asked[each] for each in out], [frozenset({each}) for each in out])
        vectors = words(to_onnx(tower), tokenizer, names.names)
        shares = trial.shares(names.names, [column[each] for each in out])
        only = np.isin(photos.labels, out)
        scores = {
            "tower": vectors @ shown.T,
            "trial, cosine": shares @ trial.vectors @ shown.T,
            "trial, probabilities": shares @ trial.probabilities(photos.mean).T,
        }
        for name, each in scores.items():
            found, among = precision(each, photos.labels, names), precision(each[:, only], photos.labels[only], names)
            rows.setdefault(name, []).extend(found)
            rows.setdefault(f"{name}, among those left out", []).extend(among)
        same = photos.labels[None] == np.array(out)[:, None]
        positive.append(scores["tower"][same])
        negative.append(scores["tower"][~same])
    scored, truth = (
        np.concatenate([*positive, *negative]),
        np.repeat([True, False], [sum(map(len, positive)), sum(map(len, negative))]),
    )
    source = f"{len(asked)} names, each left out of what was learned, with {len(shown)} photos of tiny-imagenet"
    return {name: mean(np.array(each)) for name, each in rows.items()}, same_curve(scored, truth, source)


if __name__ == "__main__":
    main()
