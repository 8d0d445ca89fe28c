"""Joint decisions: queries that are all different identities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Scores

UNKNOWN = -1


def assigned(labels: Scores, threshold: float | None) -> NDArray[np.int64]:
    """The label of each query, or UNKNOWN, such that no label is given twice and the sum of scores is largest.

    `labels` has the scores of all labels, shape (queries, labels). A label is given only at a score of `threshold` or
    more, so that the false-accept rate of a single query stays bounded. Each query that is left unknown counts as the
    threshold. Solved as a linear sum assignment (Crouse 2016, as in SciPy).
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        raise MissingExtraError("Deciding jointly on queries that are all different", "distinct") from None
    queries, known = labels.shape
    # A label that is not accepted gains less than leaving the query unknown, which gains nothing.
    gain = labels.astype(np.float64) + 2 if threshold is None else labels.astype(np.float64) - threshold
    allowed = np.ones_like(labels, dtype=bool) if threshold is None else labels >= threshold
    gain = np.where(allowed, gain, -1.0)
    padded = np.concatenate([gain, np.zeros((queries, queries))], axis=1)
    rows, columns = linear_sum_assignment(padded, maximize=True)
    found = np.full(queries, UNKNOWN, dtype=np.int64)
    given = columns < known
    found[rows[given]] = columns[given]
    return found
