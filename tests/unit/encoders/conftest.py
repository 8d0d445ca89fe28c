"""Tiny pretrained models with random weights, saved as the hub keeps them."""

from __future__ import annotations

import contextlib
import functools
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from simsearch.encoders.converting import convert

TOWER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
EYES = {**TOWER, "image_size": 32, "patch_size": 8}
WORDS = ["a", "red", "green", "blue", "square", "circle", "dog", "cat", "the", "on", "big", "small"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
MEAN, STD = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where models that tests open are converted to: each once, as that takes seconds."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches the hub or the caches of whoever runs it."""
    from huggingface_hub import constants

    monkeypatch.setenv("SIMSEARCH_CACHE", str(shared_cache))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture(scope="session")
def hub_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders in the hub's format by kind; not to be changed."""
    place = tmp_path_factory.mktemp("hub")
    with quiet():
        return {kind: make(place / kind) for kind, make in MAKERS.items()}


@pytest.fixture(scope="session")
def converted(hub_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The encoder folder of a kind of model in so many bits, made once; not to be changed."""
    place = tmp_path_factory.mktemp("converted")

    @functools.cache
    def made(kind: str, bits: int) -> Path:
        folder = place / f"{kind}-{bits}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            convert(hub_models[kind], folder, bits=bits)
        return folder

    return lambda kind, bits=32: made(kind, bits)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps transformers from telling what it saves."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()


@pytest.fixture
def broken(hub_models: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of a model, of which one tensor is filled with a number, or left out."""

    def changed(kind: str, tensor: str, number: float | None) -> Path:
        folder = shutil.copytree(hub_models[kind], tmp_path / f"broken {kind}")
        weights = load_file(folder / "model.safetensors")
        if number is None:
            del weights[tensor]
        else:
            weights[tensor][:] = number
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return changed


def _dinov2(folder: Path) -> Path:
    from transformers import BitImageProcessorPil, Dinov2Config, Dinov2Model

    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=32, patch_size=8
    )
    _seeded(Dinov2Model, config).save_pretrained(folder)
    BitImageProcessorPil(
        size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32}, image_mean=MEAN, image_std=STD
    ).save_pretrained(folder)
    return folder


def _vit(folder: Path) -> Path:
    """As models are that were trained to tell classes: without a pooler."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    _seeded(ViTForImageClassification, ViTConfig(**EYES)).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def _clip(folder: Path) -> Path:
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    text = {
        **TOWER,
        "vocab_size": 32,
        "max_position_embeddings": 8,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
    }
    config = CLIPConfig(text_config=text, vision_config=EYES, projection_dim=24)
    _seeded(CLIPModel, config).save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, image_mean=MEAN, image_std=STD
    ).save_pretrained(folder)
    return _tokenizer(folder)


def _siglip(folder: Path) -> Path:
    from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

    text = {
        **TOWER,
        "vocab_size": 32,
        "max_position_embeddings": 8,
        "projection_size": 32,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
    }
    _seeded(SiglipModel, SiglipConfig(text_config=text, vision_config=EYES)).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return _tokenizer(folder)


def _sentences(folder: Path) -> Path:
    """BERT, mean pooling, a dense layer and normalization, as sentence-transformers saves them."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
    from torch import manual_seed

    reader = Transformer(str(_bert(folder.with_name("plain bert"))), max_seq_length=8)
    manual_seed(4)
    modules = [reader, Pooling(32), Dense(32, 20), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder), create_model_card=False)
    return folder


def _bert(folder: Path) -> Path:
    from transformers import BertConfig, BertModel

    _seeded(BertModel, BertConfig(**TOWER, vocab_size=32, max_position_embeddings=16)).save_pretrained(folder)
    return _tokenizer(folder)


def _roberta(folder: Path) -> Path:
    """Pads with token 1, as all that descend from RoBERTa do."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel

    config = RobertaConfig(
        **TOWER,
        vocab_size=10,
        max_position_embeddings=16,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        type_vocab_size=1,
    )
    _seeded(RobertaModel, config).save_pretrained(folder)
    words = ["<s>", "<pad>", "</s>", "<unk>", "red", "green", "dog", "a", "square", "circle"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=12,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    return folder


def _tokenizer(folder: Path) -> Path:
    """Adds a tokenizer of whole words; the padding is token 0."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    return folder


def _seeded(kind: Callable[..., object], config: object) -> object:
    from torch import manual_seed

    manual_seed(0)
    return kind(config)


MAKERS: dict[str, Callable[[Path], Path]] = {
    "dinov2": _dinov2,
    "vit": _vit,
    "clip": _clip,
    "siglip": _siglip,
    "bert": _bert,
    "sentences": _sentences,
    "roberta": _roberta,
}
