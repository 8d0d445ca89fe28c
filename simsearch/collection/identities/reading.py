"""Examples to be: what a source means, read, prepared and encoded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from simsearch.collection.adding.storing import embed_each
from simsearch.collection.encoding import like_words, takes_text, text_of
from simsearch.collection.querying import interpret, is_folder
from simsearch.errors import MediaError, UsageError, VectorError
from simsearch.media.arguments import TEXT, require, source_list
from simsearch.media.decoding import RULES
from simsearch.media.files import is_url, read_file
from simsearch.store import NewExample
from simsearch.types import Item, Skip, Text
from simsearch.vectors.arrays import as_vectors

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Encoder, Prepared, Query, Vectors


@dataclass(frozen=True, slots=True)
class ReadExample:
    """An example to be: read and prepared, or with the reason why it could not be."""

    label: str
    name: str
    """What distinguishes it from the others of a call: its file, its text or its place."""
    uri: str = ""
    """Its file; empty for one that has none."""
    sha256: bytes = b""
    prepared: Prepared | None = None
    text: str | None = None
    reason: str = ""


def check_label(label: str) -> None:
    require(TEXT, label=label)
    if not label.strip():
        raise UsageError("a label must have at least one letter")


def own_vectors(store: Store, vectors: object, what: str) -> Vectors:
    """The vectors of shape (n, dim) as the collection stores them; n may be 0.

    Raises UsageError for files or texts, VectorError for a bad row. `what` names one of them in the message.
    """
    if isinstance(vectors, (str, bytes, os.PathLike)):
        vectors = [vectors]
    given: Any = vectors if isinstance(vectors, np.ndarray) and vectors.ndim else source_list(cast("Any", vectors))
    dim = int(store.setting("dim") or 0)
    strange = next((one for one in given if isinstance(one, (str, bytes, os.PathLike, Item))), None)
    if strange is not None:
        raise UsageError(f"this collection holds your own vectors: {what} is {dim} numbers, not {strange!r}")
    return as_vectors(given, dim) if len(given) else np.empty((0, dim), np.float32)


def encoded_examples(
    store: Store, encoder: Encoder, batch: Sequence[ReadExample]
) -> tuple[list[tuple[str, NewExample]], list[tuple[str, Skip]]]:
    """The examples and what is skipped, each with its label; contents that are in the store need no encoding."""
    readable = {one.sha256: one for one in batch if not one.reason}
    stored = store.content_ids(list(readable))
    vectors: dict[bytes, Vectors | VectorError] = dict(
        zip(stored, store.vectors_of(list(stored.values())), strict=True) if stored else ()
    )
    new = [one for one in readable.values() if one.sha256 not in stored]
    vectors |= zip((one.sha256 for one in new), embed_each(encoder, [one.prepared for one in new]), strict=True)
    rows, skipped = list[tuple[str, NewExample]](), list[tuple[str, Skip]]()
    for one in batch:
        vector = vectors.get(one.sha256)
        if vector is None or isinstance(vector, VectorError):
            reason = vector.reason if isinstance(vector, VectorError) else ""
            skipped.append((one.label, Skip(one.name, one.reason or reason)))
        else:
            rows.append((one.label, NewExample(one.uri, one.sha256, vector, one.text, RULES)))
    return rows, skipped


def meant_source(source: Query, store: Store, encoder: Encoder) -> Query:
    """Like `interpret`, but an existing folder is none of its texts, and words are no examples of images."""
    if isinstance(source, str) and not isinstance(source, Text) and is_folder(source):
        return Path(source)
    meant = interpret(source, store, lambda: takes_text(encoder))
    if encoder.modality == "text":
        return meant
    if isinstance(meant, Text):
        raise UsageError("words cannot be an example of images; give a file")
    return Path(meant.uri) if isinstance(meant, Item) else meant


def read_example(encoder: Encoder, label: str, source: Query, encoding: str | None = None, row: int = 0) -> ReadExample:
    """A source, read and prepared; one without a name is called by its row. Safe in threads."""
    uri = _name(source)
    name = str(source) if isinstance(source, Text) else uri or f"row {row}"
    if isinstance(source, Path) and encoder.modality != "text" and like_words(source):
        return ReadExample(label, name, reason="no such file, and words cannot be an example of images")
    if isinstance(source, Path) and is_folder(source):
        return ReadExample(
            label, name, reason="a folder; give its files, or --from-folders with a folder for each label"
        )
    try:
        if encoder.modality == "text":
            text = (source.text or "") if isinstance(source, Item) else text_of(source, encoding)
            digest, prepared = hashlib.sha256(text.encode()).digest(), encoder.prepare(text)
            return ReadExample(label, name, uri, digest, prepared, text)
        content = read_file(source) if isinstance(source, (str, Path)) else source
        prepared = encoder.prepare(content)  # type: ignore[arg-type]
        digest = hashlib.sha256(content if isinstance(content, bytes) else prepared.pixels).digest()  # type: ignore[attr-defined]
    except MediaError as error:
        reason = error.reason.removeprefix(f"{source}: " if isinstance(source, Path) else "")
        return ReadExample(label, name, reason=reason)
    return ReadExample(label, name, uri, digest, prepared)


def _name(source: Query) -> str:
    if isinstance(source, Item):
        return source.uri
    if isinstance(source, str) and is_url(source):
        return source
    # abspath keeps the name that the user knows; resolving links would not.
    named = isinstance(source, (str, Path)) and not isinstance(source, Text)
    return os.path.abspath(source) if named else ""  # type: ignore[arg-type]  # noqa: PTH100
