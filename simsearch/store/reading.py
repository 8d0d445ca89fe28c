"""Queries of the store. Each takes the connection of a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    String,
    and_,
    bindparam,
    column,
    func,
    or_,
    select,
    table,
)

from simsearch.errors import StoreError
from simsearch.store.records import Counts, Known, RowFile
from simsearch.store.schema import (
    CONTENT,
    EXAMPLE,
    FILE,
    ITEM,
    MOUNT,
    REMOVED,
    SETTING,
    range_under,
    restored_words,
    to_bytes,
    to_text,
)
from simsearch.types import Item

if TYPE_CHECKING:
    from simsearch.types import Ids, Vectors

T = TypeVar("T")
# SQLite before 3.32 takes 999 variables in a statement.
AT_ONCE = 900
OF_DATABASE = (
    "database",
    "dim",
    "encoder",
    "fingerprint",
    "format",
    "gallery",
    "generation",
    "id",
    "journal_floor",
    "modality",
)
SEQUENCE = table("sqlite_sequence", column("name", String), column("seq", Integer))


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values in order, at most 900 at a time."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def among(where: ColumnElement[int], ids: Iterable[int]) -> ColumnElement[bool]:
    """The condition that an id is one of `ids`, of which there may be any number: they go as one JSON text."""
    listed = func.json_each(bindparam("ids", json.dumps(list(ids)), type_=String)).table_valued("value")
    return where.in_(select(listed.c.value))


def driver(connection: Connection) -> Any:
    """The connection of the driver, for what is asked so often that compiling the statement would count."""
    found = connection.connection.driver_connection
    assert found is not None
    return found


def setting(connection: Connection, key: str) -> str | None:
    row = driver(connection).execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
    return None if row is None else restored_words(row[0])


def chosen_settings(connection: Connection) -> dict[str, str]:
    """The settings that users have chosen, without what a database has for itself or by its encoder."""
    rows = connection.execute(select(SETTING).where(SETTING.c.key.not_in(OF_DATABASE)))
    return {row.key: row.value for row in rows}


def number_setting(connection: Connection, key: str) -> int:
    """A setting that is a number. Raises StoreError when it is not."""
    value = setting(connection, key)
    try:
        return int(value or "")
    except ValueError:
        raise StoreError(
            f"the setting {key!r} is {value!r} instead of a number: not a collection of simsearch"
        ) from None


def last_id(connection: Connection, name: str) -> int:
    """The largest id that a table has ever given; 0 when it never gave any."""
    return connection.scalar(select(SEQUENCE.c.seq).where(SEQUENCE.c.name == name)) or 0


def counts(connection: Connection) -> Counts:
    def count(of: Any) -> Any:
        return select(func.count()).select_from(of).scalar_subquery()

    return Counts(*connection.execute(select(count(ITEM), count(CONTENT), count(EXAMPLE))).one())


def problem_count(connection: Connection) -> int:
    """The number of items whose files could not be read when they were last indexed."""
    return connection.scalar(select(func.count()).select_from(ITEM).where(ITEM.c.problem.is_not(None))) or 0


def known(connection: Connection, uris: Sequence[str]) -> dict[str, Known]:
    """What is stored under each uri that there is.

    Called for every file in each run, so it uses the driver directly: twice as fast.
    """
    found: dict[str, Known] = {}
    for part in chunks(uris):
        places = ",".join("?" * len(part))
        rows = driver(connection).execute(
            "SELECT uri, id, content_id, size, mtime_ns, label, inode, ctime_ns, problem FROM item "
            f"WHERE uri IN ({places})",
            tuple(map(to_bytes, part)),
        )
        for uri, item_id, content_id, size, mtime_ns, label, *rest in rows:
            text = to_text(label) if isinstance(label, bytes) else label
            found[to_text(uri)] = Known(item_id, content_id, size, mtime_ns, text, *rest)
    return found


def content_ids(connection: Connection, shas: Sequence[bytes]) -> dict[bytes, int]:
    """The ids of the contents that are stored, by sha256. Called for every text, so it uses the driver directly."""
    found: dict[bytes, int] = {}
    for part in chunks(shas):
        places = ",".join("?" * len(part))
        found.update(
            driver(connection).execute(f"SELECT sha256, id FROM content WHERE sha256 IN ({places})", tuple(part))
        )
    return found


def picture_sizes(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Width and height of those contents that are pictures, by id."""
    query = select(CONTENT.c.id, CONTENT.c.width, CONTENT.c.height).where(among(CONTENT.c.id, ids))
    return {row.id: (row.width, row.height) for row in connection.execute(query) if row.width and row.height}


