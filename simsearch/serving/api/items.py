"""Items: page by page, by id, their thumbnails and files, and what they can be filtered by."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request, Response

from simsearch.errors import MediaError, UsageError
from simsearch.media.formats import open_picture
from simsearch.serving.answers import ApiError, Json
from simsearch.serving.api.context import Context, ContextOf, ServedOf
from simsearch.serving.api.documents import PICTURE, UNCHANGED, answers, listed, one
from simsearch.serving.batching import no_item
from simsearch.serving.records import item_record
from simsearch.serving.thumbnails import Key, nearest_size

if TYPE_CHECKING:
    from simsearch.serving.served import Served
    from simsearch.types import Example, Item

router = APIRouter(tags=["items"])
ItemPath = Annotated[int, Path(ge=1, le=2**53, description="The id of an item.")]
Size = Annotated[int, Query(ge=1, le=1024, description="Pixels of the longer side, at least.")]
WHERE = Annotated[str, Query(max_length=8_000, description="A filter, as \"label = 'cat' and size > 1000\".")]
INLINE = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WebP": "image/webp",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}
"""Formats that browsers show; by what a file begins with, never by its name."""
OTHER = "application/octet-stream"
FILE = {
    "description": "The file",
    "content": {kind: {"schema": {"type": "string"}} for kind in (*INLINE.values(), "text/plain", OTHER)},
}


def _item(served: Served, item_id: int) -> Item:
    found = served.reading().item(item_id)
    if found is None:
        raise no_item(item_id)
    return found


def check_filter(served: Served, where: str) -> None:
    """Raises ApiError 400 that names the filter, for one that cannot be read or names what no item has."""
    try:
        served.reading().condition(where)
    except UsageError as error:
        raise ApiError(400, "where", str(error), "where") from None


@router.get("/items", summary="List items", responses=answers(listed("items", "Item", "A page", paged=True)))
def list_items(
    served: ServedOf,
    cursor: Annotated[str | None, Query(pattern=r"^\d{1,15}$", description="From the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    where: WHERE | None = None,
) -> Response:
    """Items by ascending id. `cursor` leads to the next page; it is null on the last."""
    if where is not None:
        check_filter(served, where)
    found = served.reading().page(int(cursor or 0), limit, where=where)
    modality = served.modality()
    following = str(found[-1].id) if len(found) == limit else None
    return Json({"items": [item_record(item, served.name, modality) for item in found], "cursor": following})


@router.get("/items/{item_id}", summary="One item", responses=answers(one("Item", "The item")))
def get_item(served: ServedOf, item_id: ItemPath) -> Response:
    return Json(item_record(_item(served, item_id), served.name, served.modality()))


@router.get("/items/{item_id}/thumbnail", summary="A thumbnail", responses=answers(PICTURE, _304=UNCHANGED))
async def get_thumbnail(
    request: Request, context: ContextOf, served: ServedOf, item_id: ItemPath, size: Size = 256
) -> Response:
    """A JPEG of an item's picture. Carries an ETag; If-None-Match is answered without reading the file."""

    def answer() -> Response:
        item = _item(served, item_id)
        key = Key(served.name, item.content_id, item.mtime_ns, nearest_size(size))
        return picture(request, context, served, key, item)

    return await run_sync(answer, limiter=context.thumbnails.limiter)


def picture(request: Request, context: Context, served: Served, key: Key, shown: Item | Example) -> Response:
    """The answer with a thumbnail, or that the client has it already. Only the user's own browser keeps it."""
    collection = served.reading()
    named = f"{collection.store.setting('id')} {key}".encode("utf-8", "surrogateescape")
    headers = {"ETag": f'"{hashlib.sha256(named).hexdigest()[:32]}"', "Cache-Control": "private, no-cache"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    try:
        made = context.thumbnails.get(key, collection, shown)
    except MediaError as error:
        raise ApiError(404, "no_picture", f"no picture of {shown.id}: {error.reason}") from None
    return Response(made, media_type="image/jpeg", headers=headers)


@router.get("/items/{item_id}/file", summary="The file of an item", responses=answers(FILE))
async def get_file(context: ContextOf, served: ServedOf, item_id: ItemPath) -> Response:
    """The file of a picture as it is, or the text of a text. What browsers do not show is for download."""
    return await run_sync(_file, served, item_id, limiter=context.thumbnails.limiter)


def _file(served: Served, item_id: int) -> Response:
    item = _item(served, item_id)
    if item.text is not None:
        return Response(item.text.encode("utf-8", "replace"), media_type="text/plain; charset=utf-8")
    try:
        content = served.reading().read(item)
        kind = INLINE.get(open_picture(content)[0])
    except MediaError as error:
        raise ApiError(404, "no_file", f"item {item_id}: {error.reason}") from None
    shown = "attachment" if kind is None else "inline"
    return Response(content, media_type=kind or OTHER, headers={"Content-Disposition": shown})


@router.get(
    "/facets",
    summary="Labels and folders",
    responses=answers(one("Facets", "Labels and folders, with the number of items")),
)
def get_facets(served: ServedOf, where: WHERE | None = None) -> Response:
    """The labels and folders of the items, each with how many have it, and the keys of their metadata."""
    if where is not None:
        check_filter(served, where)
    found = served.reading().facets(where)
    return Json(
        {
            "labels": [{"label": name, "items": count} for name, count in found.labels.items()],
            "folders": [{"folder": name, "items": count} for name, count in found.folders.items()],
            "keys": list(found.keys),
        }
    )
