"""Training texts as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders.tokens import load_tokens
from simsearch.errors import MediaError, TrainingError
from simsearch.training.data.inputs import Tokens
from simsearch.training.data.tokenization import size_of
from simsearch.training.networks.specification import TextSpec
from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tokenized:
    """Row i of `tokens` is text number `positions[i]`; `vocabulary` counts the ids that the network must know."""

    tokens: Tokens
    positions: NDArray[np.int64]
    vocabulary: int
    skipped: tuple[Skip, ...]


def tokenized(texts: Sequence[str], tokenizer: bytes, spec: TextSpec) -> Tokenized:
    """The texts in ids of this tokenizer, at most `max_tokens` each; those without a known one are in `skipped`.

    Takes 4 bytes a token. Raises EncoderError for a tokenizer with more tokens than the network knows.
    """
    vocabulary = min(spec.vocabulary, size_of(tokenizer) + spec.codes)
    cutting = load_tokens(
        tokenizer, "the tokenizer", max_tokens=spec.max_tokens, vocabulary=vocabulary, codes=spec.codes
    )
    ids: list[tuple[int, ...]] = []
    positions: list[int] = []
    skipped: list[Skip] = []
    for position, text in enumerate(texts):
        try:
            ids.append(cutting.read(text).ids)
        except MediaError as error:
            skipped.append(Skip(text[:60], str(error)))
        else:
            positions.append(position)
    if not positions:
        raise TrainingError(f"none of the {len(texts)} texts has a token; the first: {skipped[0].reason}")
    return Tokenized(Tokens.of(ids), np.array(positions, dtype=np.int64), vocabulary, tuple(skipped))
