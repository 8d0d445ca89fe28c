"""Looking after a collection: what it holds, and whether it is sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.cache.checking import problems
from simsearch.collection.cache.policy import wish_of
from simsearch.collection.switching import kept_folders
from simsearch.errors import DamagedError
from simsearch.manifest import read_manifest
from simsearch.media.folders.filters import FileFilter

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.vectors.audit import Audit


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """How the index answers, and why: see `vectors.choose.Design`. `rows` are in its files, `beside` are newer ones."""

    kind: str
    reason: str
    target: float
    """The recall@10 that is wanted."""
    memory: int | None
    """Bytes that may be used while building and searching."""
    rows: int
    beside: int
    code: str
    lists: int
    probes: int
    factor: int
    recall: Audit | None
    """What was measured on stored vectors against exact search; None of an index that is exact."""


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
    kept: dict[str, int]
    """The names and bytes of the folders beside it that hold another state of it, of before or after a `reindex`."""
    index: IndexInfo


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The problems found, as sentences. Problems of the index file can be repaired from the database."""

    store_problems: tuple[str, ...]
    index_problems: tuple[str, ...]
    repaired: tuple[str, ...]
    items: int
    contents: int
    recall: Audit | None = None
    """recall@10 against exact search, where that was asked for."""

    @property
    def clean(self) -> bool:
        return not (self.store_problems or self.index_problems)


@dataclass(frozen=True, slots=True)
class CompactReport:
    """The bytes of the files of a collection before and after they were compacted."""

    before: int
    after: int


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
            bytes_on_disk=bytes_of(folder),
            kept={place.name: bytes_of(place) for place in kept_folders(folder)},
            index=index_info(folder, store, counts.contents),
        )


def bytes_of(folder: Path) -> int:
    """The bytes of the files of a collection."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def index_info(folder: Path, store: Store, contents: int) -> IndexInfo:
    """What the manifest records of the index."""
    from simsearch.vectors.audit import Audit
    from simsearch.vectors.choose import Design, design_of

    wish = wish_of(store)
    design, rows, recall = Design("flat", reason="its files are not written yet, or damaged"), 0, None
    try:
        manifest = read_manifest(folder)
        if manifest is not None:
            design, rows, recall = design_of(manifest.chosen), manifest.count, Audit.of_document(manifest.audit)
    except DamagedError:
        pass
    return IndexInfo(
        design.kind,
        design.reason,
        wish.recall,
        wish.memory,
        rows,
        max(0, contents - rows),
        design.code,
        design.lists,
        design.probes,
        design.factor,
        recall,
    )


def check(folder: Path, store: Store, dim: int, *, repaired: tuple[str, ...] = ()) -> CheckReport:
    """Reads the whole database and all index files."""
    with store.snapshot():
        counts = store.counts()
        found = tuple(store.check())
        index = tuple(problems(folder, store, dim)) if not found else ()
    return CheckReport(found, index, repaired, counts.items, counts.contents)
