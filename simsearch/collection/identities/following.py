"""Changes of the enrolled examples, with which the scores of the impostors are brought up to date."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from simsearch.recognition.decide import Tops, followed, tops
from simsearch.recognition.gallery import RULE, Gallery

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.store.records import StoredTops
    from simsearch.types import Ids


@contextlib.contextmanager
def following(store: Store, labels: Sequence[str]) -> Iterator[None]:
    """One transaction in which examples of these labels alone change, and the scores of the impostors with them.

    After a kill it is as before or as after, never between.
    """
    with store.together():
        before, generation = store.tops(), store.gallery_generation()
        left = np.empty(0, np.int64)
        if before is not None:
            left = np.array([example.id for example in store.examples_of(labels)[0]], dtype=np.int64)
        yield
        now = store.gallery_generation()
        if before is not None and len(before.ids) and now != generation:
            _follow(store, before, left, labels, outdated=before.gallery != generation)


def _follow(store: Store, before: StoredTops, left: Ids, labels: Sequence[str], *, outdated: bool) -> None:
    """Stores the scores of the impostors that are left. O(examples of the labels) where their best labels stay."""
    kept = np.isin(before.ids, store.impostor_ids())
    vectors = before.vectors[kept]

    def whole() -> Gallery:
        return Gallery.of(*store.examples())

    if outdated or before.owners is None or len(before.owners) != len(before.ids):
        # Examples were read anew by other rules, or an older version recorded only the scores.
        gallery = whole()
        made = tops(vectors, gallery, RULE) if gallery.examples else None
    else:
        old = Tops(before.scores[kept], before.owners[kept])
        made = followed(old, vectors, left, Gallery.of(*store.examples_of(labels)), whole, RULE)
    if made is not None:
        store.set_tops(made.scores, made.owners, store.gallery_generation())
