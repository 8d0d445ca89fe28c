"""What a server says of itself: health, collections, the session of the page, and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from simsearch import __version__
from simsearch.collection.encoding import takes_text
from simsearch.errors import EncoderError
from simsearch.serving.answers import Json
from simsearch.serving.api.context import ContextOf
from simsearch.serving.api.documents import answers, listed, one
from simsearch.serving.metrics import CONTENT_TYPE
from simsearch.serving.records import collection_record

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection

router = APIRouter(tags=["server"])
root = APIRouter(tags=["server"])


@router.get("/health", summary="Health", responses=answers(one("Health", "It lives")))
def health() -> Response:
    return Json({"status": "ok", "version": __version__})


@router.get("/collections", summary="Collections", responses=answers(listed("collections", "Collection", "All")))
def collections(context: ContextOf) -> Response:
    """The served collections, and what each holds and takes."""
    listed = []
    for served in context.registry:
        collection = served.reading()
        listed.append(
            collection_record(
                served.name,
                collection.info(),
                takes_words=_takes_words(collection),
                read_only=context.settings.read_only,
            )
        )
    return Json({"collections": listed})


def _takes_words(collection: Collection) -> bool:
    """Whether texts find something; not where the encoder cannot be opened."""
    if collection.store.setting("modality") == "vector":
        return False
    try:
        return takes_text(collection.encoder)
    except EncoderError:
        return False


@router.get("/session", summary="The session", responses=answers(one("Session", "Of the page")))
def session(request: Request, context: ContextOf) -> Response:
    """What the page sends with changes in the header X-Simsearch-CSRF; null without its cookie."""
    ours = context.access.has_session(request.headers)
    return Json({"csrf": context.access.csrf if ours else None, "read_only": context.settings.read_only})


@root.get(
    "/metrics",
    summary="Metrics",
    responses=answers({"description": "Prometheus", "content": {"text/plain": {"schema": {"type": "string"}}}}),
)
def metrics(context: ContextOf) -> Response:
    for served in context.registry:
        context.metrics.holds(served.name, served.reading().info())
    return Response(context.metrics.text(), media_type=CONTENT_TYPE)
