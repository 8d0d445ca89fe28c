"""Inputs by row: the same as a plain loop over them."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.training.data.inputs import Arrays, Tokens


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.lists(st.integers(1, 2**31 - 1), max_size=7), min_size=1, max_size=9), chosen=st.data())
def test_texts_are_padded_to_the_longest_that_is_drawn(texts: list[list[int]], chosen: st.DataObject) -> None:
    tokens = Tokens.of(texts)
    rows = chosen.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=6))
    found = tokens.batch(np.array(rows))
    longest = max(1, *(len(texts[row]) for row in rows))
    assert len(tokens) == len(texts)
    assert found.dtype == torch.int64
    assert found.tolist() == [texts[row] + [0] * (longest - len(texts[row])) for row in rows]


def test_no_rows_are_an_empty_batch() -> None:
    assert Tokens.of([[1, 2], [3]]).batch(np.array([], dtype=np.int64)).shape == (0, 1)


def test_rows_of_an_array_are_copied_out_of_it() -> None:
    rows = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    rows.setflags(write=False)
    batch = Arrays(rows).batch(np.array([2, 2, 0]))
    batch += 1
    assert len(Arrays(rows)) == 4
    assert batch.tolist() == (rows[[2, 2, 0]] + 1).tolist()
    assert rows[2, 0, 0] == 12
