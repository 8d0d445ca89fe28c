"""Conversion of a model's tokenizer to the tokenizer.json of an encoder folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simsearch.encoders.tokens import PADDING
from simsearch.errors import EncoderError

if TYPE_CHECKING:
    from pathlib import Path

    from simsearch.encoders.pretrained_folder import PretrainedFolder

TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Cutting:
    """A tokenizer.json and the padding of batches."""

    content: bytes
    vocabulary: int
    """The ids in the network's input are 0 to `vocabulary` - 1, with the last for padding if no token is."""
    padding: int
    filler: int
    """The model's own id for padding."""


def cutting(content: bytes, *, rows: int, pad: int | None) -> Cutting:
    """The tokenizer with a padding id that differs from every token of a text.

    It is the model's own `pad` if that token is used only for padding; else, as in models that pad with the
    end-of-text token, an id after the last of the model's `rows`.
    """
    from tokenizers import Tokenizer

    alone = pad is not None and Tokenizer.from_buffer(content).id_to_token(pad) in PADDING
    filler = pad if pad is not None and 0 <= pad < rows else 0
    return Cutting(content, rows, filler, filler) if alone else Cutting(content, rows + 1, rows, filler)


def tokenizer_json(text: str, *, lower: bool = False, prompt: str = "", bare: bool = False) -> bytes:
    """The contents of a tokenizer.json without truncation and padding, which the encoder does.

    With `lower` texts are converted to lower case first, `prompt` is put before each, `bare` omits the special tokens
    around a text.
    """
    document: dict[str, Any] = json.loads(text)
    document["truncation"] = document["padding"] = None
    if bare:
        document["post_processor"] = None
    before = [{"type": "Prepend", "prepend": prompt}] if prompt else []
    before += [{"type": "Lowercase"}] if lower else []
    if before:
        given = document["normalizer"]
        document["normalizer"] = {"type": "Sequence", "normalizers": [*before, *([given] if given else [])]}
    return json.dumps(document, ensure_ascii=False).encode()


def fast_tokenizer(tokenizer: Any, folder: PretrainedFolder) -> str:
    """The tokenizer.json of the library's tokenizer. Raises EncoderError if it has none."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return str(backend.to_str())
    return read_tokenizer(folder.path, f"{type(tokenizer).__name__} of {folder.name} is no fast tokenizer")


def read_tokenizer(place: Path, why: str) -> str:
    """The contents of tokenizer.json in a folder. Raises EncoderError with `why` it is needed."""
    try:
        return (place / TOKENIZER).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"{why}, and {place} has no {TOKENIZER} that can be read ({type(error).__name__}): save the model together "
            "with its tokenizer, by the tokenizer's save_pretrained"
        ) from error
