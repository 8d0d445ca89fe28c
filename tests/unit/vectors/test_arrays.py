from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simsearch.errors import VectorError
from simsearch.vectors import arrays
from simsearch.vectors.arrays import as_vectors


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(0, 6), st.integers(1, 5)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ).filter(lambda array: bool(array.any(axis=1).all()))
)
def test_rows_keep_their_direction_and_get_length_one(given_rows: np.ndarray) -> None:
    rows = as_vectors(given_rows)
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    for row, original in zip(rows, given_rows, strict=True):
        length = math.hypot(*map(float, original))
        np.testing.assert_allclose(row, [float(number) / length for number in original], atol=2e-6)
    # A second pass changes no bit, so that contents can be told by their bytes.
    assert as_vectors(rows) is rows


@pytest.mark.parametrize("scale", [1e30, 1e-30, 1e-42])
def test_huge_and_tiny_float32_rows_are_normalized_right(scale: float) -> None:
    rows = np.array([[3, 4], [4, 3]], dtype=np.float32) * np.float32(scale)
    np.testing.assert_allclose(as_vectors(rows), [[0.6, 0.8], [0.8, 0.6]], atol=1e-3 if scale < 1e-38 else 1e-7)


@pytest.mark.parametrize("scale", [1e300, 1e-300, 5e-324])
def test_float64_rows_whose_squares_overflow_are_normalized_right(scale: float) -> None:
    np.testing.assert_allclose(as_vectors(np.array([[scale, -scale]])), [[0.5**0.5, -(0.5**0.5)]], atol=1e-7)


def test_integers_lists_and_other_layouts_are_taken() -> None:
    expected = [[0.6, 0.8], [1.0, 0.0]]
    for given_rows in (
        [[3, 4], [2, 0]],
        np.array([[3, 4], [2, 0]], dtype=np.int64),
        np.asfortranarray(np.array([[3, 4], [2, 0]], dtype=np.float32)),
        np.array([[3, 4], [2, 0]], dtype=">f4"),
        np.array([[3, 4], [2, 0]], dtype=np.float16),
    ):
        rows = as_vectors(given_rows, 2)
        assert rows.flags.c_contiguous
        assert rows.dtype == np.float32
        np.testing.assert_allclose(rows, expected, atol=1e-7)


def test_the_array_given_is_never_changed() -> None:
    rows = np.array([[1, 0], [3, 4]], dtype=np.float32)
    as_vectors(rows)
    assert rows.tolist() == [[1, 0], [3, 4]]


def test_the_number_of_a_bad_row_is_named_also_in_a_later_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "NUMBERS_AT_ONCE", 4)
    rows = np.ones((10, 2))
    rows[7] = 0
    with pytest.raises(VectorError, match=r"^row 7: the vector is zero"):
        as_vectors(rows)
    rows[5, 1] = np.inf
    with pytest.raises(VectorError, match=r"^row 5: the vector has a number that is not finite"):
        as_vectors(rows)
    np.testing.assert_allclose(as_vectors(rows[:5] * 2), np.full((5, 2), 0.5**0.5), atol=1e-7)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        ([1.0, 2.0], r"reshape\(1, -1\)"),
        ([[1.0], [1.0, 2.0]], "same length"),
        ([[[1.0]]], r"\(1, 1, 1\)"),
        (np.empty((3, 0)), r"\(3, 0\)"),
        (3.0, r"\(\)"),
        ([["a", "b"]], "real numbers"),
        ([[1j, 2j]], "real numbers"),
        ([[None, None]], "real numbers"),
    ],
)
def test_what_is_not_rows_of_numbers_is_refused_with_the_cure(array: object, words: str) -> None:
    with pytest.raises(VectorError, match=words):
        as_vectors(array)  # type: ignore[arg-type]


def test_another_length_than_expected_is_refused() -> None:
    with pytest.raises(VectorError, match="3 numbers each instead of 4"):
        as_vectors([[1, 2, 3]], 4)
