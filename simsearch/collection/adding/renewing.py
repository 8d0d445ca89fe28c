"""Reading again what the current rules of decoding may read differently than those it was stored by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.adding.run import LOOK_UP, Run
from simsearch.errors import MediaError
from simsearch.media.ahead import ahead
from simsearch.media.decoding import RULES
from simsearch.media.files import read_file, read_head
from simsearch.media.images import may_differ
from simsearch.store import Outdated, Renewal

if TYPE_CHECKING:
    from simsearch.types import Encoder, Prepared, Vectors

_HEADER = 2**20
"""Bytes among which the header of most files lies."""
_SAME = 0.9999
"""The cosine similarity from which on two vectors are those of the same pixels, up to rounding."""


@dataclass(frozen=True, slots=True)
class _Again:
    """What became of one content: read again (`prepared`), as before, or refused by now; or not to be read today."""

    of: Outdated
    prepared: Prepared | None = None
    known: bool = True
    refused: bool = False


def renew(run: Run, root: str) -> None:
    """Encodes the contents under a root again that the current rules read differently; counts those that changed.

    Texts that are refused by now lose their items, so that their files are read again. What cannot be read today stays
    as it is until the next run. Costs a look at the header of each file, once after an update of simsearch.
    """
    after = 0
    while batch := run.store.outdated(root, RULES, after, LOOK_UP):
        after = batch[-1].id
        again = list(ahead(lambda one: _again(run.encoder, one), batch))
        refused = [one.of.id for one in again if one.refused]
        if refused:
            items = [item.id for same in run.store.items_of(refused).values() for item in same]
            run.store.remove_items(np.array(items, dtype=np.int64))
        stored = {one.of.id: row for one, row in zip(again, _vectors(run, again), strict=True)}
        renewals = _renewals(run.encoder, [one for one in again if one.known and not one.refused], stored)
        run.store.renew(RULES, renewals)
        run.renewed += sum(one.vector is not None for one in renewals)


def renew_examples(run: Run) -> None:
    """The same for the examples whose files are as they were when they were enrolled."""
    batch = run.store.outdated_examples(RULES)
    if batch:
        again = [one for one in ahead(lambda one: _again(run.encoder, one), batch) if one.known]
        run.store.renew_examples(RULES, _renewals(run.encoder, again, {}))


def _vectors(run: Run, again: Sequence[_Again]) -> Vectors | Sequence[None]:
    if not any(one.prepared for one in again):
        return [None] * len(again)
    return run.store.vectors_of([one.of.id for one in again])


def _renewals(encoder: Encoder, again: Sequence[_Again], stored: dict[int, Vectors | None]) -> list[Renewal]:
    read = [one for one in again if one.prepared is not None]
    rows = dict(zip([one.of.id for one in read], encoder.embed([one.prepared for one in read]), strict=True))
    found = []
    for one in again:
        vector, before = rows.get(one.of.id), stored.get(one.of.id)
        if vector is None or (before is not None and float(vector @ before) > _SAME) or one.prepared is None:
            found.append(Renewal(one.of.id))
        else:
            found.append(Renewal(one.of.id, vector, one.prepared.width, one.prepared.height))
    return found


def _again(encoder: Encoder, one: Outdated) -> _Again:
    """Runs in a thread."""
    if encoder.modality == "text":
        try:
            encoder.prepare(one.text or "")
        except MediaError:
            return _Again(one, refused=True)
        return _Again(one)
    try:
        if not _may_differ(one.uri):
            return _Again(one)
        content = read_file(one.uri)
        same = hashlib.sha256(content).digest() == one.sha256
        return _Again(one, encoder.prepare(content) if same else None, known=same)
    except MediaError:
        return _Again(one, known=False)


def _may_differ(path: str) -> bool:
    try:
        return may_differ(read_head(path, _HEADER))
    except MediaError:
        return may_differ(read_file(path))
