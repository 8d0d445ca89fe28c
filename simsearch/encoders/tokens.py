"""Tokenization by the tokenizer.json of an encoder folder."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, NamedTuple

from simsearch.errors import EncoderError, MediaError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PADDING = ("<pad>", "[PAD]")
CHARACTERS_A_TOKEN = 64
"""Texts are truncated to this many characters for each of `max_tokens` before tokenization."""
LONGEST_KNOWN = 40
MOST_KNOWN = 1 << 17
"""Maximum size of the cache of words of up to 40 characters: about 25 MB."""
CODE = re.compile(r"[^\W_]+(?:[-._/][^\W_]+)*")
"""Letters and digits, also with single punctuation marks between them: DSC-W120, 3.5mm, 10/2006."""
PLAIN = re.compile(r"[!-~]+")
_UNKNOWN_ID = re.compile(rb'"unk_id"\s*:\s*(\d+)')
PIECE = re.compile(r"[a-z0-9]+|[^a-z0-9]")


class Read(NamedTuple):
    """The ids of a text; whether it has more of them than are used; and which share of its letters is unknown."""

    ids: tuple[int, ...]
    cut: bool
    unknown: float


class Tokens:
    """A tokenizer: texts to ids, at most `max_tokens` of them. Thread-safe.

    With `codes`, a word that has a digit and is split into several tokens (a product code, a long number) is followed
    by one more id, a hash of the whole word, so that a bag of tokens can distinguish codes that share most of their
    parts. The ids `vocabulary` - `codes` to `vocabulary` - 1 are for these hashes.
    """

    def __init__(
        self, tokenizer: Tokenizer, max_tokens: int, vocabulary: int, codes: int, unknown: int | None = None
    ) -> None:
        self._tokenizer = tokenizer
        self._unknown = unknown
        self._max_tokens = max_tokens
        self._first_code, self._codes = vocabulary - codes, codes
        # If each word is tokenized separately, a cache of words is ten times as fast as the tokenizer.
        self._known: dict[str, list[int]] | None = {} if _by_words(tokenizer) else None
        self._whole: dict[str, int] = tokenizer.get_vocab() if _takes_whole_words(tokenizer) else {}

    def ids(self, text: str) -> tuple[int, ...]:
        """The ids of the first `max_tokens` tokens. Raises MediaError for a text without any."""
        return tuple(self._all(text)[: self._max_tokens])

    def read(self, text: str) -> Read:
        """The ids as above, and what is missing. Raises MediaError also for a text of which no word is known.

        All such texts would have one vector, that of the unknown token.
        """
        found = self._all(text)
        unknown = 0.0 if self._unknown is None or self._unknown not in found else self._unknown_share(text)
        if unknown == 1.0:
            raise MediaError(
                "no word of it is known to the encoder; use one for its language and script (simsearch convert)"
            )
        return Read(tuple(found[: self._max_tokens]), self._is_cut(text, found), unknown)

    def _all(self, text: str) -> list[int]:
        """The ids of a text, with those beyond `max_tokens` where they are found anyway."""
        text = text[: CHARACTERS_A_TOKEN * self._max_tokens] if len(text) > self._max_tokens else text
        if not text or text.isspace():
            raise MediaError("empty text")
        if "\0" in text:
            raise MediaError("a NUL character in the text")
        found = self._cut(text) if self._known is None else self._looked_up(text, self._known)
        if not found:
            raise MediaError("empty text: it has no token")
        return found

    def _is_cut(self, text: str, found: list[int]) -> bool:
        most = CHARACTERS_A_TOKEN * self._max_tokens
        if len(found) > self._max_tokens or (len(text) > most and len(text.rstrip()) > most):
            return True
        # A tokenizer of whole texts stops at the maximum.
        full = self._known is None and len(found) == self._max_tokens
        return full and bool(self._tokenizer.encode(text).overflowing)

    def _unknown_share(self, text: str) -> float:
        """The share of letters and digits that lie in unknown tokens; 1 also if only punctuation is known."""
        found = self._tokenizer.encode(text[: CHARACTERS_A_TOKEN * self._max_tokens])
        known = unknown = 0
        for number, (start, end) in zip(found.ids, found.offsets, strict=True):
            if number == self._unknown:
                unknown += end - start
            else:
                known += sum(map(str.isalnum, text[start:end]))
        return unknown / (known + unknown) if known + unknown else 0.0

    def places_of(self, text: str, token: int) -> list[str]:
        """The substrings of a text with this token, in order."""
        found = self._tokenizer.encode(text[: CHARACTERS_A_TOKEN * self._max_tokens])
        places = zip(found.ids, found.offsets, strict=True)
        return [text[start:end] for number, (start, end) in places if number == token]

    def _looked_up(self, text: str, known: dict[str, list[int]]) -> list[int]:
        found: list[int] = []
        for word in text.split(" "):
            ids = known.get(word)
            if ids is None:
                ids = self._cut_word(word) + self._codes_in(word)
                if len(word) <= LONGEST_KNOWN and len(known) < MOST_KNOWN:
                    known[word] = ids
            found += ids
        return found

    def _cut_word(self, word: str) -> list[int]:
        """The result of `_cut`, for most words without a call of the tokenizer, which costs ten times as much."""
        if not self._whole or not PLAIN.fullmatch(word):
            return self._cut(word)
        ids: list[int] = []
        for piece in PIECE.findall(word.lower()):
            whole = self._whole.get(piece)
            ids += self._cut(piece) if whole is None else [whole]
        return ids

    def _codes_in(self, word: str) -> list[int]:
        if not self._codes or not any(sign.isdigit() for sign in word):
            return []
        found = [run for run in CODE.findall(word) if any(sign.isdigit() for sign in run) and len(self._cut(run)) > 1]
        plain = ["".join(sign for sign in run.casefold() if sign.isalnum()) for run in found]
        return [self._first_code + zlib.crc32(code.encode()) % self._codes for code in plain]

    def _cut(self, text: str) -> list[int]:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise MediaError(f"no text: U+{ord(text[error.start]):04X} is half of a surrogate pair") from None
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids


def _by_words(tokenizer: Tokenizer) -> bool:
    """Whether a space always ends a token, and tokens do not depend on what is beyond it."""
    from tokenizers import normalizers, pre_tokenizers

    splits = (pre_tokenizers.BertPreTokenizer, pre_tokenizers.Whitespace, pre_tokenizers.WhitespaceSplit)
    local = (normalizers.BertNormalizer, normalizers.Lowercase)
    normalizer = tokenizer.normalizer
    added = tokenizer.get_added_tokens_decoder().values()
    return (
        isinstance(tokenizer.pre_tokenizer, splits)
        and (normalizer is None or isinstance(normalizer, local))
        and tokenizer.post_processor is None
        and all(token.special for token in added)
    )


def _takes_whole_words(tokenizer: Tokenizer) -> bool:
    """Whether a word in the vocabulary is one token, ASCII is normalized to lower case only, and each character that is
    not a letter or digit is a separate token."""
    from tokenizers import models, normalizers, pre_tokenizers

    normalizer = tokenizer.normalizer
    return (
        isinstance(tokenizer.model, models.WordPiece)
        and isinstance(tokenizer.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
        and isinstance(normalizer, normalizers.BertNormalizer)
        and bool(normalizer.lowercase)
    )


def load_tokens(
    content: bytes, name: str, *, max_tokens: int, vocabulary: int, codes: int = 0, padding: int = 0
) -> Tokens:
    """The tokenizer in the bytes of a tokenizer.json (Hugging Face `tokenizers`).

    Special tokens that occur in a text are tokenized like ordinary text. Raises EncoderError when it cannot be read,
    when a text can have the token `padding`, when it has more tokens than the network's `vocabulary` minus the `codes`,
    or when its tokens span words, so that codes are undefined.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_buffer(content)
    except ValueError as error:
        raise EncoderError(f"{name}: not a tokenizer: {str(error).splitlines()[0]}") from error
    filling, size = tokenizer.id_to_token(padding), tokenizer.get_vocab_size()
    if filling not in PADDING and not (filling is None and 0 < padding < vocabulary):
        raise EncoderError(
            f"{name}: token {padding} is {filling!r}, but the network uses {padding} for padding ({PADDING[0]})"
        )
    if size > vocabulary - codes:
        raise EncoderError(
            f"{name} has {size:,} tokens, but the network has {vocabulary - codes:,}: it belongs to another encoder"
        )
    if codes and not _by_words(tokenizer):
        raise EncoderError(f"{name} does not tokenize each word separately, so codes ({codes:,} ids) are undefined")
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    tokenizer.encode_special_tokens = True
    return Tokens(tokenizer, max_tokens, vocabulary, codes, _unknown_id(tokenizer, content))


def _unknown_id(tokenizer: Tokenizer, content: bytes) -> int | None:
    """The id of the token for what is not in the vocabulary; None for a tokenizer that knows every byte."""
    token = getattr(tokenizer.model, "unk_token", None)
    if token is not None:
        number: int | None = tokenizer.token_to_id(token)
        return number
    found = _UNKNOWN_ID.search(content)
    return int(found[1]) if found else None
