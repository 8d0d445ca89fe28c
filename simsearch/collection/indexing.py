"""Bringing a collection up to date with files: only what changed is read, only new contents are encoded."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from simsearch.errors import MediaError, UsageError, VectorError
from simsearch.media.ahead import ahead
from simsearch.media.images import IMAGE_SUFFIXES, read_file
from simsearch.media.scan import Found, count, scan
from simsearch.progress import Progress, Silent, Working
from simsearch.store import Store, Write
from simsearch.types import AddReport, Skip

if TYPE_CHECKING:
    from simsearch.store import Known
    from simsearch.types import Encoder, Ids, Item, Prepared, Vectors

LOOK_UP = 1_000
TRANSACTION = 256
T = TypeVar("T")
Labeller = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class _Job:
    """A file to read; `known` is the item that has its path, `like` an item whose label and metadata it takes."""

    found: Found
    known: Known | None
    like: Item | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    job: _Job
    sha256: bytes
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class _Failed:
    """A file that gave no picture; `readable` when its bytes could be read."""

    job: _Job
    reason: str
    readable: bool


@dataclass(slots=True)
class _Run:
    """What one call has seen and done so far."""

    store: Store
    encoder: Encoder
    progress: Progress
    label_of: Labeller
    last_item: int
    """The largest item id before this run: later ones are this run's own."""
    seen: array[int] = field(default_factory=lambda: array("q"))
    kept_ids: list[Ids] = field(default_factory=list)
    reused_contents: set[int] = field(default_factory=set)
    skipped: list[Skip] = field(default_factory=list)
    added: int = 0
    reused: int = 0
    unchanged: int = 0
    updated: int = 0


def add_files(
    store: Store, encoder: Encoder, root: str, *, label_of: Labeller, prune: bool, progress: Progress
) -> AddReport:
    """Makes the items under `root` (a folder or a file, absolute) those of the files there.

    Unchanged size and mtime count as unchanged. An item whose file has vanished is removed, but when more than
    half of those under the root have, or no file is left at all, they are kept (and counted in `kept`) unless
    `prune`: the disk may just not be there. Each batch of 256 files is one transaction.
    """
    run = _Run(store, encoder, progress, label_of, store.last_item_id())
    total = None if isinstance(progress, Silent) or not os.path.lexists(root) else count(root)
    with Working(progress, total, "files", "indexing"):
        for batch in _outcomes(encoder, _changed(run, root)):
            _write(run, batch)
    removed, kept = _sweep(run, root, prune)
    return AddReport(run.added, run.reused, run.unchanged, run.updated, removed, kept, tuple(run.skipped))


def _batches(source: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(source, size)):
        yield batch


def _changed(run: _Run, root: str) -> Iterator[_Job]:
    """The files that must be read. Notes on the way which items are still there."""
    # A root that is known but gone has no files: then its items are kept, or go with `prune`.
    found = scan(root, IMAGE_SUFFIXES) if os.path.lexists(root) else iter(())
    for entries in _batches(found, LOOK_UP):
        known = run.store.known([entry.path for entry in entries if isinstance(entry, Found)])
        relabelled: list[tuple[int, str | None]] = []
        same = 0
        for entry in entries:
            if isinstance(entry, Skip):
                _skip_entry(run, entry)
                continue
            item = known.get(entry.path)
            if item is None or (item.size, item.mtime_ns) != (entry.size, entry.mtime_ns):
                yield _Job(entry, item)
                continue
            run.seen.append(item.item_id)
            same += 1
            label = run.label_of(entry.path)
            if label is not None and label != item.label:
                relabelled.append((item.item_id, label))
        if relabelled:
            run.store.set_labels(relabelled)
        run.unchanged += same
        run.progress.advance(same)


def _skip_entry(run: _Run, entry: Skip) -> None:
    """Lists what the scan could not take. What lies in a folder that cannot be read has not vanished."""
    run.skipped.append(entry)
    run.progress.advance()
    if Path(entry.path).is_dir():
        run.kept_ids.append(run.store.ids_under(entry.path))


def _outcomes(encoder: Encoder, jobs: Iterator[_Job]) -> Iterator[list[_Read | _Failed]]:
    """The files of the jobs, read in threads while the batch before them is encoded and stored."""
    return _batches(ahead(lambda job: _read(encoder, job), jobs, depth=TRANSACTION), TRANSACTION)


def _read(encoder: Encoder, job: _Job) -> _Read | _Failed:
    """A file read, hashed and decoded; runs in a thread."""
    try:
        content = read_file(job.found.path)
    except MediaError as error:
        return _Failed(job, str(error), readable=False)
    try:
        return _Read(job, hashlib.sha256(content).digest(), encoder.prepare(content))
    except MediaError as error:
        return _Failed(job, str(error), readable=True)


