"""The tokenizer of a model as the tokenizer.json of an encoder folder."""

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
    """A tokenizer.json and how texts of different lengths are put into one array."""

    content: bytes
    vocabulary: int
    """The ids that the network is given are 0 to `vocabulary` - 1; the last is the padding where no token is."""
    padding: int
    filler: int
    """The id that the model itself has in the place of padding."""


def cutting(content: bytes, *, rows: int, pad: int | None) -> Cutting:
    """The tokenizer with the padding that tells itself from every token of a text.

    That is the model's own `pad` where it has a token for it alone; else, as in models whose padding is the token that
    ends a text, an id behind the last of the model's `rows`.
    """
    from tokenizers import Tokenizer

    alone = pad is not None and Tokenizer.from_buffer(content).id_to_token(pad) in PADDING
    filler = pad if pad is not None and 0 <= pad < rows else 0
    return Cutting(content, rows, filler, filler) if alone else Cutting(content, rows + 1, rows, filler)


def tokenizer_json(text: str, *, lower: bool = False, prompt: str = "", bare: bool = False) -> bytes:
    """The contents of a tokenizer.json without truncation and padding, which are the encoder's business.

    With `lower` texts are put into lower case first, with a `prompt` that is put before each; `bare` leaves out the
    special tokens around a text.
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
    """The library's tokenizer as text of a tokenizer.json. Raises EncoderError where it has none."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return str(backend.to_str())
    return read_tokenizer(folder.path, f"{type(tokenizer).__name__} of {folder.name} is no fast tokenizer")


def read_tokenizer(place: Path, why: str) -> str:
    """The contents of tokenizer.json in a folder. Raises EncoderError, saying `why` it is needed."""
    try:
        return (place / TOKENIZER).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"{why}, and {place} has no {TOKENIZER} that can be read ({type(error).__name__}): save the model together "
            "with its tokenizer, by the tokenizer's save_pretrained"
        ) from error
