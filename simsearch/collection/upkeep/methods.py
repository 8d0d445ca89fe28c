"""The part of a collection's facade that looks after it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from simsearch.collection.cache.policy import MEMORY_SETTING, RECALL_SETTING
from simsearch.collection.cache.writing import bring_up, forget_newer, rewrite, sweep_temporaries
from simsearch.collection.opened import OpenCollection
from simsearch.collection.upkeep import reports
from simsearch.errors import LockedError, StoreError
from simsearch.media.arguments import FLAG, NUMBER, allow, require

if TYPE_CHECKING:
    from simsearch.collection.upkeep.reports import CheckReport, CompactReport, Info
    from simsearch.vectors.audit import Audit


class UpkeepMethods(OpenCollection):
    """What a collection holds, whether it is sound, and how its index is kept."""

    def info(self) -> Info:
        """What the collection holds and how it was made."""
        return reports.info(self.folder, self.store)

    def check(self, *, repair: bool = False, recall: bool = False) -> CheckReport:
        """Looks for damage in the database and the index files, reading all of both.

        With `repair` the index files are rebuilt when they are damaged. A damaged database is only reported. With
        `recall` the answers of the index are compared with those of exact search, for up to 1,000 stored vectors; an
        index that misses its recall is tuned again by the next writer.
        """
        require(FLAG, repair=repair, recall=recall)
        report = reports.check(self.folder, self.store, self.dim)
        if repair and report.index_problems:
            with self.writing() as store:
                rewrite(self.folder, store, self.dim)
            self.refresh()
            report = reports.check(self.folder, self.store, self.dim, repaired=report.index_problems)
        return replace(report, recall=self._audited()) if recall and report.clean else report

    def _audited(self) -> Audit | None:
        from simsearch.collection.cache.auditing import measured, record
        from simsearch.vectors.layered import LayeredIndex

        self.refresh()
        index = self.index
        if not len(index) or not isinstance(index, LayeredIndex):
            return None
        audit = measured(index, self.store, seed=self.store.generation())
        with contextlib.suppress(LockedError, StoreError), self.writing():
            record(self.folder, audit)
        return audit

    def tune(self, *, recall: float | None = None, memory: int | str | None = None) -> tuple[str, ...]:
        """Sets what the index is to keep to, for good, and makes it so; returns what a user should know of that.

        `recall` is the share of the ten nearest that an answer must have on average, 0.99 unless set; with 1 every
        query is compared with every vector. `memory` is what building and searching may use, as bytes or such as
        "2GB"; "any" sets no limit.
        """
        from simsearch.vectors.choose import Wish, memory_of

        allow(NUMBER, recall=recall)
        settings = {}
        if recall is not None:
            settings[RECALL_SETTING] = str(Wish(recall=float(recall)).recall)
        if memory is not None:
            limit = memory_of(memory)
            settings[MEMORY_SETTING] = "" if limit is None else str(Wish(memory=limit).memory)
        with self.changing() as store:
            store.set_settings(settings)
        return self.index_notes

    def compact(self) -> CompactReport:
        """Frees the space of what was removed: index files and database are written anew, without it.

        Readers go on with the files that they have opened. It needs as much free space as the collection takes.
        """
        from simsearch.collection.upkeep.reports import CompactReport

        before = reports.bytes_of(self.folder)
        with self.writing() as store:
            sweep_temporaries(self.folder)
            forget_newer(self.folder, store)
            self.index_notes = bring_up(self.folder, store, self.dim, everything=True)
            store.compact()
        self.refresh()
        return CompactReport(before, reports.bytes_of(self.folder))
