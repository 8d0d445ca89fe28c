"""Comparison of all losses on each kind of data, with the same small network, steps and seeds."""

from __future__ import annotations

import argparse
import copy
import csv
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from measuring import Bar, Report

from simsearch.evaluation.protocols import episodes
from simsearch.labelled.material import KINDS, Kind, Labelled
from simsearch.progress import Silent
from simsearch.training.data.dataset import Dataset, load_dataset
from simsearch.training.data.sampling import make_sampler
from simsearch.training.finetuning.imprinting import imprint_class_weights
from simsearch.training.finetuning.initial import InitialEncoder, load_initial_encoder
from simsearch.training.loop import fit
from simsearch.training.losses.table import LOSSES, default_loss, losses_for
from simsearch.training.measure import embed_rows, figures_of_test
from simsearch.training.networks.building import build, build_text
from simsearch.training.networks.encoder import Network
from simsearch.training.networks.specification import ModelSpec, TextSpec
from simsearch.training.objective import Objective
from simsearch.training.presets import preset
from simsearch.training.processes import open_processes
from simsearch.training.recipes import Recipe

WAYS, EPISODES = 20, 2_000
DRAWINGS = Recipe(
    "drawings", "a small residual network for drawings", ModelSpec("residual", 32, 32, 1, 64, (8, 16, 32, 64), 2),
    fit="pad", loss="classifier", optimizer="sgd", learning_rate=0.1, weight_decay=5e-4, cosine_decay=True,
    batch_classes=24, batch_images=3, augmentation="drawing", steps=200, counts=(1.0, 0.0, 0.0),
)  # fmt: skip
TEXTS = replace(
    preset("words"), model=TextSpec("bag", vocabulary=6_000, dim=64, codes=500, dropout=0.1), steps=400, patience=0,
    counts=(1.0, 0.0, 0.0),
)  # fmt: skip
HELD_OUT = (0.75, 0.05, 0.2)