def item_of(row: Row[Any]) -> Item:
    metadata = json.loads(row.metadata)
    return Item(row.id, row.uri, row.content_id, row.label, row.size, row.mtime_ns, metadata, row.text, row.problem)


def items(connection: Connection, where: ColumnElement[bool], limit: int | None = None) -> list[Item]:
    """The items for which the condition holds, by ascending id."""
    # An outer join, so that an item is seen even where damage has taken its content.
    query = select(ITEM, CONTENT.c.text).outerjoin(CONTENT, CONTENT.c.id == ITEM.c.content_id)
    return [item_of(row) for row in connection.execute(query.where(where).order_by(ITEM.c.id).limit(limit))]


_OF_CONTENTS = (
    "SELECT item.id, uri, content_id, label, size, mtime_ns, metadata, content.text, problem FROM item "
    "LEFT JOIN content ON content.id = content_id WHERE content_id IN (SELECT value FROM json_each(?)) ORDER BY item.id"
)


def items_of_contents(connection: Connection, content_ids: Iterable[int]) -> list[Item]:
    """The items of contents, by ascending id. It uses the driver directly: every query comes here."""
    driver = connection.connection.driver_connection
    assert driver is not None
    found = []
    for row in driver.execute(_OF_CONTENTS, (json.dumps(list(content_ids)),)):
        number, uri, content, label, size, mtime_ns, metadata, text, problem = row
        words = [None if one is None else restored_words(one) for one in (label, problem)]
        held = {} if metadata == "{}" else json.loads(metadata)
        found.append(Item(number, to_text(uri), content, words[0], size, mtime_ns, held, text, words[1]))
    return found


def row_files(connection: Connection, paths: Sequence[str]) -> dict[str, RowFile]:
    """What is recorded of those files that hold several items, by path."""
    found: dict[str, RowFile] = {}
    for part in chunks(paths):
        query = select(*(FILE.c[name] for name in RowFile._fields)).where(FILE.c.path.in_(part))
        found.update((row.path, RowFile(*row)) for row in connection.execute(query))
    return found


