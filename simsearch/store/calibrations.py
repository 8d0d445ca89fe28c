"""The calibration of recognition and the impostors that it rests on. Each function is the inside of one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Connection, select

from simsearch.store.reading import as_array, number_setting
from simsearch.store.records import Impostor, StoredCalibration
from simsearch.store.schema import CALIBRATION, IMPOSTOR
from simsearch.store.writing import stored_vector

if TYPE_CHECKING:
    from simsearch.store.records import NewImpostor
    from simsearch.types import Scores, Vectors


def stored(connection: Connection) -> StoredCalibration | None:
    row = connection.execute(select(CALIBRATION)).first()
    if row is None:
        return None
    return StoredCalibration(row.document, np.frombuffer(row.tops, "<f4").astype(np.float32), row.gallery)


def replace(
    connection: Connection, document: str, impostors_: Sequence[NewImpostor], tops: Scores, gallery: int
) -> None:
    remove(connection)
    dim = number_setting(connection, "dim")
    rows = [
        {"identity": identity, "uri": uri, "sha256": sha256, "vector": stored_vector(vector, dim, repr(uri))}
        for identity, uri, sha256, vector in impostors_
    ]
    if rows:
        connection.execute(IMPOSTOR.insert(), rows)
    connection.execute(CALIBRATION.insert().values(id=1, document=document, tops=_bytes(tops), gallery=gallery))


def set_tops(connection: Connection, tops: Scores, gallery: int) -> None:
    connection.execute(CALIBRATION.update().values(tops=_bytes(tops), gallery=gallery))


def _bytes(tops: Scores) -> bytes:
    return np.asarray(tops, dtype="<f4").tobytes()


def impostors(connection: Connection) -> tuple[tuple[Impostor, ...], Vectors]:
    dim = number_setting(connection, "dim")
    rows = connection.execute(select(IMPOSTOR).order_by(IMPOSTOR.c.id)).all()
    found = tuple(Impostor(row.identity, row.uri, row.sha256) for row in rows)
    return found, as_array([row.vector for row in rows], dim)


def remove(connection: Connection) -> bool:
    connection.execute(IMPOSTOR.delete())
    return connection.execute(CALIBRATION.delete()).rowcount > 0
