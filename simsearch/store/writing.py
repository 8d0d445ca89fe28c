"""Changes to items and contents. Each function is the inside of one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, bindparam, case, exists, func, select
from sqlalchemy.dialects.sqlite import insert

from simsearch.errors import StoreError
from simsearch.store.reading import among, chunks, content_ids, counts, id_array, known, number_setting, under
from simsearch.store.records import RowFile, Write
from simsearch.store.schema import CONTENT, FILE, ITEM, MOUNT, REMOVED, SETTING

if TYPE_CHECKING:
    from simsearch.types import Ids, Metadata, Vectors


def set_setting(connection: Connection, key: str, value: str) -> None:
    statement = insert(SETTING).values(key=key, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": value}))


def set_settings(connection: Connection, settings: Mapping[str, str], *, if_empty: bool) -> bool:
    """Replaces settings, with `if_empty` only if there are no items and no examples; returns whether it did."""
    held = counts(connection)
    if if_empty and (held.items or held.examples):
        return False
    for key, value in settings.items():
        set_setting(connection, key, value)
    return True


def stored_vector(vector: Vectors, dim: int, what: str) -> bytes:
    """The bytes of one vector, little-endian float32. Raises StoreError when it has not `dim` numbers."""
    row = np.asarray(vector)
    if row.shape != (dim,):
        raise StoreError(f"the vector of {what} has the shape {row.shape} instead of ({dim},)")
    return row.astype("<f4").tobytes()


def write(connection: Connection, batch: Sequence[Write]) -> None:
    """Stores items and the contents that are new. Of two writes to one uri the later counts."""
    writes = {one.uri: one for one in batch}
    before = known(connection, list(writes))
    contents, new = _contents(connection, batch, {one.sha256 for one in writes.values()})
    if writes:
        files = _file_ids(connection, {one.file for one in writes.values() if one.file is not None})
        connection.execute(_UPSERT, [_item(one, contents[one.sha256], files) for one in writes.values()])
    left = {row.content_id for uri, row in before.items() if row.content_id != contents[writes[uri].sha256]}
    drop_orphans(connection, left, changed=new)


def _contents(connection: Connection, batch: Sequence[Write], needed: set[bytes]) -> tuple[dict[bytes, int], bool]:
    """The ids of the contents that are needed, and whether any of them is new."""
    wanted = sorted(needed)
    there = content_ids(connection, wanted)
    offered = {one.sha256: one for one in batch if one.vector is not None}
    # By the order of the batch, so that ids do not depend on hashes.
    new = [one for sha, one in offered.items() if sha in needed and sha not in there]
    if not new:
        found = there
    else:
        dim = number_setting(connection, "dim")
        connection.execute(CONTENT.insert(), [_content(one, dim) for one in new])
        found = content_ids(connection, wanted)
    for one in batch:
        if one.sha256 in needed and one.sha256 not in found:
            raise StoreError(f"the content of {one.uri!r} is not stored, and no vector was given for it")
    return found, bool(new)


def _content(one: Write, dim: int) -> Mapping[str, Any]:
    assert one.vector is not None
    vector = stored_vector(one.vector, dim, repr(one.uri))
    return {
        "sha256": one.sha256,
        "kind": one.kind,
        "width": one.width,
        "height": one.height,
        "vector": vector,
        "text": one.text,
        "rules": one.rules,
        "small": one.small,
    }


def _file_ids(connection: Connection, paths: set[str]) -> dict[str, int]:
    """The ids of files by path; one that is new is recorded as not yet read to its end."""
    if not paths:
        return {}
    new = [{"path": path, "size": -1, "mtime_ns": -1, "reading": ""} for path in sorted(paths)]
    connection.execute(insert(FILE).on_conflict_do_nothing(), new)
    query = select(FILE.c.path, FILE.c.id)
    return {
        row.path: row.id
        for part in chunks(sorted(paths))
        for row in connection.execute(query.where(FILE.c.path.in_(part)))
    }


def _item(one: Write, content_id: int, files: Mapping[str, int]) -> Mapping[str, Any]:
    return {
        "uri": one.uri,
        "content_id": content_id,
        "label": one.label,
        "size": one.size,
        "mtime_ns": one.mtime_ns,
        "metadata": json.dumps(dict(one.metadata or {})),
        "keeps": one.metadata is None,
        "file_id": None if one.file is None else files[one.file],
        "inode": one.inode,
        "ctime_ns": one.ctime_ns,
        "problem": None,
    }


def _upsert() -> Any:
    statement = insert(ITEM).values({name: bindparam(name) for name in ITEM.c.keys() if name != "id"})  # noqa: SIM118
    given = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["uri"],
        set_={
            "content_id": given.content_id,
            "size": given.size,
            "mtime_ns": given.mtime_ns,
            "label": func.coalesce(given.label, ITEM.c.label),
            "metadata": case((bindparam("keeps"), ITEM.c.metadata), else_=given.metadata),
            "file_id": given.file_id,
            "inode": given.inode,
            "ctime_ns": given.ctime_ns,
            "problem": None,
        },
    )


_UPSERT = _upsert()


def remove_items(connection: Connection, ids: Ids) -> int:
    """Takes items out, and the contents that no item is left of; returns how many items there were.

    A file of several items that loses one is recorded as not read, so that what was removed is added again with it.
    """
    here = among(ITEM.c.id, ids.tolist())
    contents = id_array(connection, select(ITEM.c.content_id).where(here).distinct()).tolist()
    held = select(ITEM.c.file_id).where(here, ITEM.c.file_id.is_not(None)).distinct()
    files = id_array(connection, held).tolist()
    count = connection.execute(ITEM.delete().where(here)).rowcount
    if files:
        empty = ~exists().where(ITEM.c.file_id == FILE.c.id)
        connection.execute(FILE.delete().where(among(FILE.c.id, files), empty))
        connection.execute(FILE.update().where(among(FILE.c.id, files)).values(size=-1, mtime_ns=-1))
    drop_orphans(connection, contents, changed=False)
    return count


def set_row_files(connection: Connection, files: Sequence[RowFile]) -> None:
    statement = insert(FILE)
    given = statement.excluded
    if files:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["path"],
                set_={name: given[name] for name in RowFile._fields if name != "path"},
            ),
            [file._asdict() for file in files],
        )


def drop_orphans(connection: Connection, candidates: Iterable[int], *, changed: bool) -> None:
    """Deletes and journals those contents that have no item. A new generation if any went, or came (`changed`)."""
    orphan = ~exists().where(ITEM.c.content_id == CONTENT.c.id)
    gone = id_array(connection, select(CONTENT.c.id).where(among(CONTENT.c.id, candidates), orphan)).tolist()
    if not (changed or gone):
        return
    generation = number_setting(connection, "generation") + 1
    set_setting(connection, "generation", str(generation))
    if gone:
        connection.execute(REMOVED.insert(), [{"generation": generation, "content_id": one} for one in gone])
        connection.execute(CONTENT.delete().where(among(CONTENT.c.id, gone)))


def set_labels(connection: Connection, rows: Sequence[tuple[int, str | None]]) -> None:
    statement = ITEM.update().where(ITEM.c.id == bindparam("item")).values(label=bindparam("words"))
    if rows:
        connection.execute(statement, [{"item": item, "words": label} for item, label in rows])


def set_metadata(connection: Connection, metadata: Mapping[int, Metadata]) -> None:
    statement = ITEM.update().where(ITEM.c.id == bindparam("item")).values(metadata=bindparam("document"))
    if metadata:
        rows = [{"item": item, "document": json.dumps(dict(about))} for item, about in metadata.items()]
        connection.execute(statement, rows)


def set_stamps(connection: Connection, rows: Sequence[tuple[int, int, int]]) -> None:
    """Records inode and ctime of readable, unchanged files of items: (id, inode, ctime_ns)."""
    statement = ITEM.update().where(ITEM.c.id == bindparam("item"))
    statement = statement.values(inode=bindparam("given_inode"), ctime_ns=bindparam("given_ctime"), problem=None)
    if rows:
        connection.execute(
            statement, [{"item": item, "given_inode": inode, "given_ctime": ctime} for item, inode, ctime in rows]
        )


def set_problems(connection: Connection, problems: Mapping[int, str]) -> None:
    """Records why the files of items could not be read, by id."""
    statement = ITEM.update().where(ITEM.c.id == bindparam("item"), ITEM.c.problem.is_distinct_from(bindparam("words")))
    if problems:
        connection.execute(
            statement.values(problem=bindparam("words")),
            [{"item": item, "words": words} for item, words in problems.items()],
        )


def set_mounts(connection: Connection, root: str, paths: Iterable[str]) -> None:
    """Makes `paths` the folders under `root` that are recorded as being on another device than their parent."""
    connection.execute(MOUNT.delete().where(under(MOUNT.c.path, root)))
    rows = [{"path": path} for path in sorted(paths)]
    if rows:
        connection.execute(MOUNT.insert(), rows)


def trim_journal(connection: Connection, generation: int) -> None:
    """Forgets what was removed up to `generation`; an index older than that has to be rebuilt."""
    floor = min(generation, number_setting(connection, "generation"))
    if floor > number_setting(connection, "journal_floor"):
        connection.execute(REMOVED.delete().where(REMOVED.c.generation <= floor))
        set_setting(connection, "journal_floor", str(floor))
