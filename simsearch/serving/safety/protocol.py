"""Connections on which requests must arrive, and answers be taken, in time: a slow client holds no place."""

from __future__ import annotations

import asyncio
import socket
import struct

from uvicorn.protocols.http.h11_impl import H11Protocol


class TimedProtocol(H11Protocol):
    """Closes a connection on which the head of a request is not complete within `head_seconds`, or nothing of an answer
    is taken for `send_seconds`."""

    head_seconds = 10.0
    send_seconds = 60.0
    _head_timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._send_timer is not None:
            self._send_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_idle():
            self._start_timer()
        super().data_received(data)
        if not self._is_idle():
            self._stop_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._send_timer is None:
            self._watch()

    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _start_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()

    def _watch(self) -> None:
        """Looks again later whether what is left of an answer has become less."""
        left = self.transport.get_write_buffer_size()
        self._send_timer = self.loop.call_later(self.send_seconds, self._taken, left) if left else None

    def _taken(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:
            self._watch()
        else:
            # Closing would wait until the rest was taken; without lingering the system drops its part as well.
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
