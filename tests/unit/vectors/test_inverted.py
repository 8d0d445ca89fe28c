"""Inverted lists: what they find is scored exactly, they always give k, and the recall that was tuned for holds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from simsearch.errors import UsageError
from simsearch.vectors.arrays import as_vectors
from simsearch.vectors.audit import audit, held_out, interval
from simsearch.vectors.choose import FLAT_NUMBERS, Design, Wish, chosen, memory_of
from simsearch.vectors.exact import ExactIndex
from simsearch.vectors.faiss_index import FaissFlatIndex
from simsearch.vectors.inverted import InvertedIndex, open_lists, write_lists
from simsearch.vectors.layered import LayeredIndex
from simsearch.vectors.quantizing import refilled, sample_of, train
from simsearch.vectors.tuning import tuned

COUNT, DIM = 6000, 16


@cache
def clustered() -> np.ndarray:
    random = np.random.default_rng(3)
    centers = random.normal(size=(60, DIM))
    return as_vectors(centers[random.integers(0, 60, COUNT)] + random.normal(size=(COUNT, DIM)) * 0.4)


@cache
def rows() -> FaissFlatIndex:
    return FaissFlatIndex.over(np.arange(COUNT, dtype=np.int64) * 2, clustered())


@cache
def index(code: str = "pq4") -> InvertedIndex:
    found = tuned(rows(), train(rows(), Design("lists", code, 64), 0), asked(1), 0.99)
    assert found is not None
    return found


@cache
def asked(seed: int):
    places = sample_of(COUNT, 300, seed)
    return held_out(rows(), rows().ids[places], clustered()[places])


@pytest.mark.parametrize("code", ["pq4", "sq8"])
def test_the_recall_that_was_tuned_for_holds_for_other_queries(code: str) -> None:
    found = audit(index(code), asked(2))
    assert found.low <= found.recall <= found.high
    assert found.recall >= 0.985
    assert index(code).probes * 2 <= 64


@pytest.mark.parametrize("code", ["pq4", "sq8"])
def test_ten_neighbors_are_found_as_well_as_ten_beside_the_query(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recall is tuned with eleven answers, of which the query is one: fewer answers read as many lists."""
    found = index(code)
    read = []
    search = type(found.lists).search
    monkeypatch.setattr(found, "near", -1.0)
    monkeypatch.setattr(
        type(found.lists), "search", lambda *given, params: read.append(params.nprobe) or search(*given, params=params)
    )
    for k in (1, 5, 10, 11):
        found.search(clustered()[:3], k)
    assert read == [found.probes] * 4


def test_every_score_is_the_one_of_exact_search() -> None:
    queries = clustered()[:50]
    ids, scores = index().search(queries, 10)
    exact = ExactIndex.over(rows().ids, clustered())
    for number, query in enumerate(queries):
        all_ids, all_scores = exact.search(query[None, :], COUNT)
        of = dict(zip(all_ids[0].tolist(), all_scores[0].tolist(), strict=True))
        assert scores[number].tolist() == [of[one] for one in ids[number].tolist()]
        assert scores[number].tolist() == sorted(scores[number].tolist(), reverse=True)
        assert len(set(ids[number].tolist())) == 10


@pytest.mark.parametrize("k", [1, 10, 100, 1000, COUNT, COUNT + 5])
def test_there_are_always_k_answers(k: int) -> None:
    ids, scores = index().search(clustered()[:5], k)
    assert ids.shape == scores.shape == (5, min(k, COUNT))
    assert (ids >= 0).all()
    exact_ids, exact_scores = rows().search(clustered()[:5], k)
    assert (scores >= exact_scores[:, -1:] - 1e-6).mean() >= 0.97
    if k >= COUNT // 2:
        np.testing.assert_array_equal(ids, exact_ids)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("near", [False, True])
def test_a_search_among_ids_finds_the_nearest_of_them(share: float, near: bool) -> None:
    """Ids anywhere, and those that are farthest from the first query: none of them is in the lists nearest to it."""
    count = max(1, int(COUNT * share))
    order = np.argsort(clustered() @ clustered()[0]) if near else np.random.default_rng(0).permutation(COUNT)
    among = np.sort(rows().ids[order[:count]])
    queries = clustered()[:40]
    ids, scores = index().search(queries, 10, among)
    _, exact_scores = rows().search(queries, 10, among)
    assert ids.shape == (40, min(10, count))
    assert np.isin(ids, among).all()
    assert (scores >= exact_scores[:, -1:] - 1e-6).mean() >= 0.98


def test_nothing_is_found_among_nothing() -> None:
    nothing = np.empty(0, dtype=np.int64)
    assert index().search(clustered()[:3], 4, nothing)[0].shape == (3, 0)
    assert index().search(clustered()[:0], 4)[0].shape == (0, 4)


def test_a_range_search_is_complete() -> None:
    for (ids, scores), (all_ids, all_scores) in zip(
        index().range_search(clustered()[:5], 0.5), rows().range_search(clustered()[:5], 0.5), strict=True
    ):
        np.testing.assert_array_equal(ids, all_ids)
        np.testing.assert_array_equal(scores, all_scores)