def files_of(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """The path of the file that holds each of those items that one holds, by the id of the item."""
    query = select(ITEM.c.id, FILE.c.path).join(FILE, FILE.c.id == ITEM.c.file_id).where(among(ITEM.c.id, ids))
    return {row.id: row.path for row in connection.execute(query)}


def under(path: ColumnElement[str], root: str) -> ColumnElement[bool]:
    """The condition that a path is `root` or lies in it."""
    exact, first, beyond = range_under(root)
    return or_(path == exact, and_(path >= first, path < beyond))


def items_under(root: str) -> ColumnElement[bool]:
    """The condition that an item is a path, or lies under it as a folder, or in it as a file."""
    held = ITEM.c.file_id == select(FILE.c.id).where(FILE.c.path == root).scalar_subquery()
    return or_(under(ITEM.c.uri, root), held)


def ids_under(connection: Connection, root: str) -> Ids:
    return id_array(connection, select(ITEM.c.id).where(items_under(root)).order_by(ITEM.c.id))


def ids_under_each(connection: Connection, roots: Sequence[str]) -> list[list[int]]:
    """`ids_under` for many roots. It uses the driver directly: building each query would take a millisecond."""
    driver = connection.connection.driver_connection
    assert driver is not None
    query = (
        "SELECT id FROM item WHERE uri = ? UNION SELECT id FROM item WHERE uri >= ? AND uri < ? "
        "UNION SELECT id FROM item WHERE file_id = (SELECT id FROM file WHERE path = ?)"
    )
    found = []
    for root in roots:
        exact, first, beyond = map(to_bytes, range_under(root))
        found.append([row[0] for row in driver.execute(query, (exact, first, beyond, exact))])
    return found


def files_under(connection: Connection, root: str) -> list[tuple[str, int, int]]:
    """The files under a root that items are from: path, size and mtime_ns, as they were when they were last read."""
    single = select(ITEM.c.uri, ITEM.c.size, ITEM.c.mtime_ns).where(ITEM.c.file_id.is_(None), under(ITEM.c.uri, root))
    tables = select(FILE.c.path, FILE.c.size, FILE.c.mtime_ns).where(under(FILE.c.path, root))
    return [(*row,) for query in (single, tables) for row in connection.execute(query)]


def digests(connection: Connection, wanted: Sequence[int]) -> dict[int, bytes]:
    """The sha256 of contents by id."""
    query = select(CONTENT.c.id, CONTENT.c.sha256).where(among(CONTENT.c.id, wanted))
    return {row.id: row.sha256 for row in connection.execute(query)}


def mounts_under(connection: Connection, root: str) -> set[str]:
    """The folders under a root that are recorded as being on another device than the folder that they are in."""
    return set(connection.scalars(select(MOUNT.c.path).where(under(MOUNT.c.path, root))))


def id_array(connection: Connection, query: Select[tuple[int]]) -> Ids:
    """The numbers that a query of one column gives. They come in parts: one by one takes twice the time."""
    return np.fromiter(chain.from_iterable(connection.scalars(query).partitions(10_000)), dtype=np.int64)


def page_of_vectors(connection: Connection, after: int, batch: int, dim: int) -> tuple[Ids, Vectors]:
    """The next vectors by ascending content id, at most `batch` of them.

    Called for what is newer than the index files at each opening, so it uses the driver directly: thrice as fast.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    query = "SELECT id, vector FROM content WHERE id > ? ORDER BY id LIMIT ?"
    rows = driver.execute(query, (after, batch)).fetchall()
    return np.array([row[0] for row in rows], dtype=np.int64), as_array([row[1] for row in rows], dim)


def vectors_of(connection: Connection, wanted: Sequence[int], dim: int) -> Vectors:
    """The vectors of contents, in the order asked for. Raises StoreError for one that is not there."""
    distinct_ids = sorted(set(wanted))
    query = select(CONTENT.c.id, CONTENT.c.vector).where(among(CONTENT.c.id, distinct_ids))
    found = {row.id: row.vector for row in connection.execute(query)}
    missing = [content_id for content_id in distinct_ids if content_id not in found]
    if missing:
        raise StoreError(f"content {missing[0]} is not stored any more; ask again, the collection has changed")
    return as_array([found[content_id] for content_id in wanted], dim)


def as_array(rows: Sequence[bytes], dim: int) -> Vectors:
    """Stored vectors as one array. Raises StoreError when one has another length."""
    joined = b"".join(rows)
    if any(len(row) != 4 * dim for row in rows):
        raise StoreError(f"a stored vector has not {dim} numbers; look closer: simsearch check")
    # Stored little-endian; astype copies, because an array over bytes could not be written to.
    return np.frombuffer(joined, dtype="<f4").reshape(len(rows), dim).astype(np.float32)


def removed_since(connection: Connection, generation: int) -> Ids | None:
    """The contents that went after `generation`; None when the journal does not reach back that far."""
    if generation < number_setting(connection, "journal_floor"):
        return None
    query = select(REMOVED.c.content_id).where(REMOVED.c.generation > generation).order_by(REMOVED.c.content_id)
    return id_array(connection, query)
