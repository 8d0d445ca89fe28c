"""The recall of the index as it is now: with what came and went since its files were written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.cache.tuning import QUERIES
from simsearch.manifest import read_manifest, write_manifest

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.vectors.audit import Audit
    from simsearch.vectors.layered import LayeredIndex


def measured(index: LayeredIndex, store: Store, seed: int) -> Audit:
    """recall@10 of sampled stored vectors against comparing with every vector, each left out of its answer."""
    from simsearch.vectors.audit import audit, held_out
    from simsearch.vectors.quantizing import sample_of

    ids = index.ids
    asked = ids[sample_of(len(ids), QUERIES, seed)]
    return audit(index, held_out(index.exact, asked, store.vectors_of(asked.tolist())))


def record(folder: Path, audit: Audit) -> None:
    """Records an audit with the index, for the next writer to act on. The caller holds the writer's lock."""
    manifest = read_manifest(folder)
    if manifest is not None:
        write_manifest(folder, replace(manifest, audit=audit.document()))
