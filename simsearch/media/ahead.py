"""Prefetching: results computed by threads ahead of their use."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(
    function: Callable[[T], R], items: Iterable[T], *, workers: int | None = None, depth: int = 64
) -> Generator[R, None, None]:
    """The results of `function` for each item, in order, computed by threads ahead of their use.

    At most `depth` results (or calls) are pending at any time, so memory stays bounded; `items` is only read in the
    thread that iterates. An exception from `function` is raised in the place of its result and ends the iteration.
    When the iteration ends or is closed, calls that have not begun are cancelled and those that run are awaited.
    """
    pool = ThreadPoolExecutor(workers or usable_cpus(), thread_name_prefix="simsearch-ahead")
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= depth:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def usable_cpus() -> int:
    """The number of processors that this process may use, at least 1."""
    # Containers and batch systems restrict a process to some processors; macOS and Windows have no such call.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
