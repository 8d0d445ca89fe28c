"""A client of a server in this process, and the token that it opens everything with."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from simsearch.serving.app import create_app
from simsearch.serving.served import Served
from simsearch.serving.settings import ServeSettings

if TYPE_CHECKING:
    from starlette.testclient import TestClient

API = "/api/v1"
TOKEN = "open sesame"
SETTINGS = ServeSettings(token=TOKEN)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Connect = Callable[..., "TestClient"]


def client_of(served: Sequence[Served], settings: ServeSettings) -> TestClient:
    """A client that is refused, not raised through, where the server fails."""
    with warnings.catch_warnings():
        # Its own advice about the client library that it is built on.
        warnings.simplefilter("ignore")
        from starlette.testclient import TestClient
    return TestClient(create_app(served, settings), "http://127.0.0.1:8765", raise_server_exceptions=False)
