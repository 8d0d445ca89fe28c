"""From what was asked to vectors, and from vectors to matches."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from simsearch.errors import UsageError
from simsearch.types import Item, Match
from simsearch.vectors.arrays import as_vectors

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Encoder, Ids, Scores, Source, VectorIndex, Vectors

    Query = Source | Item


class Asked(Protocol):
    """What questions are answered with. The encoder is opened only when something must be encoded."""

    @property
    def store(self) -> Store: ...
    @property
    def encoder(self) -> Encoder: ...
    @property
    def dim(self) -> int: ...


def resolve(asked: Asked, sources: Sequence[Query]) -> tuple[Vectors, list[Item | None]]:
    """The vector of each source, and the item that it is, if it is one.

    A stored item, and a path whose file is as it was when it was stored, need no encoding. A float array of shape
    (dim,) is a vector. Raises MediaError naming the first unreadable file.
    """
    items = [_stored(asked.store, source) for source in sources]
    vectors = np.zeros((len(sources), asked.dim), dtype=np.float32)
    stored = [number for number, item in enumerate(items) if item is not None]
    if stored:
        vectors[stored] = asked.store.vectors_of([item.content_id for item in items if item is not None])
    to_encode = []
    for number, source in enumerate(sources):
        if items[number] is not None:
            continue
        if isinstance(source, np.ndarray) and np.issubdtype(source.dtype, np.floating):
            vectors[number] = as_vectors(np.atleast_2d(source), asked.dim)[0]
        else:
            to_encode.append(number)
    if to_encode:
        vectors[to_encode] = asked.encoder.encode([sources[number] for number in to_encode])  # type: ignore[misc]
    return vectors, items


def _stored(store: Store, source: Query) -> Item | None:
    """The item that `source` is. A file that has changed since, is not the item any more."""
    if isinstance(source, Item):
        return source
    if not isinstance(source, (str, Path)):
        return None
    text = os.fspath(source)
    # abspath, because resolving links would give another name than the one that was indexed.
    path = os.path.abspath(text)  # noqa: PTH100
    for uri in (path, text):
        item = store.item_by_uri(uri)
        if item is not None:
            return item if _unchanged(uri, item) else None
    return None


def _unchanged(path: str, item: Item) -> bool:
    """Whether the file is as it was stored; one that is gone cannot have changed."""
    try:
        stat = Path(path).stat()
    except (OSError, ValueError):
        return True
    return (stat.st_size, stat.st_mtime_ns) == (item.size, item.mtime_ns)


def matches(
    store: Store,
    index: VectorIndex,
    vectors: Vectors,
    own: Sequence[Item | None],
    *,
    k: int,
    min_score: float | None,
    exclude_self: bool,
) -> list[list[Match]]:
    """The k best items for each vector, best first; items of equal content count separately.

    Equal scores are in the order of content and item ids. With `exclude_self` the item in `own` is left out, but
    not other items with the same content.
    """
    if k < 1:
        raise UsageError(f"k must be at least 1, not {k}")
    scores, ids = index.search(vectors, k + 1 if exclude_self else k)
    items = store.items_of(np.unique(ids).tolist())
    answers = []
    for row, item in enumerate(own):
        left_out = item.id if exclude_self and item is not None else None
        answers.append(_ranked(scores[row], ids[row], items, k, min_score, left_out))
    return answers


def _ranked(
    scores: Scores, ids: Ids, items: dict[int, list[Item]], k: int, min_score: float | None, left_out: int | None
) -> list[Match]:
    found: list[Match] = []
    for score, content_id in zip(scores.tolist(), ids.tolist(), strict=True):
        if min_score is not None and score < min_score:
            break
        for item in items.get(content_id, ()):
            if item.id == left_out:
                continue
            found.append(Match(len(found) + 1, score, item))
            if len(found) == k:
                return found
    return found
