"""The application: its parts put together, its errors in one form, its document."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

from simsearch import __version__
from simsearch.errors import SimsearchError
from simsearch.serving import pages
from simsearch.serving.answers import ApiError, as_api_error, refusal
from simsearch.serving.api import duplicates, identities, items, jobs, recognizing, search, server
from simsearch.serving.api.context import Context
from simsearch.serving.api.identities import EnrollOptions
from simsearch.serving.api.recognizing import CompareOptions, RecognizeOptions
from simsearch.serving.api.schemas import SCHEMAS
from simsearch.serving.api.search import SearchOptions
from simsearch.serving.api.sources import invalid
from simsearch.serving.batching import Batcher
from simsearch.serving.jobs.runner import Jobs
from simsearch.serving.maps import Maps
from simsearch.serving.metrics import Metrics
from simsearch.serving.plans import Plans
from simsearch.serving.records import PREFIX
from simsearch.serving.safety.access import Access
from simsearch.serving.safety.gate import Gate
from simsearch.serving.served import Registry, Served
from simsearch.serving.settings import ServeSettings
from simsearch.serving.thumbnails import Thumbnails

DESCRIPTION = """Similarity search, recognition and removal of duplicates in the collections of this machine.

Calls that change something need the token that the server prints when it starts, as `Authorization: Bearer TOKEN`."""


def create_app(served: Sequence[Served], settings: ServeSettings) -> FastAPI:
    """The ASGI application for some collections. Its lifespan ends jobs and closes the collections."""
    registry, metrics, access = Registry(served), Metrics(), Access(settings)
    context = Context(
        settings,
        registry,
        {one.name: Batcher(one, settings.limits, metrics) for one in registry},
        Jobs(registry),
        Maps(),
        Plans(),
        Thumbnails(),
        metrics,
        access,
    )
    app = FastAPI(
        title="simsearch",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.context = context
    # Routes are tried in turn, and search is called most.
    for module in (search, items, server, identities, recognizing, duplicates, jobs):
        app.include_router(module.router, prefix=PREFIX)
    app.include_router(server.root)
    app.include_router(pages.router)
    for kind, handler in ((ApiError, _refused), (SimsearchError, _failed), (HTTPException, _not_served)):
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _faulty)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    app.add_middleware(Gate, access=access, limits=settings.limits, metrics=metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    from starlette.concurrency import run_in_threadpool

    yield
    context: Context = app.state.context
    await run_in_threadpool(context.jobs.close)
    for batcher in context.batchers.values():
        await batcher.close()
    context.plans.close()
    context.registry.close()


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return refusal(error)


async def _failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, SimsearchError)
    return refusal(as_api_error(error))


async def _not_served(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method"}.get(error.status_code, "refused")
    return refusal(ApiError(error.status_code, code, str(error.detail), headers=error.headers))


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return refusal(invalid(error.errors()[0]))


async def _faulty(_: Request, error: Exception) -> Response:
    """Of what nobody expected; it is also logged, with its traceback."""
    failed = isinstance(error, OSError | MemoryError)
    return refusal(ApiError(500, "system" if failed else "fault", f"the server failed ({type(error).__name__})"))


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in (SearchOptions, RecognizeOptions, CompareOptions, EnrollOptions):
            schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= SCHEMAS
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        app.openapi_schema = document
    return app.openapi_schema
