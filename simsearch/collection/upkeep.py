"""Looking after a collection: what it holds, and whether it is sound."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.adding.roots import known_spelling
from simsearch.collection.cache.checking import problems
from simsearch.collection.cache.writing import rewrite
from simsearch.errors import SimsearchError
from simsearch.media.folders.filters import FileFilter

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Ids


@dataclass(frozen=True, slots=True)
class Info:
    """What a collection holds and how it was made."""

    folder: str
    encoder: str
    fingerprint: str
    modality: str
    dim: int
    items: int
    contents: int
    problems: int
    """Items whose files could not be read when they were last indexed."""
    labels: dict[str, int]
    """Enrolled labels with their numbers of examples."""
    roots: tuple[str, ...]
    readings: dict[str, dict[str, str]]
    """How the files of each root are read, where that was given: `by`, or the columns for `text`, `id` and `label`;
    and which files count."""
    generation: int
    bytes_on_disk: int


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The problems found, as sentences. Problems of the index file can be repaired from the database."""

    store_problems: tuple[str, ...]
    index_problems: tuple[str, ...]
    repaired: tuple[str, ...]
    items: int
    contents: int

    @property
    def clean(self) -> bool:
        return not (self.store_problems or self.index_problems)


def description(folder: Path, store: Store | None) -> str:
    """What `repr` shows of a collection; `store` is None when it is closed."""
    if store is None:
        return f"<Collection {folder}: closed>"
    try:
        items, encoder = store.counts().items, store.setting("encoder")
    except SimsearchError as error:
        return f"<Collection {folder}: {error}>"
    return f"<Collection {folder}: {items:,} items, {f'encoder {encoder}' if encoder else 'own vectors'}>"


def info(folder: Path, store: Store) -> Info:
    from simsearch.media.text_rows import Reading

    with store.snapshot():
        counts, roots, filters = store.counts(), store.roots(), store.filters()
        readings = {
            root: Reading.unpacked(how).given() | FileFilter.unpacked(filters[root]).given()
            for root, how in roots.items()
        }
        return Info(
            folder=str(folder),
            encoder=store.setting("encoder") or "",
            fingerprint=store.setting("fingerprint") or "",
            modality=store.setting("modality") or "",
            dim=int(store.setting("dim") or 0),
            items=counts.items,
            contents=counts.contents,
            problems=store.problem_count(),
            labels=store.labels(),
            roots=tuple(roots),
            generation=store.generation(),
            readings={root: given for root, given in readings.items() if given},
            bytes_on_disk=sum(path.stat().st_size for path in folder.iterdir() if path.is_file()),
        )


def check(folder: Path, store: Store, dim: int, *, repaired: tuple[str, ...] = ()) -> CheckReport:
    """Reads the whole database and all index files."""
    with store.snapshot():
        counts = store.counts()
        found = tuple(store.check())
        index = tuple(problems(folder, store, dim)) if not found else ()
    return CheckReport(found, index, repaired, counts.items, counts.contents)


def rebuild_index(folder: Path, store: Store, dim: int) -> None:
    """Rebuilds the index files from the database. The caller holds the writer's lock."""
    rewrite(folder, store, dim)


def ids_of(store: Store, path: str | Path) -> Ids:
    """The ids of the items of a path, of those under it as a folder, or of a uri as given."""
    text = os.fspath(path)
    ids = store.ids_under(known_spelling(store, text))
    return ids if len(ids) else store.ids_under(text)
