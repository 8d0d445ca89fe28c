"""Labelled files: what is read, how it is refused, and splits that never leak."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simsearch.errors import TrainingError, UsageError
from simsearch.media.labelled import (
    LabelledFiles,
    Split,
    read_class_folders,
    read_pairs,
    split_by_class,
    split_by_content,
)

SUFFIXES = frozenset({".png", ".jpg"})


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def classes_by_file(files: LabelledFiles, root: Path) -> dict[str, str]:
    return {
        Path(path).relative_to(root).as_posix(): files.classes[label]
        for path, label in zip(files.paths, files.labels, strict=True)
    }


def test_the_folder_of_a_file_is_its_class(tmp_path: Path) -> None:
    touch(tmp_path, "red/1.png", "red/2.JPG", "blue/1.png")
    files = read_class_folders(tmp_path, SUFFIXES)
    assert files.classes == ("blue", "red")
    assert files.groups == ("blue", "red")
    assert classes_by_file(files, tmp_path) == {"red/1.png": "red", "red/2.JPG": "red", "blue/1.png": "blue"}
    assert files.labels.dtype == np.int64
    assert files.skipped == ()


def test_nested_folders_have_the_group_of_their_top_folder(tmp_path: Path) -> None:
    touch(tmp_path, "Greek/alpha/1.png", "Greek/beta/1.png", "Latin/a/upper/1.png", "plain/1.png")
    files = read_class_folders(tmp_path, SUFFIXES)
    assert dict(zip(files.classes, files.groups, strict=True)) == {
        "Greek/alpha": "Greek", "Greek/beta": "Greek", "Latin/a/upper": "Latin", "plain": "plain",
    }  # fmt: skip


def test_stray_files_are_skipped_with_a_reason(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/1.png", "stray.png", "a/notes.txt", "a/.hidden.png")
    files = read_class_folders(tmp_path, SUFFIXES)
    assert classes_by_file(files, tmp_path) == {"a/1.png": "a", "b/1.png": "b"}
    reasons = {Path(skip.path).name: skip.reason for skip in files.skipped}
    assert reasons == {"notes.txt": "not an image (.txt)", "stray.png": "not in a class folder"}


@pytest.mark.parametrize("way", ["relative", "through the parent", "with a slash"])
def test_class_names_do_not_depend_on_how_the_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    root = tmp_path / "labelled"
    touch(root, "a/1.png", "b/x/1.png")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    given_as = {
        "relative": Path("labelled"),
        "through the parent": tmp_path / "elsewhere" / ".." / "labelled",
        "with a slash": Path(f"{root}{os.sep}"),
    }[way]
    assert read_class_folders(given_as, SUFFIXES).classes == ("a", "b/x")


@pytest.mark.parametrize(("names", "count"), [((), 0), (("one.png",), 0), (("a/1.png", "a/2.png"), 1)])
def test_fewer_than_two_classes_are_refused(tmp_path: Path, names: tuple[str, ...], count: int) -> None:
    touch(tmp_path, *names)
    with pytest.raises(TrainingError, match=f"{count} class folders.*at least 2"):
        read_class_folders(tmp_path, SUFFIXES)


def csv_file(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "pairs.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


@pytest.mark.parametrize(("column", "same"), [
    ("same", [True, False]), ("similar", [True, False]),
    ("different", [False, True]), ("dissimilar", [False, True]),
])  # fmt: skip
def test_the_name_of_the_column_says_what_one_means(tmp_path: Path, column: str, same: list[bool]) -> None:
    """Y = 0 for similar pairs (Hadsell et al. 2006) and 1 for similar ones (Koch et al. 2015) are both in use."""
    found = read_pairs(csv_file(tmp_path, f"left,right,{column}", "a.png,b.png,1", "a.png,c.png,0"))
    assert found.same.tolist() == same


@pytest.mark.parametrize(("convention", "same"), [("same", [True, False]), ("different", [False, True])])
def test_any_other_name_needs_a_convention(tmp_path: Path, convention: str, same: list[bool]) -> None:
    file = csv_file(tmp_path, "left,right,y", "a.png,b.png,1", "a.png,c.png,0")
    assert read_pairs(file, convention=convention).same.tolist() == same
    with pytest.raises(TrainingError, match=r"'same' \(1 = similar\) or 'different'.*--convention.*left, right, y"):
        read_pairs(file)


def test_a_convention_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    file = csv_file(tmp_path, "left,right,y", "a.png,b.png,1", "a.png,c.png,0")
    with pytest.raises(UsageError, match=r"'equal'.*same, different"):
        read_pairs(file, convention="equal")


@pytest.mark.parametrize("header", ["left,right,same,different", "left,right,y,z", "left,right"])
def test_columns_that_leave_a_choice_are_refused(tmp_path: Path, header: str) -> None:
    file = csv_file(tmp_path, header, "a.png,b.png,1,0")
    with pytest.raises(TrainingError, match="which pairs are similar"):
        read_pairs(file, convention="same")


@pytest.mark.parametrize(("header", "missing"), [("right,same", "left"), ("left,same", "right"), ("a,b,c", "left")])
def test_a_missing_column_is_named(tmp_path: Path, header: str, missing: str) -> None:
    with pytest.raises(TrainingError, match=f"no column '{missing}'"):
        read_pairs(csv_file(tmp_path, header))


def test_paths_start_at_the_files_folder_and_are_numbered_once(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "d.png"
    file = csv_file(
        tmp_path, "note,right,left,same", "n,b.png,a.png,yes", f",{elsewhere},a.png,FALSE", ",b.png,sub/c.png, no "
    )
    found = read_pairs(file)
    names = [(found.paths[left], found.paths[right]) for left, right in found.pairs]
    a, b, c = str(tmp_path / "a.png"), str(tmp_path / "b.png"), str(tmp_path / "sub" / "c.png")
    assert names == [(a, b), (a, str(elsewhere)), (c, b)]
    assert found.same.tolist() == [True, False, False]
    assert len(found.paths) == len(set(found.paths)) == 4
    assert found.pairs.dtype == np.int64
    assert found.same.dtype == np.bool_


@pytest.mark.parametrize("row", ["a.png,b.png,maybe", "a.png,b.png,", "a.png,,1", ",b.png,1", "a.png", "a.png,b.png,2"])
def test_a_bad_row_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    file = csv_file(tmp_path, "left,right,same", "a.png,b.png,1", "", row, "a.png,c.png,0")
    with pytest.raises(TrainingError, match=r"line 4: .*two paths and 0 or 1"):
        read_pairs(file)


@pytest.mark.parametrize(("rows", "count"), [((), 0), (("a,b,1", "b,c,1"), 2), (("a,b,0",), 1)])
def test_pairs_of_one_kind_are_refused(tmp_path: Path, rows: tuple[str, ...], count: int) -> None:
    with pytest.raises(TrainingError, match=f"both kinds.*found {count} of one kind"):
        read_pairs(csv_file(tmp_path, "left,right,same", *rows))


def test_quotes_commas_accents_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    file = csv_file(tmp_path, "left,right,same", '"é, 1.png",b.png,1', "b.png,c.png,0", encoding="utf-8-sig")
    assert read_pairs(file).paths[0] == str(tmp_path / "é, 1.png")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\0\0\0\xff", b"left,right,same\n\xff.png,b.png,1\n",
                                     b'left,right,same\n"' + b"a" * 200_000 + b'",b,1\n'],
                         ids=["empty", "a picture", "not UTF-8", "a huge field"])  # fmt: skip
def test_a_file_that_is_no_csv_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "pairs.csv"
    file.write_bytes(content)
    with pytest.raises(TrainingError, match=r"pairs\.csv"):
        read_pairs(file)


def sides(split: Split) -> tuple[list[int], list[int], list[int]]:
    return split.train.tolist(), split.validation.tolist(), split.test.tolist()


def contents_of(split: Split, contents: Sequence[bytes]) -> list[set[bytes]]:
    return [{contents[position] for position in side} for side in sides(split)]


def assert_no_leak(split: Split, contents: Sequence[bytes]) -> None:
    train, validation, test = contents_of(split, contents)
    assert not train & validation
    assert not train & test
    assert not validation & test


COUNTS = st.sampled_from([(0.6, 0.2, 0.2), (0.7, 0.1, 0.2), (3, 2, 2), (20, 20, 20), (0.5, 0.5, 0.0), (2, 0.5, 1)])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=50),
    counts=COUNTS,
    seed=st.integers(0, 50),
)
def test_identical_contents_are_never_on_two_sides(
    rows: list[tuple[int, int]], counts: tuple[float, float, float], seed: int
) -> None:
    labels = np.array([label for label, _ in rows])
    contents = [bytes([content]) * 32 for _, content in rows]
    split = split_by_content(labels, contents, counts=counts, seed=seed)
    assert_no_leak(split, contents)
    used = [position for side in sides(split) for position in side]
    assert len({contents[position] for position in used}) == len(used)
    assert all(contents.index(contents[position]) == position for position in used)
    for side in sides(split):
        assert side == sorted(side)
    assert split.by == "content"


def labels_of(labels: NDArray[np.int64], side: Sequence[int]) -> dict[int, int]:
    return dict(Counter(labels[list(side)].tolist()))


@pytest.mark.parametrize(
    ("size", "counts", "expected"),
    [
        (10, (0.6, 0.2, 0.2), (6, 2, 2)),
        (60, (20, 20, 20), (20, 20, 20)),
        (100, (20, 20, 20), (20, 20, 20)),
        (30, (20, 20, 20), (20, 5, 5)),
        (3, (0.6, 0.2, 0.2), (2, 0, 1)),
        (2, (20, 20, 20), (2, 0, 0)),
        (1, (0.6, 0.2, 0.2), (1, 0, 0)),
        (6, (0.6, 0.2, 0.2), (2, 2, 2)),
    ],
)
def test_each_class_gives_its_count_to_each_side(
    size: int, counts: tuple[float, float, float], expected: tuple[int, int, int]
) -> None:
    labels = np.repeat(np.arange(3), size)
    contents = [number.to_bytes(4, "big") for number in range(len(labels))]
    split = split_by_content(labels, contents, counts=counts, seed=1)
    for side, count in zip(sides(split), expected, strict=True):
        assert labels_of(labels, side) == (dict.fromkeys(range(3), count) if count else {})


def test_copies_add_nothing() -> None:
    labels = np.zeros(10, dtype=np.int64)
    contents = [b"one"] * 5 + [b"two"] * 5
    assert sides(split_by_content(labels, contents, counts=(0.6, 0.2, 0.2), seed=0)) == ([0, 5], [], [])


def test_the_seed_decides_the_split_by_content() -> None:
    labels = np.repeat(np.arange(2), 20)
    contents = [bytes([number]) for number in range(40)]
    first, again, other = (
        sides(split_by_content(labels, contents, counts=(0.6, 0.2, 0.2), seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def labelled(classes: Sequence[str], per_class: int = 3) -> tuple[LabelledFiles, list[bytes]]:
    """Files of these classes, in groups by the part before a slash, all different."""
    names = tuple(sorted(classes))
    labels = np.repeat(np.arange(len(names)), per_class)
    paths = tuple(f"{names[label]}/{number}.png" for number, label in enumerate(labels))
    groups = tuple(name.split("/")[0] for name in names)
    return LabelledFiles(paths, labels, names, groups), [path.encode() for path in paths]


def classes_on(files: LabelledFiles, side: Sequence[int]) -> set[str]:
    return {files.classes[label] for label in files.labels[list(side)]}


@settings(max_examples=100, deadline=None)
@given(
    names=st.sets(st.sampled_from([f"{group}/{letter}" for group in "pqrstu" for letter in "abc"]), min_size=3),
    flat=st.booleans(),
    shares=st.tuples(st.sampled_from([0.1, 0.2, 0.4]), st.sampled_from([0.1, 0.2, 0.3])),
    seed=st.integers(0, 50),
    drawn=st.data(),
)
def test_no_class_group_or_content_is_on_two_sides(
    names: set[str], flat: bool, shares: tuple[float, float], seed: int, drawn: st.DataObject
) -> None:
    files, contents = labelled([name.replace("/", "-") if flat else name for name in names])
    for _ in range(drawn.draw(st.integers(0, 4))):
        source, target = (drawn.draw(st.integers(0, len(contents) - 1)) for _ in range(2))
        contents[target] = contents[source]
    units = set(files.groups)
    validation_units, test_units = (max(1, round(share * len(units))) for share in shares)
    if len(units) - validation_units - test_units < 1:
        with pytest.raises(TrainingError, match=f"{len(units)} classes are too few"):
            split_by_class(files, contents, shares=shares, seed=seed)
        return
    split = split_by_class(files, contents, shares=shares, seed=seed)
    assert_no_leak(split, contents)
    groups = [{name.split("/")[0] for name in classes_on(files, side)} for side in sides(split)]
    assert not groups[0] & groups[1]
    assert not (groups[0] | groups[1]) & groups[2]
    # A content on two sides stays on the later one: nothing else is lost.
    used = {position for side in sides(split) for position in side}
    later = contents_of(split, contents)
    for position in set(range(len(contents))) - used:
        assert contents[position] in later[1] | later[2]
    assert split.by == "class"


def test_shares_are_counted_in_classes() -> None:
    files, contents = labelled([f"class {number:02}" for number in range(20)])
    split = split_by_class(files, contents, shares=(0.2, 0.3), seed=0)
    assert [len(classes_on(files, side)) for side in sides(split)] == [10, 4, 6]
    assert [len(side) for side in sides(split)] == [30, 12, 18]


def test_whole_groups_move_together() -> None:
    files, contents = labelled(
        [f"{group}/{letter}" for group in ("Greek", "Latin", "Runes", "Kana") for letter in "ab"]
    )
    split = split_by_class(files, contents, shares=(0.25, 0.25), seed=0)
    parts = [{name.split("/")[0] for name in classes_on(files, side)} for side in sides(split)]
    assert [len(part) for part in parts] == [2, 1, 1]
    assert [len(classes_on(files, side)) for side in sides(split)] == [4, 2, 2]


def test_named_groups_and_classes_are_the_test_side() -> None:
    files, contents = labelled(
        [f"{group}/{letter}" for group in ("Greek", "Latin", "Runes", "Kana") for letter in "ab"]
    )
    split = split_by_class(files, contents, shares=(0.2, 0.2), test=("Runes",), seed=0)
    assert classes_on(files, split.test.tolist()) == {"Runes/a", "Runes/b"}
    files, contents = labelled(["a", "b", "c", "d"])
    split = split_by_class(files, contents, shares=(0.2, 0.2), test=("b", "d"), seed=0)
    assert classes_on(files, split.test.tolist()) == {"b", "d"}
    assert classes_on(files, split.train.tolist()) | classes_on(files, split.validation.tolist()) == {"a", "c"}


def test_an_unknown_name_to_hold_out_lists_what_there_is() -> None:
    files, contents = labelled(["a", "b", "c"])
    with pytest.raises(TrainingError, match="'z' to hold out; there are a, b, c"):
        split_by_class(files, contents, shares=(0.2, 0.2), test=("a", "z"), seed=0)


def test_holding_out_too_much_is_refused() -> None:
    files, contents = labelled(["a", "b", "c"])
    with pytest.raises(TrainingError, match="too few to hold some out; use --split content"):
        split_by_class(files, contents, shares=(0.2, 0.2), test=("a", "b"), seed=0)


def test_a_content_of_two_sides_is_tested_and_not_trained_on() -> None:
    files, contents = labelled(["a", "b", "c"])
    contents[0] = contents[8] = b"the same picture"
    split = split_by_class(files, contents, shares=(0.3, 0.3), test=("c",), seed=0)
    assert 8 in split.test
    assert 0 not in np.concatenate([split.train, split.validation])
    assert len(split.test) == 3
