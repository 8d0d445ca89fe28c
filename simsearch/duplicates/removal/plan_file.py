"""Writing a plan as JSON that a person can edit, and reading it back with every mistake named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from simsearch.duplicates.removal.plan import Companion, FileState, Group, Header, Plan, PlannedFile, Totals
from simsearch.duplicates.removal.plan_parsing import PlanReader
from simsearch.errors import PlanError
from simsearch.manifest import replacing
from simsearch.outputs import require_output
from simsearch.types import JSONValue

FORMAT = "simsearch dedupe plan"
VERSION = 1


def check_plan_place(path: Path, *, force: bool = False) -> None:
    """Raises UsageError unless a plan can be written there: a file that is there must be a plan, unless `force`."""
    require_output(path, "a plan", (".json",), json.dumps(FORMAT).encode(), force=force)


def write_plan(path: Path, header: Header, groups: Iterable[Group], *, force: bool = False) -> Totals:
    """Writes a plan, whole or not at all, and returns its totals. Groups are taken one at a time.

    Raises UsageError like `check_plan_place`, and PlanError if it cannot be written.
    """
    check_plan_place(path, force=force)
    try:
        return _written(path, header, groups)
    except OSError as error:
        raise PlanError(f"{path} cannot be written: {error.strerror or error}") from error


def _written(path: Path, header: Header, groups: Iterable[Group]) -> Totals:
    found = Totals()
    with replacing(path) as temporary, temporary.open("wb") as stream:
        for line in _opening(header):
            _put(stream, line)
        first = True
        for group in groups:
            _put(stream, "" if first else ",\n")
            _put(stream, json.dumps(_group(group), indent=1, ensure_ascii=False, allow_nan=False))
            found, first = found.plus(group), False
        totals = {"groups": found.groups, "files": found.files, "bytes": found.bytes}
        _put(stream, f'\n],\n"totals": {json.dumps(totals)}\n}}\n')
    return found


def read_plan(path: Path) -> Plan:
    """The plan of a file, checked as a whole. Raises PlanError, in one line, for anything that is wrong with it."""
    try:
        return PlanReader(FORMAT, VERSION).read(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise PlanError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}: not a plan (not UTF-8)") from error
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error


def fingerprint(plan: Plan) -> str:
    """A checksum of what a plan asks for, the same for every way of writing it down."""
    digest = hashlib.sha256()
    for line in _opening(plan.header):
        digest.update(line.encode("utf-8", "backslashreplace"))
    for group in plan.groups:
        digest.update(json.dumps(_group(group)).encode())
    return digest.hexdigest()


def _put(stream: BinaryIO, text: str) -> None:
    # A name that is not UTF-8 has lone surrogates; written as \udc80 they are plain JSON escapes.
    stream.write(text.encode("utf-8", "backslashreplace"))


def _opening(header: Header) -> Iterator[str]:
    entries: dict[str, JSONValue] = {
        "format": FORMAT,
        "version": VERSION,
        "searched": list(header.searched),
        "reference": list(header.reference),
        "policy": list(header.policy),
        "collection": header.collection,
        "generation": header.generation,
        "folder": header.folder,
    }
    yield "{\n"
    for key, value in entries.items():
        yield f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n"
    yield '"groups": [\n'


def _group(group: Group) -> dict[str, JSONValue]:
    entry: dict[str, JSONValue] = {"group": group.number, "files": [_file(file) for file in group.files]}
    if group.split:
        entry["split"] = True
    if group.takes_over:
        entry["takes_over"] = [
            {"source": one.source, "what": one.what, "key": one.key, "value": one.value} for one in group.takes_over
        ]
    return entry


def _file(file: PlannedFile) -> dict[str, JSONValue]:
    entry: dict[str, JSONValue] = {"path": file.state.path, "action": file.action}
    if file.reason:
        entry["reason"] = file.reason
    if file.kind is not None:
        entry["kind"] = file.kind
    if file.score is not None:
        entry["score"] = file.score
    if file.transformation is not None:
        entry["transformation"] = [list(row) for row in file.transformation]
    if file.overlap is not None:
        entry["overlap"] = list(file.overlap)
    entry |= _state(file.state)
    if file.companions:
        entry["companions"] = [_companion(companion) for companion in file.companions]
    return entry


def _companion(companion: Companion) -> dict[str, JSONValue]:
    return {"path": companion.state.path, "role": companion.role, **_state(companion.state)}


def _state(state: FileState) -> dict[str, JSONValue]:
    entry: dict[str, JSONValue] = {
        "size": state.size,
        "sha256": state.sha256,
        "mtime_ns": state.mtime_ns,
        "device": state.device,
        "inode": state.inode,
    }
    if state.links != 1:
        entry["links"] = state.links
    if state.symlink:
        entry["symlink"] = True
    return entry
