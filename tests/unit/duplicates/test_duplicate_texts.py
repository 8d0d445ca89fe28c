"""Two texts are one when words, numbers and names agree, not merely when they lie close."""

from __future__ import annotations

import pytest

from simsearch.duplicates.finding.texts import NORMALIZED, agreement, compare, names, normalized, numbers, weights


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ("A survey of joins", "A survey of joins", "exact"),
        ("A Survey of Joins.", "a survey of  joins", "normalized"),
        ("Gödel's proof", "godel s proof", "normalized"),
        ("Efficient joins in databases", "Efficient join in databases", "near"),
        ("J. Gray, Transaction concepts, VLDB 1981", "Jim Gray, Transaction concepts, VLDB", "near"),
        ("Proceedings of the meeting on data bases", "Proc. of the meeting on data bases", "near"),
        ("Guest editorial, SIGMOD Record 1998", "Guest editorial, SIGMOD Record 1999", None),
        ("Part 2 of the report", "part 3 of the report", None),
        ("we met Anna in Rome", "we met Clara in Rome", None),
        ("Mining of streams", "Views over semistructured objects", None),
        ("", "", "exact"),
        ("", "word", None),
        ("!!", "??", "normalized"),
    ],
)
def test_kinds(left: str, right: str, kind: str | None) -> None:
    found = compare(left, right, 0.95)
    assert found.kind == kind
    assert (found.score > 0) == (kind is not None)
    assert bool(found.reason) == (kind is None)
    swapped = compare(right, left, 0.95)
    assert (swapped.kind, swapped.score) == (found.kind, pytest.approx(found.score))


def test_scores_of_the_kinds_do_not_cross() -> None:
    assert compare("one word more here", "one words more here", 1.0).score <= NORMALIZED
    assert compare("a b", "A b", 0.1).score == NORMALIZED
    assert compare("a b", "a b", 0.1).score == 1.0


def test_texts_far_apart_are_refused_though_words_agree() -> None:
    found = compare("dog bites man here", "man bites dog here", 0.3)
    assert found.kind is None and found.reason == "100% of the words agree, at a cosine of 0.30"


def test_the_reason_says_which_numbers_and_names() -> None:
    assert compare("report 1998", "report 1999", 0.99).reason == "numbers differ: 1998 and 1999"
    assert compare("so said Anna to me", "so said Clara to me", 0.99).reason == "names differ: anna and clara"


def test_numbers_are_written_in_many_ways() -> None:
    assert numbers("1,000 and 07 and 7") == numbers("1.000, 7, 7") == {"1000": 1, "7": 2}
    assert numbers("none") == numbers("kie&#946;ling") == {}
    assert compare("r. k&#228;mper 98", "r. kämper 98", 0.5).kind == "normalized"


def test_names_are_capital_words_within_a_text() -> None:
    assert names("Yesterday we met Anna in Rome") == {"anna", "rome"}
    assert names("A Survey Of Efficient Joins") == set()


def test_rare_words_weigh_more() -> None:
    corpus = ["the join of tables", "the view of tables", "the index of tables", "the log of tables"]
    weigh = weights(corpus)
    assert weigh["join"] > weigh["the"]
    assert agreement(corpus[0], corpus[1], weigh) < agreement(corpus[0], corpus[1])


@pytest.mark.parametrize(("left", "right"), [("form", "from"), ("joins", "joinz"), ("table", "tables"), ("j", "jim")])
def test_words_with_a_slip_agree(left: str, right: str) -> None:
    assert agreement(left, right) == 1.0


@pytest.mark.parametrize(("left", "right"), [("1998", "1999"), ("cat", "car"), ("join", "sort"), ("12", "123")])
def test_other_words_do_not(left: str, right: str) -> None:
    assert agreement(left, right) == 0.0


def test_normalized_text() -> None:
    assert normalized("  Crème  BRÛLÉE, no. 5_a ") == "creme brulee no 5 a"
