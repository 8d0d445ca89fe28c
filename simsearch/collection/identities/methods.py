"""The methods of a collection that enroll, recognize and calibrate."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection import querying
from simsearch.collection.opened import OpenCollection
from simsearch.collection.places import STORE_NAME
from simsearch.errors import LockedError, StoreError
from simsearch.media.arguments import COUNTS, FLAG, NUMBER, PATH, TEXT, allow, as_progress, require, source_list
from simsearch.store.erasing import log_bytes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from simsearch.collection.identities.calibrating import CalibrationReport
    from simsearch.collection.identities.comparing import Comparison
    from simsearch.collection.identities.deciding import Decider
    from simsearch.collection.identities.enrolling import EnrollReport, FoldersReport
    from simsearch.collection.identities.forgetting import ForgottenReport
    from simsearch.collection.identities.operating import OperatingCurve
    from simsearch.progress import Progress
    from simsearch.recognition.calibration import Calibration
    from simsearch.store import Store
    from simsearch.types import Example, QueryLike, Recognition


class IdentityCollection(OpenCollection):
    """An open collection that recognizes."""

    _decider: Decider | None = None

    def close(self) -> None:
        self._decider = None
        super().close()

    @property
    def decider(self) -> Decider:
        """The enrolled examples and the calibration as they are stored now; loaded again when they have changed."""
        from simsearch.collection.identities import deciding

        if self._decider is None or self._decider.generation != self.store.gallery_generation():
            self._decider = deciding.load_decider(self.store)
        return self._decider

    def enroll(
        self,
        label: str,
        sources: Iterable[QueryLike] | ArrayLike,
        *,
        force: bool = False,
        encoding: str | None = None,
    ) -> EnrollReport:
        """Makes each source an example of `label`, to be recognized from now on without any training.

        Blank images are skipped without `force`. `encoding` is that of text files without a byte order mark. In a
        collection of own vectors the sources are the vectors, as a list or an array of shape (n, dim).
        """
        from simsearch.collection.identities import enrolling

        require(FLAG, force=force)
        allow(TEXT, encoding=encoding)
        if self._of_own_vectors:
            with self.writing() as store:
                return enrolling.enroll_vectors(store, label, sources)
        encoder = self.encoder
        with self.writing(encoder) as store:
            return enrolling.enroll(store, encoder, label, sources, force=force, encoding=encoding)  # type: ignore[arg-type]

    @property
    def _of_own_vectors(self) -> bool:
        return self.modality == "vector"

    def enroll_folders(
        self,
        folder: str | Path,
        *,
        force: bool = False,
        encoding: str | None = None,
        progress: Progress | bool | None = None,
    ) -> FoldersReport:
        """Makes each file in a folder within `folder` an example of the label that the inner folder is named."""
        from simsearch.collection.identities import enrolling

        require(PATH, folder=folder)
        require(FLAG, force=force)
        allow(TEXT, encoding=encoding)
        encoder, shown = self.encoder, as_progress(progress)
        with self.writing(encoder) as store:
            return enrolling.enroll_folders(store, encoder, folder, shown, force=force, encoding=encoding)

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
        # A transaction of this very object would be one that reads.
        self._decider = None
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

    def labels(self) -> dict[str, int]:
        """The enrolled labels with their numbers of examples."""
        return self.store.labels()

    def examples(self) -> tuple[Example, ...]:
        """All enrolled examples, in the order in which they were enrolled."""
        return self.store.examples()[0]

    def recognize(
        self, source: QueryLike, *, threshold: float | None = None, encoding: str | None = None
    ) -> Recognition:
        """The enrolled label with the highest score, or None ("unknown") when that is below the threshold.

        The score of a label with one example is the cosine to it; with several it is the average of the cosine to the
        nearest one and that to their mean.

        The threshold is that of the calibration unless one is given; with neither nothing is unknown.
        """
        return self.recognize_many([source], threshold=threshold, encoding=encoding)[0]

    def recognize_many(
        self,
        sources: Iterable[QueryLike],
        *,
        threshold: float | None = None,
        distinct: bool = False,
        encoding: str | None = None,
    ) -> list[Recognition]:
        """`recognize` for several sources, encoded together; errors name the row, from 0.

        With `distinct` they are all different identities: no label is given twice, and the sum of scores is largest.
        """
        from simsearch.collection.identities import deciding

        allow(NUMBER, threshold=threshold)
        require(FLAG, distinct=distinct)
        allow(TEXT, encoding=encoding)
        vectors = querying.resolve(self, sources, encoding)[1]
        return deciding.recognized(self, vectors, threshold, distinct=distinct)

    def compare(
        self, first: QueryLike, second: QueryLike, *, threshold: float | None = None, encoding: str | None = None
    ) -> Comparison:
        """Whether two inputs are of one identity, by their score alone; see `Comparison`."""
        from simsearch.collection.identities import comparing

        allow(NUMBER, threshold=threshold)
        allow(TEXT, encoding=encoding)
        return comparing.compare(self.encoder, querying.resolve(self, [first, second], encoding)[1], threshold)

    def calibrate(
        self,
        far: float,
        *,
        impostors: str | Path | ArrayLike | None = None,
        confidence: float = 0.95,
        unknown_prior: float = 0.5,
        encoding: str | None = None,
        progress: Progress | bool | None = None,
    ) -> CalibrationReport:
        """Finds and stores the threshold for which unknown queries are accepted at a rate of at most `far`.

        `impostors` is a folder with a file or a folder for each identity that is not enrolled, or a table of texts; in
        a collection of own vectors it is an array of shape (n, dim), a row for each such identity. With them the rate
        is met with `confidence` in their draw. Without, those of the last calibration serve again; if there are none,
        the threshold is an estimate without a guarantee. `unknown_prior` is the share of unknown queries for which
        `Recognition.probability` holds. Raises UsageError for too few impostors, saying how many are needed and what
        can be promised.
        """
        from simsearch.collection.identities import calibrating, deciding

        require(NUMBER, far=far, confidence=confidence, unknown_prior=unknown_prior)
        allow(TEXT, encoding=encoding)
        shown = as_progress(progress)
        encoder = None if self._of_own_vectors else self.encoder
        if encoder is not None:
            allow(PATH, impostors=impostors)
        settings = calibrating.Settings(far, confidence, unknown_prior, encoding=encoding)
        with self.writing(encoder) as store:
            decider = deciding.load_decider(store)
            return calibrating.calibrate(store, encoder, decider, settings, impostors, shown)

    def calibration(self) -> Calibration | None:
        """The calibration of recognition, if there is one."""
        return self.decider.calibration

    def operating_curve(self, confidence: float = 0.95) -> OperatingCurve:
        """What each threshold would do with the impostors of the calibration and the enrolled examples."""
        from simsearch.collection.identities import operating

        require(NUMBER, confidence=confidence)
        return operating.operating_curve(self.decider, confidence)
