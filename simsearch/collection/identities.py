"""Identities: enrolled from examples, recognised by the nearest one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.querying import Asked, resolve
from simsearch.errors import MediaError, UsageError
from simsearch.media.images import read_file
from simsearch.recognition.decide import recognize
from simsearch.types import Recognition, Skip

if TYPE_CHECKING:
    from simsearch.collection.querying import Query
    from simsearch.store import Store
    from simsearch.types import Encoder, Source, Vectors


@dataclass(frozen=True, slots=True)
class EnrollReport:
    """`added` examples are new; `existing` ones had been enrolled under this label before."""

    added: int
    existing: int
    skipped: tuple[Skip, ...]


def enroll(store: Store, encoder: Encoder, label: str, sources: Iterable[Source]) -> EnrollReport:
    """Makes each source an example of `label`. What cannot be read is skipped and listed."""
    if not label.strip():
        raise UsageError("a label must have at least one letter")
    rows: list[tuple[str, bytes, Vectors]] = []
    skipped = []
    for source in sources:
        try:
            rows.append(_example(store, encoder, source))
        except MediaError as error:
            skipped.append(Skip(_name(source), str(error)))
    added = store.add_examples(label, rows)
    return EnrollReport(added, len(rows) - added, tuple(skipped))


def _name(source: Source) -> str:
    # abspath keeps the name that the user knows; resolving links would not.
    return os.path.abspath(source) if isinstance(source, (str, Path)) else ""  # noqa: PTH100


def _example(store: Store, encoder: Encoder, source: Source) -> tuple[str, bytes, Vectors]:
    """Path, content and vector; a content that is in the collection needs no encoding."""
    content = read_file(source) if isinstance(source, (str, Path)) else source
    prepared = None if isinstance(content, bytes) else encoder.prepare(content)
    digest = hashlib.sha256(content if isinstance(content, bytes) else prepared.pixels).digest()  # type: ignore[union-attr]
    known = store.content_ids([digest])
    if known:
        return _name(source), digest, store.vectors_of(list(known.values()))[0]
    return _name(source), digest, encoder.embed([prepared or encoder.prepare(content)])[0]


def recognise(asked: Asked, sources: Sequence[Query], threshold: float | None) -> list[Recognition]:
    """The identity of each source, by its nearest enrolled example."""
    examples, vectors = asked.store.examples()
    if not examples:
        raise UsageError("Nobody is enrolled yet. Enrol an example first: simsearch enroll LABEL FILE")
    queries, _ = resolve(asked, sources)
    return recognize(queries, examples, vectors, threshold=threshold)
