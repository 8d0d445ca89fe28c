"""Apache Parquet: a column for each value of an item, a row group for each batch."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.collection.exchange.records import (
    BATCH,
    MARK,
    Batch,
    Batches,
    Header,
    Opened,
    Record,
    foreign_record,
    parsed,
)
from simsearch.errors import DamagedError, MissingExtraError
from simsearch.vectors.arrays import as_vectors

if TYPE_CHECKING:
    from types import ModuleType

TEXTS = ("uri", "label", "text", "kind")
ODD = "not_text"
"""A column with the values, as JSON, that are no valid text, such as a path in another encoding."""
VECTOR = ("vector", "embedding")


def _library() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("Parquet", "parquet") from None
    return pyarrow, pyarrow.parquet


def require_library() -> None:
    """Raises MissingExtraError, before any work is done."""
    _library()


def write(path: Path, header: Header, given: Batches) -> None:
    arrow, parquet = _library()
    columns = [("id", arrow.int64()), *((name, arrow.string()) for name in TEXTS), ("metadata", arrow.string())]
    columns += [("sha256", arrow.binary()), ("size", arrow.int64()), ("mtime_ns", arrow.int64())]
    columns += [(name, arrow.int32()) for name in ("width", "height", "rules")]
    columns += [(ODD, arrow.string()), ("vector", arrow.list_(arrow.float32(), header.dim))]
    schema = arrow.schema(columns, metadata={MARK: json.dumps(header.document())})
    with parquet.ParquetWriter(path, schema) as writer:
        for records, vectors in given:
            writer.write_table(arrow.table(_columns(arrow, records, vectors, header.dim), schema=schema))


def _columns(arrow: ModuleType, records: list[Record], vectors: Any, dim: int) -> dict[str, Any]:
    rows = [_row(record) for record in records]
    names = ("id", *TEXTS, "metadata", "sha256", "size", "mtime_ns", "width", "height", "rules", ODD)
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in names}
    flat = arrow.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    return columns | {"vector": arrow.FixedSizeListArray.from_arrays(flat, dim)}


def _row(record: Record) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in Record.__dataclass_fields__}
    odd = {name: row[name] for name in TEXTS if row[name] is not None and not _is_text(row[name])}
    for name in odd:
        row[name] = row[name].encode("utf-8", "replace").decode()
    row["metadata"] = json.dumps(dict(record.metadata), allow_nan=False)
    return row | {ODD: json.dumps(odd) if odd else None}


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def read(path: Path, stack: ExitStack) -> Opened:
    arrow, parquet = _library()
    try:
        file = stack.enter_context(parquet.ParquetFile(path))
        about = (file.schema_arrow.metadata or {}).get(MARK.encode())
        name = next((name for name in VECTOR if name in file.schema_arrow.names), None)
        if name is None:
            raise DamagedError(f"{path}: no column {' or '.join(VECTOR)}; it has {', '.join(file.schema_arrow.names)}")
        if about is not None:
            header = Header.of(parsed(about, str(path)), str(path))
            return Opened(header, header.dim, _batches(path, file, name, header.dim, exported=True))
        dim = next((len(rows[0]) for rows in _first_vector(file, name)), 0)
        if not dim:
            raise DamagedError(f"{path}: no vectors in the column {name}")
        return Opened(None, dim, _batches(path, file, name, dim, exported=False))
    except arrow.ArrowException as error:
        raise DamagedError(f"{path}: not a Parquet file that can be read ({error})") from None


def _first_vector(file: Any, name: str) -> Any:
    for batch in file.iter_batches(1, columns=[name]):
        yield batch.column(0).to_pylist()
        return


def _batches(path: Path, file: Any, name: str, dim: int, *, exported: bool) -> Batches:
    arrow, _ = _library()
    number = 0
    try:
        for table in file.iter_batches(BATCH):
            yield _batch(path, table, name, dim, number, exported=exported)
            number += table.num_rows
    except arrow.ArrowException as error:
        raise DamagedError(f"{path}: cannot be read ({error})") from None


def _batch(path: Path, table: Any, name: str, dim: int, start: int, *, exported: bool) -> Batch:
    place = table.schema.get_field_index(name)
    column = table.column(place)
    flat = column.flatten().to_numpy(zero_copy_only=False)
    if column.null_count or len(flat) != dim * table.num_rows:
        raise DamagedError(f"{path}: vectors behind row {start} that have not {dim} numbers")
    vectors = as_vectors(flat.reshape(table.num_rows, dim), dim)
    records = []
    for number, row in enumerate(table.remove_column(place).to_pylist(), start):
        where = f"{path}, row {number}"
        records.append(_record(row, where) if exported else foreign_record(row, f"{path.name}#{number}", where))
    return records, vectors


def _record(row: dict[str, Any], where: str) -> Record:
    odd = row.pop(ODD, None)
    given = {key: value for key, value in row.items() if value is not None}
    given |= parsed(odd, where) if odd else {}
    given["metadata"] = parsed(given.get("metadata", "{}"), where)
    if "sha256" in given:
        given["sha256"] = given["sha256"].hex()
    return Record.of_document(given, where)
