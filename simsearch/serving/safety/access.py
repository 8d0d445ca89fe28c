"""Who may call: by the names of host and origin, the token, or the session of the page."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from simsearch.serving.answers import ApiError
from simsearch.serving.settings import ServeSettings

CSRF_HEADER = "x-simsearch-csrf"
SAFE_METHODS = ("GET", "HEAD")
ASKING = ("/api/v1/search", "/api/v1/recognize", "/api/v1/compare")
"""Calls that send a query in their body and change nothing."""
OPEN = ("/", "/favicon.ico", "/api/v1/health")
"""What shows nothing of a collection, as `/page/...`; the page itself looks for token or session."""


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one server. Its secret lives as long as the process, so sessions end with it."""

    settings: ServeSettings
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def _derived(self, what: str) -> str:
        return hmac.new(self.secret, what.encode(), hashlib.sha256).hexdigest()

    @property
    def cookie(self) -> str:
        """The name of the cookie of the page: browsers do not tell apart the servers of one host by their ports."""
        return f"simsearch-{self.settings.port}"

    @property
    def session(self) -> str:
        """The value of the cookie that the page gets."""
        return self._derived("session")

    @property
    def csrf(self) -> str:
        """What a change by the page carries in its header; a page of another site cannot read it."""
        return self._derived("csrf")

    def check_place(self, headers: Mapping[str, str], method: str, path: str) -> None:
        """Raises ApiError 403 for a name that is not this server's, or for a request that another site sends.

        Against DNS rebinding and cross-site requests; looked at before the body.
        """
        host = headers.get("host", "")
        if not self._is_own(_name_of(host)):
            raise ApiError(403, "host", f"this server is not {host[:100] or 'without a name'}; name it by --allow-host")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise ApiError(403, "origin", "requests of other sites are refused")
        site = headers.get("sec-fetch-site", "none")
        # A link to the page may stand anywhere.
        visits = method == "GET" and path == "/" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("none", "same-origin") and not visits:
            raise ApiError(403, "origin", "requests of other sites are refused")

    def _is_own(self, name: str) -> bool:
        own = {"localhost", self.settings.host.strip("[]").lower(), *(n.lower() for n in self.settings.allowed_hosts)}
        if name in own:
            return True
        try:
            # A name can be made to lead here, a number cannot.
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.settings.guarded

    def check_caller(self, headers: Mapping[str, str], method: str, path: str) -> None:
        """Raises ApiError 401 without token or session where one is needed, 403 for a change that is not allowed."""
        changes = method not in SAFE_METHODS and path not in ASKING
        if changes and self.settings.read_only:
            raise ApiError(403, "read_only", "this server only reads; start it without --read-only to change anything")
        if path in OPEN or path.startswith("/page/") or not (changes or self.settings.guarded):
            return
        if self._has_token(headers):
            return
        if not self.has_session(headers):
            raise ApiError(401, "token", _NO_TOKEN, headers={"WWW-Authenticate": "Bearer"})
        if changes and not _equal(headers.get(CSRF_HEADER, ""), self.csrf):
            raise ApiError(403, "csrf", f"a change by the page carries the header {CSRF_HEADER}")

    def is_token(self, given: str) -> bool:
        return bool(self.settings.token) and _equal(given, self.settings.token)

    def _has_token(self, headers: Mapping[str, str]) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self.is_token(given.strip())

    def has_session(self, headers: Mapping[str, str]) -> bool:
        """Whether the cookie of the page was sent."""
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return False
        return self.cookie in cookies and _equal(cookies[self.cookie].value, self.session)


_NO_TOKEN = "this needs the token that the server printed when it started: Authorization: Bearer TOKEN"


def _equal(given: str, expected: str) -> bool:
    """Takes the same time wherever they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


def _name_of(host: str) -> str:
    """The name in a Host header, without port and brackets; empty where it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
