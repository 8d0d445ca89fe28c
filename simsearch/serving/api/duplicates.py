"""Duplicates: found, looked at, decided on, removed by a plan, and put back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from simsearch.serving.answers import Json
from simsearch.serving.api.context import ContextOf, ServedOf
from simsearch.serving.api.documents import answers, one
from simsearch.serving.api.jobs import STARTED, started
from simsearch.serving.jobs.job import Job
from simsearch.serving.jobs.kinds import applying, finding, undoing
from simsearch.serving.records import item_record

if TYPE_CHECKING:
    from simsearch.duplicates.removal.plan import Group, PlannedFile
    from simsearch.types import Item

router = APIRouter(prefix="/duplicates", tags=["duplicates"])
PLAN_ID = Annotated[str, Field(pattern=r"^[0-9a-f-]{1,64}$")]
PlanQuery = Annotated[str | None, Query(pattern=r"^[0-9a-f-]{1,64}$", description="A plan; the latest by default.")]


class FindOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    preset: Literal["strict", "default", "loose"] = "default"
    keep: list[str] = Field(default=[], max_length=20, description="Criteria, the most important first.")


class Choice(BaseModel):
    """What is to happen to a file of a group: by the number of the group and the place of the file, from 0."""

    model_config = ConfigDict(extra="forbid")
    group: int = Field(ge=0, le=2**53)
    file: int = Field(ge=0, le=2**53)
    action: Literal["keep", "remove", "leave"]


class PlanEdit(BaseModel):
    model_config = ConfigDict(extra="forbid")
    plan: PLAN_ID | None = None
    choices: list[Choice] = Field(default=[], max_length=1_000_000)


class PlanChoice(BaseModel):
    model_config = ConfigDict(extra="forbid")
    plan: PLAN_ID


@router.post("/find", summary="Find duplicates", status_code=202, responses=answers(STARTED, 202))
def find(context: ContextOf, served: ServedOf, options: FindOptions) -> Response:
    """Starts a job that finds copies and writes a plan of their removal; nothing is removed."""
    from simsearch.collection.duplicates.finding import Wanted

    Wanted(options.preset, tuple(options.keep))
    place = context.plans.place(served, Job("duplicates", served.name).id)
    context.plans.trim(served)
    return started(
        context, served, "duplicates", options.model_dump(), finding(place, options.preset, tuple(options.keep))
    )


@router.get("", summary="Groups of copies", responses=answers(one("Groups", "The groups")))
def list_groups(
    context: ContextOf,
    served: ServedOf,
    plan: PlanQuery = None,
    cursor: Annotated[str | None, Query(pattern=r"^\d{1,15}$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """The groups of a plan, the kept file first, with the proof that relates each copy to it."""
    collection = served.reading()
    place = context.plans.find(served, plan)
    read = collection.read_plan(place)
    start = int(cursor or 0)
    groups = read.groups[start : start + limit]
    uris = [file.state.path for group in groups for file in group.files]
    items = collection.items_named(uris)
    sizes = collection.picture_sizes(items.values())
    seen = _Seen(items, sizes, served.name, served.modality())
    listed = [_group_record(group, seen) for group in groups]
    following = str(start + limit) if start + limit < len(read.groups) else None
    totals = {"groups": len(read.groups), "files": read.totals.files, "bytes": read.totals.bytes}
    current = read.header.generation == collection.store.generation()
    return Json({"plan": place.stem, "current": current, "groups": listed, "totals": totals, "cursor": following})


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the collection knows of the files of groups: items by path, sizes of pictures by the id of the item."""

    items: dict[str, Item]
    sizes: dict[int, tuple[int, int]]
    collection: str
    modality: str


def _group_record(group: Group, seen: _Seen) -> dict[str, Any]:
    files = [_file_record(place, file, seen) for place, file in enumerate(group.files)]
    files.sort(key=lambda file: file["action"] != "keep")
    return {
        "group": group.number,
        "split": group.split,
        "files": files,
        "takes_over": [{"source": each.source, "what": each.what, "key": each.key} for each in group.takes_over],
    }


def _file_record(place: int, file: PlannedFile, seen: _Seen) -> dict[str, Any]:
    item = seen.items.get(file.state.path)
    width, height = (None, None) if item is None else seen.sizes.get(item.id, (None, None))
    return {
        "file": place,
        "path": file.state.path,
        "action": file.action,
        "reason": file.reason,
        "kind": file.kind,
        "score": file.score,
        "transformation": file.transformation,
        "overlap": file.overlap,
        "bytes": file.state.size,
        "width": width,
        "height": height,
        "companions": [{"path": each.state.path, "role": each.role} for each in file.companions],
        "item": None if item is None else item_record(item, seen.collection, seen.modality),
    }


@router.post("/plan", summary="Decide", responses=answers(one("Plan", "The new plan")))
def edit_plan(context: ContextOf, served: ServedOf, edit: PlanEdit) -> Response:
    """Writes a plan with other decisions than an earlier one, the latest by default."""
    place = context.plans.find(served, edit.plan)
    new = context.plans.place(served, Job("duplicates", served.name).id)
    choices = {(choice.group, choice.file): choice.action for choice in edit.choices}
    totals = served.reading().edit_plan(place, new, choices)
    context.plans.trim(served)
    return Json({"plan": new.stem, "groups": totals.groups, "files": totals.files, "bytes": totals.bytes})


@router.post("/apply", summary="Carry out a plan", status_code=202, responses=answers(STARTED, 202))
def apply(context: ContextOf, served: ServedOf, chosen: PlanChoice) -> Response:
    """Starts a job that moves what a plan removes into a quarantine folder; undo puts it back."""
    place = context.plans.find(served, chosen.plan)
    return started(context, served, "apply", chosen.model_dump(), applying(place))


@router.post("/undo", summary="Undo the latest removal", status_code=202, responses=answers(STARTED, 202))
def undo(context: ContextOf, served: ServedOf) -> Response:
    """Starts a job that puts back what the latest plan has moved."""
    return started(context, served, "undo", {}, undoing())
