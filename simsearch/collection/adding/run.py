"""The state of one call of indexing: its jobs, the items found so far, and its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from simsearch.media.folders.filters import FileFilter
from simsearch.media.rows import LISTED_AT_MOST, BadRow, BadRows
from simsearch.media.text_rows import Reading
from simsearch.progress import Progress
from simsearch.store import RowFile, Store
from simsearch.types import AddReport, Remark, Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.store import Known
    from simsearch.types import Encoder, Ids, Metadata

LOOK_UP = 1_000
T = TypeVar("T")
Labeller = Callable[[str, str], "str | None"]
"""From the path of a file and the uri of an item in it to the item's label."""


class Swept(NamedTuple):
    """What became of items whose files were not read: `kept` are all that stay, see `AddReport`."""

    removed: int = 0
    kept: int = 0
    vanished: int = 0
    away: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """The text of a job, read already. `stored` is whether its content was in the store then."""

    text: str
    sha256: bytes
    stored: bool
    file: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """An item to make or renew: a file to read, or a row. `known` is the item that has its uri.

    A `label` or `metadata` of None leaves those of the item as they are.
    """

    uri: str
    size: int
    mtime_ns: int
    known: Known | None
    label: str | None
    metadata: Metadata | None = None
    row: Row | None = None
    encoding: str | None = None
    """Of a file of text without a byte order mark."""
    inode: int | None = None
    ctime_ns: int | None = None
    sha256: bytes | None = None
    """Of the content that the item has: a file that still has it need not be decoded."""


class ItemIds:
    """A set of ids of items older than the run, as one byte for each id ever given."""

    def __init__(self, last_item: int) -> None:
        self._marked: NDArray[np.bool_] = np.zeros(last_item + 1, dtype=np.bool_)

    def add(self, ids: Ids | int) -> None:
        """ItemIds those that were there before."""
        given = np.atleast_1d(np.asarray(ids, dtype=np.int64))
        self._marked[given[given < len(self._marked)]] = True

    def __contains__(self, item: int) -> bool:
        return bool(self._marked[item])

    def among(self, ids: Ids) -> NDArray[np.bool_]:
        """For each id whether it is in the set."""
        return self._marked[ids]


class Accounted:
    """The items that one call has counted; sources may overlap, and each item counts once."""

    def __init__(self, last_item: int) -> None:
        self._items = ItemIds(last_item)
        self._last = last_item

    def take(self, ids: Ids | int) -> int:
        """How many of the items are counted for the first time; those that the call itself added were counted then."""
        given = np.atleast_1d(np.asarray(ids, dtype=np.int64))
        older = given[given <= self._last]
        fresh = older[~self._items.among(older)]
        self._items.add(fresh)
        return len(fresh)


@dataclass(slots=True)
class Run:
    """One source of a call of indexing. `reading` is how files are read as given now, `remembered` as stored before."""

    store: Store
    encoder: Encoder
    progress: Progress
    label_of: Labeller | None
    reading: Reading = field(default_factory=Reading)
    remembered: Reading = field(default_factory=Reading)
    chosen: FileFilter = field(default_factory=FileFilter)
    """Which files of a folder count."""
    last_item: int = 0
    """The largest item id before this run: later ones are this run's own."""
    sidecars: frozenset[str] = frozenset()
    """The tables of labels and of metadata, which are not themselves indexed."""
    verify: bool = False
    """Whether files are read even if they look unchanged."""
    accounted: Accounted = field(init=False)
    seen: ItemIds = field(init=False)
    """Items whose files or rows still exist."""
    met: ItemIds = field(init=False)
    """Items for which a row was found, whether or not it could be used."""
    replaced: ItemIds = field(init=False)
    """Items of files that are now read in another way."""
    reused_contents: set[int] = field(default_factory=set)
    read_files: list[RowFile] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    """Files and folders that could not be read, with the reasons."""
    broken: dict[int, str] = field(default_factory=dict)
    """Items whose files are there but give nothing any more, with the reasons."""
    mounts: set[str] = field(default_factory=set)
    """Folders that the scan found on another device than the folder that they are in."""
    bad_rows: dict[str, BadRows] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """The paths that do not count, and why."""
    remarks: dict[str, list[Remark]] = field(default_factory=dict)
    added: int = 0
    reused: int = 0
    unchanged: int = 0
    updated: int = 0
    renewed: int = 0
    strict: bool = False
    """Whether files of which a part is missing are skipped."""

    def __post_init__(self) -> None:
        self.last_item = self.store.last_item_id()
        self.accounted = Accounted(self.last_item)
        self.seen, self.met, self.replaced = (ItemIds(self.last_item) for _ in range(3))

    def label(self, path: str, uri: str) -> str | None:
        return None if self.label_of is None else self.label_of(path, uri)

    def leave_out(self, path: str, bad: BadRow) -> None:
        self.bad_rows.setdefault(path, BadRows(path)).add(bad)

    def remark(self, path: str, text: str) -> None:
        """Records a remark: the first of each kind with their paths, the others counted."""
        same = self.remarks.setdefault(text, [])
        if len(same) <= LISTED_AT_MOST:
            same.append(Remark(path, text))
        else:
            same[-1] = replace(same[-1], count=same[-1].count + 1)

    def keep(self, item_id: int, reason: str) -> None:
        """Records that the file of an item is there and cannot be used; the item stays."""
        self.seen.add(item_id)
        self.broken[item_id] = reason

    def all_skipped(self) -> tuple[Skip, ...]:
        return (*self.skipped, *(skip for bad in self.bad_rows.values() for skip in bad.listed()))

    def report(self, swept: Swept) -> AddReport:
        return AddReport(
            self.added,
            self.reused,
            self.unchanged,
            self.updated,
            swept.removed,
            swept.kept,
            self.all_skipped(),
            swept.vanished,
            swept.away,
            left_out=Counter(self.left_out.values()),
            remarks=tuple(remark for same in self.remarks.values() for remark in same),
            renewed=self.renewed,
        )


def batches(source: Iterator[T], size: int) -> Iterator[list[T]]:
    """The items in order, in lists of `size`."""
    while batch := list(islice(source, size)):
        yield batch
