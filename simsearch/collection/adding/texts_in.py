"""Texts that are in no file, stored under uris as they are given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from simsearch.collection.adding.given import checked_uris, plain_metadata
from simsearch.collection.adding.run import LOOK_UP, Job, Row, Run, Swept
from simsearch.collection.adding.storing import outcomes, write
from simsearch.errors import UsageError
from simsearch.media.arguments import shown, source_list
from simsearch.progress import Silent
from simsearch.store import Known

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import AddReport, Encoder, Metadata


def add_texts(
    store: Store, encoder: Encoder, uris: Iterable[str], texts: Iterable[str], metadata: Sequence[Metadata] | None
) -> AddReport:
    """Stores given texts under given uris; checks all before the first is written.

    One transaction for each 256. Without `metadata` that of an item that is there stays.
    """
    if encoder.modality != "text":
        raise UsageError(f"the encoder {encoder.name} takes no texts; make a collection with one that does")
    names, given, about = checked_uris(uris), source_list(texts), plain_metadata(metadata)
    _check(names, given, about)
    run = Run(store, encoder, Silent(), None)
    for batch in outcomes(encoder, _jobs(run, names, given, about)):
        write(run, batch)
    return run.report(Swept())


def _check(uris: Sequence[str], texts: Sequence[str], metadata: Sequence[Metadata] | None) -> None:
    if not len(uris) == len(texts) == len(uris if metadata is None else metadata):
        raise UsageError(f"{len(uris)} uris for {len(texts)} texts: give one for each, and of metadata all or none")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"text {number} is {shown(text)}; give a text")
        try:
            empty = not text.encode().strip()
        except UnicodeEncodeError as error:
            raise UsageError(f"text {number} is no valid text: {error.reason}") from error
        if empty:
            raise UsageError(f"text {number} is empty")


def _jobs(run: Run, uris: Sequence[str], texts: Sequence[str], metadata: Sequence[Metadata] | None) -> Iterator[Job]:
    for start in range(0, len(uris), LOOK_UP):
        part = range(start, min(start + LOOK_UP, len(uris)))
        items = run.store.items_by_uri([uris[number] for number in part])
        digests = {number: hashlib.sha256(texts[number].encode()).digest() for number in part}
        stored = run.store.content_ids(list(digests.values()))
        for number, digest in digests.items():
            item, about = items.get(uris[number]), None if metadata is None else metadata[number]
            if item is not None and item.text == texts[number] and about in (None, item.metadata):
                run.unchanged += 1
                continue
            known = None if item is None else Known(item.id, item.content_id, item.size, item.mtime_ns, item.label)
            row = Row(texts[number], digest, digest in stored)
            yield Job(uris[number], len(texts[number].encode()), 0, known, None, about, row)
