"""The 20-run protocol: folders as they are published, runs that are drawn, and their judgement."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import TrainingError, UsageError, VectorError
from simsearch.evaluation.runs import draw_runs, drawer_of, is_runs, read_runs, run_accuracies, run_answers


def write_runs(root: Path, answers: list[list[int]], known: int = 3) -> Path:
    """Runs of empty image files; `answers` are the numbers of the training images, run by run."""
    for number, run in enumerate(answers, 1):
        folder = root / f"run{number:02}"
        for part in ("training", "test"):
            (folder / part).mkdir(parents=True)
        for place in range(1, known + 1):
            (folder / "training" / f"class{place:02}.png").touch()
        lines = []
        for item, answer in enumerate(run, 1):
            (folder / "test" / f"item{item:02}.png").touch()
            name = folder.name
            lines.append(f"{name}/test/item{item:02}.png {name}/training/class{answer:02}.png")
        (folder / "class_labels.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def test_a_folder_of_runs_is_read_as_it_says(tmp_path: Path) -> None:
    root = write_runs(tmp_path / "all_runs", [[3, 1, 2], [2, 2, 1]])
    runs = read_runs(root)
    assert runs.names == ("run01", "run02")
    assert [answers.tolist() for answers in runs.answers] == [[2, 0, 1], [1, 1, 0]]
    for run, known, asked in zip(runs.names, runs.known, runs.asked, strict=True):
        names = [Path(runs.sources[row]).relative_to(root).as_posix() for row in (*known, *asked)]
        assert names == [f"{run}/training/class0{i}.png" for i in (1, 2, 3)] + [
            f"{run}/test/item0{i}.png" for i in (1, 2, 3)
        ]
    assert is_runs(root)
    assert not is_runs(tmp_path)


def test_answers_and_accuracies_are_those_of_a_loop(tmp_path: Path) -> None:
    runs = read_runs(write_runs(tmp_path, [[3, 1, 2], [2, 2, 1]]))
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(12, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    given, accuracies = run_answers(vectors, runs), run_accuracies(vectors, runs)
    for number in range(2):
        right = []
        for place, asked in enumerate(runs.asked[number]):
            scores = [float(vectors[asked] @ vectors[known]) for known in runs.known[number]]
            assert given[number][place] == int(np.argmax(scores))
            right.append(int(np.argmax(scores)) == runs.answers[number][place])
        assert accuracies[number] == pytest.approx(np.mean(right))
    with pytest.raises(VectorError, match="11 vectors of 12"):
        run_answers(vectors[:11], runs)


def test_a_malformed_folder_names_what_is_missing(tmp_path: Path) -> None:
    root = write_runs(tmp_path / "good", [[3, 1, 2]])

    def broken(name: str) -> Path:
        return shutil.copytree(root, tmp_path / name)

    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(TrainingError, match="has no folder run01"):
        read_runs(empty)
    shutil.rmtree(broken("a") / "run01" / "training")
    with pytest.raises(TrainingError, match=r"run01.training is missing: each run has training/, test/ and class_l"):
        read_runs(tmp_path / "a")
    (broken("b") / "run01" / "class_labels.txt").unlink()
    with pytest.raises(TrainingError, match=r"class_labels.txt cannot be read"):
        read_runs(tmp_path / "b")
    (broken("c") / "run01" / "test" / "item02.png").unlink()
    with pytest.raises(TrainingError, match=r"class_labels.txt, line 2: .*item02.png is missing"):
        read_runs(tmp_path / "c")
    (broken("d") / "run01" / "training" / "class01.png").unlink()
    with pytest.raises(TrainingError, match=r"line 2: run01/training/class01.png is not among the images"):
        read_runs(tmp_path / "d")
    (broken("e") / "run01" / "test" / "item99.png").touch()
    with pytest.raises(TrainingError, match=r"no line for run01.test.item99.png"):
        read_runs(tmp_path / "e")
    labels = broken("f") / "run01" / "class_labels.txt"
    labels.write_text("run01/test/item01.png\n")
    with pytest.raises(TrainingError, match=r"line 1: 'run01/test/item01.png'; a test image and a training image"):
        read_runs(tmp_path / "f")
    labels.write_text("\n")
    with pytest.raises(TrainingError, match="is empty"):
        read_runs(tmp_path / "f")
    for path in (broken("g") / "run01" / "training").iterdir():
        path.unlink()
    with pytest.raises(TrainingError, match="has no image"):
        read_runs(tmp_path / "g")


def drawings(alphabets: int, characters: int, drawers: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names as Omniglot's, the character and the alphabet of each."""
    count = alphabets * characters
    names = [f"a/{label:04}_{who:02}.png" for label in range(count) for who in range(1, drawers + 1)]
    labels = np.repeat(np.arange(count), drawers)
    return names, labels, np.array([f"alphabet{number}" for number in range(alphabets)])[labels // characters]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(2, 6), st.integers(2, 4), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_a_drawn_run_is_of_two_drawers_and_one_alphabet(
    alphabets: int, ways: int, drawers: int, count: int, seed: int
) -> None:
    names, labels, groups = drawings(alphabets, ways + 2, drawers)
    turn = np.random.default_rng(seed).permutation(len(names))
    names, labels, groups = [names[row] for row in turn], labels[turn], groups[turn]
    runs = draw_runs(names, labels, groups, runs=count, ways=ways, seed=seed)
    who = np.array([drawer_of(name) for name in names])
    assert len(runs.names) == len(runs.known) == count
    for number, (known, asked, answers) in enumerate(zip(runs.known, runs.asked, runs.answers, strict=True)):
        assert len(set(labels[known].tolist())) == len(known) == len(asked) == ways
        assert labels[known[answers]].tolist() == labels[asked].tolist()
        (first,), (second,) = set(who[known].tolist()), set(who[asked].tolist())
        assert first != second
        (alphabet,) = set(groups[np.concatenate([known, asked])].tolist())
        assert alphabet == f"alphabet{number % alphabets}"
        assert runs.names[number] == f"{alphabet} {number // alphabets + 1}"


