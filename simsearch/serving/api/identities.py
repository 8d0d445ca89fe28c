"""Identities: enrolled from uploads and items, shown, renamed, merged and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from simsearch.records import finding_record, skip_records
from simsearch.serving.answers import ApiError, Json
from simsearch.serving.api.context import ContextOf, ServedOf
from simsearch.serving.api.documents import PICTURE, UNCHANGED, answers, counted, listed, one, source_body
from simsearch.serving.api.items import Size, picture
from simsearch.serving.api.sources import ManySources, read_inputs
from simsearch.serving.batching import ItemId, as_source
from simsearch.serving.records import example_record
from simsearch.serving.thumbnails import Key, nearest_size

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.serving.batching import Given
    from simsearch.serving.served import Served
    from simsearch.types import Example

router = APIRouter(prefix="/identities", tags=["identities"])
Label = Annotated[str, Path(min_length=1, max_length=1000, description="The label of an identity.")]
ExampleId = Annotated[int, Path(ge=1, le=2**53)]
LABEL = Annotated[str, Field(min_length=1, max_length=1000)]


class EnrollOptions(ManySources):
    """Examples of an identity."""

    force: bool = Field(False, description="Enroll blank pictures too.")


class NewName(BaseModel):
    model_config = ConfigDict(extra="forbid")
    new: LABEL


class MergeTarget(BaseModel):
    model_config = ConfigDict(extra="forbid")
    target: LABEL


def _examples(served: Served) -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = {}
    for example in served.reading().examples():
        found.setdefault(example.label, []).append(example)
    return found


@router.get("", summary="List identities", responses=answers(listed("identities", "Identity", "By label")))
def list_identities(served: ServedOf) -> Response:
    """The enrolled labels with their examples."""
    found = _examples(served)
    listed = [{"label": label, "examples": [example_record(one) for one in found[label]]} for label in sorted(found)]
    return Json({"identities": listed})


@router.get(
    "/{label:path}/examples/{example_id}/thumbnail",
    summary="An example's picture",
    responses=answers(PICTURE, _304=UNCHANGED),
)
async def get_example_thumbnail(
    request: Request, context: ContextOf, served: ServedOf, label: Label, example_id: ExampleId, size: Size = 256
) -> Response:
    """A JPEG of the file that an example was enrolled from, as long as that is unchanged."""

    def answer() -> Response:
        example = next((one for one in _examples(served).get(label, ()) if one.id == example_id), None)
        if example is None:
            raise ApiError(404, "no_example", f"{label!r} has no example {example_id}")
        return picture(request, context, served, Key(served.name, -example_id, 0, nearest_size(size)), example)

    return await run_sync(answer, limiter=context.thumbnails.limiter)


@router.delete(
    "/{label:path}/examples/{example_id}",
    summary="Remove an example",
    responses=answers(counted("How many", label="Ana", example=1, removed=1, pending=False)),
)
def remove_example(served: ServedOf, label: Label, example_id: ExampleId) -> Response:
    collection = served.reading()
    if not any(one.id == example_id for one in _examples(served).get(label, ())):
        raise ApiError(404, "no_example", f"{label!r} has no example {example_id}")
    removed = collection.forget_examples([example_id])
    return Json({"label": label, "example": example_id, "removed": removed, "pending": collection.erasure_pending})


@router.post(
    "/{label:path}/examples",
    summary="Enroll",
    responses=answers(one("Enrolled", "What was enrolled")),
    openapi_extra=source_body("EnrollOptions", {"items": [7, 9]}),
)
async def enroll(request: Request, context: ContextOf, served: ServedOf, label: Label) -> Response:
    """Makes pictures, texts, items or vectors examples of a label; what cannot be read is listed."""
    inputs = await read_inputs(request, EnrollOptions, served, context.settings.limits)
    given = [source for _, source in inputs.some()]
    return await run_in_threadpool(_enrolled, served.reading(), label, given, inputs.options.force)


def _enrolled(collection: Collection, label: str, given: list[Given], force: bool) -> Response:
    report = collection.enroll(label, [_example(collection, one) for one in given], force=force)
    return Json(
        {
            "label": label,
            "examples": collection.labels().get(label, 0),
            "added": report.added,
            "existing": report.existing,
            "skipped": len(report.skipped),
            "skipped_files": skip_records(report.skipped),
            "findings": [finding_record(finding) for finding in report.findings],
        }
    )


def _example(collection: Collection, given: Given) -> Any:
    source = as_source(collection, given)
    if isinstance(given, ItemId) and collection.store.setting("modality") == "vector":
        return collection.store.vectors_of([source.content_id])[0]
    return source


@router.post(
    "/{label:path}/rename", summary="Rename", responses=answers(counted("Done", label="Ana", new="Anna", examples=3))
)
def rename(served: ServedOf, label: Label, name: NewName) -> Response:
    """Gives a label a name that is not enrolled yet."""
    _require(served, label)
    return Json({"label": label, "new": name.new, "examples": served.reading().rename(label, name.new)})


@router.post(
    "/{label:path}/merge",
    summary="Merge",
    responses=answers(counted("Done", label="Anna", target="Ana", moved=1, examples=3)),
)
def merge(served: ServedOf, label: Label, into: MergeTarget) -> Response:
    """Makes the examples of a label examples of another."""
    _require(served, label)
    collection = served.reading()
    moved = collection.merge(label, into.target)
    return Json(
        {"label": label, "target": into.target, "moved": moved, "examples": collection.labels().get(into.target, 0)}
    )


@router.get("/{label:path}", summary="One identity", responses=answers(one("Identity", "Its examples")))
def get_identity(served: ServedOf, label: Label) -> Response:
    _require(served, label)
    return Json({"label": label, "examples": [example_record(one) for one in _examples(served).get(label, [])]})


@router.delete(
    "/{label:path}", summary="Forget", responses=answers(counted("How many", label="Ana", removed=3, pending=False))
)
def forget(served: ServedOf, label: Label) -> Response:
    """Removes all examples of a label. `pending` is whether they are overwritten only when nothing else reads."""
    _require(served, label)
    collection = served.reading()
    return Json({"label": label, "removed": collection.forget(label), "pending": collection.erasure_pending})


def _require(served: Served, label: str) -> None:
    if label not in served.reading().labels():
        raise ApiError(404, "no_label", f"nobody is enrolled as {label[:100]!r}")
