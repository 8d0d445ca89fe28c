"""Batches of texts in parts: the same embeddings and gradients as all at once, from narrower parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from simsearch.training.data.inputs import Tokens
from simsearch.training.measure import embed_rows
from simsearch.training.networks.building import build_text
from simsearch.training.networks.encoder import SiameseEncoder
from simsearch.training.networks.length_bucketing import TEXTS, in_length_buckets
from simsearch.training.networks.specification import TextSpec

VOCABULARY = 50


def network(kind: str) -> SiameseEncoder:
    torch.manual_seed(0)
    return build_text(TextSpec(kind, VOCABULARY, 8, heads=2, max_tokens=64)).eval()


def texts(lengths: list[int]) -> Tensor:
    rng = np.random.default_rng(0)
    made = Tokens.of([rng.integers(1, VOCABULARY, size=length).tolist() for length in lengths])
    return made.batch(np.arange(len(lengths)))


class Spy(nn.Module):
    """Gives the first id of each text, and keeps the shapes that it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.shapes.append(tuple(inputs.shape))
        return inputs[:, :1].float()


@pytest.mark.parametrize("kind", ["recurrent", "transformer"])
@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(0, 40), min_size=1, max_size=50))
def test_parts_give_what_the_whole_batch_gives(kind: str, lengths: list[int]) -> None:
    encoder, ids = network(kind), texts(lengths)
    towards = torch.randn(len(lengths), 8, generator=torch.Generator().manual_seed(1))
    gradients = []
    for embeddings in (encoder.embed(ids), in_length_buckets(encoder, ids, encoder.embed)):
        encoder.zero_grad()
        (embeddings * towards).sum().backward()
        gradients.append([parameter.grad for parameter in encoder.parameters()])
    torch.testing.assert_close(in_length_buckets(encoder, ids), encoder(ids), atol=1e-5, rtol=0)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-4, rtol=1e-3)


def test_short_texts_do_not_wait_for_the_longest() -> None:
    spy, lengths = Spy(), [40, *[3] * (2 * TEXTS - 1)]
    ids = texts(lengths)
    assert torch.equal(in_length_buckets(spy, ids), ids[:, :1].float())
    assert spy.shapes == [(TEXTS, 3), (TEXTS, 40)]


@pytest.mark.parametrize(
    "inputs", [torch.ones(40, 6), torch.ones(40, 4, 4, 3, dtype=torch.uint8)], ids=["features", "pixels"]
)
def test_what_is_no_text_goes_through_at_once(inputs: Tensor) -> None:
    spy = Spy()
    in_length_buckets(spy, inputs)
    assert spy.shapes == [tuple(inputs.shape)]


def test_a_bag_of_tokens_sums_the_whole_batch_at_once() -> None:
    encoder, seen = network("bag"), []

    def compute(ids: Tensor) -> Tensor:
        seen.append(len(ids))
        return encoder.embed(ids)

    in_length_buckets(encoder, texts([1] * 40), compute)
    assert seen == [40]


def test_rows_are_measured_in_parts_and_stay_in_order() -> None:
    encoder = network("transformer")
    inputs = Tokens.of([[number + 1] * (1 + 7 * number % 30) for number in range(40)])
    rows = np.array([7, 3, *range(8, 40), 1])
    single = np.concatenate([embed_rows(encoder, inputs, rows[place : place + 1]) for place in range(len(rows))])
    np.testing.assert_allclose(embed_rows(encoder, inputs, rows), single, atol=1e-5)
