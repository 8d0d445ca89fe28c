"""Tables of labelled pairs, graded pairs and triplets, one in each row."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

import numpy as np

from simsearch.errors import TrainingError, UsageError
from simsearch.labelled.annotations import Annotations
from simsearch.labelled.columns import Roles
from simsearch.labelled.material import Labelled, Modality, left_out
from simsearch.labelled.sources import Sources
from simsearch.media.rows import Row, RowError
from simsearch.media.tables import shown

TRUE_WORDS = {"true": True, "t": True, "yes": True, "y": True, "false": False, "f": False, "no": False, "n": False}
PAIR = ("left", "right")
ANCHOR = ("anchor", "positive", "negative")


@dataclass(frozen=True, slots=True)
class PairLabel:
    """The role of the column with the label of each pair, and whether 1 means similar."""

    role: str
    means_same: bool


def read_pairs_table(roles: Roles, modality: Modality | None, convention: str | None) -> Labelled:
    """Pairs of the columns left and right, labelled same or different.

    Both conventions of the literature are in use: Y = 0 for similar pairs (Hadsell et al. 2006, equation 4) and
    1 for similar ones (Koch et al. 2015). So the column's name decides: 1 means similar in `same` or `similar`, and
    dissimilar in `different` or `dissimilar`. For any other name `convention` must be "same" or "different".
    """
    table = roles.table
    roles, label = _pair_label(roles, convention)
    sources, annotations = Sources(roles, modality), Annotations(roles)
    pairs, same = array("q"), bytearray()
    for is_true, values, annotation in roles.parsed(
        lambda row: (_truth(roles, row, label.role), _values(roles, row, PAIR), annotations.parse(row))
    ):
        found = sources.positions(values, PAIR)
        if found is not None:
            pairs.extend(found)
            same.append(is_true == label.means_same)
            annotations.add(annotation)
    if not any(same):
        raise TrainingError(
            f"{table.file}: similar pairs are needed; found {len(same)} dissimilar ones only"
            f"{left_out((*table.bad.listed(), *sources.skipped))}"
        )
    return annotations.on(
        Labelled(
            sources.modality,
            "pairs",
            sources.all,
            pairs=_rows(pairs, 2),
            same=np.array(same, dtype=np.bool_),
            skipped=tuple(sources.skipped),
        )
    )


def _values(roles: Roles, row: Row, wanted: tuple[str, ...]) -> list[str]:
    return [roles.value(row, role) for role in wanted]


def _truth(roles: Roles, row: Row, role: str) -> bool:
    """Whether the label is 1; pandas writes 1.0 if another row has no label. Raises RowError for other values."""
    word = roles.value(row, role)
    found = truth_of(word)
    if found is None:
        raise RowError(f"{roles.names[role]}={word.strip()[:60]!r}; must be 0 or 1")
    return found


def truth_of(word: str) -> bool | None:
    """Whether a word or number means yes, such as 1, 1.0, true or Y; None if it means neither yes nor no."""
    word = word.strip().lower()
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    return TRUE_WORDS.get(word, number == 1 if number in (0, 1) else None)


def _pair_label(roles: Roles, convention: str | None) -> tuple[Roles, PairLabel]:
    named = [role for role in ("same", "different") if role in roles]
    if convention is not None and named and named != [convention]:
        raise UsageError(
            f"{roles.table.file}: column {roles.names[named[0]]!r} contradicts the convention {convention}; omit "
            f"--convention (for train --set convention={convention})"
        )
    if len(named) == 1:
        return roles, PairLabel(named[0], named[0] == "same")
    others = roles.others
    if convention is not None and not named and len(others) == 1:
        return Roles(roles.table, {**roles.names, convention: others[0]}), PairLabel(convention, convention == "same")
    raise TrainingError(
        f"{roles.table.file}: no column with the label of each pair; name it 'same' (1 = similar) or 'different' (1 = "
        "dissimilar), give --columns same=NAME or different=NAME, or, if one column has no role, the convention same "
        "or different (--convention; for train --set convention=same); the columns are "
        f"{shown(roles.table.columns)}"
    )


def read_graded_table(roles: Roles, modality: Modality | None, score_range: tuple[float, float] | None) -> Labelled:
    """Pairs of the columns left and right with the number in `score`, scaled to [0, 1].

    `score_range` has the scores that become 0 and 1 (the first may be the larger: then small scores mean similar);
    by default the smallest and largest of the file.
    """
    table = roles.table
    sources, annotations = Sources(roles, modality), Annotations(roles)
    pairs, scores = array("q"), array("d")
    for score, given, annotation in roles.parsed(
        lambda row: (_score(roles, row, score_range), _values(roles, row, PAIR), annotations.parse(row))
    ):
        found = sources.positions(given, PAIR)
        if found is not None:
            pairs.extend(found)
            scores.append(score)
            annotations.add(annotation)
    values = np.array(scores, dtype=np.float64)
    low, high = score_range or ((float(values.min()), float(values.max())) if len(values) else (0.0, 0.0))
    if low == high or len(np.unique(values)) < 2:
        raise TrainingError(
            f"{table.file}: at least 2 distinct scores are needed; {len(values)} pairs have {len(set(scores))}"
            f"{left_out((*table.bad.listed(), *sources.skipped))}"
        )
    scaled = ((values - low) / (high - low)).astype(np.float32)
    return annotations.on(
        Labelled(
            sources.modality,
            "graded",
            sources.all,
            pairs=_rows(pairs, 2),
            scores=scaled,
            score_range=(low, high),
            skipped=tuple(sources.skipped),
        )
    )


def _score(roles: Roles, row: Row, score_range: tuple[float, float] | None) -> float:
    word = roles.value(row, "score").strip()
    try:
        score = float(word)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        cure = "; if the file has a header, give --columns ROLE=NAME,..." if row.line == 1 else ""
        raise RowError(f"{roles.names['score']}={word[:60]!r}; must be a number{cure}")
    if score_range is not None and not min(score_range) <= score <= max(score_range):
        raise RowError(
            f"{roles.names['score']}={word} is outside the given range {score_range[0]:g} to {score_range[1]:g}"
        )
    return score


def read_triplets_table(roles: Roles, modality: Modality | None) -> Labelled:
    """Triplets of the columns anchor, positive and negative."""
    table = roles.table
    sources, annotations = Sources(roles, modality), Annotations(roles)
    triplets = array("q")
    for values, annotation in roles.parsed(lambda row: (_triplet(roles, row), annotations.parse(row))):
        found = sources.positions(values, ANCHOR)
        if found is not None:
            triplets.extend(found)
            annotations.add(annotation)
    if not triplets:
        lost = left_out((*table.bad.listed(), *sources.skipped))
        raise TrainingError(f"{table.file}: no triplets; a row for each is needed{lost}")
    return annotations.on(
        Labelled(sources.modality, "triplets", sources.all, triplets=_rows(triplets, 3), skipped=tuple(sources.skipped))
    )


def _triplet(roles: Roles, row: Row) -> list[str]:
    values = _values(roles, row, ANCHOR)
    if values[2] in values[:2]:
        raise RowError(f"negative={values[2][:60]!r} is the anchor or the positive as well")
    return values


def _rows(numbers: array[int], width: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64).reshape(-1, width)
