"""Identities: enrolled from examples, recognized by the nearest one."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simsearch.collection.querying import QueryContext, interpret, resolve, takes_text, text_of
from simsearch.errors import MediaError, UsageError
from simsearch.media.arguments import source_list
from simsearch.media.decoding import RULES
from simsearch.media.images import BLANK_REMARK, read_file
from simsearch.recognition.decide import recognize
from simsearch.store import NewExample
from simsearch.types import Item, Recognition, Skip, Text

if TYPE_CHECKING:
    from simsearch.collection.querying import Query
    from simsearch.store import Store
    from simsearch.types import Encoder


@dataclass(frozen=True, slots=True)
class EnrollReport:
    """`added` examples are new; `existing` ones had been enrolled under this label before."""

    added: int
    existing: int
    skipped: tuple[Skip, ...]


def enroll(
    store: Store, encoder: Encoder, label: str, sources: Iterable[Query], *, force: bool = False
) -> EnrollReport:
    """Makes each source an example of `label`. What cannot be read, or is blank without `force`, is skipped and listed.

    A blank example would be the nearest one of every blank input.
    """
    if not label.strip():
        raise UsageError("a label must have at least one letter")
    rows: list[NewExample] = []
    skipped = []
    for source in source_list(sources):
        meant = interpret(source, store, lambda: takes_text(encoder))
        try:
            if encoder.modality == "text":
                rows.append(_of_text(store, encoder, meant))
            else:
                rows.append(_of_picture(store, encoder, meant, force))
        except MediaError as error:
            name = str(meant) if isinstance(meant, Text) else _name(meant)
            skipped.append(Skip(name, str(error).removeprefix(f"{meant}: " if isinstance(meant, Path) else "")))
    added = store.add_examples(label, rows)
    return EnrollReport(added, len(rows) - added, tuple(skipped))


def _name(source: Query) -> str:
    if isinstance(source, Item):
        return source.uri
    # abspath keeps the name that the user knows; resolving links would not.
    named = isinstance(source, (str, Path)) and not isinstance(source, Text)
    return os.path.abspath(source) if named else ""  # type: ignore[arg-type]  # noqa: PTH100


def _of_picture(store: Store, encoder: Encoder, source: Query, force: bool) -> NewExample:
    """The example that a picture is; a content that is in the collection needs no encoding."""
    if isinstance(source, Text):
        raise UsageError("words cannot be an example of pictures; give a file")
    if isinstance(source, Item):
        source = Path(source.uri)
    content = read_file(source) if isinstance(source, (str, Path)) else source
    prepared: Any = encoder.prepare(content)
    if prepared.remark.startswith(BLANK_REMARK) and not force:
        raise MediaError(f"{prepared.remark}; --force (force=True) enrolls it")
    digest = hashlib.sha256(content if isinstance(content, bytes) else prepared.pixels).digest()
    known = store.content_ids([digest])
    vector = store.vectors_of(list(known.values()))[0] if known else encoder.embed([prepared])[0]
    return NewExample(_name(source), digest, vector, rules=RULES)


def _of_text(store: Store, encoder: Encoder, source: Query) -> NewExample:
    if isinstance(source, Item):
        return text_example(store, encoder, source.uri, source.text or "")
    return text_example(store, encoder, _name(source), text_of(source))


def text_example(store: Store, encoder: Encoder, uri: str, text: str) -> NewExample:
    """The example that a text is; one that is in the collection needs no encoding. Raises MediaError."""
    digest = hashlib.sha256(text.encode()).digest()
    known = store.content_ids([digest])
    vector = store.vectors_of(list(known.values()))[0] if known else encoder.embed([encoder.prepare(text)])[0]
    return NewExample(uri, digest, vector, text, RULES)


def recognize_all(context: QueryContext, sources: Sequence[Query], threshold: float | None) -> list[Recognition]:
    """The identity of each source, by its nearest enrolled example."""
    if threshold is not None and math.isnan(threshold):
        raise UsageError("threshold nan is no number to compare with")
    examples, vectors = context.store.examples()
    if not examples:
        raise UsageError("Nobody is enrolled yet. Enroll an example first: simsearch enroll LABEL FILE")
    _, queries = resolve(context, sources)
    return recognize(queries, examples, vectors, threshold=threshold)
