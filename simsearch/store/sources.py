"""The part of the store with the sources of its items: roots, tables, and folders on other devices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select

from simsearch.store import moving, reading, renewing, writing
from simsearch.store.schema import ROOT

if TYPE_CHECKING:
    from simsearch.store.database import Database
    from simsearch.store.records import Outdated, Renewal, RowFile


class Sources:
    """Every method is one transaction: done as a whole, and durable when it returns, or not done."""

    _database: Database

    def roots(self) -> dict[str, str | None]:
        """The places that the collection is fed from, in the order they were added, with how their files are read."""
        with self._database.reading() as connection:
            rows = connection.execute(select(ROOT.c.path, ROOT.c.reading).order_by(ROOT.c.id))
            return {row.path: row.reading for row in rows}

    def add_root(self, path: str) -> None:
        with self._database.writing() as connection:
            connection.execute(ROOT.insert().prefix_with("OR IGNORE").values(path=path))

    def set_reading(self, root: str, how: str | None) -> None:
        """Remembers how the files under a root are read."""
        with self._database.writing() as connection:
            connection.execute(ROOT.update().where(ROOT.c.path == root).values(reading=how))

    def mounts_under(self, root: str) -> set[str]:
        """The folders under a root that are recorded as being on another device than the folder that they are in."""
        with self._database.reading() as connection:
            return reading.mounts_under(connection, root)

    def set_mounts(self, root: str, paths: Iterable[str]) -> None:
        """Records all such folders under a root."""
        with self._database.writing() as connection:
            writing.set_mounts(connection, root, paths)

    def files_under(self, root: str) -> list[tuple[str, int, int]]:
        """The files under a root that items are from: path, size and mtime_ns, as they were last read."""
        with self._database.reading() as connection:
            return reading.files_under(connection, root)

    def move(self, old: str, new: str) -> int:
        """Records that a folder or file was moved; returns the number of items under its old path.

        Items, tables, examples and roots keep their ids and get their new paths. Where there is an item at the new path
        already, it takes over the label and metadata that it has not, and the item at the old path goes.
        """
        with self._database.writing() as connection:
            return moving.move(connection, old, new)

    def row_files(self, paths: Sequence[str]) -> dict[str, RowFile]:
        """What is recorded of those files that hold several items, by path."""
        with self._database.reading() as connection:
            return reading.row_files(connection, paths)

    def files_of(self, ids: Sequence[int]) -> dict[int, str]:
        """The path of the file that holds each of those items that one holds, by the id of the item."""
        with self._database.reading() as connection:
            return reading.files_of(connection, ids)

    def set_row_files(self, files: Sequence[RowFile]) -> None:
        """Records that files were read to their ends."""
        with self._database.writing() as connection:
            writing.set_row_files(connection, files)

    def filters(self) -> dict[str, str | None]:
        """Which files of each place count, as `FileFilter.packed`; None where nothing was chosen."""
        with self._database.reading() as connection:
            return {row.path: row.filter for row in connection.execute(select(ROOT.c.path, ROOT.c.filter))}

    def set_filter(self, root: str, packed: str) -> None:
        """Remembers which files under a root count."""
        with self._database.writing() as connection:
            connection.execute(ROOT.update().where(ROOT.c.path == root).values(filter=packed))

    def outdated(self, root: str, rules: int, after: int = 0, limit: int = 1_000) -> list[Outdated]:
        """The contents under a root that were read by earlier rules than these, by ascending id above `after`."""
        with self._database.reading() as connection:
            return renewing.outdated(connection, root, rules, after, limit)

    def outdated_examples(self, rules: int) -> list[Outdated]:
        with self._database.reading() as connection:
            return renewing.outdated_examples(connection, rules)

    def renew(self, rules: int, renewals: Sequence[Renewal]) -> None:
        """Records that contents are as these rules read them; one with a new vector gets a new id, its items do not."""
        with self._database.writing() as connection:
            renewing.renew(connection, rules, renewals)

    def renew_examples(self, rules: int, renewals: Sequence[Renewal]) -> None:
        with self._database.writing() as connection:
            renewing.renew_examples(connection, rules, renewals)
