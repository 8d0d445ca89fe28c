"""Modules of the page that compute, against other programs that compute the same."""

from __future__ import annotations

import random
import shlex
from typing import Any

import numpy as np
import pytest
from site_visits import Visit
from sklearn.cluster import AgglomerativeClustering

from simsearch.where import parse
from simsearch.where.tree import And, Compare, Field, Key, Like, OneOf, Wildcard

pytestmark = pytest.mark.slow
LETTERS = "ab '\"`$\\%_*?()[]{}<>&|;#!~=-+,./:\n\tßü日🙂"


def texts(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(LETTERS, k=rng.randint(1, 12))) for _ in range(count)]


def call(visit: Visit, module: str, name: str, arguments: list[list[Any]]) -> list[Any]:
    """What a function of a module of the page gives for each list of arguments."""
    visit.open("jobs?collection=waiting")
    found: list[Any] = visit.page.evaluate(
        """async ([module, name, all]) => {
          const part = await import(`/page/scripts/${module}`);
          return all.map((given) => part[name](...given));
        }""",
        [module, name, arguments],
    )
    return found


def test_filters_that_are_chosen_mean_themselves(visit: Visit) -> None:
    given = [text for text in texts(300) if "\n" not in text]
    filters = [
        {"label": [text], "folder": f"/{text}", "key": "kind of", "operator": "!=", "value": text} for text in given
    ]
    for text, condition in zip(
        given, call(visit, "search/condition.js", "conditionOf", [[one] for one in filters]), strict=True
    ):
        label, folder, key = parse(condition).parts  # type: ignore[union-attr]
        assert label == Compare(Field("label"), "=", text)
        assert folder == Like(Field("path"), (f"/{text}" + ("" if text.endswith("/") else "/"), Wildcard.ANY)), (
            condition
        )
        assert key == Compare(Key(("kind of",)), "!=", text)
    several = {"label": given[:3], "from": "2026-01-01", "to": "2026-02-28", "where": "size > 1 or size < 0"}
    (condition,) = call(visit, "search/condition.js", "conditionOf", [[several]])
    found = parse(condition)
    assert isinstance(found, And)
    assert found.parts[0] == OneOf(Field("label"), tuple(given[:3]))
    assert condition.endswith("date >= '2026-01-01' and date < '2026-03-01' and (size > 1 or size < 0)")


def test_words_of_a_command_are_those_that_the_shell_gives(visit: Visit) -> None:
    given = texts(300, seed=1)
    for text, quoted in zip(given, call(visit, "search/query.js", "quoted", [[text] for text in given]), strict=True):
        assert shlex.split(quoted) == [text]


def test_outlines_are_where_the_inverse_takes_corners(visit: Visit) -> None:
    rng = np.random.default_rng(0)
    matrices = [
        [[*row] for row in np.eye(3) + rng.normal(0, 0.2, (3, 3)) * [[1, 1, 90], [1, 1, 90], [1e-4, 1e-4, 0]]]
        for _ in range(20)
    ]
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    identity = np.eye(3).tolist()
    made = call(visit, "duplicates/geometry.js", "onto", [[identity, np.array(one).tolist()] for one in matrices])
    for matrix, found in zip(matrices, made, strict=True):
        assert np.allclose(found, half @ np.linalg.inv(matrix) @ np.linalg.inv(half))
    corners = call(visit, "duplicates/geometry.js", "corners", [[one, 300, 200] for one in made])
    for matrix, found in zip(made, corners, strict=True):
        there = np.array([[0, 0, 1], [300, 0, 1], [300, 200, 1], [0, 200, 1]]) @ np.array(matrix).T
        assert np.allclose(found, there[:, :2] / there[:, 2:])
    assert call(visit, "duplicates/geometry.js", "inverse", [[np.zeros((3, 3)).tolist()]]) == [None]


def test_groups_are_those_of_average_linkage(visit: Visit) -> None:
    rng = np.random.default_rng(0)
    for count, least in ((2, 0.5), (25, 0.6), (60, 0.3), (60, 0.9)):
        vectors = rng.normal(size=(8, 6))[rng.integers(0, 8, count)] + rng.normal(0, 0.4, (count, 6))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        (found,) = call(visit, "recognize/grouping.js", "grouped", [[vectors.tolist(), least]])
        clusters = AgglomerativeClustering(
            n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - least
        ).fit_predict(1 - vectors @ vectors.T)
        expected = {frozenset(np.flatnonzero(clusters == one).tolist()) for one in set(clusters.tolist())}
        assert {frozenset(group) for group in found} == expected
        assert [len(group) for group in found] == sorted(map(len, found), reverse=True)
