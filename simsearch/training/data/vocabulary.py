"""Pruning the vocabulary of a word-piece tokenizer."""

from __future__ import annotations

import collections
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from simsearch.errors import EncoderError, TrainingError, UsageError
from simsearch.training.data.tokenization import SPECIAL, spaced

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ALWAYS = 128
"""Single characters below this code point are always kept, so that any English word has tokens."""


def smaller_tokenizer(content: bytes, texts: Sequence[str], size: int) -> bytes:
    """A tokenizer.json of at most `size` of the word pieces of another, renumbered, <pad> first and <unk> next.

    Kept are plain single characters, then what the texts use, most often first, then the rest in the order of its
    numbers (in BERT's vocabularies the order of frequency). Raises EncoderError when the other is not of word pieces
    in lower case, UsageError when the size is too small for the single characters.
    """
    from tokenizers import Tokenizer, models

    pieces, unknown = _pieces(content)
    counted = _uses(content, texts)
    plain = [piece for piece in pieces if len(letters := piece.removeprefix("##")) == 1 and ord(letters) < ALWAYS]
    if size < len(SPECIAL) + len(plain):
        raise UsageError(f"a vocabulary of {size} is too small; give at least {len(SPECIAL) + len(plain)}")
    used = [piece for piece, _ in counted.most_common() if piece in pieces and piece != unknown]
    special = {piece for piece in pieces if piece == unknown or (piece[0] == "[" and piece[-1] == "]" and piece != "[")}
    chosen = dict.fromkeys([*SPECIAL, *plain, *used, *(piece for piece in pieces if piece not in special)])
    kept = {piece: number for number, piece in enumerate(list(chosen)[:size])}
    tokenizer = spaced(Tokenizer(models.WordPiece(kept, unk_token=SPECIAL[1])))
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer.to_str().encode()


def _pieces(content: bytes) -> tuple[Mapping[str, int], str]:
    """The pieces in the order of their numbers, and the unknown token."""
    try:
        document = json.loads(content)
        model, normalizer = document["model"], document["normalizer"] or {}
        fits = model["type"] == "WordPiece" and normalizer.get("lowercase") and model["vocab"]
        order = sorted(model["vocab"].items(), key=lambda entry: entry[1])
        unknown = str(model["unk_token"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EncoderError(f"not a tokenizer.json ({type(error).__name__}: {error})") from error
    if not fits:
        raise EncoderError("the tokenizer is not one of word pieces in lower case; without it one is learned anew")
    return dict(order), unknown


def _uses(content: bytes, texts: Sequence[str]) -> collections.Counter[str]:
    """The frequency of each piece in the texts; ties by first occurrence."""
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_buffer(content)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    counted: collections.Counter[str] = collections.Counter()
    for start in range(0, len(texts), 4096):
        for encoding in tokenizer.encode_batch(list(texts[start : start + 4096]), add_special_tokens=False):
            counted.update(encoding.tokens)
    if not counted:
        raise TrainingError("no text has a token")
    return counted


def words_of(tokenizer: Tokenizer) -> list[str]:
    """The text that each token stands for by itself, in the order of their numbers."""
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    return [piece.removeprefix("##") for piece, _ in pieces]
