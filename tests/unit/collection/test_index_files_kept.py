"""The index of a collection through additions, removals, merging, tuning and kills: against a dictionary."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simsearch.collection import Collection
from simsearch.collection.cache import opening, policy, writing
from simsearch.collection.places import INDEX_FILES
from simsearch.errors import UsageError
from simsearch.vectors import choose
from simsearch.vectors.arrays import as_vectors
from simsearch.vectors.inverted import InvertedIndex

DIM = 8


def clustered(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    centers = np.random.default_rng(0).normal(size=(30, DIM))
    return as_vectors(centers[random.integers(0, 30, count)] + random.normal(size=(count, DIM)) * 0.8)


def names(count: int, first: int = 0) -> list[str]:
    return [f"v/{number}" for number in range(first, first + count)]


def files(folder: Path) -> set[str]:
    return {path.name for pattern in INDEX_FILES for path in folder.glob(pattern)}


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_bytes())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists from 1,500 vectors on, and files that are written again for 100 new ones."""
    monkeypatch.setattr(choose, "FLAT_NUMBERS", 1000)
    monkeypatch.setattr(choose, "FEWEST", 1500)
    monkeypatch.setattr(policy, "FEWEST_NEW", 100)
    monkeypatch.setattr("simsearch.collection.cache.tuning.QUERIES", 200)


@pytest.fixture
def large(small: None, tmp_path: Path) -> Iterator[Collection]:
    with Collection.create(tmp_path / "col", dim=DIM) as collection:
        collection.add_vectors(names(2000), clustered(2000, 1))
        yield collection


def assert_near_exact(collection: Collection, queries: np.ndarray, least: float = 0.97) -> None:
    ids, scores = collection.search(queries, 10)
    assert ids.shape[1] == min(10, collection.info().contents)
    assert (ids >= 0).all()
    _, exact = collection.index.exact.search(queries, 10)  # type: ignore[attr-defined]
    assert (scores >= exact[:, -1:] - 1e-6).mean() >= least


def test_a_large_collection_gets_lists_that_are_measured(large: Collection) -> None:
    index = large.info().index
    assert (index.kind, index.code, index.rows, index.beside) == ("lists", "pq4", 2000, 0)
    assert index.recall is not None
    assert index.recall.low <= index.recall.recall <= index.recall.high
    assert index.recall.recall >= 0.98
    assert_near_exact(large, clustered(100, 5))
    report = large.check(recall=True)
    assert report.clean
    assert report.recall is not None
    assert report.recall.recall >= 0.97


def test_few_changes_leave_the_files_alone_and_are_found_at_once(large: Collection) -> None:
    before = files(large.folder)
    new = clustered(50, 2)
    large.add_vectors(names(50, 5000), new)
    assert files(large.folder) == before
    assert [found[0].item.uri for found in large.query_many(list(new[:9]), 1)] == names(9, 5000)
    large.remove(["v/5000", "v/7"])
    assert files(large.folder) == before
    assert not {"v/5000", "v/7"} & {match.item.uri for match in large.query(new[0], 2000)}
    assert large.info().index.beside > 0
    assert large.check().clean
    with Collection.open(large.folder) as other:
        np.testing.assert_array_equal(other.search(new, 10)[0], large.search(new, 10)[0])


def test_many_changes_are_merged_with_the_lists_carried_over(large: Collection) -> None:
    before, trained = files(large.folder), manifest(large.folder)["chosen"]["trained"]
    large.add_vectors(names(300, 5000), clustered(300, 3))
    large.remove(names(300))
    assert not files(large.folder) & before
    recorded = manifest(large.folder)
    assert recorded["chosen"]["trained"] == trained
    assert (recorded["count"], recorded["audit"]["queries"]) == (2000, 200)
    assert large.check().clean
    assert_near_exact(large, clustered(100, 5))


def test_lists_are_trained_again_when_the_collection_has_doubled(large: Collection) -> None:
    large.add_vectors(names(2500, 5000), clustered(2500, 3))
    assert manifest(large.folder)["chosen"]["trained"] == 4500
    assert_near_exact(large, clustered(100, 5))


def test_a_collection_that_has_shrunk_has_no_lists(large: Collection) -> None:
    large.remove(names(1900))
    index = large.info().index
    assert (index.kind, index.rows, index.recall) == ("flat", 100, None)
    assert len(files(large.folder)) == 2