def _write(run: _Run, batch: Sequence[_Read | _Failed]) -> None:
    """Encodes what is new in a batch and stores it all in one transaction."""
    run.progress.advance(len(batch))
    good = []
    for outcome in batch:
        if isinstance(outcome, _Failed):
            run.skipped.append(Skip(outcome.job.found.path, outcome.reason))
            # A file that could not be opened may be well again tomorrow: its item stays.
            if outcome.job.known is not None and not outcome.readable:
                run.seen.append(outcome.job.known.item_id)
        else:
            good.append(outcome)
    contents = run.store.content_ids([outcome.sha256 for outcome in good])
    new = {outcome.sha256: outcome for outcome in good if outcome.sha256 not in contents}
    vectors = _encoded(run, list(new.values()))
    writes = []
    for outcome in good:
        if outcome.sha256 in contents or outcome.sha256 in vectors:
            writes.append(_row(run, outcome, vectors))
            _count(run, outcome, contents.get(outcome.sha256), new.get(outcome.sha256) is outcome)
    if writes:
        run.store.write(writes)


def _encoded(run: _Run, outcomes: Sequence[_Read]) -> dict[bytes, Vectors]:
    """Vectors by content. A picture for which the encoder gives none is skipped, the others are not."""
    if not outcomes:
        return {}
    try:
        rows = run.encoder.embed([outcome.prepared for outcome in outcomes])
    except VectorError as error:
        if len(outcomes) == 1:
            run.skipped.append(Skip(outcomes[0].job.found.path, str(error)))
            return {}
        half = len(outcomes) // 2
        return _encoded(run, outcomes[:half]) | _encoded(run, outcomes[half:])
    return {outcome.sha256: row for outcome, row in zip(outcomes, rows, strict=True)}


def _row(run: _Run, outcome: _Read, vectors: dict[bytes, Vectors]) -> Write:
    found, picture, like = outcome.job.found, outcome.prepared, outcome.job.like
    return Write(
        uri=found.path, sha256=outcome.sha256, size=found.size, mtime_ns=found.mtime_ns,
        label=run.label_of(found.path) if like is None else like.label,
        metadata=None if like is None else like.metadata, kind=run.encoder.modality,
        width=picture.width, height=picture.height, vector=vectors.get(outcome.sha256),
    )  # fmt: skip


def _count(run: _Run, outcome: _Read, content_id: int | None, encoded: bool) -> None:
    known = outcome.job.known
    if known is not None:
        run.seen.append(known.item_id)
        if known.content_id == content_id:
            run.unchanged += 1
        else:
            run.updated += 1
    elif encoded:
        run.added += 1
    else:
        run.reused += 1
        if content_id is not None:
            run.reused_contents.add(content_id)


def _sweep(run: _Run, root: str, prune: bool) -> tuple[int, int]:
    """Removes items whose files are gone; returns how many were removed and how many kept.

    An item whose content turned up under another path in this run was moved: it goes without being asked.
    """
    under = run.store.ids_under(root)
    here = np.concatenate([np.array(run.seen, dtype=np.int64), *run.kept_ids])
    # Items that this run wrote are newer than the run's look-ups, so they are found through their paths.
    missing = np.setdiff1d(under[under <= run.last_item], here)
    if not len(missing):
        return 0, 0
    before = int((under <= run.last_item).sum())
    moved = _moved(run, missing)
    vanished = np.setdiff1d(missing, moved)
    if not prune and 2 * len(vanished) > before:
        return run.store.remove_items(moved), len(vanished)
    return run.store.remove_items(missing), 0


def _moved(run: _Run, missing: Ids) -> Ids:
    """Those of the missing items whose content this run met under a new path."""
    moved = []
    for start in range(0, len(missing) if run.reused_contents else 0, LOOK_UP):
        items = run.store.items(missing[start : start + LOOK_UP])
        moved += [item.id for item in items if item.content_id in run.reused_contents]
    return np.array(moved, dtype=np.int64)


def encode_items(store: Store, encoder: Encoder, old: Store, progress: Progress) -> list[Skip]:
    """Encodes the files of all items of another store into this one; returns those that cannot be read.

    Items that are here already are left as they are, so an interrupted call goes on where it stopped.
    """
    run = _Run(store, encoder, progress, lambda _: None, store.last_item_id())
    with Working(progress, old.counts().items, "files", "encoding"):
        for batch in _outcomes(encoder, _missing(run, old)):
            _write(run, batch)
    return run.skipped


def _missing(run: _Run, old: Store) -> Iterator[_Job]:
    for items in old.iterate_items():
        known = run.store.known([item.uri for item in items])
        run.progress.advance(len(known))
        for item in items:
            if item.uri not in known:
                yield _Job(Found(item.uri, item.size, item.mtime_ns), None, item)


def check_root(store: Store, path: str) -> None:
    """Remembers `path` as a place that this collection is fed from.

    A path that is not there is an error, unless the collection knows it: then its disk may be away.
    """
    known = store.roots()
    if path in known:
        return
    if not os.path.lexists(path):
        if len(store.ids_under(path)):
            return
        raise UsageError(f"{path} does not exist; give a folder or files")
    if not any(path == root or path.startswith(root.rstrip(os.sep) + os.sep) for root in known):
        store.add_root(path)


def total(reports: Sequence[AddReport]) -> AddReport:
    """The sum of several reports."""
    return AddReport(
        added=sum(report.added for report in reports),
        reused=sum(report.reused for report in reports),
        unchanged=sum(report.unchanged for report in reports),
        updated=sum(report.updated for report in reports),
        removed=sum(report.removed for report in reports),
        kept=sum(report.kept for report in reports),
        skipped=tuple(skip for report in reports for skip in report.skipped),
    )
