"""The text tower: a vector for each word and for some pairs of words, and a tokenizer with this vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from words_codes import Codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PADDING, UNKNOWN = "<pad>", "<unknown>"
PLURALS = ("##s", "##es")
SILENT = (
    "a", "an", "the", "of", "with", "without", "in", "on", "at", "and", "or", "for", "to", "from", "by", "as", "into",
    "near", "under", "over", "behind", "beside", "between", "this", "that", "these", "those", "my", "me", "our",
    "your", "its", "his", "her", "their", "it", "is", "are", "was", "were", "be", "been", "being", "has", "have",
    "having", "some", "any", "every", "each", "all", "other", "another", "such", "which", "who", "what", "where",
    "than", "then", "very", "too", "also", "so", "not", "no", "used", "use", "using", "made", "make", "makes", "find",
    "show", "shows", "showing", "shown", "see", "look", "looking", "like", "picture", "pictures", "photo", "photos",
    "photograph", "photographs", "image", "images", "pic", "pics", "snapshot", "something", "anything", "thing",
    "things", "kind", "kinds", "sort", "sorts", "type", "types", "example", "examples", "one", "s", "t", "us", "pair",
    "i", "we", "you", "he", "she", "they", "there", "here", "please", "only", "just", "can", "could", "may", "will",
    "would", "if", "when", "while", "do", "does", "did", "about",
)  # fmt: skip
"""Stop words: in the vocabulary, without a vector."""
FIRST_SILENT = 2 + len(PLURALS)
FIRST_WORD = FIRST_SILENT + len(dict.fromkeys(SILENT))
"""The lowest id of a stop word, and of a word with a vector."""
WORD = re.compile(r"[^\W_]+")
LONGEST = 24
"""Maximum number of tokens of a text in training."""
RATE, BATCH = 4e-3, 2048


def words_of(text: str) -> list[str]:
    """The words of a text as the tokenizer cuts it."""
    return WORD.findall(re.sub(r"['’]s\b", "", text.lower()))


def tokenizer_of(words: Sequence[str]) -> Tokenizer:
    """One that takes `words` in lower case as wholes, also with s or es at the end, and calls every other unknown."""
    pieces = dict.fromkeys((PADDING, UNKNOWN, *PLURALS, *SILENT, *words))
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=40))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.BertNormalizer(), normalizers.Replace(Regex(r"['’]s\b"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^\p{L}\p{N}]+"), "removed")
    return tokenizer


@dataclass(frozen=True)
class TrainingSet:
    """Texts with the unit vectors that they should have, and how much each counts."""

    texts: Sequence[str]
    vectors: Array
    weights: Array


class Tower(torch.nn.Module):
    """The sum of the vectors of the words, with further vectors for some words and some pairs of neighbors;
    normalized."""

    def __init__(self, table: Array, silent: int, naming: int) -> None:
        super().__init__()
        self.naming = naming
        """The lowest id of a word that is a name: in use, the others only add to names, and say nothing alone."""
        self.table = torch.nn.Parameter(torch.tensor(table, dtype=torch.float32))
        self.silent = silent
        self.slots = torch.zeros(len(table), dtype=torch.int64)
        """The row of each word among the `whole` ones; 0 is zero."""
        self.keys = torch.zeros(0, dtype=torch.int64)
        self.whole = torch.nn.Parameter(torch.zeros(1, table.shape[1]))
        self.pairs = torch.nn.Parameter(torch.zeros(1, table.shape[1]))
        self.codes: Codes | None = None

    def compress(self, groups: int, seed: int) -> None:
        """Rounds the table to what `groups` bytes a word can say, and keeps it so."""
        table = self.table.detach().clone()
        table[: self.silent] = 0.0
        self.codes = Codes.learned(table, groups, seed)
        self.table = torch.nn.Parameter(self.codes.decoded(), requires_grad=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.summed(*self.rows_of(ids))

    def rows_of(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The rows of the three tables that texts have, 0 standing for none."""
        words = torch.where(ids >= self.silent, ids, 0)
        places = torch.zeros_like(ids)
        if len(self.keys):
            found = self.keys_of(ids)
            near = torch.searchsorted(self.keys, found).clamp_max(len(self.keys) - 1)
            places[:, 1:] = torch.where(self.keys[near] == found, near + 1, 0)
        return words, self.slots[ids], places

    def summed(self, words: torch.Tensor, slots: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        bag = torch.nn.functional.embedding_bag
        summed = bag(words, self.table, mode="sum", padding_idx=0)
        summed = summed + bag(slots, self.whole, mode="sum", padding_idx=0)
        summed = summed + bag(places, self.pairs, mode="sum", padding_idx=0)
        return torch.nn.functional.normalize(summed, dim=1, eps=1e-6)

    def keys_of(self, ids: torch.Tensor) -> torch.Tensor:
        """A number for each two neighbors."""
        return ids[:, :-1] * len(self.table) + ids[:, 1:]

    def widen(self, words: Iterable[int], keys: Iterable[int]) -> None:
        """Adds vectors in all dimensions, zero at first, for words and for pairs of neighbors."""
        for slot, word in enumerate(words, start=1):
            self.slots[word] = slot
        self.keys = torch.tensor(sorted(set(keys)), dtype=torch.int64)
        self.whole = torch.nn.Parameter(torch.zeros(1 + int(self.slots.max()), self.table.shape[1]))
        self.pairs = torch.nn.Parameter(torch.zeros(1 + len(self.keys), self.table.shape[1]))


def encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> torch.Tensor:
    ids = [each.ids[:LONGEST] for each in tokenizer.encode_batch(list(texts))]
    rows = np.zeros((len(ids), max(2, *map(len, ids))), dtype=np.int64)
    for row, each in zip(rows, ids, strict=True):
        row[: len(each)] = each
    return torch.from_numpy(rows)


def learn(tower: Tower, tokenizer: Tokenizer, training_set: TrainingSet, *, steps: int, seed: int) -> float:
    """Brings the vectors of the texts, drawn by their weights, towards those that they should have; returns the mean
    cosine at the end."""
    rows = tower.rows_of(encoded(tokenizer, training_set.texts))
    vectors = torch.tensor(training_set.vectors, dtype=torch.float32)
    bounds = torch.tensor(training_set.weights).cumsum(0)
    optimizer = torch.optim.Adam([each for each in tower.parameters() if each.requires_grad], lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    random = torch.Generator().manual_seed(seed)
    last = 0.0
    for _ in range(steps):
        chosen = torch.searchsorted(bounds, torch.rand(BATCH, generator=random, dtype=torch.float64) * bounds[-1])
        cosine = (tower.summed(*(each[chosen] for each in rows)) * vectors[chosen]).sum(dim=1).mean()
        optimizer.zero_grad(set_to_none=True)
        (1.0 - cosine).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        last = 0.98 * last + 0.02 * float(cosine.detach())
    return last


def cosines(tower: Tower, tokenizer: Tokenizer, training_set: TrainingSet) -> Array:
    """Those of the texts' vectors with what they should be."""
    with torch.inference_mode():
        ids = encoded(tokenizer, training_set.texts)
        parts = [tower(ids[at : at + 4096]).numpy() for at in range(0, len(ids), 4096)]
    found: Array = (np.concatenate(parts) * training_set.vectors).sum(axis=1)
    return found
