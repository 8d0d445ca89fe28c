"""Jobs: started, listed, observed and cancelled; and the map, which a job draws."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from simsearch.serving.answers import ApiError, Json
from simsearch.serving.api.context import Context, ContextOf, ServedOf
from simsearch.serving.api.documents import MAP, answers, listed, one
from simsearch.serving.jobs.job import Job
from simsearch.serving.jobs.kinds import calibrating, finding, indexing, mapping
from simsearch.serving.maps import packed

if TYPE_CHECKING:
    from simsearch.serving.jobs.kinds import Work
    from simsearch.serving.served import Served

router = APIRouter(tags=["jobs"])
RATE = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
STARTED = one("Job", "The job, waiting or running")
JOB = one("Job", "The job")
JobPath = Annotated[str, Path(max_length=64, description="The id of a job.")]


class CalibrateOptions(BaseModel):
    """Without impostors those of the last calibration serve again."""

    model_config = ConfigDict(extra="forbid")
    far: RATE = Field(description="The false-accept rate to be kept.")
    confidence: RATE = 0.95
    unknown_prior: RATE = 0.5
    impostors: str | None = Field(None, max_length=4096, description="A folder that the server allows.")


class JobOptions(BaseModel):
    """What a job does: bring folders up to date, calibrate, find duplicates, or draw the map."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["index", "calibrate", "duplicates", "map"]
    folder: str | None = Field(None, max_length=4096, description="index: one that the server allows; all by default.")
    labels: Literal["folder"] | None = Field(None, description="index: label items by their folders.")
    verify_content: bool = False
    calibrate: CalibrateOptions | None = None
    preset: Literal["strict", "default", "loose"] = "default"


def started(context: Context, served: Served, kind: str, asked: dict[str, Any], work: Work) -> Response:
    """The answer that a job was started."""
    job = context.jobs.start(served, kind, asked, work)
    return Json(job.record(), 202, {"Location": f"/api/v1/jobs/{job.id}"})


@router.post("/jobs", summary="Start a job", status_code=202, responses=answers(STARTED, 202))
def start_job(context: ContextOf, served: ServedOf, options: JobOptions) -> Response:
    """Starts long work, which goes on when the page is closed."""
    return started(context, served, options.kind, options.model_dump(), _work(context, served, options))


def _work(context: Context, served: Served, options: JobOptions) -> Work:
    if options.kind == "index":
        folders = [] if options.folder is None else [_allowed(context, served, options.folder)]
        return indexing(folders, options.labels, options.verify_content)
    if options.kind == "map":
        return mapping(served.name, context.maps)
    if options.kind == "duplicates":
        return finding(context.plans.place(served, Job("duplicates", served.name).id), options.preset, ())
    if options.calibrate is None:
        raise ApiError(422, "invalid", "calibrate: give far, the false-accept rate", "calibrate")
    return calibration_work(context, served, options.calibrate)


def calibration_work(context: Context, served: Served, options: CalibrateOptions) -> Work:
    impostors = None if options.impostors is None else _allowed(context, served, options.impostors)
    return calibrating(options.far, options.confidence, options.unknown_prior, impostors)


def _allowed(context: Context, served: Served, folder: str) -> str:
    """A folder of the user's that is indexed already or was allowed when the server was started, or lies in one."""
    try:
        place = FilePath(folder).resolve(strict=True)
        roots = [root.resolve() for root in context.allowed_roots(served)]
    except (OSError, ValueError, RuntimeError):
        raise ApiError(403, "folder", "no folder that this server allows", "folder") from None
    if not any(place.is_relative_to(root) for root in roots):
        raise ApiError(403, "folder", "this server does not allow that folder; start it with --allow-folder", "folder")
    return folder


@router.post("/calibrate", summary="Calibrate", status_code=202, responses=answers(STARTED, 202), tags=["recognition"])
def calibrate(context: ContextOf, served: ServedOf, options: CalibrateOptions) -> Response:
    """Starts a job that finds the threshold for a false-accept rate."""
    work = calibration_work(context, served, options)
    return started(context, served, "calibrate", options.model_dump(), work)


@router.get("/jobs", summary="List jobs", responses=answers(listed("jobs", "Job", "Newest first")))
def list_jobs(context: ContextOf, collection: Annotated[str | None, Query(max_length=255)] = None) -> Response:
    """The jobs of all collections or of one, also those of earlier runs of the server."""
    return Json({"jobs": [job.record() for job in context.jobs.all(collection)]})


@router.get("/jobs/{job_id}", summary="One job", responses=answers(JOB))
def get_job(context: ContextOf, job_id: JobPath) -> Response:
    return Json(context.jobs.get(job_id).record())


@router.delete("/jobs/{job_id}", summary="Cancel a job", responses=answers(JOB))
def cancel_job(context: ContextOf, job_id: JobPath) -> Response:
    """Asks a job to stop; it does at the next unit of its work."""
    return Json(context.jobs.cancel(job_id).record())


@router.get("/map", summary="The map", responses=answers(MAP, _202=STARTED), tags=["map"])
def get_map(
    context: ContextOf, served: ServedOf, form: Annotated[Literal["json", "binary"], Query(alias="format")] = "json"
) -> Response:
    """All items as points of a plane. Where there is no map of the present state, 202 and the job that draws it.

    `binary` has 24 bytes an item: "SSM1", the number n as uint32, arrays of n rows, all little-endian (float64 id,
    float32 x and y, float32 outlier, int32 label, -1 for none), then the names of the labels as a list in JSON.
    """
    generation = served.reading().store.generation()
    drawn = context.maps.get(served.name)
    if drawn is None or drawn.generation != generation:
        job = context.jobs.running(served.name, "map")
        if job is None:
            job = context.jobs.start(served, "map", {}, mapping(served.name, context.maps))
        return Json(job.record(), 202, {"Location": f"/api/v1/jobs/{job.id}"})
    if form == "binary":
        return Response(packed(drawn), media_type="application/octet-stream")
    return Json(
        {
            "generation": drawn.generation,
            "labels": list(drawn.names),
            "ids": drawn.ids.tolist(),
            "x": [round(x, 5) for x in drawn.points[:, 0].tolist()],
            "y": [round(y, 5) for y in drawn.points[:, 1].tolist()],
            "label": drawn.labels.tolist(),
            "outlier": [round(score, 4) for score in drawn.outlier.tolist()],
        }
    )
