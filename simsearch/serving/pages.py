"""The page: its static files, read once, and the session that it starts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from simsearch.serving.answers import ApiError
from simsearch.serving.api.context import Context, ContextOf

FOLDER = Path(__file__).parent / "page"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    kind: str
    tag: str


@cache
def assets() -> dict[str, Asset]:
    """The files of the page by their path in it."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in KINDS and path.is_file():
            content = path.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            found[path.relative_to(FOLDER).as_posix()] = Asset(content, KINDS[path.suffix], tag)
    return found


@router.get("/")
def index(
    request: Request, context: ContextOf, token: Annotated[str | None, Query(max_length=1000)] = None
) -> Response:
    """The page. It gets its session when the address has the token, or where none is asked for."""
    access = context.access
    if token is not None:
        if not access.is_token(token):
            raise ApiError(401, "token", "this is not the token that the server printed when it started")
        # The token leaves the address bar and the history.
        return _with_session(RedirectResponse("/", 303), context)
    if access.has_session(request.headers):
        return _asset(request, "index.html")
    if access.settings.guarded:
        raise ApiError(401, "token", "open the page by the address that the server printed when it started")
    return _with_session(_asset(request, "index.html"), context)


def _with_session(response: Response, context: Context) -> Response:
    response.set_cookie(context.access.cookie, context.access.session, httponly=True, samesite="strict", path="/")
    return response


@router.get("/page/{path:path}")
def asset(request: Request, path: str) -> Response:
    return _asset(request, path)


@router.get("/favicon.ico")
def favicon(request: Request) -> Response:
    return _asset(request, "favicon.ico")


def _asset(request: Request, path: str) -> Response:
    found = assets().get(path)
    if found is None:
        raise ApiError(404, "no_page", f"there is no page {path[:100]!r}")
    headers = {"ETag": found.tag, "Cache-Control": "no-cache"}
    if found.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type=found.kind)