def test_another_recall_is_tuned_for_and_a_recall_of_one_is_exact(large: Collection) -> None:
    large.tune(recall=0.8)
    few = large.info().index
    assert (few.target, few.kind) == (0.8, "lists")
    assert large.tune(recall=0.995)
    many = large.info().index
    assert many.probes > few.probes
    large.tune(recall=1)
    assert large.info().index.kind == "flat"
    np.testing.assert_array_equal(
        large.search(clustered(20, 5), 10)[0],
        large.index.exact.search(clustered(20, 5), 10)[0],  # type: ignore[attr-defined]
    )
    large.tune(recall=0.9)
    assert large.info().index.kind == "lists"


def test_memory_that_is_too_small_for_lists_gives_none(large: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "CARRYING", 100)
    large.tune(memory="2MB")
    assert "2 MB may be used" in large.info().index.reason
    assert large.info().index.memory == 2_000_000
    large.tune(memory="any")
    assert large.info().index.kind == "lists"
    with pytest.raises(UsageError, match="no amount of memory"):
        large.tune(memory="some")


def test_an_index_that_misses_its_recall_is_tuned_by_the_next_writer(large: Collection) -> None:
    """As if the vectors had changed so that the lists that are read no longer suffice."""
    path = large.folder / "manifest.json"
    worse = manifest(large.folder)
    probes = worse["chosen"]["probes"]
    worse["chosen"] |= {"probes": 1, "factor": 1, "near": -1.0}
    path.write_text(json.dumps(worse))
    report = large.check(recall=True)
    assert report.recall is not None
    assert report.recall.high < 0.99
    large.add_vectors(["v/9999"], clustered(1, 9))
    assert manifest(large.folder)["chosen"]["probes"] == probes
    assert large.index_notes == (f"the index reads {probes} lists in place of 1, for a recall of 0.99",)
    assert large.check(recall=True).recall.recall >= 0.98  # type: ignore[union-attr]


