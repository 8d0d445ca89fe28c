"""Collections of older formats, brought to the current one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simsearch.collection import locking
from simsearch.collection.places import STORE_NAME, existing, is_collection, the_one
from simsearch.collection.switching import kept_folders
from simsearch.errors import SimsearchError
from simsearch.store.exchange.formats import NEWEST, format_of


@dataclass(frozen=True, slots=True)
class Migrated:
    """The format of a collection before and after; `problem` is why it could not be changed."""

    folder: Path
    before: int | None
    after: int | None
    problem: str | None = None


def migrate(names: Sequence[str], *, dry_run: bool = False) -> Iterator[Migrated]:
    """Brings the named collections, or all that there are, to the current format, one after the other.

    Each migration is one transaction: killed at any moment, the next call goes on. The states that `reindex` keeps are
    migrated with their collections. With `dry_run` nothing is changed.
    """
    for folder in [the_one(name) for name in names] or existing():
        for place in (folder, *kept_folders(folder)):
            if is_collection(place):
                yield _migrate(place, dry_run)


def _migrate(folder: Path, dry_run: bool) -> Migrated:
    before = None
    try:
        before = format_of(folder / STORE_NAME)
        if before == NEWEST or dry_run:
            return Migrated(folder, before, NEWEST)
        with locking.writing(folder):
            return Migrated(folder, before, format_of(folder / STORE_NAME))
    except SimsearchError as error:
        return Migrated(folder, before, before, str(error))
