"""Identities: enrolled from examples, recognized by the nearest one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simsearch.collection.encoding import like_words, takes_text, text_of
from simsearch.collection.querying import QueryContext, interpret, resolve
from simsearch.errors import MediaError, UsageError
from simsearch.media.arguments import NUMBER, TEXT, allow, one_source, require, source_list
from simsearch.media.files import is_url, read_file
from simsearch.recognition.decide import recognize
from simsearch.store import NewExample
from simsearch.types import Item, Recognition, Skip, Text

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Encoder, Query, QueryLike


@dataclass(frozen=True, slots=True)
class EnrollReport:
    """`added` examples are new; `existing` ones had been enrolled under this label before."""

    added: int
    existing: int
    skipped: tuple[Skip, ...]


def enroll(store: Store, encoder: Encoder, label: str, sources: Iterable[QueryLike]) -> EnrollReport:
    """Makes each source an example of `label`. What cannot be read is skipped and listed."""
    require(TEXT, label=label)
    if not label.strip():
        raise UsageError("a label must have at least one letter")
    rows: list[NewExample] = []
    skipped = []
    make = _of_text if encoder.modality == "text" else _of_image
    for row, source in enumerate(source_list(sources)):
        meant: Query | None = None
        try:
            meant = interpret(one_source(source, row), store, lambda: takes_text(encoder))
            rows.append(make(store, encoder, meant))
        except MediaError as error:
            skipped.append(
                Skip(_shown(meant, row), error.reason.removeprefix(f"{meant}: " if isinstance(meant, Path) else ""))
            )
    added = store.add_examples(label, rows)
    return EnrollReport(added, len(rows) - added, tuple(skipped))


def _shown(source: Query | None, row: int) -> str:
    """What names a skipped source: its text or path, else its row."""
    name = source if isinstance(source, Text) else "" if source is None else _name(source)
    return str(name) or f"row {row}"


def _name(source: Query) -> str:
    if isinstance(source, Item):
        return source.uri
    if isinstance(source, str) and is_url(source):
        return source
    # abspath keeps the name that the user knows; resolving links would not.
    named = isinstance(source, (str, Path)) and not isinstance(source, Text)
    return os.path.abspath(source) if named else ""  # type: ignore[arg-type]  # noqa: PTH100


def _of_image(store: Store, encoder: Encoder, source: Query) -> NewExample:
    """The example that an image is; a content that is in the collection needs no encoding."""
    if isinstance(source, Text):
        raise UsageError("words cannot be an example of images; give a file")
    if isinstance(source, Path) and like_words(source):
        raise MediaError("no such file, and words cannot be an example of images")
    if isinstance(source, Item):
        source = Path(source.uri)
    content = read_file(source) if isinstance(source, (str, Path)) else source
    prepared: Any = None if isinstance(content, bytes) else encoder.prepare(content)
    digest = hashlib.sha256(content if isinstance(content, bytes) else prepared.pixels).digest()
    known = store.content_ids([digest])
    if known:
        return NewExample(_name(source), digest, store.vectors_of(list(known.values()))[0])
    return NewExample(_name(source), digest, encoder.embed([prepared or encoder.prepare(content)])[0])


def _of_text(store: Store, encoder: Encoder, source: Query) -> NewExample:
    if isinstance(source, Item):
        return text_example(store, encoder, source.uri, source.text or "")
    return text_example(store, encoder, _name(source), text_of(source))


def text_example(store: Store, encoder: Encoder, uri: str, text: str) -> NewExample:
    """The example that a text is; one that is in the collection needs no encoding. Raises MediaError."""
    digest = hashlib.sha256(text.encode()).digest()
    known = store.content_ids([digest])
    vector = store.vectors_of(list(known.values()))[0] if known else encoder.embed([encoder.prepare(text)])[0]
    return NewExample(uri, digest, vector, text)


def recognize_all(context: QueryContext, sources: Iterable[QueryLike], threshold: float | None) -> list[Recognition]:
    """The identity of each source, by its nearest enrolled example."""
    allow(NUMBER, threshold=threshold)
    examples, vectors = context.store.examples()
    if not examples:
        raise UsageError("Nobody is enrolled yet. Enroll an example first: simsearch enroll LABEL FILE")
    _, queries = resolve(context, sources)
    return recognize(queries, examples, vectors, threshold=threshold)
