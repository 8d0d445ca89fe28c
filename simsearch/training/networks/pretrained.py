"""Pretrained models as initial encoders: from one tensor to unit embeddings, ready to train and to export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from simsearch.encoders.converting.loading import load_sentences, load_vision
from simsearch.encoders.converting.networks import SentenceTrunk
from simsearch.encoders.converting.processors import load_pixels
from simsearch.encoders.converting.sentences import longest
from simsearch.encoders.converting.tokenizing import tokenizer_json
from simsearch.encoders.pretrained_hub import find_pretrained
from simsearch.errors import EncoderError
from simsearch.training.networks.encoder import ImageEncoder, SiameseEncoder

if TYPE_CHECKING:
    from simsearch.encoders.pretrained_folder import PretrainedFolder


@dataclass(frozen=True, slots=True)
class PretrainedNetwork:
    """A pretrained network with its preprocessing; the fields of the other modality are empty."""

    name: str
    fingerprint: str
    modality: str
    network: SiameseEncoder
    dim: int
    width: int = 0
    height: int = 0
    channels: int = 0
    fit: str = ""
    tokenizer: bytes = b""
    """The contents of a tokenizer.json whose token 0 is the padding."""
    max_tokens: int = 0
    vocabulary: int = 0


def load_pretrained_network(name: str) -> PretrainedNetwork:
    """The network of a folder in the hub's format, or of a name on the hub, on the processor and in evaluation mode.

    Raises EncoderError for a model that cannot be had, or that one tensor cannot go through.
    """
    folder = find_pretrained(name)
    return _texts(folder) if folder.modality == "text" else _pictures(folder)


def _pictures(folder: PretrainedFolder) -> PretrainedNetwork:
    tower, pixels = load_vision(folder), load_pixels(folder)
    # What only words, or training by guessing hidden patches, go through would be stored and never learn.
    for name in [name for name, _ in tower.model.named_children() if name.startswith("text")]:
        delattr(tower.model, name)
    for name in [name for name, _ in tower.model.named_parameters(recurse=False) if name.startswith("logit")]:
        delattr(tower.model, name)
    for name, parameter in tower.named_parameters():
        parameter.requires_grad_(not name.endswith("mask_token"))
    network = ImageEncoder(tower, mean=pixels.mean, std=pixels.std).eval()
    with torch.inference_mode():
        dim = network(torch.zeros((1, pixels.height, pixels.width, 3), dtype=torch.uint8)).shape[1]
    return PretrainedNetwork(
        folder.name,
        folder.fingerprint,
        "image",
        network,
        dim,
        width=pixels.width,
        height=pixels.height,
        channels=3,
        fit="crop" if getattr(pixels.processor, "do_center_crop", False) else "squash",
    )


class SwappedTrunk(SentenceTrunk):
    """The trunk for ids in which 0 is padding: the id that the model itself pads with and 0 have changed places in the
    tokenizer, and change back here."""

    def __init__(self, reader: nn.Module, modules: list[nn.Module], padding: int) -> None:
        super().__init__(reader, modules, padding=padding, filler=padding)

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(_swapped(ids, self.padding))


def _swapped(ids: Tensor, padding: int) -> Tensor:
    if padding == 0:
        return ids
    return torch.where(ids == 0, padding, torch.where(ids == padding, 0, ids))


def _texts(folder: PretrainedFolder) -> PretrainedNetwork:
    model = load_sentences(folder)
    first, *others = model
    reader = getattr(first, "auto_model", None)
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if reader is None or backend is None:
        raise EncoderError(f"{folder.name}: {type(first).__name__} is no network that can be trained on")
    if model.default_prompt_name is not None and model.prompts[model.default_prompt_name]:
        raise EncoderError(
            f"{folder.name} puts {model.prompts[model.default_prompt_name]!r} before each text, which an encoder "
            f"folder does not; use it as it is, or start from another model"
        )
    if getattr(reader, "pooler", None) is not None:
        reader.pooler = None
    padding = int(model.tokenizer.pad_token_id or 0)
    pooling = [module for module in others if type(module).__name__ != "Normalize"]
    network = SiameseEncoder(SwappedTrunk(reader, pooling, padding)).eval()
    with torch.inference_mode():
        dim = network(torch.tensor([[max(1, padding)]])).shape[1]
    return PretrainedNetwork(
        folder.name,
        folder.fingerprint,
        "text",
        network,
        dim,
        tokenizer=_tokenizer(backend.to_str(), first, padding),
        max_tokens=longest(model),
        vocabulary=int(reader.get_input_embeddings().num_embeddings),
    )


def _tokenizer(text: str, first: nn.Module, padding: int) -> bytes:
    document: dict[str, Any] = json.loads(tokenizer_json(text, lower=bool(getattr(first, "do_lower_case", False))))
    if padding:
        change_places(document, padding)
    return json.dumps(document, ensure_ascii=False).encode()


def change_places(document: dict[str, Any], padding: int) -> None:
    """Makes token `padding` of a tokenizer.json token 0 and the other way round, wherever an id stands in it."""
    new = {0: padding, padding: 0}
    for token in document["added_tokens"]:
        token["id"] = new.get(token["id"], token["id"])
    document["added_tokens"].sort(key=lambda token: token["id"])
    model = document["model"]
    if isinstance(model["vocab"], list):
        words = model["vocab"]
        words[0], words[padding] = words[padding], words[0]
        if model.get("unk_id") is not None:
            model["unk_id"] = new.get(model["unk_id"], model["unk_id"])
    else:
        model["vocab"] = {word: new.get(number, number) for word, number in model["vocab"].items()}
    if document["post_processor"]:
        _change_in_post_processor(document["post_processor"], new)


def _change_in_post_processor(part: dict[str, Any], new: Mapping[int, int]) -> None:
    for inner in part.get("processors", ()):
        _change_in_post_processor(inner, new)
    for token in part["special_tokens"].values() if part["type"] == "TemplateProcessing" else ():
        token["ids"] = [new.get(number, number) for number in token["ids"]]
    for name in ("sep", "cls") if part["type"] in ("BertProcessing", "RobertaProcessing") else ():
        word, number = part[name]
        part[name] = [word, new.get(number, number)]
