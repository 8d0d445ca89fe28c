"""The gate that every request passes before any handler sees it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from simsearch.serving.answers import ApiError, refusal
from simsearch.serving.safety.bodies import Bodies, has_body, replayed

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from simsearch.serving.metrics import Metrics
    from simsearch.serving.safety.access import Access
    from simsearch.serving.settings import Limits

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        b"media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Gate:
    """Checks host, origin and caller, reads the body within its limits, and measures what is answered."""

    def __init__(self, app: ASGIApp, access: Access, limits: Limits, metrics: Metrics) -> None:
        self._app, self._access, self._metrics = app, access, metrics
        self._bodies = Bodies(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = _Answering(send)
        began = time.perf_counter()
        try:
            await self._admitted(scope, receive, answering)
        except ApiError as error:
            if not answering.status:
                await refusal(error)(scope, receive, answering)
        finally:
            self._metrics.answered(scope, answering.status, time.perf_counter() - began)

    async def _admitted(self, scope: Scope, receive: Receive, send: _Answering) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._access.check_place(headers, scope["method"], scope["path"])
        self._access.check_caller(headers, scope["method"], scope["path"])
        if not has_body(scope):
            await self._app(scope, receive, send)
            return
        with self._bodies.room() as room:
            body = await self._bodies.read(headers, receive, room)
            await self._app(scope, replayed(body, receive), send)


class _Answering:
    """Sends with the headers that every answer has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            present = {name for name, _ in message["headers"]}
            added: list[Any] = [pair for pair in HEADERS if pair[0] not in present]
            if b"cache-control" not in present:
                added.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*message["headers"], *added]}
        await self._send(message)
