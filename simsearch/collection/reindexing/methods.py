"""The part of a collection's facade that changes its encoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.opened import OpenCollection
from simsearch.collection.switching import discard
from simsearch.media.arguments import FLAG, as_progress, require

if TYPE_CHECKING:
    from simsearch.collection.reindexing.encoder_change import ReindexReport
    from simsearch.progress import Progress
    from simsearch.types import Encoder


class ReindexMethods(OpenCollection):
    """Changing the encoder, and going back."""

    def reindex(
        self,
        encoder: str | Path | Encoder | None = None,
        *,
        dry_run: bool = False,
        progress: Progress | bool | None = None,
    ) -> ReindexReport:
        """Encodes all items and examples again, with another encoder or with the recorded one.

        The collection answers as before until the new state is complete and replaces it in one step; interrupted, the
        next call resumes. Reports how the neighbors of sampled items change, and what was lost because its file cannot
        be read; raises StoreError, with nothing changed, when that is more than half. The state before is kept for
        `roll_back` until `discard_previous` or the next `reindex`. With `dry_run` everything is done but the switch,
        which the next call does.
        """
        from simsearch.collection.reindexing.encoder_change import reindex

        require(FLAG, dry_run=dry_run)
        shown = as_progress(progress)
        self.refresh()
        report = reindex(self.folder, encoder, shown, switch=not dry_run, let_go=self._let_go)
        if report.switched:
            self.reopen(None if isinstance(encoder, (str, Path)) else encoder)
        return report

    def roll_back(
        self, *, encoder: str | Path | Encoder | None = None, progress: Progress | bool | None = None
    ) -> ReindexReport:
        """Makes the state before the last `reindex` the current one again, with what has changed since carried over.

        The state that was current is kept in its place, so that a second call goes forth again. `encoder` stands in for
        the recorded one of the state before, as in `open`.
        """
        from simsearch.collection.reindexing.encoder_change import roll_back

        shown = as_progress(progress)
        self.refresh()
        report = roll_back(self.folder, shown, encoder, let_go=self._let_go)
        self.reopen(encoder)
        return report

    def discard_previous(self) -> bool:
        """Deletes the state that is kept for `roll_back`; returns whether there was one."""
        with self.writing():
            return discard(self.folder)

    def _let_go(self) -> None:
        """Closes the store, which is opened again behind a switch."""
        self._close_writer()
        self.store.close()
