"""Results come in order, from bounded work, and nothing is left running."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.media.ahead import ahead, usable_cpus


@given(st.lists(st.integers()), st.integers(1, 4), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_equals_map(items: list[int], workers: int, depth: int) -> None:
    assert list(ahead(str, items, workers=workers, depth=depth)) == [str(item) for item in items]


def test_order_holds_when_the_first_is_the_slowest() -> None:
    others_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert others_done.wait(30)
        elif item == 3:
            others_done.set()
        return item

    assert list(ahead(work, range(4), workers=2, depth=4)) == [0, 1, 2, 3]


def test_it_runs_in_other_threads() -> None:
    threads = set(ahead(lambda item: threading.get_ident(), range(20), workers=2))
    assert threading.get_ident() not in threads
    assert len(threads) <= 2


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_no_more_than_depth_are_pending(depth: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(50):
            taken += 1
            yield item

    most = 0
    for given_back, item in enumerate(ahead(int, items(), workers=3, depth=depth)):
        assert item == given_back
        most = max(most, taken - given_back)
    assert most == depth
    assert taken == 50


def test_an_exception_comes_in_its_place() -> None:
    def work(item: int) -> int:
        if item in (3, 5):
            raise ValueError(f"item {item}")
        return item

    results = ahead(work, range(9), workers=3)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match=r"^item 3$"):
        next(results)
    assert list(results) == []


def test_an_exception_of_the_items_ends_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        list(ahead(int, items(), workers=2))
    assert threading.active_count() == before


def test_closing_cancels_what_has_not_begun_and_waits_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    busy, cancelled = threading.Event(), threading.Event()
    begun: list[int] = []
    shutdown = ThreadPoolExecutor.shutdown

    def watched(pool: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False) -> None:
        shutdown(pool, wait=False, cancel_futures=cancel_futures)
        cancelled.set()
        shutdown(pool, wait=wait)

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            busy.set()
            assert cancelled.wait(30)
        return item

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", watched)
    results = ahead(work, range(1000), workers=1, depth=100)
    assert next(results) == 0
    assert busy.wait(30)
    results.close()
    assert begun == [0, 1]
    assert threading.active_count() == before


def test_nothing_begins_before_it_is_asked_for() -> None:
    begun: list[int] = []
    results = ahead(begun.append, range(9))
    assert begun == []
    assert list(results) == [None] * 9


def test_usable_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5, 7}, raising=False)
    assert usable_cpus() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cpus() == 1
