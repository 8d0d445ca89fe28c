"""Networks for texts: values of naive sums, padding that changes nothing, and the same vectors after export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

from simsearch.encoders import open_encoder
from simsearch.encoders.converting.parity import PARITY
from simsearch.encoders.folder import ONNX_NAME, TOKENIZER_NAME, WEIGHTS_NAME, read_config
from simsearch.encoders.network import load_session
from simsearch.encoders.text import padded
from simsearch.errors import UsageError
from simsearch.training.data.text_augmentation import SHORTEST, augment_ids, outside, without
from simsearch.training.data.tokenization import learned_tokenizer
from simsearch.training.export.folder import export_encoder
from simsearch.training.export.quantization import (
    FINEST,
    STEPS,
    EightBitTable,
    eight_bits,
    unpacked,
    with_eight_bit_tables,
)
from simsearch.training.networks.building import TEXT_NETWORKS, build_text
from simsearch.training.networks.encoder import SiameseEncoder
from simsearch.training.networks.specification import TextSpec
from simsearch.training.networks.text import masked_mean, real

TEXTS = ["a black cat", "the black cat is asleep in the sun", "stocks fell", "rain"] * 2
SPEC = TextSpec("bag", 60, 8, width=12, layers=2, heads=3, max_tokens=16, dropout=0.2)
EVERY = pytest.mark.parametrize("kind", TEXT_NETWORKS)


def built(kind: str, **changes: int) -> SiameseEncoder:
    torch.manual_seed(0)
    return build_text(replace(SPEC, kind=kind, **changes)).eval()


def some_ids(count: int = 5, length: int = 9, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    texts = [rng.integers(1, SPEC.vocabulary, rng.integers(1, length + 1)).tolist() for _ in range(count)]
    return torch.from_numpy(padded(texts))


# -- networks ------------------------------------------------------------------------------------------------------


@EVERY
def test_embeddings_are_unit_rows(kind: str) -> None:
    with torch.inference_mode():
        vectors = built(kind)(some_ids())
    assert vectors.dtype == torch.float32 and vectors.shape == (5, SPEC.dim)
    np.testing.assert_allclose(vectors.norm(dim=1).numpy(), 1.0, atol=1e-6)


@EVERY
def test_padding_and_neighbours_change_nothing(kind: str) -> None:
    encoder, ids = built(kind), some_ids()
    with torch.inference_mode():
        together = encoder(torch.nn.functional.pad(ids, (0, 4)))
        alone = torch.cat([encoder(row[row != 0].unsqueeze(0)) for row in ids])
    np.testing.assert_allclose(together.numpy(), alone.numpy(), atol=1e-5)


@EVERY
def test_padding_alone_gives_finite_numbers(kind: str) -> None:
    with torch.inference_mode():
        assert torch.isfinite(built(kind)(torch.zeros(2, 3, dtype=torch.int64))).all()


@EVERY
def test_every_parameter_but_the_padding_learns(kind: str) -> None:
    encoder = built(kind)
    encoder(some_ids()).square().mul(torch.arange(SPEC.dim)).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    table = next(module for module in encoder.modules() if isinstance(module, nn.Embedding))
    assert table.weight.grad is not None
    assert not table.weight.grad[0].any() and not table.weight[0].any()


def test_a_bag_is_the_sum_of_its_rows() -> None:
    encoder, ids = built("bag", width=0), some_ids()
    table = encoder.state_dict()["trunk.table.weight"].double().numpy()
    found = encoder(ids).detach().numpy()
    for row, vector in zip(ids.tolist(), found, strict=True):
        total = np.zeros(SPEC.dim)
        for token in row:
            total += table[token] if token else 0.0
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), atol=1e-6)


@pytest.mark.parametrize(("kind", "differs"), [("bag", False), ("recurrent", True), ("transformer", True)])
def test_which_networks_see_the_order(kind: str, differs: bool) -> None:
    ids = torch.tensor([[5, 6, 7, 8], [8, 7, 6, 5]])
    one, other = built(kind)(ids).detach()
    assert bool((one - other).abs().max() > 1e-3) is differs


def test_the_mean_leaves_padding_out() -> None:
    states = torch.arange(12.0).view(2, 3, 2)
    mask = real(torch.tensor([[4, 1, 0], [0, 0, 0]]))
    assert masked_mean(states, mask).tolist() == [[1.0, 2.0], [0.0, 0.0]]


def test_a_specification_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="Unknown network 'tree' for texts; there are bag, recurrent, transformer"):
        build_text(replace(SPEC, kind="tree"))
    with pytest.raises(UsageError, match="5 heads cannot share a width of 12 evenly"):
        build_text(replace(SPEC, kind="transformer", heads=5))


# -- fewer bits ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 5), st.integers(1, 9), st.integers(-12, 6), st.integers(0, 99))
def test_eight_bits_are_half_a_step_off_at_most(rows: int, columns: int, power: int, seed: int) -> None:
    weights = torch.from_numpy(np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32))
    weights = weights * 2.0**power
    weights[0] = 0.0
    steps, scale = eight_bits(weights)
    assert steps.dtype == torch.int8 and not steps[0].any()
    assert torch.equal(scale.half().float(), scale)
    off = (steps.float() * scale[:, None] - weights).abs()
    # Rounded to 11 bits, a factor moves the largest of 127 steps by up to 0.07 of one.
    assert bool((off <= (0.5 + STEPS * 2.0**-11 + 1e-3) * scale[:, None]).all())
    wanted = weights.abs().amax(dim=1).div(STEPS).clamp_min(FINEST)
    np.testing.assert_allclose(scale, wanted, rtol=2.0**-11)


@EVERY
def test_stored_tables_come_back_under_their_name(kind: str) -> None:
    encoder, fresh = built(kind), built(kind)
    with_eight_bit_tables(encoder)
    assert any(isinstance(module, EightBitTable) for module in encoder.modules())
    fresh.load_state_dict(unpacked(encoder.state_dict()))
    np.testing.assert_allclose(fresh(some_ids()).detach(), encoder(some_ids()).detach(), atol=1e-6)


# -- export --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "half"), [("bag", True), ("recurrent", False), ("transformer", True)])
def test_an_exported_encoder_reads_texts_as_torch_does(tmp_path: Path, kind: str, half: bool) -> None:
    tokenizer = learned_tokenizer(TEXTS, size=SPEC.vocabulary)
    encoder = built(kind)
    sample = some_ids().numpy()
    spec = replace(SPEC, kind=kind)
    config = export_encoder(
        encoder,
        spec,
        tmp_path,
        name="texts",
        tokenizer=tokenizer,
        sample=sample,
        half=half,
        training={"seed": 0},
        figures={},
    )
    assert (config.modality, config.max_tokens, config.vocabulary, config.codes) == ("text", 16, 60, 0)
    assert read_config(tmp_path) == replace(config, model=json.loads(json.dumps(dict(config.model))))
    assert (tmp_path / TOKENIZER_NAME).read_bytes() == tokenizer
    session = load_session((tmp_path / ONNX_NAME).read_bytes(), "texts")
    for count, length in ((1, 1), (3, 16), (7, 5)):
        ids = some_ids(count, length, seed=length)
        found = session.run(None, {"ids": ids.numpy()})[0]
        np.testing.assert_allclose(found, encoder(ids).detach().numpy(), atol=PARITY, rtol=0)
    opened = open_encoder(tmp_path)
    prepared = [opened.prepare(text) for text in TEXTS]
    expected = encoder(torch.from_numpy(padded([each.ids for each in prepared]))).detach().numpy()
    np.testing.assert_allclose(opened.encode(TEXTS), expected, atol=PARITY, rtol=0)
    fresh = build_text(TextSpec(**{key: value for key, value in config.model.items() if key != "half"}))  # type: ignore[arg-type]
    weights = {
        key: value.float() if value.dtype == torch.float16 else value
        for key, value in load_file(tmp_path / WEIGHTS_NAME).items()
    }
    fresh.load_state_dict(unpacked(weights))
    np.testing.assert_allclose(fresh.eval()(some_ids()).detach(), encoder(some_ids()).detach(), atol=PARITY, rtol=0)
    assert config.parameters == sum(parameter.numel() for parameter in fresh.parameters())


# -- augmentation --------------------------------------------------------------------------------------------------


@given(st.integers(0, 200))
def test_a_variant_is_a_part_of_the_text_in_its_order(seed: int) -> None:
    torch.manual_seed(seed)
    ids = some_ids(6, 14, seed)
    variants = augment_ids(ids)
    assert variants.shape == ids.shape
    for whole, part in zip(ids.tolist(), variants.tolist(), strict=True):
        tokens = [token for token in part if token]
        assert tokens and part == tokens + [0] * (len(part) - len(tokens))
        rest = iter(whole)
        assert all(token in rest for token in tokens)


def test_a_stretch_is_in_one_piece_and_long_enough() -> None:
    torch.manual_seed(0)
    ids = torch.arange(1, 21).repeat(400, 1)
    kept = ~outside(ids)
    edges = torch.nn.functional.pad(kept.int(), (1, 1)).diff(dim=1).abs().sum(dim=1)
    assert edges.unique().tolist() == [2]
    counts = kept.sum(dim=1)
    assert counts.min() == SHORTEST * 20 and counts.max() == 20
    assert kept[:, 0].any() and not kept[:, 0].all() and kept[:, -1].any() and not kept[:, -1].all()


def test_a_text_never_loses_everything() -> None:
    ids = torch.tensor([[3, 4, 0], [5, 0, 0]])
    everything = torch.ones_like(ids, dtype=torch.bool)
    assert without(ids, everything).tolist() == ids.tolist()
    assert without(ids, torch.tensor([[True, False, False], [False] * 3])).tolist() == [[4, 0, 0], [5, 0, 0]]