def test_a_kill_between_rows_and_lists_is_made_up_for_by_the_next_writer(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    with Collection.create(tmp_path / "col", dim=DIM) as collection:
        with monkeypatch.context() as patched, pytest.raises(KilledError):
            patched.setattr(writing, "train_lists", killed)
            collection.add_vectors(names(2000), clustered(2000, 1))
        assert collection.info().index.kind == "flat"
        assert len(collection.search(clustered(3, 5), 10)[0]) == 3
        assert collection.remove(["nothing"]) == 0
        assert collection.info().index.kind == "lists"
        assert collection.check().clean


def test_a_recall_that_no_lists_reach_is_not_tried_again_until_the_collection_has_grown(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simsearch.vectors.tuning.interval", lambda shares: (0.5, 0.5, 0.5))
    with Collection.create(tmp_path / "col", dim=DIM) as collection:
        collection.add_vectors(names(2000), clustered(2000, 1))
        assert "do not reach a recall of 0.99" in collection.info().index.reason
        monkeypatch.setattr(writing, "train_lists", None)
        collection.add_vectors(names(200, 5000), clustered(200, 2))
        assert collection.info().index.kind == "flat"


@pytest.mark.skipif(os.name != "posix", reason="a mapped file cannot be removed on Windows")
def test_a_reader_goes_on_with_the_files_that_it_has_mapped(large: Collection) -> None:
    with Collection.open(large.folder) as reader:
        before = reader.search(clustered(50, 5), 10)
        large.remove(names(1000))
        large.compact()
        for one, other in zip(before, reader.search(clustered(50, 5), 10), strict=True):
            np.testing.assert_array_equal(one, other)
        gone = set(names(1000))
        found = reader.query_many(list(clustered(50, 5)), 10)
        assert not gone & {match.item.uri for matches in found for match in matches}
        reader.refresh()
        assert len(reader.index) == 1000


def test_compacting_gives_back_space(large: Collection) -> None:
    large.remove(names(1200))
    large.add_vectors(names(20, 5000), clustered(20, 2))
    report = large.compact()
    assert report.before > report.after == large.info().bytes_on_disk
    index = large.info().index
    assert (index.rows, index.beside) == (820, 0)
    assert large.check().clean
    assert large.compact().after <= report.after


def test_a_writer_that_switches_while_a_reader_opens_is_noticed(
    large: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot of the reader is from before, the manifest from after a merge."""
    opened, real = [], opening.read_manifest

    def late(folder: Path):
        if not opened:
            opened.append(True)
            large.add_vectors(names(300, 5000), clustered(300, 3))
        return real(folder)

    with Collection.open(large.folder) as reader:
        monkeypatch.setattr(opening, "read_manifest", late)
        assert len(reader.index) == 2300
        assert isinstance(reader.index.main, InvertedIndex)  # type: ignore[attr-defined]


def test_a_collection_of_the_first_format_of_manifests_opens(large: Collection) -> None:
    for name in files(large.folder):
        (large.folder / name).unlink()
    (large.folder / "vectors-00000001.faiss").write_bytes(b"of an older version")
    (large.folder / "manifest.json").write_text('{"format": 1, "index": {}}')
    with Collection.open(large.folder) as reader:
        assert len(reader.index) == 2000
    assert large.check().clean
    assert "vectors-00000001.faiss" not in files(large.folder)
    assert large.info().index.kind == "lists"


@pytest.mark.parametrize("part", ["vectors", "ids", "codes"])
@pytest.mark.parametrize("damage", ["deleted", "truncated", "random"])
def test_a_damaged_file_is_never_used(large: Collection, part: str, damage: str) -> None:
    expected = large.search(clustered(20, 5), 10)
    (path,) = large.folder.glob(f"{part}-*")
    if damage == "deleted":
        path.unlink()
    else:
        whole = path.read_bytes()
        # Replaced, not overwritten: what is mapped must not change under a reader.
        path.unlink()
        path.write_bytes(whole[:-50] if damage == "truncated" else np.random.default_rng(0).bytes(len(whole)))
    assert len(large.check().index_problems) == 1
    with Collection.open(large.folder) as reader:
        np.testing.assert_array_equal(reader.search(clustered(20, 5), 10)[1][:, 0], expected[1][:, 0])
    assert large.check(repair=True).clean


class AgainstADictionary(RuleBasedStateMachine):
    """Any order of additions, changes, removals, compaction and opening: answers are those of the dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(policy, "FEWEST_NEW", 6)
        self.model: dict[str, np.ndarray] = {}
        self.collection = Collection.create(self.folder / "col", dim=DIM)
        self.made = 0

    @initialize(lists=st.booleans())
    def sizes(self, lists: bool) -> None:
        if lists:
            self.patches.setattr(choose, "FLAT_NUMBERS", 0)
            self.patches.setattr(choose, "FEWEST", 24)
            self.patches.setattr(choose, "ROWS_OF_LIST", 3)

    @rule(count=st.integers(1, 12), first=st.integers(0, 40))
    def add(self, count: int, first: int) -> None:
        self.made += 1
        uris, vectors = names(count, first), clustered(count, self.made)
        self.collection.add_vectors(uris, vectors)
        self.model |= dict(zip(uris, vectors, strict=True))

    @precondition(lambda self: self.model)
    @rule(first=st.integers(0, 40), count=st.integers(1, 9))
    def remove(self, first: int, count: int) -> None:
        gone = [uri for uri in names(count, first) if uri in self.model]
        assert self.collection.remove(names(count, first)) == len(gone)
        for uri in gone:
            del self.model[uri]

    @rule()
    def compact(self) -> None:
        self.collection.compact()

    @rule()
    def reopen(self) -> None:
        self.collection.close()
        self.collection = Collection.open(self.folder / "col")

    @invariant()
    def answers(self) -> None:
        queries = clustered(4, 99)
        assert len(self.collection) == len(self.model)
        for query, found in zip(queries, self.collection.query_many(list(queries), 5), strict=True):
            assert len(found) == min(5, len(self.model))
            for match in found:
                assert match.score == pytest.approx(float(self.model[match.item.uri] @ query), abs=1e-5)
            best = sorted((float(vector @ query) for vector in self.model.values()), reverse=True)[:5]
            if self.collection.info().index.kind == "flat":
                assert [match.score for match in found] == pytest.approx(best, abs=1e-5)
        ranged = self.collection.index.range_search(queries[:1], 0.3)[0][1]
        stored = {vector.tobytes(): vector for vector in self.model.values()}.values()
        assert len(ranged) == sum(float(vector @ queries[0]) >= 0.3 for vector in stored)

    def teardown(self) -> None:
        assert self.collection.check().clean
        self.collection.close()
        self.patches.undo()
        shutil.rmtree(self.folder)


TestAgainstADictionary = AgainstADictionary.TestCase
TestAgainstADictionary.settings = settings(max_examples=8, stateful_step_count=12, deadline=None)
