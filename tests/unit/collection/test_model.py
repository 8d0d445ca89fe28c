"""A collection of own vectors against a dictionary: whatever is done, every answer is that of an exact computation."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from where_oracle import KEYS, holds, json_values, row_of, values, written

from simsearch import Collection, Match
from simsearch.errors import UsageError
from simsearch.vectors.arrays import as_vectors
from simsearch.where.tree import (
    And,
    Compare,
    Condition,
    Field,
    IsNull,
    Key,
    Like,
    Not,
    OneOf,
    Or,
    Wildcard,
    kinds_of,
    leaves_of,
)

DIM = 3
NAMES = [f"{folder}/{number}" for folder in ("a", "b") for number in range(6)]
names = st.sampled_from(NAMES)
# On such a small grid many vectors are equal, and many scores.
vectors = st.lists(st.integers(-1, 2), min_size=DIM, max_size=DIM).filter(any)
documents = st.dictionaries(st.sampled_from(KEYS[:3]), st.one_of(json_values, values), max_size=3)
keys = st.sampled_from(KEYS[:3]).map(lambda name: Key((name,)))
operators = st.sampled_from(["=", "!=", "<", ">="])
leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Compare, keys, operators, values.filter(lambda value: not isinstance(value, bool))),
    st.builds(IsNull, keys),
    st.builds(OneOf, keys, st.lists(values, min_size=1, max_size=3).map(tuple)),
    st.sampled_from([Like(Field("path"), ("a", Wildcard.ANY)), Compare(Field("folder"), "=", "b")]),
    st.sampled_from(NAMES).map(lambda name: Compare(Field("path"), "=", name)),
)
filters: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda a, b: And((a, b)), inner, inner),
        st.builds(lambda a, b: Or((a, b)), inner, inner),
    ),
    max_leaves=3,
)
maybe_filters = st.one_of(st.none(), filters)


@dataclass
class Kept:
    """What the dictionary has of an item."""

    id: int
    vector: np.ndarray
    metadata: dict[str, Any]


class Model(RuleBasedStateMachine):
    @initialize()
    def made(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "collection"
        self.collection = Collection.create(self.path, dim=DIM)
        self.expected: dict[str, Kept] = {}
        self.contents: dict[bytes, int] = {}
        self.last = 0

    def teardown(self) -> None:
        if hasattr(self, "collection"):
            self.collection.close()
            self.folder.cleanup()

    @rule(rows=st.dictionaries(names, st.tuples(vectors, documents), min_size=1, max_size=6), described=st.booleans())
    def add(self, rows: dict[str, tuple[list[int], dict[str, Any]]], described: bool) -> None:
        given = as_vectors([vector for vector, _ in rows.values()])
        metadata = [about for _, about in rows.values()] if described else None
        report = self.collection.add_vectors(list(rows), given, metadata)
        assert report.added == len(set(rows) - set(self.expected))
        ids = {item.uri: item.id for item in self.collection.items()}
        fresh = [ids[name] for name in rows if name not in self.expected]
        assert sorted(fresh) == fresh
        assert all(item_id > self.last for item_id in fresh)
        self.last = max(self.last, *fresh, 0)
        for (name, (_, about)), vector in zip(rows.items(), given, strict=True):
            before = self.expected.get(name)
            kept = {} if before is None else before.metadata
            item_id = ids[name] if before is None else before.id
            self.expected[name] = Kept(item_id, vector, about if described else kept)

    @rule(name=names)
    def remove(self, name: str) -> None:
        gone = self.expected.pop(name, None)
        assert self.collection.remove([name]) == (gone is not None)

    @rule(where=filters)
    def remove_by_filter(self, where: Condition) -> None:
        chosen = self.answered(where)
        if chosen is None:
            return
        assert self.collection.remove(where=written(where)) == len(chosen)
        for name in chosen:
            del self.expected[name]

    @rule(given=st.dictionaries(names, documents, max_size=4), replace=st.booleans())
    def describe(self, given: dict[str, dict[str, Any]], replace: bool) -> None:
        if not set(given) <= set(self.expected):
            with pytest.raises(UsageError, match="is no item of the collection"):
                self.collection.set_metadata(given, replace=replace)
            return
        changed = 0
        for name, about in given.items():
            new = about if replace else self.expected[name].metadata | about
            changed += new != self.expected[name].metadata
            self.expected[name].metadata = new
        assert self.collection.set_metadata(given, replace=replace) == changed

    @rule(other=st.booleans())
    def reopen(self, other: bool) -> None:
        if other:
            # Another process changes nothing, but a look at it is fresh.
            self.collection.refresh()
            return
        self.collection.close()
        self.collection = Collection.open(self.path)

    # -- answers -----------------------------------------------------------------------------------------------

    def answered(self, where: Condition | None) -> dict[str, Kept] | None:
        """The items for which a filter holds; None, with the refusal seen, where it names what no item has."""
        chosen = {
            name: kept for name, kept in self.expected.items() if where is None or holds(where, self.row(name, kept))
        }
        try:
            self.collection.condition(None if where is None else written(where))
        except UsageError as error:
            assert where is not None
            assert any(words in str(error) for words in ("no item has the metadata key", "the values of"))
            # At least one comparison can hold for no item.
            assert any(not self.meant(leaf) for leaf in leaves_of(where))
            return None
        return chosen

    def meant(self, leaf: Any) -> bool:
        """Whether an item has a value of a type that the comparison could be true for."""
        if isinstance(leaf.column, Field):
            return True
        found = [
            kept.metadata[leaf.column.path[0]]
            for kept in self.expected.values()
            if leaf.column.path[0] in kept.metadata
        ]
        kinds = kinds_of(leaf)
        return any(not kinds or (float if type(value) is int else type(value)) in kinds for value in found)

    @staticmethod
    def row(name: str, kept: Kept) -> Any:
        return row_of(name, kind="vector", size=4 * DIM, metadata=kept.metadata)

    def ranked(self, vector: np.ndarray, chosen: dict[str, Kept]) -> list[tuple[float, str]]:
        """Scores and names, best first, equal ones by content and item."""
        content = {name: item.content_id for name, item in self.stored.items()}
        scored = []
        for name, kept in chosen.items():
            total = math.fsum(float(a) * float(b) for a, b in zip(vector, kept.vector, strict=True))
            score = float(np.float32(min(1.0, max(-1.0, total))))
            scored.append((-score, content[name], kept.id, name))
        return [(-score, name) for score, _, _, name in sorted(scored)]

    @property
    def stored(self) -> dict[str, Any]:
        return {item.uri: item for item in self.collection.items()}

    def assert_same(self, found: Iterable[Match], expected: list[tuple[float, str]], first: int = 1) -> None:
        matches = list(found)
        assert [match.item.uri for match in matches] == [name for _, name in expected]
        np.testing.assert_allclose([match.score for match in matches], [score for score, _ in expected], atol=1e-6)
        assert [match.rank for match in matches] == list(range(first, first + len(matches)))

    @rule(
        asked=st.lists(vectors, min_size=1, max_size=3),
        where=maybe_filters,
        k=st.integers(1, 14),
        offset=st.integers(0, 3),
        min_score=st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.3, 0.99])),
    )
    def query(
        self, asked: list[list[int]], where: Condition | None, k: int, offset: int, min_score: float | None
    ) -> None:
        chosen = self.answered(where)
        if chosen is None:
            return
        given = as_vectors(asked)
        text = None if where is None else written(where)
        found = self.collection.query_many(list(given), k, where=text, offset=offset, min_score=min_score)
        for vector, matches in zip(given, found, strict=True):
            expected = [one for one in self.ranked(vector, chosen) if min_score is None or one[0] >= min_score]
            self.assert_same(matches, expected[offset : offset + k], offset + 1)

    @rule(vector=vectors, where=maybe_filters, min_score=st.sampled_from([-1.0, 0.0, 0.3, 0.99]))
    def query_above(self, vector: list[int], where: Condition | None, min_score: float) -> None:
        chosen = self.answered(where)
        if chosen is None:
            return
        given = as_vectors([vector])[0]
        text = None if where is None else written(where)
        expected = [one for one in self.ranked(given, chosen) if one[0] >= min_score]
        self.assert_same(self.collection.query(given, None, min_score=min_score, where=text), expected)
        self.assert_same(self.collection.iterate_matches(given, min_score, where=text), expected)

    @rule(name=names, k=st.integers(1, 5))
    def query_by_item(self, name: str, k: int) -> None:
        if name not in self.expected:
            return
        others = {other: kept for other, kept in self.expected.items() if other != name}
        expected = self.ranked(self.expected[name].vector, others)[:k]
        self.assert_same(self.collection.query(name, k, exclude_self=True), expected)

    @rule(vector=vectors, where=maybe_filters, k=st.integers(1, 14))
    def search(self, vector: list[int], where: Condition | None, k: int) -> None:
        chosen = self.answered(where)
        if chosen is None:
            return
        text = None if where is None else written(where)
        ids, scores = self.collection.search([vector], k, where=text)
        contents = {self.stored[name].content_id for name in chosen}
        assert ids.shape == scores.shape == (1, min(k, len(contents)))
        assert set(ids[0].tolist()) <= contents

    @rule(where=maybe_filters)
    def list_items(self, where: Condition | None) -> None:
        chosen = self.answered(where)
        if chosen is not None:
            text = None if where is None else written(where)
            assert [item.uri for item in self.collection.items(text)] == sorted(
                chosen, key=lambda name: self.expected[name].id
            )

    @invariant()
    def holds_what_was_given(self) -> None:
        if not hasattr(self, "collection"):
            return
        assert len(self.collection) == len(self.expected)
        assert {item.uri: (item.id, item.metadata) for item in self.collection.items()} == {
            name: (kept.id, kept.metadata) for name, kept in self.expected.items()
        }


# Shrinking a history takes minutes: each step has files of its own.
Model.TestCase.settings = settings(
    max_examples=20,
    phases=(Phase.explicit, Phase.generate),
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestModel = Model.TestCase
