"""Image encoders with a text tower, with which words find images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders.folder import WORDS_NAME, WORDS_TOKENIZER_NAME, WordsConfig, read_verified
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.encoders.text import embedded
from simsearch.encoders.tokens import Tokens, load_tokens
from simsearch.errors import EncoderError, MediaError
from simsearch.media.arguments import TEXT, require, source_list

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from simsearch.types import Ids, Vectors


@dataclass(frozen=True)
class WordsEncoder(OnnxEncoder):
    """An opened image encoder with a text tower, `words.onnx`. Each network is loaded on first use."""

    @property
    def _words(self) -> WordsConfig:
        if self.config.words is None:
            raise EncoderError(f"{self.folder} has no text tower")
        return self.config.words

    @cached_property
    def _tokens(self) -> Tokens:
        words, content = self._words, read_verified(self.folder, self.config, WORDS_TOKENIZER_NAME)
        return load_tokens(
            content,
            str(self.folder / WORDS_TOKENIZER_NAME),
            max_tokens=words.max_tokens,
            vocabulary=words.vocabulary,
            codes=words.codes,
            padding=words.padding,
        )

    @cached_property
    def _words_session(self) -> InferenceSession:
        return self.session(WORDS_NAME)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embeddings of shape (len(texts), dim) in the space of the images. Longer texts are truncated.

        Raises MediaError for an empty text and for one without a known word, with its row.
        """
        words, texts = self._words, source_list(texts)
        ids = [self._ids(number, text) for number, text in enumerate(texts)]
        length = words.max_tokens if words.fixed_length else 0
        vectors = embedded(ids, self.dim, self._run_words, words.padding, length)
        if words.unknown:
            for number in np.flatnonzero(~vectors.any(axis=1)):
                unknown = ", ".join(self.unknown_words(texts[number]))
                reason = f"unknown words: {unknown:.100}" if unknown else "only stop words"
                raise MediaError(
                    f"{self.name} cannot embed it ({reason}); query with the name of a visible thing, or with an image",
                    int(number),
                )
        return self.checked(vectors)

    def unknown_words(self, text: str) -> list[str]:
        """The out-of-vocabulary words of a text; none if the tokenizer splits every word into known parts."""
        return self._tokens.places_of(text, self._words.unknown) if self._words.unknown else []

    def _run_words(self, ids: Ids) -> Vectors:
        return self.given_by(self._words_session, "ids", ids, WORDS_NAME)

    def _ids(self, number: int, text: str) -> tuple[int, ...]:
        require(TEXT, **{f"row {number}": text})
        try:
            return self._tokens.ids(text)
        except MediaError as error:
            raise MediaError(error.reason, number) from error
