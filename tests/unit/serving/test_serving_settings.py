"""How a server listens: tokens, hosts and addresses."""

from __future__ import annotations

import socket

import pytest

from simsearch.errors import UsageError
from simsearch.serving.server import address_of, listen, secured
from simsearch.serving.settings import Limits, ServeSettings, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]"])
def test_on_loopback_the_token_is_for_changes(host: str) -> None:
    settings = secured(ServeSettings(host))
    assert is_loopback(host)
    assert not settings.guarded
    assert len(settings.token) >= 32
    assert secured(ServeSettings(host)).token != settings.token


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", "localhost.example.org"])
def test_where_others_can_reach_it_the_token_is_for_everything(host: str) -> None:
    assert secured(ServeSettings(host)).guarded


def test_a_token_that_is_given_is_for_everything_and_long(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = secured(ServeSettings(token="a" * 16))
    assert (settings.guarded, settings.token) == (True, "a" * 16)
    with pytest.raises(UsageError, match="a token of 15 characters can be guessed"):
        secured(ServeSettings(token="a" * 15))


def test_the_address_has_the_port_that_is_free_and_the_token_where_it_is_needed() -> None:
    with listen("localhost", 0) as listening:
        port = listening.getsockname()[1]
        assert address_of(listening, secured(ServeSettings())) == f"http://127.0.0.1:{port}/"
        guarded = secured(ServeSettings(token="a" * 20))
        assert address_of(listening, guarded) == f"http://127.0.0.1:{port}/?token={'a' * 20}"
        with pytest.raises(UsageError, match=f"port {port} of localhost cannot be used: address already in use"):
            listen("localhost", port)
    with pytest.raises(UsageError, match=r"192\.0\.2\.1 is no address of this machine; give one that is"):
        listen("192.0.2.1", 0)


@pytest.mark.skipif(not socket.has_ipv6, reason="without IPv6")
def test_an_address_of_ipv6_has_brackets() -> None:
    try:
        listening = listen("[::1]", 0)
    except UsageError:
        pytest.skip("no IPv6 on this machine")
    with listening:
        assert address_of(listening, secured(ServeSettings())).startswith("http://[::1]:")


def test_two_of_the_largest_uploads_fit() -> None:
    assert Limits.for_uploads(2**20).held_bytes == Limits().held_bytes
    assert Limits.for_uploads(2**30).held_bytes == 2**31
