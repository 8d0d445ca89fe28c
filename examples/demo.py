"""A tour of a minute: search photos, train an encoder, recognize characters from one example, search texts.

Everything is written to ./demo-output, which is emptied first.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapes

import simsearch
from simsearch.encoders.folder import read_config
from simsearch.evaluation.baselines import color_histogram
from simsearch.evaluation.tfidf import tfidf
from simsearch.media.sheets import SheetRow, Tile, contact_sheet, save_sheet

SAMPLES = Path(os.path.relpath(Path(__file__).parent / "samples"))
OUTPUT = Path("demo-output")
INDEXES = OUTPUT / "indexes"
SERVED = ("clothing", "Korean", "resumes.csv")
NEAREST = 5
FITTING = 3
PER_COLOR = 60


def main() -> None:
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    # The tour has separate collections, so that those of the user are not touched.
    os.environ["SIMSEARCH_HOME"] = str(INDEXES)
    search_photos()
    learn_colors()
    recognize_characters()
    search_texts()
    chapter("Look at the images")
    for path in sorted(OUTPUT.rglob("*.png")):
        if OUTPUT / "shapes" not in path.parents:
            print(path)
    print(f"\nAll of them are in {OUTPUT.absolute()}")
    chapter("Look at the collections in a browser")
    served = " ".join(f"--index {shlex.quote((INDEXES / name).as_posix())}" for name in SERVED)
    print(f"$ {shlex.quote(Path(sys.executable).parent.joinpath('simsearch').as_posix())} serve --open {served}")


def chapter(title: str) -> None:
    print(f"\n{title}\n{'=' * len(title)}")


def run(*arguments: str | Path) -> None:
    """Shows a command as one would type it, and runs it."""
    words = [argument.as_posix() if isinstance(argument, Path) else argument for argument in arguments]
    print(f"\n$ simsearch {shlex.join(words)}", flush=True)
    subprocess.run([sys.executable, "-m", "simsearch", *words], check=True)


def share(right: Sequence[bool] | np.ndarray) -> str:
    return f"{np.mean(right):6.1%}"


# -- 1. search -----------------------------------------------------------------------------------------------------


def search_photos() -> None:
    chapter("1. Search: which photos look like this one?")
    count = len(list((SAMPLES / "clothing").glob("*/*.jpg")))
    print(f"{count} photos of clothes, in a folder for each kind, are indexed.")
    run("index", SAMPLES / "clothing", "--labels", "folder")
    queries = sorted((SAMPLES / "clothing-queries").glob("*/*.jpg"))
    print("\nNow a photo that is not in the collection:")
    run("query", queries[0], "--top", str(NEAREST))
    print("\nA contact sheet of one query of each kind and its nearest neighbors:")
    one_each = list({path.parent.name: path for path in queries}.values())
    with simsearch.Collection.open(INDEXES / "clothing") as collection:
        draw_matches(collection, one_each, OUTPUT / "search.png")
        print(OUTPUT / "search.png")
        judge_search(collection, queries)


def draw_matches(collection: simsearch.Collection, queries: Sequence[Path], file: Path) -> None:
    """Saves a sheet with a row for each query; matches of the same class have a green border, others a red one."""
    rows = []
    for query, matches in zip(queries, collection.query_many(queries, NEAREST), strict=True):
        truth = query.parent.name
        tiles = [Tile(query.read_bytes(), ("query", truth), None)]
        for match in matches:
            border = "green" if match.item.label == truth else "red"
            tiles.append(
                Tile(Path(match.item.uri).read_bytes(), (f"{match.score:.3f}", match.item.label or ""), border)
            )
        rows.append(SheetRow(truth, tuple(tiles)))
    save_sheet(contact_sheet(rows), file)


def judge_search(collection: simsearch.Collection, queries: Sequence[Path]) -> None:
    """Prints how often the nearest photos are of the class of the query, for the encoder and a baseline."""
    items = list(collection.items())
    known = np.array([item.label for item in items])
    truth = np.array([path.parent.name for path in queries])
    prepare = simsearch.open_encoder("photo").prepare
    histograms = [
        color_histogram(np.stack([prepare(path).pixels for path in paths]))
        for paths in (queries, [item.uri for item in items])
    ]
    by_color = known[np.argsort(-histograms[0] @ histograms[1].T, axis=1, kind="stable")[:, :NEAREST]]
    answers = collection.query_many(queries, NEAREST)
    by_photo = np.array([[match.item.label for match in matches] for matches in answers])
    chance = share(truth[:, None] == known[None, :])
    print(f"\nShare of the nearest neighbors of {len(queries)} new photos that have the class of the query:")
    print(f"{'':30}{'the nearest':>12}{f'the nearest {NEAREST}':>16}")
    for name, found in (("encoder photo", by_photo), ("histogram of colors", by_color)):
        hits = found == truth[:, None]
        print(f"{name:30}{share(hits[:, 0]):>12}{share(hits):>16}")
    print(f"{'chance':30}{chance:>12}{chance:>16}")


# -- 2. learn ------------------------------------------------------------------------------------------------------


def learn_colors() -> None:
    chapter("2. Train: here, items are similar if they have the same color")
    folder = shapes.draw_by_color(OUTPUT / "shapes", PER_COLOR)
    encoder = OUTPUT / "encoders" / "by-color"
    encoder.parent.mkdir()
    print(f"{PER_COLOR} drawn images in each of the folders {', '.join(shapes.COLORS)}; in each, all the shapes:")
    print(f"{', '.join(shapes.SHAPES)}. Items in one folder are similar, whatever their shape.")
    run("train", folder, "-o", encoder, "--preset", "shapes", "--quiet")
    config = read_config(encoder)
    train, validation, test = np.array(config.training["inputs"]) // len(shapes.COLORS)
    print(f"The split of each color: {train} images for training, {validation} for validation, {test} for the test.")
    print(f"The training took {config.training['seconds']} seconds.")
    figures = config.figures
    print(f"Pairs of test images: {figures['test_pairs']:,}; correct: {figures['test_pair_accuracy']:.1%}")


# -- 3. recognize --------------------------------------------------------------------------------------------------


def recognize_characters() -> None:
    chapter("3. Recognize: one example of each is enough")
    alphabets = sorted(folder for folder in (SAMPLES / "omniglot").iterdir() if folder.is_dir())
    print(f"Ten characters of each of {len(alphabets)} alphabets that the encoder was not trained on. One drawing of")
    print("each is enrolled; the drawings of other people are then recognized.\n")
    for alphabet in alphabets:
        drawings = {folder.name: sorted(folder.glob("*.png")) for folder in sorted(alphabet.iterdir())}
        answers = recognize(drawings, INDEXES / alphabet.name)
        truth = [name for name, (_, *others) in drawings.items() for _ in others]
        right = [answer.label == name for answer, name in zip(answers, truth, strict=True)]
        chance = f"by chance {1 / len(drawings):.0%}"
        print(f"{alphabet.name:22}{sum(right):3} of {len(right)} right ({share(right).strip()}; {chance})")
        plain = re.sub(r"[^a-z]+", "-", alphabet.name.lower()).strip("-")
        draw_recognized(drawings, answers, OUTPUT / f"recognized-{plain}.png")
    asked = sorted((alphabets[-1] / "character01").glob("*.png"))[1]
    print("\nThe same on the command line, for one drawing:")
    run("recognize", asked, "--index", alphabets[-1].name, "--quiet")


def recognize(drawings: Mapping[str, Sequence[Path]], index: Path) -> list[simsearch.Recognition]:
    """The recognition of each drawing but the first of its character, with the first ones enrolled."""
    with simsearch.Collection.create(index, encoder="glyph") as collection:
        for name, (first, *_) in drawings.items():
            collection.enroll(name, [first])
        return collection.recognize_many([path for _, *others in drawings.values() for path in others])


def draw_recognized(
    drawings: Mapping[str, Sequence[Path]], answers: Sequence[simsearch.Recognition], file: Path
) -> None:
    """Saves a sheet with a row for each character: the enrolled drawing, then the others with answer and label."""
    answer = iter(answers)
    rows = []
    for truth, (enrolled, *others) in drawings.items():
        tiles = [Tile(enrolled.read_bytes(), ("enrolled", truth), None)]
        for path in others:
            said = next(answer).label
            border = "green" if said == truth else "red"
            tiles.append(Tile(path.read_bytes(), (f"answer {said}", f"is {truth}"), border))
        rows.append(SheetRow(truth, tuple(tiles)))
    save_sheet(contact_sheet(rows), file)


# -- 4. texts ------------------------------------------------------------------------------------------------------


def search_texts() -> None:
    chapter("4. Texts: which of these fit a description?")
    lines = [(SAMPLES / "jobs" / name).read_text(encoding="utf-8").splitlines() for name in ("jobs.csv", "resumes.csv")]
    jobs, resumes = (list(csv.DictReader(table)) for table in lines)
    print(f"{len(resumes)} résumés, each a row of a table, are indexed.")
    run("index", SAMPLES / "jobs" / "resumes.csv")
    run("query", "somebody who looks after sick people", "--index", "resumes.csv", "--top", "2")
    with simsearch.Collection.open(INDEXES / "resumes.csv") as collection:
        answers = collection.query_many([job["text"] for job in jobs], FITTING)
    vectors = tfidf([row["text"] for row in jobs + resumes])
    by_words = np.argsort(-vectors[: len(jobs)] @ vectors[len(jobs) :].T, axis=1, kind="stable")[:, :FITTING]
    wanted, fits = np.array([[job["id"]] for job in jobs]), np.array([row["fits"] for row in resumes])
    by_text = np.array([[match.item.metadata["fits"] for match in matches] for matches in answers])
    print(f"\nShare of the {FITTING} résumés nearest to each of {len(jobs)} job descriptions that were written for it:")
    for name, right in (
        ("encoder text", by_text == wanted),
        ("words in common (TF-IDF)", fits[by_words] == wanted),
        ("chance", fits == wanted),
    ):
        print(f"{name:30}{share(right):>12}")


if __name__ == "__main__":
    main()
