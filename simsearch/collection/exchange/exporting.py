"""Writing the vectors of a collection to a file, with ids, uris, labels and metadata."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.exchange.forms.rows import beside
from simsearch.collection.exchange.records import BATCH, MARK, Batches, Header, Record
from simsearch.errors import SimsearchError
from simsearch.manifest import replacing
from simsearch.outputs import require_output
from simsearch.progress import Working
from simsearch.space import telling_full_disk

if TYPE_CHECKING:
    from simsearch.progress import Progress
    from simsearch.store import Store
    from simsearch.where.tree import Condition

SUFFIXES = (".npz", ".npy", ".parquet", ".jsonl", ".faiss")
PASSES = {".npz": 3, ".npy": 2, ".faiss": 3}
"""How often the items are read for a form that holds their values one after another."""
PAIRED = (".npy", ".faiss")
"""Forms that hold vectors alone; what else is known goes to a file beside."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The files that were written, and how many items they hold."""

    files: tuple[Path, ...]
    items: int


def check_place(path: Path, *, force: bool = False) -> None:
    """Raises UsageError unless an export can be written there: what is there must be one, or `force` be given."""
    # Of a pair the file of rows carries the mark.
    if path.suffix.lower() in PAIRED:
        require_output(beside(path), "an export", (".jsonl",), MARK.encode(), force=force)
        marked = beside(path).exists()
        require_output(path, "an export", SUFFIXES, MARK.encode(), force=force or marked)
    else:
        require_output(path, "an export", SUFFIXES, MARK.encode(), force=force)
    if path.suffix.lower() == ".parquet":
        from simsearch.collection.exchange.forms.parquet import require_library

        require_library()


def export(
    store: Store, path: Path, progress: Progress, *, where: Condition | None = None, force: bool = False
) -> ExportReport:
    """Writes the items for which the condition holds, as they are at one moment, whole or not at all.

    Memory does not grow with their number, but for the 8 bytes of each id that a condition chooses.
    """
    check_place(path, force=force)
    with store.snapshot():
        header = Header(
            store.dim,
            store.counts().items if where is None else len(store.item_ids_where(where)),
            store.setting("modality") or "",
            store.setting("encoder") or "",
            store.setting("fingerprint") or "",
        )
        passes = PASSES.get(path.suffix.lower(), 1)
        with Working(progress, passes * header.items, "rows", "exporting"):
            try:
                with telling_full_disk(path.parent, SimsearchError):
                    files = _write(path, header, lambda: _batches(store, where, progress))
            except OSError as error:
                raise SimsearchError(f"{path}: cannot be written: {error.strerror or error}") from error
    return ExportReport(files, header.items)


def _batches(store: Store, where: Condition | None, progress: Progress) -> Batches:
    for rows, vectors in store.item_rows(BATCH, where):
        yield [Record.of_row(row) for row in rows], vectors
        progress.advance(len(rows))


def _write(path: Path, header: Header, given: Callable[[], Batches]) -> tuple[Path, ...]:
    from simsearch.collection.exchange.forms import arrays, flat, jsonl, parquet

    suffix = path.suffix.lower()
    with ExitStack() as stack:
        # The file of rows is renamed last: it names what it belongs to.
        rows = stack.enter_context(replacing(beside(path))) if suffix in PAIRED else path
        written = stack.enter_context(replacing(path))
        if suffix == ".jsonl":
            jsonl.write(written, header, given())
        elif suffix == ".parquet":
            parquet.write(written, header, given())
        elif suffix == ".npz":
            arrays.write_npz(written, header, given)
        elif suffix == ".npy":
            arrays.write_npy(written, rows, header, given)
        else:
            flat.write(written, rows, header, given)
    return (path, beside(path)) if suffix in PAIRED else (path,)
