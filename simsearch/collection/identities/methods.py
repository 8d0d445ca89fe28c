"""The methods of a collection that recognize and calibrate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection import querying
from simsearch.collection.identities.enrolled import EnrolledCollection
from simsearch.errors import UsageError
from simsearch.media.arguments import (
    FLAG,
    NUMBER,
    PATH,
    TEXT,
    allow,
    as_progress,
    one_source,
    require,
    source_list,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from simsearch.collection.identities.calibrating import CalibrationReport
    from simsearch.collection.identities.comparing import Comparison
    from simsearch.collection.identities.operating import OperatingCurve
    from simsearch.progress import Progress
    from simsearch.recognition.calibration import Calibration
    from simsearch.types import QueryLike, Recognition


class IdentityCollection(EnrolledCollection):
    """An open collection that recognizes."""

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
        given = source_list(sources)

        def answer() -> list[Recognition]:
            vectors = querying.resolve(self, given, encoding)[1]
            return deciding.recognized(self, vectors, threshold, distinct=distinct)

        return self.steadily(answer)

    def save_evidence(
        self,
        path: str | Path,
        sources: Iterable[QueryLike],
        answers: Sequence[Recognition],
        *,
        force: bool = False,
    ) -> list[Path]:
        """The files that pictures of decisions were saved in: each query beside the examples that decided.

        `answers` is what `recognize_many` gave for these sources. `path` is a file for all, with the suffix of a
        picture or of a PDF, or a folder that gets a file for each. A file there that is no such picture is replaced
        only with `force`. Raises UsageError where the collection holds vectors of one's own.
        """
        from simsearch.collection.identities import evidence

        require(PATH, path=path)
        require(FLAG, force=force)
        given = [one_source(source, row) for row, source in enumerate(source_list(sources))]
        if len(given) != len(answers):
            raise UsageError(f"{len(given)} sources and {len(answers)} answers; give an answer for each source")
        return evidence.save_evidence(self, given, answers, Path(path), force=force)

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
