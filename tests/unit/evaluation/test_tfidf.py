"""TF-IDF against the table that it hashes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import VectorError
from simsearch.evaluation.tfidf import DIM, tfidf


def parts(text: str) -> list[str]:
    found = []
    words = "".join(letter if letter.isalnum() or letter == "_" else " " for letter in text.casefold()).split()
    for word in words:
        padded = f" {word} "
        runs = [padded[i : i + n] for n in (2, 3, 4) for i in range(len(padded) - n + 1)]
        found += [("word", word), *[("run", run) for run in runs]]
    return found


def cosines(texts: list[str]) -> np.ndarray:
    """Of the whole table, without hashing."""
    each = [parts(text) for text in texts]
    columns = sorted({part for found in each for part in found})
    table = np.zeros((len(texts), len(columns)))
    for row, found in zip(table, each, strict=True):
        for place, column in enumerate(columns):
            if column in found:
                shared = sum(column in others for others in each)
                row[place] = (1 + np.log(found.count(column))) * (np.log((1 + len(texts)) / (1 + shared)) + 1)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    return table @ table.T


TEXTS = [
    "A man plays a guitar.",
    "A man is playing the guitar",
    "the dog, the dog, THE DOG!",
    "Straße und STRASSE",
    "order 4711 for John",
    "order 4712 for John",
    "x",
]


def test_cosines_are_those_of_the_whole_table_but_for_a_small_error() -> None:
    vectors = tfidf(TEXTS)
    assert vectors.shape == (len(TEXTS), DIM) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    # The signs of what shares a place differ at random, with a deviation of about 1 / sqrt(2048) = 0.022.
    np.testing.assert_allclose(vectors @ vectors.T, cosines(TEXTS), atol=0.09)


def test_case_and_signs_do_not_count() -> None:
    vectors = tfidf(["Hello, World", "hello world!", "other words"])
    assert float(vectors[0] @ vectors[1]) == pytest.approx(1)
    assert float(vectors[0] @ vectors[2]) < 0.5


def test_texts_without_letters_are_alike() -> None:
    vectors = tfidf(["", "?!", "word"])
    assert float(vectors[0] @ vectors[1]) == pytest.approx(1)
    assert abs(float(vectors[0] @ vectors[2])) < 0.1


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text("aZé ß_1?\ud800\n漢", max_size=30), min_size=1, max_size=5))
def test_any_text_has_a_vector(texts: list[str]) -> None:
    vectors = tfidf([*texts, "a \udcff name"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_are_refused() -> None:
    with pytest.raises(VectorError, match="no texts"):
        tfidf([])
