"""Forgetting an identity for good, and showing that nothing of it is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from simsearch.collection import locking
from simsearch.collection.places import INDEX_FILES, STORE_NAME, is_collection
from simsearch.collection.switching import kept_folders, rebuilding_folder
from simsearch.errors import DamagedError, LockedError
from simsearch.manifest import MANIFEST_NAME, read_manifest
from simsearch.store import Store
from simsearch.store.erasing import free_pages_with_content, holds, log_bytes
from simsearch.store.schema import to_bytes

TELLING = 6
"""Bytes of a word that hardly occurs by chance in vectors, hashes and names."""


@dataclass(frozen=True, slots=True)
class ForgottenReport:
    """What is left of a label in the files of a collection, as sentences; copies elsewhere are not looked at."""

    label: str
    traces: tuple[str, ...]
    items: int
    """Items whose path or label contains the word. They stay: they are no examples of the identity."""

    @property
    def clean(self) -> bool:
        """Whether nothing names the label as an identity."""
        return not self.traces


def forget_in_kept(folder: Path, label: str | None, digests: Sequence[bytes]) -> None:
    """Removes a label, and examples and impostors with these contents, from the states kept beside a collection.

    A state of before may know the identity by another label, so contents count too. One that another process is just
    encoding is left to that: it carries over what is forgotten, and overwrites it, before it switches.
    """
    for place in kept_folders(folder):
        if not is_collection(place):
            continue
        try:
            with locking.writing(place) as store:
                if label is not None:
                    store.remove_label(label)
                store.remove_identity_contents(digests)
                store.erase_traces()
        except LockedError:
            if place != rebuilding_folder(folder):
                raise


def forgotten(folder: Path, store: Store, label: str) -> ForgottenReport:
    """What is left of a label in a collection and in the states of it that are kept beside it."""
    found = _forgotten(folder, store, label)
    traces = list(found.traces)
    for place in kept_folders(folder):
        if is_collection(place):
            with Store.open(place / STORE_NAME) as kept:
                traces += [f"{place.name}: {trace}" for trace in _forgotten(place, kept, label).traces]
    return replace(found, traces=tuple(traces))


def _forgotten(folder: Path, store: Store, label: str) -> ForgottenReport:
    """Looks for a label in rows, in free pages, in the write-ahead log and in older index files."""
    rows = store.rows_naming(label)
    traces = [
        f"{rows[name]:,} {name} are of {label!r}: simsearch forget" for name in ("examples", "impostors") if rows[name]
    ]
    database = folder / STORE_NAME
    if log_bytes(database):
        traces.append(f"pending: {database.name}-wal is not empty; close what reads the collection, and check again")
    free = sum(1 for _ in free_pages_with_content(database))
    if free:
        traces.append(
            f"{free:,} free pages of {database.name} are not overwritten; close what reads it, and check again"
        )
    traces += [f"{path.name} is an index file of an earlier generation" for path in _older_indexes(folder)]
    if not traces and not rows["items"] and len(to_bytes(label)) >= TELLING:
        traces += [f"the word is in {path.name}" for path in _files(folder) if holds(path, to_bytes(label))]
    return ForgottenReport(label, tuple(traces), rows["items"])


def _older_indexes(folder: Path) -> list[Path]:
    try:
        recorded = read_manifest(folder)
    except DamagedError:
        recorded = None
    kept = set() if recorded is None else {file.name for file in recorded.files.values()}
    return [path for pattern in INDEX_FILES for path in sorted(folder.glob(pattern)) if path.name not in kept]


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_file() and path.name != MANIFEST_NAME]
