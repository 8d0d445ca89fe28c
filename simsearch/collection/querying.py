"""From queries to vectors, and from vectors to matches."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from simsearch.collection.adding.roots import known_spelling
from simsearch.collection.adding.unchanged import as_before
from simsearch.collection.encoding import encoded, takes_text
from simsearch.errors import MediaError, VectorError, rows_of
from simsearch.media.arguments import one_source, source_list
from simsearch.media.encodings import check_encoding
from simsearch.media.files import is_url
from simsearch.media.folders.found import found_at
from simsearch.media.texts import TEXT_SUFFIXES
from simsearch.types import Item, Text, VocabularyEncoder
from simsearch.vectors.arrays import is_vector, one_vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.store import Store
    from simsearch.types import Encoder, Query, QueryLike, Vectors


class QueryContext(Protocol):
    """What queries need of a collection. The encoder is opened only when something must be encoded."""

    @property
    def store(self) -> Store: ...
    @property
    def encoder(self) -> Encoder: ...
    @property
    def dim(self) -> int: ...


def interpret(source: Query, store: Store, takes_text: Callable[[], bool]) -> Query:
    """What a source means: a str becomes a path if such a file exists, else the stored item of that name, else a text.

    Where the encoder takes no text, it is a path, and so is a folder that is named with a slash; a URL and the name of
    an image file are never the words for an image. A `Text` is always a text, a `Path` always a path.
    """
    if not isinstance(source, str) or isinstance(source, Text):
        return source
    if is_file(source):
        return Path(source)
    item = item_named(store, source)
    if item is not None:
        return item
    if store.setting("modality") != "text":
        if is_url(source):
            # Not as words: reading it says that it is a URL.
            return source
        from simsearch.media.formats import IMAGE_SUFFIXES

        if os.path.splitext(source)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122
            return Path(source)
    return Text(source) if takes_text() and not _is_path_of_folder(source) else Path(source)


def item_named(store: Store, name: str | Path) -> Item | None:
    """The item of a path, or of a uri as given."""
    # abspath, because resolving links would give another name than the one that was indexed.
    found = store.item_by_uri(os.path.abspath(name)) or store.item_by_uri(os.fspath(name))  # noqa: PTH100
    if found is None and os.path.lexists(name):
        found = store.item_by_uri(known_spelling(store, name))
    return found


def taken_as_text(context: QueryContext, sources: Iterable[Query]) -> list[str]:
    """Those of the sources that look like the names of files but, as there are none, are interpret as texts."""
    open_ones = (source for source in sources if isinstance(source, str) and not isinstance(source, Text))
    return [
        source
        for source in open_ones
        if isinstance(interpret(source, context.store, lambda: takes_text(context.encoder)), Text)
        and _like_a_file(source)
    ]


def unknown_words(context: QueryContext, sources: Iterable[Query]) -> list[str]:
    """The words of text queries that the encoder does not know, each once."""
    found = dict[str, None]()
    for source in sources:
        # The encoder of a collection may be missing: stored items can be queried without it.
        meant = interpret(source, context.store, lambda: takes_text(context.encoder))
        if isinstance(meant, Text) and isinstance(context.encoder, VocabularyEncoder):
            found |= dict.fromkeys(context.encoder.unknown_words(meant))
    return list(found)


def remarks(context: QueryContext, sources: Iterable[Query]) -> dict[str, str]:
    """What should be known of texts among the queries: that a part of one is cut, or most of it unknown."""
    if context.store.setting("modality") != "text":
        return {}
    found = {}
    for source in sources:
        meant = interpret(source, context.store, lambda: True)
        if isinstance(meant, Text):
            # What is refused is reported with the answers.
            with contextlib.suppress(MediaError):
                found[str(meant)] = context.encoder.prepare(meant).remark
    return {text: remark for text, remark in found.items() if remark}


def score_kind(context: QueryContext, source: Query) -> str:
    """What the scores of this query compare: `images`, `words` with images, `texts`, or `vectors`.

    Scores of different kinds have different ranges and cannot be compared.
    """
    modality = context.store.setting("modality")
    if modality == "text":
        return "texts"
    if modality != "image" or is_vector(source):
        return "vectors"
    meant = interpret(source, context.store, lambda: takes_text(context.encoder))
    return "words" if isinstance(meant, Text) else "images"


def _like_a_file(words: str) -> bool:
    from simsearch.media.tables import TABLE_SUFFIXES

    name = words.partition("#")[0]
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
    known = suffix in TEXT_SUFFIXES | TABLE_SUFFIXES
    return words.split() == [words] and (known or is_url(words) or os.path.isdir(words))  # noqa: PTH112


def is_file(name: str) -> bool:
    """Whether there is a file of that name."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        # Too long for a name, or with a character that no name has.
        return False


def is_folder(name: str | Path) -> bool:
    """Whether there is a folder of this name; none can be of a text that is no name."""
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def _is_path_of_folder(name: str) -> bool:
    return os.path.basename(name) != name and is_folder(name)  # noqa: PTH119


def resolve(
    context: QueryContext, sources: Iterable[QueryLike], encoding: str | None = None
) -> tuple[list[Query], Vectors]:
    """What each source means (see `interpret`; a path whose file is as it was stored is that item), and its vector.

    Stored items need no encoding. An array of shape (dim,) is a vector. Raises MediaError, VectorError or UsageError
    naming the path or the row of the first unusable source.
    """
    check_encoding(encoding)
    given = source_list(sources)
    # The only source needs no number.
    rows: list[int | None] = [None] if len(given) == 1 else [*range(len(given))]
    queries = [_meant(context, source, row) for row, source in zip(rows, given, strict=True)]
    vectors = np.zeros((len(queries), context.dim), dtype=np.float32)
    stored = {number: query.content_id for number, query in enumerate(queries) if isinstance(query, Item)}
    if stored:
        vectors[list(stored)] = context.store.vectors_of(list(stored.values()))
    to_encode: list[int] = []
    for number, query in enumerate(queries):
        if isinstance(query, np.ndarray) and is_vector(query):
            vectors[number] = _vector(query, context.dim, rows[number])
        elif not isinstance(query, Item):
            to_encode.append(number)
    if to_encode:
        with rows_of([rows[number] for number in to_encode]):
            vectors[to_encode] = encoded(context.encoder, [queries[number] for number in to_encode], encoding)  # type: ignore[misc]
    return queries, vectors


def _vector(query: NDArray[Any], dim: int, row: int | None) -> Vectors:
    try:
        return one_vector(query, dim)
    except VectorError as error:
        raise VectorError(error.reason, row) from error


def _meant(context: QueryContext, source: QueryLike, row: int | None) -> Query:
    query = interpret(one_source(source, row), context.store, lambda: takes_text(context.encoder))
    return _stored(context.store, query) or query


def _stored(store: Store, source: Query) -> Item | None:
    """The item that `source` is. A file that has changed since, is not the item any more."""
    if isinstance(source, Item):
        return source
    if not isinstance(source, (str, Path)) or isinstance(source, Text):
        return None
    item = item_named(store, source)
    return item if item is not None and _unchanged(store, item) else None


def _unchanged(store: Store, item: Item) -> bool:
    """Whether the file is as it was stored, judged as by `add`; a missing one counts as unchanged."""
    found = found_at(item.uri)
    return found is None or as_before(store.known([item.uri])[item.uri], found)
