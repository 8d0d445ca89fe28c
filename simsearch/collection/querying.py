"""From queries to vectors, and from vectors to matches."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from simsearch.collection.results import Matches
from simsearch.errors import MediaError, UsageError
from simsearch.media.arguments import source_list
from simsearch.media.encodings import check_encoding
from simsearch.media.tables import TABLE_SUFFIXES
from simsearch.media.texts import TEXT_SUFFIXES, decode_text, read_text_bytes
from simsearch.types import DualEncoder, Item, Match, Text, VocabularyEncoder
from simsearch.vectors.arrays import as_vectors

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Encoder, Ids, Scores, Source, VectorIndex, Vectors

    Query = Source | Item


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

    Where the encoder takes no text, it is a path, and so is a folder that is named with a slash. A `Text` is always a
    text, a `Path` always a path.
    """
    if not isinstance(source, str) or isinstance(source, Text):
        return source
    if is_file(source):
        return Path(source)
    item = item_named(store, source)
    if item is not None:
        return item
    return Text(source) if takes_text() and not _is_path_of_folder(source) else Path(source)


def item_named(store: Store, name: str | Path) -> Item | None:
    """The item of a path, or of a uri as given."""
    # abspath, because resolving links would give another name than the one that was indexed.
    return store.item_by_uri(os.path.abspath(name)) or store.item_by_uri(os.fspath(name))  # noqa: PTH100


