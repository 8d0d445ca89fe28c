"""Queries and examples in the bodies of requests: pictures, texts, ids of items, vectors. Never names of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from simsearch.errors import MediaError
from simsearch.media.formats import open_picture
from simsearch.serving.answers import ApiError
from simsearch.serving.batching import Given, ItemId
from simsearch.types import Text

if TYPE_CHECKING:
    from fastapi import Request

    from simsearch.serving.served import Served
    from simsearch.serving.settings import Limits

ITEM_ID = Annotated[int, Field(ge=1, le=2**53)]
WORDS = Annotated[str, Field(min_length=1, max_length=1_000_000)]
NUMBER = Annotated[float, Field(allow_inf_nan=False)]
VECTOR = Annotated[list[NUMBER], Field(min_length=1, max_length=65_536)]
MANY = 1000
LISTS = ("texts", "items", "like", "unlike")
"""Fields of a form that may be given several times."""


class Sources(BaseModel):
    """What is asked about, in the body as JSON; pictures are uploaded instead."""

    model_config = ConfigDict(extra="forbid")

    text: WORDS | None = Field(None, description="A text, or words for pictures where the encoder takes them.")
    item: ITEM_ID | None = Field(None, description="The id of a stored item.")
    vector: VECTOR | None = Field(None, description="A vector as long as those of the collection.")


class ManySources(Sources):
    """Several inputs at once."""

    texts: list[WORDS] = Field(default=[], max_length=MANY)
    items: list[ITEM_ID] = Field(default=[], max_length=MANY)
    vectors: list[VECTOR] = Field(default=[], max_length=MANY)


M = TypeVar("M", bound=Sources)


@dataclass(frozen=True, slots=True)
class Inputs(Generic[M]):
    """The sources of a request with a name for each, and its options."""

    sources: tuple[tuple[str, Given], ...]
    options: M

    def one(self) -> tuple[str, Given]:
        """The only source. Raises ApiError where there is none or another."""
        if len(self.sources) != 1:
            raise ApiError(422, "invalid", f"give one query, not {len(self.sources)}", "query")
        return self.sources[0]

    def some(self) -> tuple[tuple[str, Given], ...]:
        if not self.sources:
            raise ApiError(422, "invalid", "give at least one picture, text, item or vector", "query")
        return self.sources


async def read_inputs(request: Request, model: type[M], served: Served, limits: Limits) -> Inputs[M]:
    """The sources and options of a request: a bare picture or text, a form, or JSON.

    Options of a bare body stand in the query of the address. Raises ApiError, or MediaError for what is no picture.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return _of(model, await request.body(), [])
    if kind == "multipart/form-data":
        fields, files = await _form(request, limits)
    else:
        fields = {name: value for name, value in request.query_params.items() if name != "collection"}
        files = _bare(kind, await request.body(), fields)
    if files:
        await run_in_threadpool(_check_uploads, files, served, limits)
    return _of(model, fields, files)


def _of(model: type[M], given: bytes | Mapping[str, Any], files: list[tuple[str, bytes]]) -> Inputs[M]:
    try:
        options = model.model_validate_json(given, strict=True) if isinstance(given, bytes) else model(**given)
    except ValidationError as error:
        raise invalid(error.errors()[0]) from None
    return Inputs((*files, *_listed(options)), options)


def invalid(problem: Any) -> ApiError:
    """The error of a value that does not fit, as pydantic reports it."""
    field = ".".join(str(part) for part in problem["loc"]) or None
    message = problem["msg"] if field is None else f"{field}: {problem['msg']}"
    return ApiError(422, "invalid", message, field)


def _listed(options: Sources) -> list[tuple[str, Given]]:
    found: list[tuple[str, Given]] = []
    many = options if isinstance(options, ManySources) else None
    texts = [*([] if options.text is None else [options.text]), *(many.texts if many else [])]
    items = [*([] if options.item is None else [options.item]), *(many.items if many else [])]
    vectors = [*([] if options.vector is None else [options.vector]), *(many.vectors if many else [])]
    found += [(text, Text(text)) for text in texts]
    found += [(f"item {item}", ItemId(item)) for item in items]
    found += [("vector", np.array(vector, dtype=np.float64)) for vector in vectors]
    return found


def _bare(kind: str, body: bytes, fields: dict[str, str]) -> list[tuple[str, bytes]]:
    if kind == "text/plain":
        try:
            fields["text"] = body.decode()
        except UnicodeDecodeError:
            raise ApiError(400, "unreadable", "the text is not UTF-8") from None
        return []
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [("upload", body)]
    raise ApiError(
        415,
        "content_type",
        f"{kind[:100] or 'no content type'}: send image/*, text/plain, application/json or multipart/form-data",
    )


async def _form(request: Request, limits: Limits) -> tuple[dict[str, Any], list[tuple[str, bytes]]]:
    """The fields of a form, those that may be given several times as lists, and its files with their names."""
    fields: dict[str, Any] = {}
    files: list[tuple[str, bytes]] = []
    try:
        async with request.form(max_files=limits.files, max_fields=MANY) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files.append((value.filename or "upload", await value.read()))
                elif name in LISTS:
                    fields.setdefault(name, []).append(value)
                else:
                    fields[name] = value
    except (HTTPException, MultiPartException) as error:
        reason = error.detail if isinstance(error, HTTPException) else error.message
        raise ApiError(400, "form", reason) from None
    return fields, files


def _check_uploads(files: list[tuple[str, bytes]], served: Served, limits: Limits) -> None:
    """Refuses what no encoder of the collection takes, and pictures of too many pixels, before any decoding."""
    modality = served.modality()
    if modality == "vector":
        raise ApiError(415, "modality", "this collection holds vectors; query with a vector or an item")
    for name, content in files if modality == "image" else ():
        _check_picture(name, content, limits)


def _check_picture(name: str, content: bytes, limits: Limits) -> None:
    try:
        width, height = open_picture(content)[1].size
    except MediaError as error:
        raise MediaError(f"{name}: {error.reason}") from error
    if width * height > limits.pixels:
        most = f"{limits.pixels // 1_000_000} million"
        raise ApiError(413, "too_large", f"{name}: {width}x{height} pixels; an upload may have {most}")
