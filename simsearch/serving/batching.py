"""Queries that arrive together are encoded and searched together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from simsearch.errors import InputError, SimsearchError
from simsearch.mixes import Mix
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


@dataclass(frozen=True, slots=True)
class Examples:
    """A query that is pulled towards stored items and away from others; None where there are only these."""

    base: Given | None
    like: tuple[int, ...]
    unlike: tuple[int, ...]


class Wanted(Hashable, Protocol):
    """What is asked of a collection; equal ones are answered in one call."""

    def answers(self, collection: Collection, sources: Sequence[Any]) -> list[Any]:
        """An answer to each source. Raises InputError with the row of one that cannot be used."""
        ...


@dataclass(slots=True, eq=False)
class _Ask:
    wanted: Wanted
    given: Given | Examples
    answer: asyncio.Future[Any]


class Batcher:
    """Answers the queries to one collection, in a thread: while it works on some, the next ones gather."""

    def __init__(self, served: Served, limits: Limits, metrics: Metrics) -> None:
        self._served, self._limits, self._metrics = served, limits, metrics
        self._queue: asyncio.Queue[_Ask] = asyncio.Queue(limits.queue)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"queries-{served.name}")
        self._worker: asyncio.Task[None] | None = None

    async def ask(self, wanted: Wanted, given: Given | Examples) -> Any:
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
        items = {item.id: item for item in collection.items_with(sorted({i for ask in batch for i in _ids(ask.given)}))}
        groups: dict[Wanted, list[int]] = {}
        found: list[Any] = [None] * len(batch)
        sources: dict[int, Any] = {}
        for place, ask in enumerate(batch):
            try:
                sources[place] = _source(ask.given, items)
            except ApiError as error:
                found[place] = error
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
    """What a collection is queried with: of ids their items. Raises ApiError 404 where there is none."""
    return _source(given, {item.id: item for item in collection.items_with(sorted(_ids(given)))})


def _ids(given: Given | Examples) -> set[int]:
    """The items that a query names."""
    if isinstance(given, Examples):
        return {*given.like, *given.unlike} | (set() if given.base is None else _ids(given.base))
    return {given.id} if isinstance(given, ItemId) else set()


def _source(given: Given | Examples, items: Mapping[int, Item]) -> Any:
    missing = next((one for one in sorted(_ids(given)) if one not in items), None)
    if missing is not None:
        raise no_item(missing)
    if isinstance(given, Examples):
        base = None if given.base is None else _source(given.base, items)
        return Mix.of_examples([items[one] for one in given.like], [items[one] for one in given.unlike], base)
    return items[given.id] if isinstance(given, ItemId) else given


def each_answer(collection: Collection, wanted: Wanted, sources: Sequence[Any]) -> list[Any]:
    """The answer to each source, or the error that it gives; one that cannot be used does not spoil the others."""
    found: list[Any] = [None] * len(sources)
    left = list(range(len(sources)))
    while left:
        try:
            answers: Sequence[Any] = wanted.answers(collection, [sources[place] for place in left])
        except SimsearchError as error:
            # Of a sum of queries the row is that of a term.
            plain = not any(isinstance(sources[place], Mix) for place in left)
            row = error.row if plain and isinstance(error, InputError) else None
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
