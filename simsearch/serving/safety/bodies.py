"""Bodies of requests: read whole, within limits of size and time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simsearch.serving.answers import ApiError

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

    from simsearch.serving.settings import Limits


class Bodies:
    """Counts the bytes of all bodies that are held."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.held = 0

    @contextlib.contextmanager
    def room(self) -> Iterator[_Room]:
        """Room for one body, given back at the end."""
        room = _Room(self)
        try:
            yield room
        finally:
            self.held -= room.taken

    async def read(self, headers: dict[str, str], receive: Receive, room: _Room) -> bytes:
        """The body. Raises ApiError 413 for one that is too long, 408 for one that does not arrive in time."""
        _check_length(headers, self._limits.body_bytes)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise ApiError(415, "encoding", "compressed bodies are refused; send the file as it is")
        try:
            async with asyncio.timeout(self._limits.read_seconds):
                return await self._received(receive, room)
        except TimeoutError:
            seconds = f"{self._limits.read_seconds:g}"
            raise ApiError(408, "slow", f"the body did not arrive within {seconds} s", headers=_CLOSE) from None

    async def _received(self, receive: Receive, room: _Room) -> bytes:
        parts: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ApiError(400, "gone", "the client has gone")
            part = message.get("body", b"")
            room.take(len(part), self._limits)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


class _Room:
    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.taken = 0

    def take(self, count: int, limits: Limits) -> None:
        self.taken += count
        self._bodies.held += count
        if self.taken > limits.body_bytes:
            raise too_long(limits.body_bytes)
        if self._bodies.held > limits.held_bytes:
            raise ApiError(503, "busy", "too many uploads at once; try again", headers={"Retry-After": "1"} | _CLOSE)


_CLOSE = {"Connection": "close"}


def too_long(limit: int) -> ApiError:
    return ApiError(413, "too_large", f"a body may have {limit // 2**20:,} MiB", headers=_CLOSE)


def _check_length(headers: dict[str, str], limit: int) -> None:
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        raise ApiError(400, "length", "Content-Length is no number", headers=_CLOSE)
    if int(length[:20]) > limit:
        raise too_long(limit)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body at once, then what comes after it."""
    given = False

    async def again() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def has_body(scope: Scope) -> bool:
    """Whether a request may have a body that a handler reads."""
    return scope["method"] not in ("GET", "HEAD")