def test_drawn_runs_repeat_with_their_seed_and_differ_from_run_to_run() -> None:
    given = drawings(2, 12, 5)
    first, again, other = (draw_runs(*given, runs=6, ways=10, seed=seed) for seed in (1, 1, 2))
    for one, two in zip(first.known, again.known, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(one.tolist() != two.tolist() for one, two in zip(first.known, other.known, strict=True))
    assert len({tuple(known.tolist()) for known in first.known}) == 6
    # Neither side comes in an order that gives the answer away.
    assert any(answers.tolist() != list(range(10)) for answers in first.answers)


def test_alphabets_without_two_drawers_of_enough_characters_are_left_out() -> None:
    names, labels, groups = drawings(3, 5, 3)
    # In the second alphabet drawers 1 and 2 share four characters only, and drawer 3 draws nothing.
    kept = ~(
        (groups == "alphabet1")
        & [
            drawer_of(name) == 3 or (label == 5 and drawer_of(name) == 1)
            for name, label in zip(names, labels, strict=True)
        ]
    )
    runs = draw_runs([n for n, k in zip(names, kept, strict=True) if k], labels[kept], groups[kept], runs=4, ways=5)
    assert [name.split()[0] for name in runs.names] == ["alphabet0", "alphabet2"] * 2
    with pytest.raises(UsageError, match="none of 3 alphabets has two drawers who both drew 6"):
        draw_runs(names, labels, groups, ways=6)


def test_drawers_must_be_known() -> None:
    assert drawer_of("x/0643_07.png") == 7
    with pytest.raises(UsageError, match=r"photo.jpg: its name does not end in _NN"):
        draw_runs(["photo.jpg"], np.zeros(1), np.zeros(1))
    with pytest.raises(VectorError, match="2 drawings, 1 labels"):
        draw_runs(["a_1.png", "a_2.png"], np.zeros(1), np.zeros(2))
    with pytest.raises(UsageError, match="0 runs of 20 ways"):
        draw_runs([], np.zeros(0), np.zeros(0), runs=0)
