"""The process: a socket, a server, and an orderly end."""

from __future__ import annotations

import contextlib
import errno
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from simsearch.errors import MissingExtraError, UsageError
from simsearch.serving.settings import ServeSettings, is_loopback

if TYPE_CHECKING:
    from pathlib import Path

    import uvicorn
    from fastapi import FastAPI

    from simsearch.types import Encoder

SHORTEST_TOKEN = 16
SWITCH_SECONDS = 0.0005
STOP_SECONDS = 10
"""How long open requests may still take when the server stops."""


def require_extra() -> None:
    """Raises MissingExtraError where what serves is not installed."""
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("serve", "serve") from error


def secured(settings: ServeSettings) -> ServeSettings:
    """The settings with a token: that which was given, else a new one.

    It is asked of everybody where it was given, or where other machines can reach the server. Raises UsageError for a
    token that is short enough to be guessed.
    """
    if 0 < len(settings.token) < SHORTEST_TOKEN:
        raise UsageError(
            f"a token of {len(settings.token)} characters can be guessed; give {SHORTEST_TOKEN} or more, or none"
        )
    guarded = bool(settings.token) or not is_loopback(settings.host)
    return replace(settings, token=settings.token or secrets.token_urlsafe(24), guarded=guarded)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises UsageError when the port is in use or the host is not of this machine."""
    name = host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"{host} is no host to listen on ({error.strerror or error}); leave --host out") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(256)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(f"{host} is no address of this machine; give one that is, or leave --host out") from error
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"port {port} of {host} cannot be used: {reason}; choose another with --port") from error
    listening.setblocking(False)
    return listening


def address_of(listening: socket.socket, settings: ServeSettings) -> str:
    """The address of the page, with the token in it where one is asked for."""
    host, port = listening.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"?token={settings.token}" if settings.guarded else "")


def serve(
    collections: Sequence[tuple[str, Path, str | Path | Encoder | None]],
    settings: ServeSettings,
    listening: socket.socket,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serves until the process is interrupted or terminated; then jobs are cancelled and all is closed.

    `ready` is called when requests are answered. Raises what opening a collection raises, before anything is served.
    """
    import uvicorn

    from simsearch.serving.app import create_app
    from simsearch.serving.served import Served

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    served = [Served(*one, keeps=not settings.read_only) for one in collections]
    for one in served:
        one.reading()
    server = Server(configuration(create_app(served, settings), settings))
    with _stopping(server), switching():
        server.run(sockets=[listening])


def configuration(app: FastAPI, settings: ServeSettings) -> uvicorn.Config:
    """How the application is run: within the limits of the settings, and without a log of requests."""
    import uvicorn

    from simsearch.serving.safety.protocol import TimedProtocol

    class Protocol(TimedProtocol):
        head_seconds = settings.limits.head_seconds
        send_seconds = settings.limits.send_seconds

    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        log_level="warning",
        access_log=False,
        limit_concurrency=settings.limits.connections,
        timeout_keep_alive=max(1, int(settings.limits.head_seconds)),
        timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False,
    )


@contextlib.contextmanager
def switching() -> Iterator[None]:
    """Threads of Python take turns every half millisecond inside, ten times as often as usual.

    The thread that writes answers gives its turn away with each of them, and would else wait for as long as the thread
    that searches may go on.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextlib.contextmanager
def _stopping(server: Any) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the server, not the process, also before it has started and after it has stopped."""

    def stop(number: int, frame: object) -> None:
        del number, frame
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    if hasattr(signal, "SIGPIPE"):
        # The commands end by it when their output is closed; here it is raised by each client that goes away.
        before[signal.SIGPIPE] = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
