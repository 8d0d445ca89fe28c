"""Opening the collection that a command writes to: made when there is none, and with which encoder."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.adding import roots
from simsearch.collection.adding.changes import entries
from simsearch.collection.facade import Collection
from simsearch.collection.making import withdraw
from simsearch.collection.places import existing, home, is_collection, named, the_one
from simsearch.collection.switching import finish_rebuild
from simsearch.errors import UsageError
from simsearch.media.folders.filters import FileFilter
from simsearch.media.folders.found import Found
from simsearch.media.folders.kinds import leading_kind, texts_that_count
from simsearch.media.formats import HEAD, IMAGE_SUFFIXES, sniff
from simsearch.media.scan import EVERYTHING
from simsearch.media.tables import suffix_of
from simsearch.types import Text

if TYPE_CHECKING:
    from simsearch.types import Query

ENCODERS = {"image": "photo", "text": "text"}
"""The encoder of a new collection, by what it is to hold."""
IDENTITIES = "identities"
"""The collection that enrolling makes when none is named and there is none."""


Kinds = Callable[[], dict[str, int]]
"""Counts the images and the texts that a collection is to hold."""


@dataclass(frozen=True, slots=True)
class Opened:
    collection: Collection
    is_new: bool


@contextlib.contextmanager
def opened_for_indexing(
    folder: Path,
    sources: Sequence[str],
    encoder: str | None,
    tables: Sequence[str],
    filtered: FileFilter = EVERYTHING,
    *,
    by_name: bool,
) -> Iterator[Opened]:
    """The collection at `folder`, made if it is not there. One made for another folder or encoder is refused.

    `tables`, of labels and metadata, are not themselves indexed.
    """
    missing = [source for source in sources if not Path(source).exists()]
    if missing and not is_collection(folder):
        raise UsageError(f"{missing[0]} does not exist; give a folder or files")
    with _made_or_opened(folder, encoder, lambda: _found(sources, tables, filtered)) as opened:
        if not by_name:
            _check_roots(opened.collection, sources)
        yield opened


@contextlib.contextmanager
def opened_for_enrolling(index: str | None, encoder: str | None, sources: Sequence[Query]) -> Iterator[Opened]:
    """The collection that is meant, made if there is none: under the name given, or as `identities`."""
    if index is None:
        folder = the_one(None) if existing() else home() / IDENTITIES
    else:
        folder = named(index)
        finish_rebuild(folder)
    with _made_or_opened(folder, encoder, lambda: kinds_of(sources)) as opened:
        yield opened


@contextlib.contextmanager
def _made_or_opened(folder: Path, encoder: str | None, kinds: Kinds) -> Iterator[Opened]:
    """The collection at `folder`, made if it is not there, with `encoder` or one for what it is to hold.

    An empty one is bound to another encoder if need be, one that holds something is refused with another. One that is
    new and stays empty goes again when the work inside raises.
    """
    is_new = not is_collection(folder)
    if is_new:
        collection = Collection.open_or_create(folder, encoder or chosen(kinds()))
    else:
        collection = Collection.open(folder, encoder)
    try:
        with collection:
            if not is_new:
                _bind(collection, encoder, kinds)
                _check_encoder(collection, encoder)
            yield Opened(collection, is_new)
    except BaseException:
        if is_new:
            withdraw(folder)
        raise


def _bind(collection: Collection, encoder: str | None, kinds: Kinds) -> None:
    """Binds an empty collection to the encoder, or to one for what it is to hold if its own takes none of that."""
    held = collection.store.counts()
    if held.items or held.examples:
        return
    if encoder is None:
        found = kinds()
        if not any(found.values()) or found.get(collection.store.setting("modality") or ""):
            return
    collection.bind(encoder or chosen(kinds()), None)


def _check_encoder(collection: Collection, encoder: str | None) -> None:
    if encoder is None:
        return
    from simsearch.encoders import open_encoder

    asked, pinned = open_encoder(encoder), collection.store.setting("fingerprint")
    if asked.fingerprint != pinned:
        raise UsageError(
            f"{collection.folder} was built with encoder {collection.store.setting('encoder')} ({pinned}), not with "
            f"{encoder} ({asked.fingerprint}). To encode everything again: simsearch reindex --encoder {encoder}; for "
            "another collection: --index NEW_NAME"
        )


def _check_roots(collection: Collection, sources: Sequence[str]) -> None:
    """Two folders of the same name must not end in one collection unasked."""
    known = list(collection.store.roots())
    for source in sources:
        path = roots.known_spelling(collection.store, source)
        inside = not known or any(roots.is_in(path, root) for root in known)
        if not inside and roots.moved_from(collection.store, path) is None:
            raise UsageError(
                f"{collection.folder} is the collection of {known[0]}, not of {path}. To add to it: "
                f"--index {collection.folder.name}; to make another one: --index NEW_NAME{_if_moved(known[0], path)}"
            )


def _if_moved(old: str, new: str) -> str:
    return "" if os.path.lexists(old) else f"; if the folder was moved: {shlex.join(['simsearch', 'move', old, new])}"


def default_encoder(sources: Sequence[str], tables: Sequence[str] = (), filtered: FileFilter = EVERYTHING) -> str:
    """The encoder for what the sources hold: images or texts; nothing counts as images.

    With three quarters of one kind or more it is that kind. Raises UsageError where it is unclear.
    """
    return chosen(_found(sources, tables, filtered))


def chosen(found: dict[str, int]) -> str:
    """The encoder for so many images and texts. Raises UsageError where neither are three quarters."""
    kind = leading_kind(found["image"], found["text"])
    if kind is None:
        raise UsageError(
            f"files of both kinds, {found['image']:,} of images and {found['text']:,} of texts; a collection holds "
            f"one. Say which: --encoder {ENCODERS['image']} or --encoder {ENCODERS['text']}"
        )
    return ENCODERS[kind]


def _found(sources: Sequence[str], tables: Sequence[str] = (), filtered: FileFilter = EVERYTHING) -> dict[str, int]:
    """The numbers of files with images and with texts in the sources.

    Texts that describe images do not count (see `texts_that_count`), nor do the `tables` of labels and metadata.
    """
    beside = {os.path.abspath(table) for table in tables}  # noqa: PTH100
    given = {os.path.abspath(source) for source in sources}  # noqa: PTH100
    images = _files(sources, "image", filtered)
    texts = [path for path in _files(sources, "text", filtered) if path not in beside]
    return {"image": len(images), "text": len(texts_that_count(images, texts, given))}


def _files(sources: Sequence[str], modality: str, filtered: FileFilter) -> list[str]:
    found = (entry for source in sources for entry in entries(source, modality, filtered))
    return [entry.path for entry in found if isinstance(entry, Found)]


def kinds_of(sources: Sequence[Query]) -> dict[str, int]:
    """The numbers of images and of texts among examples; what exists is taken for what it is, then names count."""
    found = dict.fromkeys(ENCODERS, 0)
    for source in sources:
        if isinstance(source, bytes):
            kinds = {"image" if sniff(source[:HEAD]) else "text": 1}
        elif isinstance(source, Text) or not isinstance(source, (str, Path)):
            kinds = {"text": 1}
        elif os.path.lexists(source):
            kinds = _found([str(source)])
        else:
            kinds = {"image" if suffix_of(str(source)) in IMAGE_SUFFIXES or isinstance(source, Path) else "text": 1}
        for kind, count in kinds.items():
            found[kind] += count
    return found
