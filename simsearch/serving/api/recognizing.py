"""Recognition: who is it, are two the same, and how far the answers can be trusted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from simsearch.collection.querying import resolve
from simsearch.errors import InputError
from simsearch.records import calibration_record, comparison_record, recognition_record
from simsearch.serving.answers import ApiError, Json
from simsearch.serving.api.context import ContextOf, ServedOf
from simsearch.serving.api.documents import ANSWERS, answers, one, source_body
from simsearch.serving.api.sources import NUMBER, ManySources, read_inputs
from simsearch.serving.batching import as_source

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.collection.identities.comparing import Comparison
    from simsearch.serving.batching import Given
    from simsearch.serving.served import Served
    from simsearch.types import Recognition, Vectors

router = APIRouter(tags=["recognition"])
THRESHOLD = Field(None, ge=-1, le=1, description="The least score of a known label, in place of the calibration's.")


class RecognizeOptions(ManySources):
    threshold: NUMBER | None = THRESHOLD
    include_vectors: bool = Field(False, description="Give the vector of each, as for grouping the unknown ones.")


class CompareOptions(ManySources):
    threshold: NUMBER | None = Field(None, ge=-1, le=1, description="The least score that counts as the same.")


@dataclass(frozen=True, slots=True)
class Recognize:
    """Inputs with this threshold are recognized in one call."""

    threshold: float | None

    def answers(self, collection: Collection, sources: Sequence[Any]) -> list[tuple[Recognition, Vectors]]:
        vectors = resolve(collection, sources)[1]
        return list(
            zip(collection.recognize_many(list(vectors), threshold=self.threshold), vectors, strict=True),
        )


@router.post(
    "/recognize",
    summary="Recognize",
    responses=answers(ANSWERS),
    openapi_extra=source_body("RecognizeOptions", {"items": [3, 4]}),
)
async def recognize(request: Request, context: ContextOf, served: ServedOf) -> Response:
    """The enrolled label of each input, or null below the threshold; what cannot be read has an error instead."""
    inputs = await read_inputs(request, RecognizeOptions, served, context.settings.limits)
    given, asked = inputs.some(), inputs.options
    if not served.reading().labels():
        raise ApiError(409, "nobody", "nobody is enrolled yet; enroll an example first")
    batcher, wanted = context.batchers[served.name], Recognize(asked.threshold)
    asks = [batcher.ask(wanted, source) for _, source in given]
    found = await asyncio.gather(*asks, return_exceptions=True)
    listed = [_answer(name, each, asked.include_vectors) for (name, _), each in zip(given, found, strict=True)]
    return Json({"answers": listed})


def _answer(name: str, found: Any, include_vectors: bool) -> dict[str, Any]:
    if isinstance(found, InputError):
        return {"query": name, "error": found.reason}
    if isinstance(found, ApiError) and found.code == "no_item":
        return {"query": name, "error": str(found)}
    if isinstance(found, BaseException):
        raise found
    recognition, vector = found
    return recognition_record(name, recognition) | ({"vector": vector.tolist()} if include_vectors else {})


@router.post(
    "/compare",
    summary="Compare",
    responses=answers(one("Comparison", "Same or different")),
    openapi_extra=source_body("CompareOptions", {"items": [3, 4]}, bare=False),
)
async def compare(request: Request, context: ContextOf, served: ServedOf) -> Response:
    """Whether two inputs are of one identity, with a probability where the encoder gives one."""
    inputs = await read_inputs(request, CompareOptions, served, context.settings.limits)
    if len(inputs.sources) != 2:
        raise ApiError(422, "invalid", f"give two inputs, not {len(inputs.sources)}", "query")
    (first, left), (second, right) = inputs.sources
    found = await run_in_threadpool(_compared, served, left, right, inputs.options.threshold)
    return Json(comparison_record(first, second, found))


def _compared(served: Served, left: Given, right: Given, threshold: float | None) -> Comparison:
    collection = served.reading()
    return collection.compare(as_source(collection, left), as_source(collection, right), threshold=threshold)


@router.get(
    "/calibration",
    summary="The calibration",
    responses=answers(one("Calibration", "Threshold, rate and curve")),
)
def get_calibration(
    served: ServedOf, confidence: Annotated[float, Query(gt=0, lt=1, allow_inf_nan=False)] = 0.95
) -> Response:
    """The calibration, whether it still holds, and what each threshold would do with impostors and known examples."""
    collection = served.reading()
    decider = collection.decider
    curve = collection.operating_curve(confidence)
    return Json(
        {
            "calibration": None if decider.calibration is None else calibration_record(decider.calibration),
            "stale": decider.stale,
            "curve": asdict(curve) | {"confidence": confidence},
        }
    )