def taken_as_text(context: QueryContext, sources: Iterable[Query]) -> list[str]:
    """Those of the sources that look like the names of files but, as there are none, are interpret as texts."""
    open_ones = (source for source in sources if isinstance(source, str) and not isinstance(source, Text))
    return [
        source
        for source in open_ones
        if _like_a_file(source)
        and isinstance(interpret(source, context.store, lambda: takes_text(context.encoder)), Text)
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
            # What is refused is said with the answers.
            with contextlib.suppress(MediaError):
                found[str(meant)] = context.encoder.prepare(meant).remark
    return {text: remark for text, remark in found.items() if remark}


def score_kind(context: QueryContext, source: Query) -> str:
    """What the scores of this query compare: `pictures`, `words` with pictures, `texts`, or `vectors`.

    Scores of different kinds have different ranges and cannot be compared.
    """
    modality = context.store.setting("modality")
    if modality == "text":
        return "texts"
    if modality != "image" or (isinstance(source, np.ndarray) and np.issubdtype(source.dtype, np.floating)):
        return "vectors"
    meant = interpret(source, context.store, lambda: takes_text(context.encoder))
    return "words" if isinstance(meant, Text) else "pictures"


def _like_a_file(words: str) -> bool:
    name = words.partition("#")[0]
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
    return words.split() == [words] and (suffix in TEXT_SUFFIXES | TABLE_SUFFIXES or os.path.isdir(words))  # noqa: PTH112


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


def takes_text(encoder: Encoder) -> bool:
    """Whether queries may be texts."""
    return encoder.modality == "text" or isinstance(encoder, DualEncoder)


def resolve(
    context: QueryContext, sources: Iterable[Query], encoding: str | None = None
) -> tuple[list[Query], Vectors]:
    """What each source means (see `interpret`; a path whose file is as it was stored is that item), and its vector.

    Stored items need no encoding. A float array of shape (dim,) is a vector. Raises MediaError naming the first
    unreadable file.
    """
    check_encoding(encoding)
    queries = [interpret(source, context.store, lambda: takes_text(context.encoder)) for source in source_list(sources)]
    queries = [_stored(context.store, source) or source for source in queries]
    vectors = np.zeros((len(queries), context.dim), dtype=np.float32)
    stored = {number: query.content_id for number, query in enumerate(queries) if isinstance(query, Item)}
    if stored:
        vectors[list(stored)] = context.store.vectors_of(list(stored.values()))
    to_encode: list[int] = []
    for number, source in enumerate(queries):
        if isinstance(source, Item):
            continue
        if isinstance(source, np.ndarray) and np.issubdtype(source.dtype, np.floating):
            vectors[number] = as_vectors(np.atleast_2d(source), context.dim)[0]
        else:
            to_encode.append(number)
    if to_encode:
        vectors[to_encode] = _encoded(context.encoder, [queries[number] for number in to_encode], encoding)  # type: ignore[misc]
    return queries, vectors


def _encoded(encoder: Encoder, sources: Sequence[Source], encoding: str | None) -> Vectors:
    """The vectors of sources that are no items: of images, of texts, or of both for a dual encoder."""
    if encoder.modality == "text":
        return encoder.encode([text_of(source, encoding) for source in sources])
    words = [number for number, source in enumerate(sources) if isinstance(source, Text)]
    if not isinstance(encoder, DualEncoder):
        if words:
            raise UsageError(f"the encoder {encoder.name} takes pictures, not words; give a file, or {_instead()}")
        _check_files(encoder, sources)
    if not words:
        return encoder.encode(sources)
    assert isinstance(encoder, DualEncoder)
    vectors = np.empty((len(sources), encoder.dim), dtype=np.float32)
    vectors[words] = encoder.encode_texts([str(sources[number]) for number in words])
    pictures = sorted(set(range(len(sources))) - set(words))
    if pictures:
        vectors[pictures] = encoder.encode([sources[number] for number in pictures])
    return vectors


def _check_files(encoder: Encoder, sources: Sequence[Source]) -> None:
    """Raises a MediaError that names encoders of texts for missing files whose names look like words."""
    for source in sources:
        if isinstance(source, Path) and len(source.parts) == 1 and not source.suffix and _is_missing(source):
            raise MediaError(f"{source}: no such file, and {encoder.name} does not take words; {_instead()}")


def _is_missing(path: Path) -> bool:
    try:
        return not path.exists()
    except (OSError, ValueError):
        # Too long for a name, or with a character that no name has: reading it says so.
        return False


def _instead() -> str:
    """Names the encoders that take texts as queries."""
    from simsearch.encoders.folder import bundled_with_words

    names = [*bundled_with_words(), "a CLIP or SigLIP model (simsearch convert)"]
    return f"index the pictures with an encoder that takes words too: {', '.join(names)}"


def text_of(source: Source, encoding: str | None = None) -> str:
    """The text that a source is, or that its file or its bytes hold. Raises MediaError naming the file."""
    if isinstance(source, Path):
        try:
            return decode_text(read_text_bytes(source), encoding)
        except MediaError as error:
            raise MediaError(f"{source}: {error}") from error
    if isinstance(source, bytes):
        return decode_text(source, encoding)
    if not isinstance(source, str):
        raise UsageError(f"this collection holds texts; a {type(source).__name__} is none")
    if not source.strip():
        raise MediaError("no text")
    return str(source)


def _stored(store: Store, source: Query) -> Item | None:
    """The item that `source` is. A file that has changed since, is not the item any more."""
    if isinstance(source, Item):
        return source
    if not isinstance(source, (str, Path)) or isinstance(source, Text):
        return None
    item = item_named(store, source)
    return item if item is not None and _unchanged(item) else None


def _unchanged(item: Item) -> bool:
    """Whether the file has the size and time that were stored; a missing one counts as unchanged."""
    try:
        stat = Path(item.uri).stat()
    except (OSError, ValueError):
        return True
    return (stat.st_size, stat.st_mtime_ns) == (item.size, item.mtime_ns)


def matches(
    store: Store,
    index: VectorIndex,
    queries: Sequence[Query],
    vectors: Vectors,
    *,
    k: int,
    min_score: float | None,
    exclude_self: bool,
) -> list[Matches]:
    """The k best items for each query and its vector, best first; items of equal content count separately.

    Equal scores are in the order of content and item ids. With `exclude_self` a query that is an item is left out of
    its matches, but not other items with the same content.
    """
    if k < 1:
        raise UsageError(f"k must be at least 1, not {k}")
    ids, scores = index.search(vectors, k + 1 if exclude_self else k)
    items = store.items_of(np.unique(ids).tolist())
    answers = []
    for row, query in enumerate(queries):
        left_out = query.id if exclude_self and isinstance(query, Item) else None
        answers.append(Matches(_ranked(scores[row], ids[row], items, k, min_score, left_out), query))
    return answers


def _ranked(
    scores: Scores, ids: Ids, items: dict[int, list[Item]], k: int, min_score: float | None, left_out: int | None
) -> list[Match]:
    found: list[Match] = []
    for score, content_id in zip(scores.tolist(), ids.tolist(), strict=True):
        if min_score is not None and score < min_score:
            break
        for item in items.get(content_id, ()):
            if item.id == left_out:
                continue
            found.append(Match(len(found) + 1, score, item))
            if len(found) == k:
                return found
    return found