@dataclass(frozen=True, slots=True)
class Task:
    """The training data, and the data of the figure; without `unseen` that is the test partition."""

    title: str
    recipe: Recipe
    training: Labelled
    unseen: Labelled | None = None
    """Classes for 20-way recognition from one example."""
    start: InitialEncoder | None = None
    """The initial encoder."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "data",
        type=Path,
        help="a folder with omniglot-background/ALPHABET/CHARACTER/*.png and text/: banking77-train.csv, "
        "stsb-train.csv, sick-train.txt, quora-pairs.tsv, snli-dev.tsv and flickr8k-captions.txt",
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--without", nargs="+", default=(), help="leave out tasks whose title begins so: drawings, ...")
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=LOSSES, help="only these")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--from", dest="start", help="go on from this encoder, and leave out what it cannot take")
    parser.add_argument("--cut", action="store_true", help="learn parts of the texts of pairs, grades and triplets")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for kind in options.kinds:
        chosen = [task for task in tasks(kind, options.data) if not task.title.startswith(tuple(options.without))]
        if options.cut:
            chosen = [replace(task, recipe=replace(task.recipe, augmentation=TEXTS.augmentation)) for task in chosen]
        if options.start is not None:
            begun = load_initial_encoder(options.start)
            chosen = [begin(task, begun) for task in chosen if task.training.modality == begun.modality]
        if chosen:
            report(kind, chosen, options.losses, options.seeds)


def begin(task: Task, start: InitialEncoder) -> Task:
    """The task with the network of this encoder, which sees its inputs as it does."""
    return replace(task, recipe=replace(task.recipe, model=start.spec, fit=start.fit), start=start)


def report(kind: Kind, chosen: Sequence[Task], losses: Iterable[str], seeds: Sequence[int]) -> None:
    """A row a loss, a column a task; the bar is that no loss is clearly better than the default over all tasks."""
    started = time.perf_counter()
    figures: dict[str, list[list[float]]] = {loss: [] for loss in losses_for(kind) if loss in losses}
    for task in chosen:
        with tempfile.TemporaryDirectory() as home:
            data, unseen = loaded(task, Path(home))
            for loss, columns in figures.items():
                columns.append([learned(task, loss, seed, data, unseen, Path(home)) for seed in seeds])
                print(f"{task.title} {loss}: {columns[-1]}", flush=True)
    means = {loss: statistics.mean(map(statistics.mean, columns)) for loss, columns in figures.items()}
    ranked = sorted(figures, key=lambda loss: -means[loss])
    start = chosen[0].start
    Report(
        f"losses-{kind}" if start is None else f"losses-{kind}-from-{start.name}",
        f"For {kind} the default, {default_loss(kind)}, is the best of the losses, or as good.",
        f"{'; '.join(f'{task.title}, {task.recipe.steps} steps' for task in chosen)}; means (and ranges) of seeds "
        f"{', '.join(map(str, seeds))}{'' if start is None else f'; from {start.name}'}",
        [
            ("loss", *[task.title for task in chosen], "mean"),
            *[(loss, *map(shown, figures[loss]), f"{means[loss]:.3f}") for loss in ranked],
        ],
        [
            Bar(f"{loss} / best loss, of the means", means[loss] / means[ranked[0]], at_least=0.97)
            for loss in ranked
            if loss == default_loss(kind)
        ],
        [f"All took {(time.perf_counter() - started) / 60:.0f} minutes."],
    ).publish()


def shown(figures: Sequence[float]) -> str:
    spread = f" ({min(figures):.3f} to {max(figures):.3f})" if len(figures) > 1 else ""
    return f"{statistics.mean(figures):.3f}{spread}"


def loaded(task: Task, home: Path) -> tuple[Dataset, Dataset | None]:
    """The data to train on, and the unseen classes, read in the same way."""
    options = {"test": (), "progress": Silent()}
    tokenizer = b"" if task.start is None else task.start.tokenizer
    data = load_dataset(task.training, task.recipe, tokenizer=tokenizer, cache=home / "training.npy", **options)
    if task.unseen is None:
        return data, None
    recipe = replace(task.recipe, counts=(1.0, 0.0, 0.0))
    return data, load_dataset(task.unseen, recipe, tokenizer=data.tokenizer, cache=home / "unseen.npy", **options)


def learned(task: Task, loss: str, seed: int, data: Dataset, unseen: Dataset | None, home: Path) -> float:
    """The figure of a network that was trained with this loss."""
    recipe = replace(task.recipe, loss=loss, seed=seed, evaluate_every=task.recipe.steps)
    torch.manual_seed(seed)
    network: Network
    if task.start is not None:
        network = copy.deepcopy(task.start.encoder)
    elif isinstance(recipe.model, TextSpec):
        network = build_text(replace(recipe.model, vocabulary=data.vocabulary))
    else:
        network = build(recipe.model, mean=(0.9,), std=(0.25,))
    objective = Objective(network, recipe, data.training_classes, open_processes())
    if task.start is not None and data.train.labels is not None:
        imprint_class_weights(
            objective, data.inputs, data.train.rows, np.unique(data.train.labels, return_inverse=True)[1]
        )
    fit(
        objective,
        make_sampler(data.train, recipe),
        data.inputs,
        recipe=recipe,
        steps=recipe.steps,
        validate=lambda _: float("nan"),
        checkpoint=home / f"{loss}-{seed}.pt",
        configuration="",
        progress=Silent(),
        processes=open_processes(),
    )
    network.eval()
    if unseen is not None:
        vectors, side = embed_rows(network, unseen.inputs, unseen.train.rows), unseen.train
        return episodes(
            vectors, side.labels, ways=WAYS, shots=1, queries=1, count=EPISODES, seed=0, groups=side.groups
        ).accuracy
    vectors = embed_rows(network, data.inputs, data.test.rows)
    # Pairs have a threshold as well; the figure wanted here, ROC AUC, does not depend on it.
    figures, _ = figures_of_test(network, data, vectors, 0.5 if data.kind == "pairs" else None, recipe)
    names = {"pairs": "test_roc_auc", "graded": "test_spearman", "triplets": "test_triplets_in_order"}
    return float(figures[names[data.kind]])  # type: ignore[arg-type]


# -- the tasks -----------------------------------------------------------------------------------------------------


def tasks(kind: Kind, data: Path) -> Iterator[Task]:
    # As in training, texts of which a relation is known are learned whole.
    texts, held_out = data / "text", replace(TEXTS, counts=HELD_OUT, augmentation="none")
    if kind in ("classes", "unlabelled"):
        yield drawings(kind, data / "omniglot-background")
    if kind == "classes":
        yield intents(texts / "banking77-train.csv")
    elif kind == "unlabelled":
        yield captions(texts / "flickr8k-captions.txt")
    elif kind == "pairs":
        quora = [(a, b, float(same)) for a, b, same in rows_of(texts / "quora-pairs.tsv")]
        yield Task("questions, ROC AUC", held_out, of_rows(kind, quora))
        snli = [(a, b, float(label == "0")) for a, b, label in rows_of(texts / "snli-dev.tsv")]
        yield Task("entailment, ROC AUC", held_out, of_rows(kind, snli))
    elif kind == "graded":
        stsb = [(a, b, float(score) / 5) for a, b, score in rows_of(texts / "stsb-train.csv")]
        yield Task("sentences, Spearman", held_out, of_rows(kind, stsb))
        sick = [(a, b, (float(score) - 1) / 4) for _, a, b, score, *_ in rows_of(texts / "sick-train.txt")[1:]]
        yield Task("captions, Spearman", held_out, of_rows(kind, sick))
    elif kind == "triplets":
        yield Task("entailments, in order", held_out, of_rows(kind, entailments(texts / "snli-dev.tsv")))
        rows = alternatives(texts / "flickr8k-captions.txt")
        yield Task("captions, in order", held_out, of_rows(kind, rows))


def rows_of(file: Path) -> list[list[str]]:
    """The complete rows of a file; quotes mean nothing in files separated by tabs."""
    commas = file.suffix == ".csv"
    with file.open(encoding="utf-8", newline="") as stream:
        quoting = csv.QUOTE_MINIMAL if commas else csv.QUOTE_NONE
        rows = list(csv.reader(stream, delimiter="," if commas else "\t", quoting=quoting))
    return [row for row in rows if len(row) == len(rows[0]) and all(row)]


def of_rows(kind: Kind, rows: Sequence[tuple[str, str, float | str]]) -> Labelled:
    """Pairs with a number, or triplets, of texts."""
    places: dict[str, int] = {}
    width = 3 if kind == "triplets" else 2
    numbers = np.array([[places.setdefault(str(text), len(places)) for text in row[:width]] for row in rows])
    if kind == "triplets":
        return Labelled("text", kind, tuple(places), triplets=numbers)
    values = np.array([row[2] for row in rows], dtype=np.float32)
    if kind == "pairs":
        return Labelled("text", kind, tuple(places), pairs=numbers, same=values > 0.5)
    return Labelled("text", kind, tuple(places), pairs=numbers, scores=values, score_range=(0.0, 1.0))


def of_classes(texts: Sequence[tuple[str, str]]) -> Labelled:
    classes = sorted({name for _, name in texts})
    labels = np.array([classes.index(name) for _, name in texts])
    return Labelled("text", "classes", tuple(text for text, _ in texts), labels, tuple(classes), tuple(classes))


def without_labels(labelled: Labelled) -> Labelled:
    return Labelled(labelled.modality, "unlabelled", labelled.sources)


def drawings(kind: Kind, root: Path) -> Task:
    """Eight drawings of each character of ten alphabets, and those of five others as unseen classes."""
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    alphabets = [folders[position] for position in np.random.default_rng(0).permutation(len(folders))]
    training, unseen = drawn(alphabets[:10]), drawn(alphabets[10:15])
    return Task("drawings, one-shot", DRAWINGS, without_labels(training) if kind == "unlabelled" else training, unseen)


def drawn(alphabets: Sequence[Path]) -> Labelled:
    characters = [character for alphabet in alphabets for character in sorted(alphabet.iterdir())]
    files = [sorted(character.glob("*.png"))[:8] for character in characters]
    sources = tuple(str(file) for pictures in files for file in pictures)
    labels = np.repeat(np.arange(len(characters)), [len(pictures) for pictures in files])
    names = tuple(f"{character.parent.name}/{character.name}" for character in characters)
    groups = tuple(character.parent.name for character in characters)
    return Labelled("image", "classes", sources, labels, names, groups)


def intents(file: Path) -> Task:
    """Questions of 52 intents, and those of 25 others as unseen classes."""
    rows = [(text, intent) for text, intent in rows_of(file) if intent != "category"]
    names = np.random.default_rng(0).permutation(sorted({intent for _, intent in rows})).tolist()
    unseen = set(names[:25])
    sides = [[row for row in rows if (row[1] in unseen) == away] for away in (False, True)]
    return Task("intents, one-shot", TEXTS, of_classes(sides[0]), of_classes(sides[1]))


def captions(file: Path) -> Task:
    """Captions, not told which belong together; those of other images as classes of five."""
    pictures = captioned(file)
    training = of_classes([(caption, name) for name, texts in pictures[:5_000] for caption in texts])
    unseen = of_classes([(caption, name) for name, texts in pictures[5_000:5_600] for caption in texts])
    return Task("captions, one-shot", TEXTS, without_labels(training), unseen)


def captioned(file: Path) -> list[tuple[str, list[str]]]:
    """The images that have five captions, with them."""
    texts: dict[str, list[str]] = {}
    for name, caption in rows_of(file):
        texts.setdefault(name.partition("#")[0], []).append(caption)
    return [(name, captions) for name, captions in texts.items() if len(set(captions)) == 5]


def alternatives(file: Path) -> list[tuple[str, str, str]]:
    """Two captions of one image, and one of another that shares the most words with the first.

    The other is of the same ten images: triplets that share a text stay on one side of the split.
    """
    pictures = [texts for _, texts in captioned(file)]
    rows = []
    for number, (anchor, positive, *_) in enumerate(pictures):
        words = set(anchor.lower().split())
        block = range(number // 10 * 10, min(number // 10 * 10 + 10, len(pictures)))
        others = [pictures[other][0] for other in block if other != number]
        if others:
            rows.append((anchor, positive, max(others, key=lambda text: len(words & set(text.lower().split())))))
    return rows


def entailments(file: Path) -> list[tuple[str, str, str]]:
    """A sentence, one that follows from it, and one that contradicts it."""
    found: dict[str, dict[str, str]] = {}
    for premise, hypothesis, label in rows_of(file):
        found.setdefault(premise, {})[label] = hypothesis
    return [(premise, by["0"], by["2"]) for premise, by in found.items() if {"0", "2"} <= by.keys()]


if __name__ == "__main__":
    main()
