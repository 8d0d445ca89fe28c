"""Sums of queries: how they are written, and what they mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch import Mix, SimsearchError

names = st.text("aé *+-'\"2./\\", min_size=1, max_size=8).filter(lambda name: name.strip() == name)
weights = st.sampled_from([1.0, -1.0, 0.5, -2.0, 0.25, 12.0])


@given(terms=st.lists(st.tuples(weights, names), min_size=1, max_size=4))
def test_a_written_sum_is_read_as_it_was(terms: list[tuple[float, str]]) -> None:
    assert Mix.parse(str(Mix(terms))).terms == tuple(terms)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ('photo.png + 0.5*"red" - other.png', [(1, "photo.png"), (0.5, "red"), (-1, "other.png")]),
        ("  - a + b  ", [(-1, "a"), (1, "b")]),
        ("a+b.png", [(1, "a+b.png")]),
        ("2 * a-b.png - .5*'it''s \"so\"'", [(2, "a-b.png"), (-0.5, 'it\'s "so"')]),
        ('"say ""yes"""', [(1, 'say "yes"')]),
        ("C:\\pictures\\a.png + b", [(1, "C:\\pictures\\a.png"), (1, "b")]),
    ],
)
def test_sums_are_terms_with_signs_between_them(text: str, terms: list[tuple[float, str]]) -> None:
    assert Mix.parse(text).terms == tuple(terms)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at its end, where a term is missing"),
        ("a +", r"at '\+'"),
        ("a + ", "at its end"),
        ("a b", "at 'b'"),
        ("a + - b", "at '- b'"),
        ('"a" "b"', "at '\"b\"'"),
        ('"a', "at '\"a'"),
        ("-a", "at '-a'"),
        ("2*", "at its end"),
        ("0*a", "weight 0.0"),
    ],
)
def test_what_is_no_sum_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(SimsearchError, match=words):
        Mix.parse(text)


@pytest.mark.parametrize("terms", [[], ["a"], [(float("nan"), "a")], [(0, "a")], [("x", "a")], [(1, "a", "b")]])
def test_terms_are_pairs_of_a_weight_and_a_query(terms: list[object]) -> None:
    with pytest.raises(SimsearchError):
        Mix(terms)  # type: ignore[arg-type]
    with pytest.raises(SimsearchError, match="a text"):
        Mix.parse(3)  # type: ignore[arg-type]


def test_examples_have_the_weights_of_rocchio() -> None:
    mix = Mix.of_examples(["a", "b", "c"], ["d", "e"], "q")
    assert mix.terms == ((1.0, "q"), (0.25, "a"), (0.25, "b"), (0.25, "c"), (-0.125, "d"), (-0.125, "e"))
    assert Mix.of_examples([Path("a.png")]).terms == ((0.75, Path("a.png")),)
    with pytest.raises(SimsearchError, match="nothing to be like"):
        Mix.of_examples([], ["a"])