def test_what_is_removed_is_never_found_and_makes_room_for_others() -> None:
    gone = rows().search(clustered()[:1], 200)[0][0]
    layered = LayeredIndex(index(), FaissFlatIndex(DIM), np.sort(gone))
    ids, scores = layered.search(clustered()[:30], 10)
    assert not np.isin(ids, gone).any()
    assert ids.shape == (30, 10)
    _, exact_scores = layered.exact.search(clustered()[:30], 10)
    assert (scores >= exact_scores[:, -1:] - 1e-6).mean() >= 0.98


def test_lists_are_filled_with_other_rows_without_training(tmp_path: Path) -> None:
    """Some rows go, others come: the lists hold exactly the codes of those that are there, at their new places."""
    stays = np.ones(COUNT, dtype=bool)
    stays[5:4000:3] = False
    more = as_vectors(np.random.default_rng(8).normal(size=(500, DIM)))
    ids = np.concatenate([rows().ids[stays], np.arange(500) + 2 * COUNT])
    new = FaissFlatIndex.over(ids, np.concatenate([clustered()[stays], more]))
    write_lists(tmp_path / "codes", index().lists)
    write_lists(tmp_path / "new", refilled(tmp_path / "codes", new))
    lists = open_lists(tmp_path / "new", new)
    assert lists.ntotal == len(new)
    carried = InvertedIndex(new, lists, index().probes, index().factor, index().near)
    assert sorted(np.flatnonzero(carried.list_of >= 0)) == list(range(len(new)))
    places = sample_of(len(new), 300, 4)
    assert audit(carried, held_out(new, new.ids[places], new.rows[places])).recall >= 0.97
    found, _ = carried.search(more[:50], 1)
    assert (found[:, 0] == ids[-500:-450]).mean() >= 0.98


def test_a_recall_that_lists_do_not_reach_is_not_promised() -> None:
    random = as_vectors(np.random.default_rng(0).normal(size=(2000, 64)))
    flat = FaissFlatIndex.over(np.arange(2000, dtype=np.int64), random)
    places = sample_of(2000, 200, 0)
    question = held_out(flat, flat.ids[places], random[places])
    assert tuned(flat, train(flat, Design("lists", "pq4", 32), 0), question, 0.999) is None


def test_rows_that_tie_count_as_found() -> None:
    same = np.tile(as_vectors([[1.0, 2.0]]), (40, 1))
    flat = FaissFlatIndex.over(np.arange(40, dtype=np.int64), same)

    class Reversed:
        def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
            _, scores = flat.search(queries, k)
            return np.tile(np.arange(39, 39 - k, -1), (len(queries), 1)), scores

    assert audit(Reversed(), held_out(flat, flat.ids[:9], same[:9])).recall == 1.0


def test_an_interval_holds_its_mean_and_has_a_width_even_where_all_are_found() -> None:
    mean, low, high = interval(np.ones(100))
    assert (mean, high) == (1.0, 1.0)
    assert 0.995 < low < 1.0
    mean, low, high = interval(np.random.default_rng(0).uniform(size=400))
    assert low < mean < high
    assert 0.04 < high - low < 0.08


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for number in range(200):
        shares = random.binomial(10, 0.97, size=300) / 10
        _, low, high = interval(shares, seed=number)
        covered += low <= 0.97 <= high
    assert covered >= 180


@pytest.mark.parametrize(
    ("count", "dim", "wish", "kind", "code"),
    [
        (0, 128, Wish(), "flat", ""),
        (FLAT_NUMBERS // 128, 128, Wish(), "flat", ""),
        (1_000_000, 128, Wish(), "lists", "pq4"),
        (1_000_000, 127, Wish(), "lists", "sq8"),
        (1_000_000, 128, Wish(recall=1.0), "flat", ""),
        (1_000_000, 128, Wish(memory=200_000_000), "lists", "pq4"),
        (1_000_000, 128, Wish(memory=2_000_000), "flat", ""),
        (3000, 4096, Wish(), "flat", ""),
    ],
)
def test_the_kind_follows_from_size_recall_and_memory(count: int, dim: int, wish: Wish, kind: str, code: str) -> None:
    design = chosen(count, dim, wish)
    assert (design.kind, design.code) == (kind, code)
    assert design.reason


@pytest.mark.parametrize(
    ("given", "number"),
    [("2GB", 2 * 10**9), ("1.5 gib", 3 * 2**29), (5_000_000, 5_000_000), ("700MB", 7 * 10**8), ("any", None)],
)
def test_amounts_of_memory(given: int | str, number: int | None) -> None:
    assert memory_of(given) == number


@pytest.mark.parametrize("given", ["much", "-2GB", "2 apples", ""])
def test_what_is_no_amount_of_memory_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="no amount of memory"):
        memory_of(given)


def test_what_cannot_be_kept_to_is_refused() -> None:
    for recall in (0.2, 1.1, float("nan")):
        with pytest.raises(UsageError, match="cannot be aimed at"):
            Wish(recall=recall)
    with pytest.raises(UsageError, match="too few"):
        Wish(memory=1000)
