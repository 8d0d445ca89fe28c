"""Queries that arrive together are encoded and searched together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from simsearch.errors import InputError, SimsearchError
from simsearch.serving.answers import ApiError
from simsearch.types import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.collection.facade import Collection
    from simsearch.serving.metrics import Metrics
    from simsearch.serving.served import Served
    from simsearch.serving.settings import Limits
    from simsearch.types import Item


@dataclass(frozen=True, slots=True)
class ItemId:
    """A stored item as a query."""

    id: int


Given: TypeAlias = "bytes | Text | NDArray[np.float32] | ItemId"
"""What a client may query with: never a name of a file."""


class Wanted(Hashable, Protocol):
    """What is asked of a collection; equal ones are answered in one call."""

    def answers(
        self, collection: Collection, sources: Sequence[bytes | Text | NDArray[np.float32] | Item]
    ) -> list[Any]:
        """An answer to each source. Raises InputError with the row of one that cannot be used."""
        ...


@dataclass(slots=True, eq=False)
class _Ask:
    wanted: Wanted
    given: Given
    answer: asyncio.Future[Any]


class Batcher:
    """Answers the queries to one collection, in a thread: while it works on some, the next ones gather."""

    def __init__(self, served: Served, limits: Limits, metrics: Metrics) -> None:
        self._served, self._limits, self._metrics = served, limits, metrics
        self._queue: asyncio.Queue[_Ask] = asyncio.Queue(limits.queue)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"queries-{served.name}")
        self._worker: asyncio.Task[None] | None = None

    async def ask(self, wanted: Wanted, given: Given) -> Any:
        """The answer to a query, or what it raises. Raises ApiError when too many wait or it takes too long."""
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        ask = _Ask(wanted, given, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(ask)
        except asyncio.QueueFull:
            raise ApiError(503, "busy", "too many queries wait; try again", headers={"Retry-After": "1"}) from None
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                return await ask.answer
        except TimeoutError:
            raise ApiError(503, "busy", "the query took too long; try again", headers={"Retry-After": "5"}) from None

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._queue.get()]
            while len(batch) < self._limits.batch and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            # Those whose clients have gone are not worked on.
            batch = [ask for ask in batch if not ask.answer.done()]
            self._metrics.waiting(self._served.name, self._queue.qsize())
            self._metrics.batched(self._served.name, len(batch))
            working = loop.run_in_executor(self._thread, self._answered, batch)
            await asyncio.wait([working])
            failure = working.exception()
            answers = [failure] * len(batch) if failure is not None else working.result()
            for ask, answer in zip(batch, answers, strict=True):
                if ask.answer.done():
                    continue
                if isinstance(answer, BaseException):
                    ask.answer.set_exception(answer)
                else:
                    ask.answer.set_result(answer)

    def _answered(self, batch: Sequence[_Ask]) -> list[Any]:
        collection = self._served.searching()
        items = _items(collection, [ask.given.id for ask in batch if isinstance(ask.given, ItemId)])
        groups: dict[Wanted, list[int]] = {}
        found: list[Any] = [None] * len(batch)
        sources: dict[int, Any] = {}
        for place, ask in enumerate(batch):
            sources[place] = items.get(ask.given.id) if isinstance(ask.given, ItemId) else ask.given
            if sources[place] is None:
                assert isinstance(ask.given, ItemId)
                found[place] = no_item(ask.given.id)
            else:
                groups.setdefault(ask.wanted, []).append(place)
        for wanted, places in groups.items():
            answers = each_answer(collection, wanted, [sources[place] for place in places])
            for place, answer in zip(places, answers, strict=True):
                found[place] = answer
        return found

    async def close(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        self._thread.shutdown(wait=True, cancel_futures=True)


def no_item(item_id: int) -> ApiError:
    return ApiError(404, "no_item", f"there is no item {item_id} (any more)")


def as_source(collection: Collection, given: Given) -> Any:
    """What a collection is queried with: of an id its item. Raises ApiError 404 where there is none."""
    if not isinstance(given, ItemId):
        return given
    found = collection.item(given.id)
    if found is None:
        raise no_item(given.id)
    return found


def _items(collection: Collection, ids: Sequence[int]) -> dict[int, Item]:
    return {item.id: item for item in collection.items_with(sorted(set(ids)))} if ids else {}


def each_answer(collection: Collection, wanted: Wanted, sources: Sequence[Any]) -> list[Any]:
    """The answer to each source, or the error that it gives; one that cannot be used does not spoil the others."""
    found: list[Any] = [None] * len(sources)
    left = list(range(len(sources)))
    while left:
        try:
            answers: Sequence[Any] = wanted.answers(collection, [sources[place] for place in left])
        except SimsearchError as error:
            row = error.row if isinstance(error, InputError) else None
            if len(left) == 1:
                found[left[0]] = type(error)(error.reason) if isinstance(error, InputError) else error
                return found
            if row is None:
                for place in left:
                    found[place] = each_answer(collection, wanted, [sources[place]])[0]
                return found
            assert isinstance(error, InputError)
            found[left.pop(row)] = type(error)(error.reason)
            continue
        for place, answer in zip(left, answers, strict=True):
            found[place] = answer
        return found
    return found
