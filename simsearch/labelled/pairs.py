"""Pairs that are the same or not, pairs with a score, and triplets, each row of a table being one."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

import numpy as np

from simsearch.errors import TrainingError, UsageError
from simsearch.labelled.annotations import Extras
from simsearch.labelled.columns import Roles
from simsearch.labelled.material import Labelled, Modality
from simsearch.labelled.sources import Sources
from simsearch.media.tables import Row, shown

TRUE_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
ANCHOR = ("anchor", "positive", "negative")


@dataclass(frozen=True, slots=True)
class Answer:
    """The column that says which pairs are similar, and whether 1 in it means so."""

    role: str
    means_same: bool


def read_pairs_table(roles: Roles, modality: Modality | None, convention: str | None) -> Labelled:
    """Pairs of the columns left and right, and whether they are the same.

    Both conventions of the literature are in use: Y = 0 for similar pairs (Hadsell et al. 2006, equation 4) and
    1 for similar ones (Koch et al. 2015). So the column's name decides: 1 means similar under `same` or `similar`,
    and not similar under `different` or `dissimilar`. Under any other name `convention` must say "same" or
    "different".
    """
    table = roles.table
    roles, answer = _answer(roles, convention)
    sources, extras = Sources(roles, modality), Extras(roles)
    pairs, same = array("q"), bytearray()
    for row in table.rows:
        word = roles.value(row, answer.role).strip().lower()
        if word not in TRUE_WORDS:
            raise table.wrong(row, f"{roles.name(answer.role)}={word!r}; 0 or 1 is needed")
        found = sources.positions(row, "left", "right")
        if found is not None:
            pairs.extend(found)
            same.append(TRUE_WORDS[word] == answer.means_same)
            extras.add(row)
    if len(set(same)) < 2:
        raise TrainingError(
            f"{table.file}: pairs of both kinds are needed, similar and not; found {len(same)} of one kind"
        )
    return extras.on(Labelled(
        sources.modality, "pairs", sources.all, pairs=_rows(pairs, 2), same=np.array(same, dtype=np.bool_),
        skipped=tuple(sources.skipped),
    ))  # fmt: skip


def _answer(roles: Roles, convention: str | None) -> tuple[Roles, Answer]:
    named = [role for role in ("same", "different") if role in roles]
    if convention is not None and named and named != [convention]:
        raise UsageError(f"{roles.table.file}: column {roles.name(named[0])!r} says what 1 means, and --convention "
                         f"{convention} says the opposite; leave that out")  # fmt: skip
    if len(named) == 1:
        return roles, Answer(named[0], named[0] == "same")
    others = roles.others
    if convention is not None and not named and len(others) == 1:
        position = roles.table.columns.index(others[0])
        return Roles(roles.table, {**roles.positions, convention: position}), Answer(convention, convention == "same")
    raise TrainingError(
        f"{roles.table.file}: which pairs are similar? Name the column 'same' (1 = similar) or 'different' (1 = not "
        "similar), or say --columns same=NAME or --columns different=NAME, or, where one column is left over, "
        f"--convention same|different; the columns are {shown(roles.table.columns)}"
    )


def read_graded_table(roles: Roles, modality: Modality | None, score_range: tuple[float, float] | None) -> Labelled:
    """Pairs of the columns left and right with the number in `score`, scaled to [0, 1].

    `score_range` holds the scores that become 0 and 1 (the first may be the larger: then small scores are the
    similar ones); by default the smallest and largest of the file.
    """
    table = roles.table
    sources, extras = Sources(roles, modality), Extras(roles)
    pairs, scores = array("q"), array("d")
    for row in table.rows:
        score = _score(roles, row, score_range)
        found = sources.positions(row, "left", "right")
        if found is not None:
            pairs.extend(found)
            scores.append(score)
            extras.add(row)
    values = np.array(scores, dtype=np.float64)
    low, high = score_range or ((float(values.min()), float(values.max())) if len(values) else (0.0, 0.0))
    if low == high or len(np.unique(values)) < 2:
        raise TrainingError(
            f"{table.file}: at least 2 different scores are needed; {len(values)} pairs have {len(set(scores))}"
        )
    scaled = ((values - low) / (high - low)).astype(np.float32)
    return extras.on(Labelled(
        sources.modality, "graded", sources.all, pairs=_rows(pairs, 2), scores=scaled, score_range=(low, high),
        skipped=tuple(sources.skipped),
    ))  # fmt: skip


def _score(roles: Roles, row: Row, score_range: tuple[float, float] | None) -> float:
    word = roles.value(row, "score").strip()
    try:
        score = float(word)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        cure = "; has the file a header? Then write --columns ROLE=NAME,..." if row.line == 1 else ""
        raise roles.table.wrong(row, f"{roles.name('score')}={word!r}; a number is needed{cure}")
    if score_range is not None and not min(score_range) <= score <= max(score_range):
        raise roles.table.wrong(row, f"{roles.name('score')}={word} is outside the range {score_range[0]:g} to "
                                     f"{score_range[1]:g} that was given")  # fmt: skip
    return score


def read_triplets_table(roles: Roles, modality: Modality | None) -> Labelled:
    """Triplets of the columns anchor, positive and negative."""
    table = roles.table
    sources, extras = Sources(roles, modality), Extras(roles)
    triplets = array("q")
    for row in table.rows:
        found = sources.positions(row, *ANCHOR)
        if found is None:
            continue
        if found[2] in found[:2]:
            raise table.wrong(
                row, f"negative={roles.value(row, 'negative')[:60]!r} is the anchor or the positive as well"
            )
        triplets.extend(found)
        extras.add(row)
    if not triplets:
        raise TrainingError(f"{table.file}: no triplets; a row for each is needed")
    return extras.on(Labelled(
        sources.modality, "triplets", sources.all, triplets=_rows(triplets, 3), skipped=tuple(sources.skipped)
    ))  # fmt: skip


def _rows(numbers: array[int], width: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64).reshape(-1, width)
