"""What is kept when some sources cannot be used, and when two texts are one content."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.labelled.material import Labelled, text_contents


@settings(max_examples=100, deadline=None)
@given(drawn=st.data(), count=st.integers(1, 12))
def test_pairs_follow_the_sources_that_are_kept(drawn: st.DataObject, count: int) -> None:
    position = st.integers(0, count - 1)
    pairs = drawn.draw(st.lists(st.tuples(position, position), min_size=1, max_size=15))
    scores = np.linspace(0, 1, len(pairs), dtype=np.float32)
    sources = tuple(f"text {number}" for number in range(count))
    kept = drawn.draw(st.permutations(range(count)))[: drawn.draw(st.integers(0, count))]
    before = Labelled(
        "text",
        "graded",
        sources,
        pairs=np.array(pairs),
        scores=scores,
        score_range=(0.0, 5.0),
        partitions=np.arange(len(pairs), dtype=np.int8) % 3,
        grouped=np.arange(len(pairs)),
    )
    after = before.keep(kept)
    assert after.sources == tuple(sources[number] for number in kept)
    assert after.pairs is not None
    assert after.scores is not None
    assert after.partitions is not None
    assert after.grouped is not None
    expected = [
        (sources[left], sources[right], scores[row], row % 3, row)
        for row, (left, right) in enumerate(pairs)
        if left in kept and right in kept
    ]
    found = [
        (after.sources[left], after.sources[right], *known)
        for (left, right), *known in zip(after.pairs, after.scores, after.partitions, after.grouped, strict=True)
    ]
    assert found == expected


def test_what_is_known_of_each_source_is_kept_with_it() -> None:
    before = Labelled(
        "text",
        "classes",
        ("a", "b", "c"),
        labels=np.array([0, 1, 2]),
        classes=("x", "y", "z"),
        groups=("x", "y", "z"),
        documents=np.array([0, 0, 1]),
        partitions=np.array([0, 1, 2], dtype=np.int8),
        grouped=np.array([2, 1, 0]),
    )
    after = before.keep([2, 0])
    assert after.sources == ("c", "a")
    assert after.classes == before.classes
    arrays = [after.labels, after.documents, after.partitions, after.grouped]
    assert [array.tolist() for array in arrays if array is not None] == [[2, 0], [1, 0], [2, 0], [0, 2]]


def test_triplets_lose_the_rows_of_a_lost_source() -> None:
    before = Labelled("image", "triplets", ("a", "b", "c", "d"), triplets=np.array([[0, 1, 2], [1, 2, 3], [3, 2, 1]]))
    after = before.keep([3, 1, 2])
    assert after.triplets is not None
    assert after.triplets.tolist() == [[1, 2, 0], [0, 2, 1]]
    assert after.pairs is None


def test_case_and_white_space_make_no_other_content() -> None:
    same = text_contents(["Straße  zum\tMeer", "STRASSE zum meer\n"])
    assert same[0] == same[1]
    assert len(set(text_contents(["a b", "ab", "a.b", ""]))) == 4
