"""The calibration of recognition and the impostors that it rests on. Each function is the inside of one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Connection, LargeBinary, func, literal, select

from simsearch.store.examples import changed
from simsearch.store.reading import as_array, driver, id_array, number_setting
from simsearch.store.records import Impostor, StoredCalibration, StoredTops
from simsearch.store.schema import CALIBRATION, EXAMPLE, IMPOSTOR, ITEM, to_bytes
from simsearch.store.writing import stored_vector

if TYPE_CHECKING:
    from simsearch.store.records import NewImpostor
    from simsearch.types import Ids, Scores, Vectors


def stored(connection: Connection) -> StoredCalibration | None:
    row = connection.execute(select(CALIBRATION)).first()
    if row is None:
        return None
    return StoredCalibration(row.document, np.frombuffer(row.tops, "<f4").astype(np.float32), row.gallery)


def replace(
    connection: Connection,
    document: str,
    impostors_: Sequence[NewImpostor],
    tops: Scores,
    owners: Ids | None,
    gallery: int,
) -> None:
    connection.execute(IMPOSTOR.delete())
    connection.execute(CALIBRATION.delete())
    dim = number_setting(connection, "dim")
    rows = [
        {"identity": identity, "uri": uri, "sha256": sha256, "vector": stored_vector(vector, dim, repr(uri))}
        for identity, uri, sha256, vector in impostors_
    ]
    if rows:
        connection.execute(IMPOSTOR.insert(), rows)
    values = _columns(tops, owners, gallery)
    connection.execute(CALIBRATION.insert().values(id=1, document=document, **values))


def set_tops(connection: Connection, tops: Scores, owners: Ids | None, gallery: int) -> None:
    values = _columns(tops, owners, gallery)
    driver(connection).execute("UPDATE calibration SET tops = :tops, owners = :owners, gallery = :gallery", values)


def _columns(tops: Scores, owners: Ids | None, gallery: int) -> dict[str, bytes | int | None]:
    packed = None if owners is None else np.asarray(owners, dtype="<i8").tobytes()
    return {"tops": np.asarray(tops, dtype="<f4").tobytes(), "owners": packed, "gallery": gallery}


def stored_tops(connection: Connection) -> StoredTops | None:
    """Called for every example that is enrolled, so it uses the driver directly."""
    row = driver(connection).execute("SELECT tops, owners, gallery FROM calibration").fetchone()
    if row is None:
        return None
    scores, owners, gallery = row
    found = driver(connection).execute("SELECT id, vector FROM impostor ORDER BY id").fetchall()
    return StoredTops(
        np.array([row[0] for row in found], dtype=np.int64),
        as_array([row[1] for row in found], number_setting(connection, "dim")),
        np.frombuffer(scores, "<f4").astype(np.float32),
        None if owners is None else np.frombuffer(owners, "<i8").astype(np.int64),
        gallery,
    )


def impostor_ids(connection: Connection) -> Ids:
    found = driver(connection).execute("SELECT id FROM impostor ORDER BY id").fetchall()
    return np.array([row[0] for row in found], dtype=np.int64)


def enrolled(connection: Connection) -> Ids:
    known = IMPOSTOR.c.sha256.in_(select(EXAMPLE.c.sha256)) | IMPOSTOR.c.identity.in_(select(EXAMPLE.c.label))
    return id_array(connection, select(IMPOSTOR.c.id).where(known).order_by(IMPOSTOR.c.id))


def impostors(connection: Connection) -> tuple[tuple[Impostor, ...], Vectors]:
    dim = number_setting(connection, "dim")
    rows = connection.execute(select(IMPOSTOR).order_by(IMPOSTOR.c.id)).all()
    found = tuple(Impostor(row.identity, row.uri, row.sha256) for row in rows)
    return found, as_array([row.vector for row in rows], dim)


def remove_identity(connection: Connection, label: str) -> None:
    """Removes the impostors of an identity: of that name, or with the content of one of its examples."""
    contents = select(EXAMPLE.c.sha256).where(EXAMPLE.c.label == label)
    same = (IMPOSTOR.c.identity == label) | IMPOSTOR.c.sha256.in_(contents)
    if connection.execute(IMPOSTOR.delete().where(same)).rowcount:
        changed(connection)


def remove_contents(connection: Connection, digests: Sequence[bytes]) -> None:
    """Removes the impostors with these contents."""
    if connection.execute(IMPOSTOR.delete().where(IMPOSTOR.c.sha256.in_(digests))).rowcount:
        changed(connection)


def rows_naming(connection: Connection, label: str) -> dict[str, int]:
    """How many rows name a label as an identity, and how many items have the word in their paths or labels."""
    word = to_bytes(label)
    counts = {
        "examples": select(func.count()).where(EXAMPLE.c.label == label),
        "impostors": select(func.count()).where(IMPOSTOR.c.identity == label),
        "items": select(func.count()).where(
            (func.instr(ITEM.c.uri, literal(word, LargeBinary)) > 0) | (func.instr(ITEM.c.label, label) > 0)
        ),
    }
    return {name: connection.scalar(query) or 0 for name, query in counts.items()}
