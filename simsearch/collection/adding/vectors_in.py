"""Own embeddings, stored under uris as they are given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from simsearch.collection.adding.given import checked_uris, plain_metadata
from simsearch.collection.adding.indexing import total
from simsearch.errors import UsageError
from simsearch.store import Store, Write
from simsearch.types import AddReport
from simsearch.vectors.arrays import as_vectors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from simsearch.types import Metadata, Vectors

VECTORS_AT_ONCE = 10_000


def add_vectors(
    store: Store, dim: int, uris: Iterable[str], vectors: ArrayLike, metadata: Sequence[Metadata] | None
) -> AddReport:
    """Stores given vectors under given uris; checks all before the first is written.

    One transaction for each 10,000. A uri that is there already gets the new vector, and new metadata if they are
    given.
    """
    names, about = checked_uris(uris), plain_metadata(metadata)
    rows = _checked(store, dim, names, vectors, about)
    reports = []
    for start in range(0, len(rows), VECTORS_AT_ONCE):
        part = slice(start, start + VECTORS_AT_ONCE)
        reports.append(_store(store, names[part], rows[part], None if about is None else about[part]))
    return total(reports)


def _checked(
    store: Store, dim: int, uris: Sequence[str], vectors: ArrayLike, metadata: Sequence[Metadata] | None
) -> Vectors:
    if store.setting("modality") != "vector":
        raise UsageError(
            "this collection has an encoder; own vectors need one made with Collection.create(path, dim=...)"
        )
    rows = as_vectors(vectors, dim)
    if len(uris) != len(rows):
        raise UsageError(f"{len(uris)} uris for {len(rows)} vectors: give one for each")
    if metadata is not None and len(metadata) != len(rows):
        raise UsageError(f"{len(metadata)} metadata for {len(rows)} vectors: give one for each")
    return rows


def _store(store: Store, uris: Sequence[str], rows: Vectors, metadata: Sequence[Metadata] | None) -> AddReport:
    known = store.known(uris)
    digests = [hashlib.sha256(row).digest() for row in rows]
    contents = store.content_ids(digests)
    writes = [
        Write(
            uri=uri,
            sha256=digest,
            size=row.nbytes,
            mtime_ns=0,
            label=None,
            metadata=None if metadata is None else metadata[number],
            kind="vector",
            width=None,
            height=None,
            vector=None if digest in contents else row,
        )
        for number, (uri, digest, row) in enumerate(zip(uris, digests, rows, strict=True))
    ]
    # Before it is written: an item is as before if it keeps its vector and its metadata.
    before = {} if metadata is None else store.items_by_uri(list(known))
    same = sum(
        uri in known
        and known[uri].content_id == contents.get(digest)
        and (metadata is None or before[uri].metadata == metadata[number])
        for number, (uri, digest) in enumerate(zip(uris, digests, strict=True))
    )
    store.write(writes)
    return AddReport(added=len(writes) - len(known), unchanged=same, updated=len(known) - same)
