"""The methods of a collection that enroll and forget."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.opened import OpenCollection
from simsearch.collection.places import STORE_NAME
from simsearch.errors import LockedError, StoreError
from simsearch.media.arguments import (
    COUNTS,
    FLAG,
    PATH,
    TEXT,
    Form,
    allow,
    as_progress,
    require,
    source_list,
)
from simsearch.store.erasing import log_bytes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from simsearch.collection.identities.deciding import Decider
    from simsearch.collection.identities.enrolling import EnrollOptions, EnrollReport, FoldersReport
    from simsearch.collection.identities.forgetting import ForgottenReport
    from simsearch.progress import Progress
    from simsearch.recognition.review import Finding, Review
    from simsearch.store import Store
    from simsearch.types import Example, QueryLike


class EnrolledCollection(OpenCollection):
    """An open collection with enrolled examples."""

    _kept: tuple[object, Decider] | None = None
    """The last decider, and the database file that it is of."""

    def close(self) -> None:
        self._kept = None
        super().close()

    @property
    def decider(self) -> Decider:
        """The enrolled examples and the calibration as they are stored now; what has changed since is loaded."""
        from simsearch.collection.identities import deciding

        file = self._file
        before = self._kept[1] if self._kept is not None and self._kept[0] == file else None
        if before is None or before.generation != self.store.gallery_generation():
            before = deciding.load_decider(self.store, before)
            self._kept = file, before
        return before

    def enroll(
        self,
        label: str,
        sources: Iterable[QueryLike] | ArrayLike,
        *,
        force: bool = False,
        encoding: str | None = None,
        review: Review = "warn",
    ) -> EnrollReport:
        """Makes each source an example of `label`, to be recognized from now on without any training.

        Blank images are skipped without `force`. `encoding` is that of text files without a byte order mark. In a
        collection of own vectors the sources are the vectors, as a list or an array of shape (n, dim). `review` is
        "warn" to report examples that look wrong (see `Finding`), "strict" to refuse them, or "off".
        """
        from simsearch.collection.identities import enrolling

        options = self._options(force, encoding, review)
        if self._of_own_vectors:
            with self.writing() as store:
                return enrolling.enroll_vectors(store, label, sources, options)
        encoder = self.encoder
        with self.writing(encoder) as store:
            return enrolling.enroll(store, encoder, label, sources, options)  # type: ignore[arg-type]

    @property
    def _of_own_vectors(self) -> bool:
        return self.modality == "vector"

    def enroll_folders(
        self,
        folder: str | Path,
        *,
        force: bool = False,
        encoding: str | None = None,
        review: Review = "warn",
        progress: Progress | bool | None = None,
    ) -> FoldersReport:
        """Makes each file in a folder within `folder` an example of the label that the inner folder is named."""
        from simsearch.collection.identities import enrolling

        require(PATH, folder=folder)
        options = self._options(force, encoding, review)
        encoder, shown = self.encoder, as_progress(progress)
        with self.writing(encoder) as store:
            return enrolling.enroll_folders(store, encoder, folder, shown, options)

    def forget(self, label: str) -> int:
        """Removes the examples of a label; returns how many there were.

        They are overwritten, here, in the calibration and in the state that `reindex` keeps, as soon as nothing reads
        the collection; see `forgotten`.
        """
        from simsearch.collection.identities import forgetting
        from simsearch.collection.identities.following import following

        require(TEXT, label=label)
        with self.writing() as store:
            # The kept states first: the contents by which they are searched are known only here.
            forgetting.forget_in_kept(self.folder, label, store.digests_of_label(label))
            with following(store, [label]):
                count = store.remove_label(label)
        self._erase_traces()
        return count

    def forget_example(self, file: str | Path) -> int:
        """Removes the examples that were enrolled from a file; returns how many there were."""
        from simsearch.collection.identities import changing

        require(PATH, file=file)
        return self._forget(lambda store: changing.examples_from(store, file))

    def forget_examples(self, ids: Iterable[int]) -> int:
        """Removes examples by their ids; returns how many there were."""
        wanted = set(source_list(ids))
        require(COUNTS, ids=sorted(wanted))
        return self._forget(lambda store: {one.id: one.label for one in store.examples()[0] if one.id in wanted})

    def _forget(self, chosen: Callable[[Store], dict[int, str]]) -> int:
        """Removes the chosen examples, by id with their labels, here and from the states that are kept."""
        from simsearch.collection.identities import changing, forgetting

        with self.writing() as store:
            found = chosen(store)
            # The kept states first: the contents by which they are searched are known only here.
            forgetting.forget_in_kept(self.folder, None, store.digests_of_examples(list(found)))
            count = changing.forget_examples(store, found)
        self._erase_traces()
        return count

    def _erase_traces(self) -> bool:
        # In memory nothing is kept of what is forgotten either.
        self._kept = None
        with self.writing() as store:
            return store.erase_traces()

    @property
    def erasure_pending(self) -> bool:
        """Whether what was deleted is still in the write-ahead log, because another process reads."""
        return bool(log_bytes(self.folder / STORE_NAME))

    def forgotten(self, label: str) -> ForgottenReport:
        """What is left of a label in the files of the collection, after a second attempt to overwrite it."""
        from simsearch.collection.identities import forgetting

        require(TEXT, label=label)
        with contextlib.suppress(LockedError, StoreError):
            self._erase_traces()
        return forgetting.forgotten(self.folder, self.store, label)

    def rename(self, label: str, new: str) -> int:
        """Gives a label another name, which must be new; returns the number of its examples. Raises UsageError."""
        from simsearch.collection.identities import changing

        require(TEXT, label=label, new=new)
        with self.writing() as store:
            return changing.rename(store, label, new)

    def merge(self, label: str, target: str) -> int:
        """Makes the examples of a label examples of another that there is; returns how many. Raises UsageError."""
        from simsearch.collection.identities import changing

        require(TEXT, label=label, target=target)
        with self.writing() as store:
            return changing.merge(store, label, target)

    def review(self) -> tuple[Finding, ...]:
        """What looks wrong of the enrolled examples, in the order of their labels."""
        from simsearch.collection.identities import reviewing

        return reviewing.review_all(self.store)

    def labels(self) -> dict[str, int]:
        """The enrolled labels with their numbers of examples."""
        return self.store.labels()

    def examples(self) -> tuple[Example, ...]:
        """All enrolled examples, in the order in which they were enrolled."""
        return self.store.examples()[0]

    def _options(self, force: bool, encoding: str | None, review: Review) -> EnrollOptions:
        """The options, checked."""
        from simsearch.collection.identities.enrolling import EnrollOptions
        from simsearch.recognition.review import REVIEWS

        require(FLAG, force=force)
        allow(TEXT, encoding=encoding)
        require(Form(" or ".join(map(repr, REVIEWS)), lambda value: value in REVIEWS), review=review)
        return EnrollOptions(force, encoding, review, lambda: self.decider)
