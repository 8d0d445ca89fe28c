"""Splits of every kind of material: nothing leaks, shares come out, and the record tells what is where."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simsearch.errors import TrainingError, UsageError
from simsearch.labelled.material import PARTITIONS, Labelled, text_contents
from simsearch.labelled.partitions import Counts, of_rows, without_leaks
from simsearch.labelled.split_checks import check_split
from simsearch.labelled.splits import By, Split, contents_with_two_labels, split

COUNTS = st.sampled_from(
    [
        (0.6, 0.2, 0.2),
        (0.7, 0.1, 0.2),
        (3, 2, 2),
        (20, 20, 20),
        (0.5, 0.5, 0),
        (1, 0, 0),
        (0.9, 0, 0.1),
    ]
)


def partitions(made: Split) -> list[list[int]]:
    return [made.train.tolist(), made.validation.tolist(), made.test.tolist()]


def rows_of(made: Split) -> list[list[int]]:
    assert made.rows is not None
    return [rows.tolist() for rows in made.rows]


def contents_on(made: Split, contents: Sequence[bytes]) -> list[set[bytes]]:
    return [{contents[position] for position in partition} for partition in partitions(made)]


def assert_no_leak(made: Split, contents: Sequence[bytes]) -> None:
    on = contents_on(made, contents)
    assert not on[0] & on[1]
    assert not on[0] & on[2]
    assert not on[1] & on[2]
    for partition in partitions(made):
        assert partition == sorted(set(partition))


def of_classes(labels: Sequence[int], groups: Sequence[str] | None = None) -> Labelled:
    classes = tuple(f"c{number:02}" for number in range(max(labels) + 1))
    return Labelled(
        "text",
        "classes",
        tuple(f"text {number}" for number in range(len(labels))),
        labels=np.array(labels),
        classes=classes,
        groups=tuple(groups) if groups is not None else classes,
    )


def of_pairs(pairs: Sequence[tuple[int, int]], kind: str = "graded") -> Labelled:
    sources = tuple(f"text {number}" for number in range(max(max(pair) for pair in pairs) + 1))
    if kind == "pairs":
        same = np.arange(len(pairs)) % 2 == 0
        return Labelled("text", "pairs", sources, pairs=np.array(pairs), same=same)
    scores = np.linspace(0, 1, len(pairs), dtype=np.float32)
    return Labelled("text", "graded", sources, pairs=np.array(pairs), scores=scores, score_range=(0.0, 1.0))


# -- at random -----------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=50),
    counts=COUNTS,
    seed=st.integers(0, 50),
)
def test_classes_at_random_share_no_content_and_use_each_once(
    rows: list[tuple[int, int]], counts: Counts, seed: int
) -> None:
    labelled = of_classes([label for label, _ in rows])
    contents = [bytes([content]) * 32 for _, content in rows]
    made = split(labelled, contents, by="content", counts=counts, seed=seed)
    assert_no_leak(made, contents)
    used = [position for partition in partitions(made) for position in partition]
    assert len({contents[position] for position in used}) == len(used)
    assert all(contents.index(contents[position]) == position for position in used)
    for partition, count in zip(partitions(made), counts, strict=True):
        assert count or not partition


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
        (10, (1, 0, 0), (10, 0, 0)),
        # Training takes what rounding leaves.
        (12, (0.6, 0.2, 0.2), (8, 2, 2)),
        (12, (0.5, 0.2, 0.2), (6, 2, 2)),
        (100, (1, 0.05, 0), (95, 5, 0)),
        (100, (0.95, 0.05, 0), (95, 5, 0)),
        (50, (0.5, 0.1, 0), (25, 5, 0)),
    ],
)
def test_each_class_gives_its_count_to_each_side(size: int, counts: Counts, expected: tuple[int, int, int]) -> None:
    labels = np.repeat(np.arange(3), size).tolist()
    contents = [number.to_bytes(4, "big") for number in range(len(labels))]
    made = split(of_classes(labels), contents, by="content", counts=counts, seed=1)
    for partition, count in zip(partitions(made), expected, strict=True):
        found = Counter(labels[position] for position in partition)
        assert found == (dict.fromkeys(range(3), count) if count else {})


@settings(max_examples=100, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=60),
    copies=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5),
    counts=COUNTS,
    seed=st.integers(0, 50),
    kind=st.sampled_from(["graded", "pairs"]),
)
def test_pairs_at_random_never_have_a_foot_on_another_side(
    pairs: list[tuple[int, int]], copies: list[tuple[int, int]], counts: Counts, seed: int, kind: str
) -> None:
    labelled = of_pairs([*pairs, (30, 30)], kind)
    contents = [bytes([number]) for number in range(31)]
    for source, target in copies:
        contents[target] = contents[source]
    made = split(labelled, contents, by="content", counts=counts, seed=seed)
    assert_no_leak(made, contents)
    assert labelled.pairs is not None
    rows = rows_of(made)
    assert len({row for partition in rows for row in partition}) == sum(len(partition) for partition in rows)
    for partition, positions in zip(rows, partitions(made), strict=True):
        assert positions == sorted(set(labelled.pairs[partition].reshape(-1).tolist()))
    assert made.record["left_out"] == len(pairs) + 1 - sum(len(partition) for partition in rows)


def naive_knots(points: Sequence[Sequence[int]], tied: Sequence[int] | None) -> list[set[int]]:
    """Rows that hang together, by merging sets until nothing changes."""
    knots = [({row}, set(point) | ({("tied", tied[row])} if tied else set())) for row, point in enumerate(points)]
    merged = True
    while merged:
        merged = False
        for first in range(len(knots)):
            for second in range(first + 1, len(knots)):
                if knots[first][1] & knots[second][1]:
                    knots[first] = (knots[first][0] | knots[second][0], knots[first][1] | knots[second][1])
                    del knots[second]
                    merged = True
                    break
            if merged:
                break
    return [rows for rows, _ in knots]


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(st.tuples(*[st.integers(0, 60)] * 3), min_size=10, max_size=60),
    tie=st.booleans(),
    seed=st.integers(0, 20),
)
def test_rows_that_hang_together_stay_together_or_contents_are_drawn(
    points: list[tuple[int, int, int]], tie: bool, seed: int
) -> None:
    tied = [row // 2 for row in range(len(points))] if tie else None
    array = np.array(points)
    found = of_rows(array, None if tied is None else np.array(tied), (0.6, 0.2, 0.2), seed)
    knots = naive_knots(points, tied)
    wanted = max(1, round(0.2 * len(points)))
    small = sum(len(rows) for rows in knots if len(rows) <= max(1, 0.1 * wanted))
    if small >= 2 * wanted:
        assert (found >= 0).all()
        for rows in knots:
            assert len(set(found[sorted(rows)].tolist())) == 1
    else:
        for row, point in enumerate(points):
            for other, second in enumerate(points):
                if set(point) & set(second):
                    assert found[row] == found[other] or -1 in (found[row], found[other])


@pytest.mark.parametrize("counts", [(0.7, 0.15, 0.15), (1, 0, 0), (0.8, 0.2, 0), (0.5, 0, 0.5), (1, 40, 60)])
def test_shares_of_pairs_are_respected(counts: Counts) -> None:
    """Chains of two pairs each: at most one chain more or less in a partition."""
    pairs = [pair for number in range(500) for pair in ((3 * number, 3 * number + 1), (3 * number + 1, 3 * number + 2))]
    labelled = of_pairs(pairs)
    made = split(labelled, text_contents(labelled.sources), by="content", counts=counts, seed=3)
    found = [len(rows) for rows in rows_of(made)]
    wanted = [count if count > 1 else count * 1000 for count in counts[1:]]
    assert sum(found) == 1000
    assert abs(found[1] - wanted[0]) <= 2
    assert abs(found[2] - wanted[1]) <= 2
    assert all(count or not rows for count, rows in zip(counts[1:], found[1:], strict=True))
    for positions in rows_of(made):
        assert all(row ^ 1 in positions for row in positions)


def test_a_knot_of_all_pairs_is_split_by_its_contents() -> None:
    pairs = [(left, right) for left in range(30) for right in range(left)]
    labelled = of_pairs(pairs, "pairs")
    contents = text_contents(labelled.sources)
    made = split(labelled, contents, by="content", counts=(0.6, 0.2, 0.2), seed=0)
    assert_no_leak(made, contents)
    for positions, rows in zip(partitions(made), rows_of(made), strict=True):
        assert len(rows) == len(positions) * (len(positions) - 1) // 2 > 0


def test_pairs_of_one_kind_are_no_test() -> None:
    labelled = replace(of_pairs([(number, number + 100) for number in range(100)], "pairs"), same=np.arange(100) > 98)
    made = split(labelled, text_contents(labelled.sources), by="content", counts=(0.6, 0.2, 0.2), seed=0)
    on = [len(np.unique(np.arange(100)[rows] > 98)) for rows in rows_of(made)]
    assert on[2] in (0, 2)
    assert made.record["left_out"] == (20 if on[2] == 0 else 0)


def test_documents_stay_whole() -> None:
    texts = tuple(f"text {number}" for number in range(400))
    labelled = Labelled("text", "unlabelled", texts, documents=np.arange(400) // 4)
    made = split(labelled, text_contents(texts), by="content", counts=(0.5, 0.25, 0.25), seed=0)
    assert [len(partition) for partition in partitions(made)] == [200, 100, 100]
    documents = [{position // 4 for position in partition} for partition in partitions(made)]
    assert [len(partition) for partition in documents] == [50, 25, 25]


@settings(max_examples=50, deadline=None)
@given(contents=st.lists(st.integers(0, 40), min_size=1, max_size=60), counts=COUNTS, seed=st.integers(0, 9))
def test_unlabelled_sources_share_no_content(contents: list[int], counts: Counts, seed: int) -> None:
    labelled = Labelled("image", "unlabelled", tuple(map(str, range(len(contents)))))
    digests = [bytes([content]) for content in contents]
    made = split(labelled, digests, by="content", counts=counts, seed=seed)
    assert_no_leak(made, digests)
    assert sorted(position for partition in partitions(made) for position in partition) == list(range(len(contents)))


# -- by class and by group -----------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    groups=st.lists(st.integers(0, 4), min_size=6, max_size=15),
    counts=st.sampled_from([(0.6, 0.2, 0.2), (0.8, 0.2, 0), (0.9, 0, 0.1), (1, 0, 0), (1, 2, 2)]),
    by=st.sampled_from(["class", "group"]),
    seed=st.integers(0, 50),
    drawn=st.data(),
)
def test_no_class_group_or_content_is_on_two_sides(
    groups: list[int], counts: Counts, by: By, seed: int, drawn: st.DataObject
) -> None:
    labelled = of_classes(np.repeat(np.arange(len(groups)), 3).tolist(), [f"g{group}" for group in groups])
    contents = list(text_contents(labelled.sources))
    for _ in range(drawn.draw(st.integers(0, 4))):
        source, target = (drawn.draw(st.integers(0, len(contents) - 1)) for _ in range(2))
        contents[target] = contents[source]
    units = len(groups) if by == "class" else len(set(groups))
    held_out = [int(count) if count > 1 else max(1, round(count * units)) if count else 0 for count in counts[1:]]
    if units - sum(held_out) < 1:
        with pytest.raises(TrainingError, match=f"{units} groups are too few"):
            split(labelled, contents, by=by, counts=counts, seed=seed)
        return
    made = split(labelled, contents, by=by, counts=counts, seed=seed)
    assert_no_leak(made, contents)
    names = [
        {position // 3 if by == "class" else groups[position // 3] for position in partition}
        for partition in partitions(made)
    ]
    assert not names[0] & names[1]
    assert not (names[0] | names[1]) & names[2]
    # A content that would be in two partitions stays on the later one, and so do copies in a class of one content:
    # nothing else is lost.
    used = {position for partition in partitions(made) for position in partition}
    later = contents_on(made, contents)
    for position in set(range(len(contents))) - used:
        own = {contents[other] for other in made.train if other // 3 == position // 3}
        assert contents[position] in later[1] | later[2] or own == {contents[position]}
    if len(set(contents)) == len(contents):
        found = made.record[PARTITIONS[1]], made.record[PARTITIONS[2]]
        what = "classes" if by == "class" else "groups"
        assert [len(told[what]) for told in found] == held_out  # type: ignore[index, call-overload, arg-type]


def test_names_hold_out_classes_and_whole_groups() -> None:
    groups = ["Greek", "Greek", "Latin", "Latin", "Runes", "Runes", "Kana", "Kana"]
    labelled = of_classes(np.repeat(np.arange(8), 3).tolist(), groups)
    contents = text_contents(labelled.sources)

    def classes(made: Split) -> list[set[int]]:
        return [{position // 3 for position in partition} for partition in partitions(made)]

    train, validation, test = classes(
        split(labelled, contents, by="group", counts=(0.6, 0.2, 0.2), test=["Runes"], seed=0)
    )
    assert test == {4, 5}
    assert validation in ({0, 1}, {2, 3}, {6, 7})
    assert train == set(range(8)) - test - validation
    by_class = split(labelled, contents, by="class", counts=(1, 0, 0), test=["Runes", "c00"], seed=0)
    assert classes(by_class) == [{1, 2, 3, 6, 7}, set(), {0, 4, 5}]
    with pytest.raises(TrainingError, match="'Rune' to hold out; there are Greek, Kana, Latin, Runes"):
        split(labelled, contents, by="group", counts=(1, 0, 0), test=["Rune"], seed=0)
    with pytest.raises(TrainingError, match="too few to hold some out; use --split content"):
        split(labelled, contents, by="group", counts=(0.6, 0.2, 0.2), test=["Greek", "Latin", "Runes"], seed=0)


def test_a_group_column_separates_sources_though_classes_are_shared() -> None:
    """Patients are the groups, findings are the classes: each patient is in one partition, each finding on all."""
    patients = np.repeat(np.arange(20), 6)
    labelled = replace(
        of_classes([position % 3 for position in range(120)]),
        grouped=patients,
        group_names=tuple(f"p{number:02}" for number in range(20)),
    )
    made = split(labelled, text_contents(labelled.sources), by="group", counts=(0.6, 0.2, 0.2), test=["p07"], seed=1)
    on = [set(patients[partition].tolist()) for partition in partitions(made)]
    assert [len(patients) for patients in on] == [15, 4, 1]
    assert on[2] == {7}
    assert len(set.union(*on)) == 20
    assert made.record["test"]["groups"] == ["p07"]  # type: ignore[index, call-overload]


def test_pairs_are_split_by_their_group_column() -> None:
    labelled = replace(
        of_pairs([(number, number + 40) for number in range(40)]),
        grouped=np.arange(40) // 4,
        group_names=tuple("abcdefghij"),
    )
    made = split(labelled, text_contents(labelled.sources), by="group", counts=(0.6, 0.2, 0.2), seed=1)
    assert [len(rows) for rows in rows_of(made)] == [24, 8, 8]
    groups = [{row // 4 for row in rows} for rows in rows_of(made)]
    assert sum(len(group) for group in groups) == len(set.union(*groups))


# -- given ---------------------------------------------------------------------------------------------------------


def test_given_partitions_are_taken_but_for_leaks() -> None:
    labelled = replace(of_classes([0, 0, 0, 1, 1, 1]), partitions=np.array([0, 1, 2, 0, 1, 2], dtype=np.int8))
    contents = [b"a", b"b", b"c", b"c", b"a", b"d"]
    made = split(labelled, contents, by="given", counts=(0.6, 0.2, 0.2), seed=0)
    assert partitions(made) == [[], [1, 4], [2, 5]]
    assert made.record["left_out"] == 2


def naive_without_leaks(partition: Sequence[int], points: Sequence[Sequence[int]]) -> list[int]:
    clean = list(partition)
    for row, mine in enumerate(partition):
        if mine == 1 and any(partition[o] == 2 and set(points[o]) & set(points[row]) for o in range(len(partition))):
            clean[row] = -1
    for row, mine in enumerate(partition):
        if mine == 0 and any(clean[o] in (1, 2) and set(points[o]) & set(points[row]) for o in range(len(partition))):
            clean[row] = -1
    return clean


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20))
def test_rows_that_would_leak_are_on_no_side(rows: list[tuple[int, int, int]]) -> None:
    partition = np.array([row[0] for row in rows], dtype=np.int8)
    points = [row[1:] for row in rows]
    assert without_leaks(partition, np.array(points)).tolist() == naive_without_leaks(partition.tolist(), points)


@pytest.mark.parametrize("disjoint", [True, False])
def test_a_missing_validation_side_is_drawn_as_the_test_side_was(disjoint: bool) -> None:
    labels = np.repeat(np.arange(10), 10)
    tested = labels >= 8 if disjoint else np.arange(100) % 10 == 9
    labelled = replace(of_classes(labels.tolist()), partitions=np.where(tested, 2, 0).astype(np.int8))
    contents = text_contents(labelled.sources)
    made = split(labelled, contents, by="given", counts=(0.6, 0.25, 0.2), seed=0)
    assert made.test.tolist() == np.flatnonzero(tested).tolist()
    shared = np.intersect1d(labels[made.train], labels[made.validation])
    assert len(shared) == (0 if disjoint else 10)
    assert len(made.validation) == 20
    assert len(made.train) == (60 if disjoint else 70)
    nothing = split(labelled, contents, by="given", counts=(1, 0, 0), seed=0)
    assert [len(partition) for partition in partitions(nothing)] == [100 - int(tested.sum()), 0, int(tested.sum())]


def test_a_missing_validation_side_of_pairs_is_drawn_from_their_training_rows() -> None:
    labelled = replace(
        of_pairs([(number, number + 100) for number in range(100)]),
        partitions=np.repeat([0, 2], [80, 20]).astype(np.int8),
    )
    made = split(labelled, text_contents(labelled.sources), by="given", counts=(0.7, 0.25, 0.05), seed=0)
    assert [len(rows) for rows in rows_of(made)] == [60, 20, 20]
    assert rows_of(made)[2] == list(range(80, 100))


def test_a_file_without_a_training_side_is_told() -> None:
    labelled = replace(of_classes([0, 1]), partitions=np.array([2, 2], dtype=np.int8))
    with pytest.raises(TrainingError, match="assigns nothing to train"):
        split(labelled, text_contents(labelled.sources), by="given", counts=(0.6, 0.2, 0.2), seed=0)


# -- requests, seeds and records -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "names", "kind", "message"),
    [
        ("color", [], "classes", "no split by 'color'; there are content, class, group, given"),
        ("content", ["c01"], "classes", "cannot hold out classes by name; use --split class"),
        ("given", [], "classes", "needs a column 'split'"),
        ("class", [], "graded", "graded have no classes to split by; use --split content"),
        ("group", [], "graded", "no column 'group'"),
    ],
)
def test_impossible_requests_are_refused(by: By, names: list[str], kind: str, message: str) -> None:
    labelled = of_classes([0, 0, 1, 1]) if kind == "classes" else of_pairs([(0, 1), (2, 3)])
    with pytest.raises(UsageError, match=message):
        split(labelled, text_contents(labelled.sources), by=by, counts=(0.6, 0.2, 0.2), test=names, seed=0)


@pytest.mark.parametrize("counts", [(0, 0.5, 0.5), (0.5, -1, 0)])
def test_shares_that_mean_nothing_are_refused(counts: Counts) -> None:
    labelled = of_classes([0, 0, 1, 1])
    with pytest.raises(UsageError, match="none may be negative, and that of train not 0"):
        split(labelled, text_contents(labelled.sources), by="content", counts=counts, seed=0)


@pytest.mark.parametrize("by", ["content", "class", "group"])
def test_the_seed_decides(by: By) -> None:
    labelled = of_classes(np.repeat(np.arange(20), 5).tolist())
    contents = text_contents(labelled.sources)
    first, again, other = (split(labelled, contents, by=by, counts=(0.6, 0.2, 0.2), seed=seed) for seed in (1, 1, 2))
    assert partitions(first) == partitions(again)
    assert first.record == again.record
    assert partitions(first) != partitions(other)


def test_the_record_tells_how_and_what_and_is_json() -> None:
    labelled = of_classes([0, 0, 0, 1, 1, 2, 2])
    contents = [b"a", b"a", b"b", b"c", b"b", b"d", b"e"]
    made = split(labelled, contents, by="class", counts=(0.4, 0, 0), test=["c02"], seed=5)
    record = json.loads(json.dumps(made.record))
    assert record == {
        "by": "class",
        "seed": 5,
        "counts": [0.4, 0, 0],
        "train": {"sources": 5, "contents": 3, "sha256": hashlib.sha256(b"abc").hexdigest(), "classes": ["c00", "c01"]},
        "validation": {"sources": 0, "contents": 0, "sha256": hashlib.sha256().hexdigest(), "classes": []},
        "test": {"sources": 2, "contents": 2, "sha256": hashlib.sha256(b"de").hexdigest(), "classes": ["c02"]},
        "one_example": [],
        "left_out": 0,
        "contents_with_two_labels": 1,
    }


def test_contradicting_pairs_are_told() -> None:
    pairs = [(0, 1), (1, 0), (2, 3), (4, 5), (6, 7)]
    labelled = of_pairs(pairs, "pairs")
    contents = [b"a", b"b", b"c", b"d", b"a", b"b", b"e", b"f"]
    made = split(labelled, contents, by="content", counts=(1, 0, 0), seed=0)
    assert made.record["contents_with_two_labels"] == 1


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.booleans()), min_size=1, max_size=25))
def test_contents_with_two_labels_are_counted(rows: list[tuple[int, int, bool]]) -> None:
    by_pair: dict[frozenset[int], set[bool]] = {}
    by_content: dict[int, set[int]] = {}
    for left, right, same in rows:
        by_pair.setdefault(frozenset((left, right)), set()).add(same)
        by_content.setdefault(left, set()).add(right)
    pairs = replace(of_pairs([row[:2] for row in rows], "pairs"), same=np.array([same for _, _, same in rows]))
    numbers = np.arange(len(pairs.sources))
    assert contents_with_two_labels(pairs, numbers) == sum(len(said) > 1 for said in by_pair.values())
    classes = of_classes([right for _, right, _ in rows])
    contents = np.array([left for left, _, _ in rows])
    assert contents_with_two_labels(classes, contents) == sum(len(labels) > 1 for labels in by_content.values())
    assert contents_with_two_labels(Labelled("text", "unlabelled", ("a", "b")), np.array([0, 0])) == 0


# -- what pairs cannot be made of ----------------------------------------------------------------------------------


def test_a_class_with_one_content_is_trained_on_once_and_named() -> None:
    labelled = of_classes([0, 0, 1, 1, 2, 2])
    contents = [b"a", b"b", b"c", b"c", b"d", b"e"]
    made = split(labelled, contents, by="class", counts=(1, 0, 0), seed=0)
    check_split(labelled, made, contents)
    assert made.train.tolist() == [0, 1, 2, 4, 5]
    assert made.record["one_example"] == ["c01"]


@given(sizes=st.lists(st.integers(1, 3), min_size=8, max_size=20), seed=st.integers(0, 5))
def test_classes_with_one_content_are_not_held_out_by_chance(sizes: list[int], seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes).tolist()
    labelled = of_classes(labels)
    single = {number for number, size in enumerate(sizes) if size == 1}
    if len(sizes) - len(single) < 4:
        return
    made = split(labelled, text_contents(labelled.sources), by="class", counts=(0.5, 0.25, 0.25), seed=seed)
    for held_out in (made.validation, made.test):
        assert len(held_out)
        assert not single & {labels[position] for position in held_out.tolist()}
    assert single <= {labels[position] for position in made.train.tolist()}
    assert made.record["one_example"] == [labelled.classes[number] for number in sorted(single)]


def test_classes_that_are_all_single_are_refused_with_what_is_needed() -> None:
    labelled = of_classes([0, 1, 2])
    with pytest.raises(TrainingError, match=r"none of 3 classes has two different sources to train on.*20 of each"):
        check_split(labelled, chosen([0, 1, 2], [], []), text_contents(labelled.sources), "20 of each")


def chosen(train: list[int], validation: list[int], test: list[int]) -> Split:
    arrays: list[NDArray[np.int64]] = [np.array(partition, dtype=np.int64) for partition in (train, validation, test)]
    return Split(arrays[0], arrays[1], arrays[2], "content", (arrays[0], arrays[1], arrays[2]))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (chosen([0, 1], [], []), "1 classes are left to train on"),
        (chosen([0, 1, 2, 3], [4, 5], []), "only one class would be left for validation"),
        (chosen([0, 1, 2, 3], [], [4, 6]), "no class has two different sources for test"),
    ],
)
def test_partitions_without_pairs_are_told(made: Split, message: str) -> None:
    labelled = of_classes([0, 0, 1, 1, 2, 2, 3, 3])
    with pytest.raises(TrainingError, match=message):
        check_split(labelled, made, text_contents(labelled.sources))


def test_partitions_with_pairs_are_let_through() -> None:
    labelled = of_classes([0, 0, 1, 1, 2, 2, 3, 3])
    check_split(labelled, chosen([0, 1, 2, 3], [4, 5, 6], []), text_contents(labelled.sources))


def test_given_pairs_of_one_kind_are_told() -> None:
    labelled = of_pairs([(number, number + 8) for number in range(8)], "pairs")
    contents = text_contents(labelled.sources)
    check_split(labelled, chosen([0, 1], [2, 3], []), contents)
    with pytest.raises(
        TrainingError, match="8 pairs are too few: after the split validation lacks similar or dissimilar pairs"
    ):
        check_split(labelled, chosen([0, 1], [2, 4], []), contents)
