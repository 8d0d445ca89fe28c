"""Tokenizers for training: trained on texts, or read from a folder."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.encoders.folder import CONFIG_NAME, TOKENIZER_NAME, read_config, read_verified
from simsearch.errors import EncoderError, UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL = ("<pad>", "<unk>")
ALPHABET = 1_000
"""The largest alphabet of a trained tokenizer; rarer characters are unknown."""


def learned_tokenizer(texts: Sequence[str], *, size: int = 8_000) -> bytes:
    """A tokenizer.json with at most `size` tokens trained on the texts, deterministically.

    It ignores case and accents, and splits words into word pieces (Schuster and Nakajima 2012). Token 0 is the padding.
    Raises UsageError.
    """
    if size < len(SPECIAL) + 1:
        raise UsageError(f"a vocabulary of {size} tokens is too small; give at least {len(SPECIAL) + 1}")
    return _word_pieces(texts, size).to_str().encode()


def spaced(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer with the lower-case normalization and word splitting of BERT."""
    from tokenizers import normalizers, pre_tokenizers

    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _word_pieces(texts: Sequence[str], size: int) -> Tokenizer:
    from tokenizers import Tokenizer, models, trainers

    learning = spaced(Tokenizer(models.WordPiece(unk_token="<unk>")))
    # The trainer numbers the characters within words in a random order, which decides ties. Named as special tokens
    # they keep the order given here, but must not stay special.
    letters = collections.Counter(sign for text in texts for sign in learning.normalizer.normalize_str(text))
    inner = [f"##{sign}" for sign, _ in sorted(letters.most_common(ALPHABET)) if not sign.isspace()]
    learning.train_from_iterator(
        texts,
        trainers.WordPieceTrainer(
            vocab_size=size,
            special_tokens=[*SPECIAL, *inner[: size - len(SPECIAL) - 1]],
            limit_alphabet=ALPHABET,
            show_progress=False,
        ),
    )
    tokenizer = spaced(Tokenizer(models.WordPiece(learning.get_vocab(), unk_token="<unk>")))
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def taken_tokenizer(place: Path) -> bytes:
    """The tokenizer.json of an encoder folder, verified, or of this file. Raises EncoderError."""
    if (place / CONFIG_NAME).is_file():
        config = read_config(place)
        if TOKENIZER_NAME not in config.files:
            raise EncoderError(f"{place} is an encoder of {config.modality}s and has no tokenizer")
        return read_verified(place, config, TOKENIZER_NAME)
    file = place / TOKENIZER_NAME if place.is_dir() else place
    try:
        return file.read_bytes()
    except OSError as error:
        raise EncoderError(f"{file}: {error.strerror or error}") from error


def size_of(content: bytes) -> int:
    """The number of tokens of a tokenizer.json. Raises EncoderError when it is none."""
    from tokenizers import Tokenizer

    try:
        return int(Tokenizer.from_buffer(content).get_vocab_size())
    except ValueError as error:
        raise EncoderError(f"not a tokenizer: {str(error).splitlines()[0]}") from error
