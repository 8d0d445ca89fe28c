"""The 20-run protocol: one drawing of each of 20 characters of an alphabet, and the same 20 by another drawer.

Lake et al. 2015, "Human-level concept learning through probabilistic program induction". Each run has two drawers: the
drawings of one are the gallery, those of the other the queries, and each query is assigned to its nearest neighbor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import TrainingError, UsageError, VectorError
from simsearch.media.formats import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Vectors

RUNS = 20
WAYS = 20
ANSWERS = "class_labels.txt"


@dataclass(frozen=True, slots=True)
class Runs:
    """The gallery (`known`) and the queries (`asked`) of each run, as positions in `sources`; sizes may differ."""

    sources: tuple[str, ...]
    names: tuple[str, ...]
    known: tuple[NDArray[np.int64], ...]
    asked: tuple[NDArray[np.int64], ...]
    answers: tuple[NDArray[np.int64], ...]
    """For each query, the position of the correct answer in `known` of its run."""


def run_answers(vectors: Vectors, runs: Runs) -> tuple[NDArray[np.int64], ...]:
    """The position in `known` that each query is assigned to, run by run: the largest cosine, the first of ties.

    `vectors` are the embeddings of `runs.sources`.
    """
    if len(vectors) != len(runs.sources):
        raise VectorError(f"{len(vectors)} vectors of {len(runs.sources)} images; give one for each")
    return tuple(
        (vectors[asked] @ vectors[known].T).argmax(axis=1).astype(np.int64)
        for known, asked in zip(runs.known, runs.asked, strict=True)
    )


def run_accuracies(vectors: Vectors, runs: Runs) -> NDArray[np.float64]:
    """The accuracy of each run."""
    given = run_answers(vectors, runs)
    return np.array([np.mean(found == true) for found, true in zip(given, runs.answers, strict=True)])


def drawer_of(path: str) -> int:
    """The number of an image's drawer, from a name like Omniglot's 0643_07.png: 7. Raises UsageError for others."""
    found = re.search(r"_(\d+)\.\w+$", path)
    if found is None:
        raise UsageError(f"{path}: its name does not end in _NN, the number of its drawer, as 0643_07.png does")
    return int(found[1])


def draw_runs(
    sources: Sequence[str],
    labels: NDArray[Any],
    groups: NDArray[Any],
    *,
    runs: int = RUNS,
    ways: int = WAYS,
    seed: int = 0,
) -> Runs:
    """Runs drawn from labeled drawings, so that held-out alphabets are measured by the published protocol.

    `labels` and `groups` are the character and the alphabet of each drawing; who drew it is read from the name of its
    file. The alphabets take turns; each run has two random drawers of its alphabet who both drew at
    least `ways` of the same characters, and as many random ones of those characters. Alphabets without two such
    drawers are left out; if all are, UsageError is raised.
    """
    if runs < 1 or ways < 2:
        raise UsageError(f"{runs} runs of {ways} ways; give at least 1 run and 2 ways")
    who = np.array([drawer_of(path) for path in sources])
    if not len(sources) == len(labels) == len(groups):
        raise VectorError(
            f"{len(sources)} drawings, {len(labels)} labels and {len(groups)} groups; give one of each for each drawing"
        )
    rng = np.random.default_rng(seed)
    alphabets = [_alphabet(np.flatnonzero(groups == name), labels, who, ways) for name in np.unique(groups)]
    able = [(str(name), each) for name, each in zip(np.unique(groups), alphabets, strict=True) if len(each.partners)]
    if not able:
        raise UsageError(
            f"none of {len(alphabets)} alphabets has two drawers who both drew {ways} of its characters; "
            "choose fewer ways, or give class folders of ALPHABET/CHARACTER/0643_07.png"
        )
    drawn = [able[number % len(able)][1].run(ways, rng) for number in range(runs)]
    names = tuple(f"{able[number % len(able)][0]} {number // len(able) + 1}" for number in range(runs))
    known, asked, answers = zip(*drawn, strict=True)
    return Runs(tuple(sources), names, known, asked, answers)


@dataclass(frozen=True, slots=True)
class _Alphabet:
    drawings: NDArray[np.int64]
    """(drawers, characters): the position of each drawing, -1 where there is none."""
    partners: NDArray[np.int64]
    """(pairs, 2): drawers who share enough characters, each two in both orders."""

    def run(self, ways: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
        """Positions of the gallery and of the queries, and the correct answers."""
        first, second = self.drawings[self.partners[rng.integers(len(self.partners))]]
        character = rng.permutation(np.flatnonzero((first >= 0) & (second >= 0)))[:ways]
        answers = rng.permutation(ways).astype(np.int64)
        return first[character], second[character[answers]], answers


def _alphabet(rows: NDArray[np.int64], labels: NDArray[Any], who: NDArray[Any], ways: int) -> _Alphabet:
    drawers, drawer = np.unique(np.asarray(who)[rows], return_inverse=True)
    characters, character = np.unique(np.asarray(labels)[rows], return_inverse=True)
    drawings = np.full((len(drawers), len(characters)), -1, dtype=np.int64)
    drawings[drawer, character] = rows
    shared = (drawings >= 0).astype(np.int64) @ (drawings >= 0).T.astype(np.int64)
    np.fill_diagonal(shared, 0)
    return _Alphabet(drawings, np.argwhere(shared >= ways))


def read_runs(folder: Path) -> Runs:
    """The runs of a folder laid out as Omniglot's `all_runs`.

    `run01/class_labels.txt` has a line `run01/test/item01.png run01/training/class13.png` for each test image; the
    images of `run01/training` are the gallery. Raises TrainingError naming what is missing or does not fit.
    """
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and path.name.startswith("run"))
    if not folders:
        raise TrainingError(f"{folder} has no folder run01, run02, ...; is it Omniglot's all_runs?")
    sources: list[str] = []
    known, asked, answers = [], [], []
    for run in folders:
        classes = _pictures(run / "training")
        place = {path: number for number, path in enumerate(classes)}
        pairs = [_pair(line, number, run, place) for number, line in _lines(run / ANSWERS)]
        missing = sorted(set(_pictures(run / "test")) - {test for test, _ in pairs})
        if missing:
            raise TrainingError(f"{run / ANSWERS}: no line for {missing[0].relative_to(folder)}")
        start = len(sources)
        sources += [str(path) for path in (*classes, *(test for test, _ in pairs))]
        known.append(np.arange(start, start + len(classes)))
        asked.append(np.arange(start + len(classes), len(sources)))
        answers.append(np.array([answer for _, answer in pairs], dtype=np.int64))
    return Runs(tuple(sources), tuple(run.name for run in folders), tuple(known), tuple(asked), tuple(answers))


def is_runs(folder: Path) -> bool:
    """Whether the folder holds runs rather than classes: a `run...` with a list of answers or its two folders in it."""
    return any((run / part).exists() for run in folder.glob("run*") for part in (ANSWERS, "training"))


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise TrainingError(f"{folder} is missing: each run has training/, test/ and {ANSWERS}")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise TrainingError(f"{folder} has no image; the formats are {', '.join(sorted(IMAGE_SUFFIXES))}")
    return found


def _lines(file: Path) -> list[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{file} cannot be read: {error}; each run has training/, test/ and {ANSWERS}") from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise TrainingError(f"{file} is empty; it must name the matching training image of each test image")
    return lines


def _pair(line: str, number: int, run: Path, place: dict[Path, int]) -> tuple[Path, int]:
    """The test image of a line, and the position of its answer."""
    words = line.split()
    if len(words) != 2:
        raise TrainingError(
            f"{run / ANSWERS}, line {number}: {line.strip()!r}; a test image and a training image are needed"
        )
    test, answer = (run.parent / word for word in words)
    if not test.is_file():
        raise TrainingError(f"{run / ANSWERS}, line {number}: {test} is missing")
    if answer not in place:
        raise TrainingError(f"{run / ANSWERS}, line {number}: {words[1]} is not among the images of {run / 'training'}")
    return test, place[answer]
