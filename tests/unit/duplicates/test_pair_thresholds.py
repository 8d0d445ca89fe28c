"""The lowest threshold with a precision, against a search through all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.duplicates.finding.thresholds import lowest_threshold
from simsearch.errors import UsageError

SCORES = st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.8, 1.0])


@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=12), st.sampled_from([0.4, 0.5, 0.75, 0.9, 1.0]))
def test_it_is_the_lowest_of_all_that_reach_the_precision(pairs: list[tuple[float, bool]], precision: float) -> None:
    scores, same = np.array([one for one, _ in pairs]), np.array([label for _, label in pairs])
    reaching = [level for level in sorted(set(scores.tolist()) - {0.0}) if same[scores >= level].mean() >= precision]
    if same.all() or not same.any() or not reaching:
        with pytest.raises(UsageError):
            lowest_threshold(scores, same, precision)
        return
    found = lowest_threshold(scores, same, precision)
    accepted = scores >= found.score
    assert (accepted == (scores >= reaching[0])).all()
    assert (found.accepted, found.wrong, found.copies) == (accepted.sum(), (accepted & ~same).sum(), same.sum())
    assert found.precision == pytest.approx(same[accepted].mean())
    assert found.recall == pytest.approx(accepted[same].mean())


def test_what_cannot_be_is_refused_with_what_can() -> None:
    scores, same = np.array([0.9, 0.8, 0.7]), np.array([False, True, False])
    with pytest.raises(UsageError, match=r"no threshold has a precision of 0\.9 .* is 0\.500"):
        lowest_threshold(scores, same, 0.9)
    with pytest.raises(UsageError, match="none of the 3 labeled pairs is different"):
        lowest_threshold(scores, np.ones(3, np.bool_), 0.9)
    with pytest.raises(UsageError, match=r"the precision is 1\.5"):
        lowest_threshold(scores, same, 1.5)
