"""Folders in the format of the Hugging Face hub, inspected and validated before any library loads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.errors import EncoderError
from simsearch.manifest import checksum

if TYPE_CHECKING:
    from simsearch.types import JSONValue

CONFIG = "config.json"
MODULES = "modules.json"
WEIGHTS = "model.safetensors"
SHARDS = "model.safetensors.index.json"
PICTURE_CONFIGS = ("preprocessor_config.json", "processor_config.json")
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
DESCRIPTIONS = (
    CONFIG,
    MODULES,
    SHARDS,
    *PICTURE_CONFIGS,
    *TOKENIZERS,
    "merges.txt",
    "tokenizer_config.json",
    "added_tokens.json",
    "special_tokens_map.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
)
"""The files beside the weights that the embeddings depend on."""
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack")
WITH_WEIGHTS = {
    "Transformer": True,
    "Dense": True,
    "LayerNorm": True,
    "StaticEmbedding": True,
    "Pooling": False,
    "Normalize": False,
    "Dropout": False,
}
"""The supported modules of sentence-transformers, and whether they have weights."""


@dataclass(frozen=True, slots=True)
class PretrainedFolder:
    """A model in the hub's format. `name` is its name on the hub, or the absolute path."""

    name: str
    path: Path
    modality: str
    has_words: bool
    """Whether an image encoder has a text tower."""
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Module:
    """A row of modules.json: the class of a module, and its folder."""

    kind: str
    path: str


def is_hub_format(path: Path) -> bool:
    """Whether a folder looks like a model of the hub. Reads nothing."""
    return (path / CONFIG).is_file() or (path / MODULES).is_file()


def is_complete(path: Path) -> bool:
    """Whether a folder has all files that `read_folder` requires."""
    try:
        read_folder(path, str(path))
    except EncoderError:
        return False
    return True


def read_folder(path: Path, name: str) -> PretrainedFolder:
    """The model in a folder, with the checksum of all files that its embeddings depend on. Loads no library.

    Raises EncoderError for a folder that needs custom code, has its weights in a pickle, or is neither a vision model,
    nor one with an image and a text tower, nor a text model.
    """
    config = _json(path / CONFIG) if (path / CONFIG).is_file() else {}
    if not isinstance(config, dict):
        raise EncoderError(f"{path / CONFIG}: not a model configuration")
    if (path / "adapter_config.json").exists():
        raise EncoderError(f"{name} is an adapter, not a whole model: merge it into its base model and save that")
    modality, has_words = _kind(path, name, config)
    if modality == "text" or has_words:
        _check_tokenizer(path, name)
    places = dict.fromkeys(_places(path, name))
    files = [file for place in places for file in _files(path / place, name)]
    parts = {file.relative_to(path).as_posix(): checksum(file) for file in sorted(set(files))}
    text = json.dumps([modality, parts])
    return PretrainedFolder(name, path, modality, has_words, hashlib.sha256(text.encode()).hexdigest()[:16])


def _kind(path: Path, name: str, config: dict[str, JSONValue]) -> tuple[str, bool]:
    """The modality, and whether there is a text tower beside the image tower."""
    if (path / MODULES).is_file():
        return "text", False
    if any((path / file).is_file() for file in PICTURE_CONFIGS):
        return "image", "text_config" in config and "vision_config" in config
    if any((path / file).is_file() for file in TOKENIZERS):
        return "text", False
    raise EncoderError(
        f"{name} has neither {PICTURE_CONFIGS[0]} (a vision model) nor {TOKENIZERS[0]} (a text model): "
        f"save the model together with its processor or tokenizer"
    )


def _check_tokenizer(path: Path, name: str) -> None:
    """Raises EncoderError for a folder without one: the libraries would create a tokenizer with an empty vocabulary."""
    places = {path, path / first_module(path)}
    if not any((place / file).is_file() for place in places for file in TOKENIZERS):
        raise EncoderError(
            f"{name} has no tokenizer ({TOKENIZERS[0]}): save it with the model, by the tokenizer's save_pretrained"
        )


def _places(path: Path, name: str) -> Iterator[str]:
    """The subfolders with weights or settings; '' is the folder itself."""
    yield ""
    if not (path / MODULES).is_file():
        _check_weights(path, name)
        return
    for module in _modules(path / MODULES):
        library, _, kind = module.kind.rpartition(".")
        if library.partition(".")[0] != "sentence_transformers" or kind not in WITH_WEIGHTS:
            raise EncoderError(
                f"{name}: {MODULES} names {module.kind}, but simsearch supports only the modules "
                f"{', '.join(WITH_WEIGHTS)} of sentence_transformers and runs no code of a model"
            )
        place = path / module.path
        if not place.resolve().is_relative_to(path.resolve()):
            raise EncoderError(f"{name}: {MODULES} names {module.path!r}, which lies outside of the folder")
        if WITH_WEIGHTS[kind]:
            _check_weights(place, name)
        elif kind == "Pooling" and not (place / CONFIG).is_file():
            raise EncoderError(f"{name} has no {CONFIG} in {place}: the copy is not complete")
        yield module.path


def first_module(path: Path) -> str:
    """The subfolder of a text model with its first network; '' is the folder itself."""
    return _modules(path / MODULES)[0].path if (path / MODULES).is_file() else ""


def _modules(path: Path) -> list[_Module]:
    rows = _json(path)
    if not isinstance(rows, list) or not rows:
        raise EncoderError(f"{path}: not a list of modules")
    modules = []
    for row in rows:
        kind, place = (row.get("type"), row.get("path")) if isinstance(row, dict) else (None, None)
        if not (isinstance(kind, str) and isinstance(place, str)):
            raise EncoderError(f"{path}: a module without type or path: {row!s:.80}")
        modules.append(_Module(kind, place))
    return modules


def _check_weights(place: Path, name: str) -> None:
    """Raises EncoderError unless the weights are in safetensors files, which cannot contain code."""
    if (place / WEIGHTS).is_file() or (place / SHARDS).is_file():
        return
    pickles = sorted(file.name for pattern in PICKLES for file in place.glob(pattern))
    if pickles:
        raise EncoderError(
            f"{name} has its weights in {pickles[0]}, a pickle, which can run code when it is loaded; simsearch loads "
            f"{WEIGHTS} only. If you trust it, load it elsewhere and save it with save_pretrained"
        )
    raise EncoderError(f"{name} has no {WEIGHTS} in {place}: the copy is not complete")


def _files(place: Path, name: str) -> Iterator[Path]:
    yield from (place / file for file in DESCRIPTIONS if (place / file).is_file())
    if (place / WEIGHTS).is_file():
        yield place / WEIGHTS
    elif (place / SHARDS).is_file():
        yield from _shards(place, name)


def _shards(place: Path, name: str) -> Iterator[Path]:
    index = _json(place / SHARDS)
    weights = index.get("weight_map") if isinstance(index, dict) else None
    for file in sorted(set(map(str, weights.values()))) if isinstance(weights, dict) else []:
        if Path(file).name != file or not file.endswith(".safetensors") or not (place / file).is_file():
            raise EncoderError(f"{name}: {SHARDS} names {file!r}, which is not a safetensors file beside it")
        yield place / file


def _json(path: Path) -> JSONValue:
    try:
        document: JSONValue = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise EncoderError(f"{path}: cannot be read ({type(error).__name__}: {error})") from error
    return document
