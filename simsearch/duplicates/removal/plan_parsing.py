"""The parts of a plan made of JSON values, each checked; what is wrong is named with its group and file."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar, get_args

from simsearch.duplicates.removal.plan import (
    Action,
    Companion,
    FileState,
    Group,
    Header,
    Plan,
    PlannedFile,
    Role,
    TakenOver,
    Transformation,
)
from simsearch.errors import PlanError

_T = TypeVar("_T")
_STATE = {"path", "size", "sha256", "mtime_ns", "device", "inode"}
_STATE_OPTIONS = {"links", "symlink"}
_FILE_OPTIONS = {"reason", "kind", "score", "transformation", "overlap", "companions", *_STATE_OPTIONS}
_HEADER = {"format", "version", "searched"}
_HEADER_OPTIONS = {"reference", "policy", "collection", "generation", "folder", "totals"}


class PlanReader:
    """Reads one plan, and remembers the paths and numbers that must be unique in it."""

    def __init__(self, format: str, version: int) -> None:
        self._format, self._version = format, version
        self._paths: dict[str, int] = {}
        self._numbers: set[int] = set()

    def read(self, text: str) -> Plan:
        """The plan in a JSON text. Raises PlanError."""
        entries = dict(_mapping(_parsed(text), "the plan"))
        for key in ("format", "version"):
            self._recognize(key, entries.get(key, getattr(self, f"_{key}")))
        _check_keys(entries, _HEADER | {"groups"}, _HEADER_OPTIONS, "the plan")
        listed = _list(entries, "groups", "the plan")
        header = _header(entries)
        groups = tuple(self._group(value, place) for place, value in enumerate(listed, 1))
        _check_reference(header, groups)
        return Plan(header, groups)

    def _recognize(self, key: str, value: object) -> None:
        if key == "format" and value != self._format:
            raise PlanError(f"not a plan of duplicates: 'format' is {value!r} instead of {self._format!r}")
        if key == "version" and value != self._version:
            raise PlanError(f"version {value!r} of plans is unknown, this simsearch reads {self._version}")

    def _group(self, value: object, place: int) -> Group:
        where = f"group {place}"
        entry = _mapping(value, where)
        _check_keys(entry, {"group", "files"}, {"takes_over", "split"}, where)
        number = _integer(entry, "group", where)
        where = f"group {number}"
        if number in self._numbers:
            raise PlanError(f"{where}: there are two groups of this number")
        self._numbers.add(number)
        listed = _list(entry, "files", where)
        files = tuple(self._file(file, f"{where}, file {place}", number) for place, file in enumerate(listed, 1))
        kept = sum(file.action == "keep" for file in files)
        if kept != 1:
            raise PlanError(
                f"{where}: {kept} files have the action 'keep', and one must; use 'leave' for others that stay"
            )
        taken = _list(entry, "takes_over", where) if "takes_over" in entry else []
        group = Group(
            number, files, tuple(_taken_over(one, where) for one in taken), _typed(entry, "split", bool, where, False)
        )
        _check_takeover(group, where)
        return group

    def _file(self, value: object, where: str, number: int) -> PlannedFile:
        entry = _mapping(value, where)
        _check_keys(entry, {"action", *_STATE}, _FILE_OPTIONS, where)
        companions = _list(entry, "companions", where) if "companions" in entry else []
        return PlannedFile(
            self._state(entry, where, number),
            _choice(entry, "action", get_args(Action), where),
            _typed(entry, "reason", str, where, ""),
            _typed(entry, "kind", str, where, None),
            _score(entry, where),
            _transformation(entry, where),
            tuple(
                self._companion(one, f"{where}, companion {place}", number) for place, one in enumerate(companions, 1)
            ),
            _overlap(entry, where),
        )

    def _companion(self, value: object, where: str, number: int) -> Companion:
        entry = _mapping(value, where)
        _check_keys(entry, {"role", *_STATE}, _STATE_OPTIONS, where)
        return Companion(self._state(entry, where, number), _choice(entry, "role", get_args(Role), where))

    def _state(self, entry: Mapping[str, Any], where: str, number: int) -> FileState:
        path = _typed(entry, "path", str, where)
        if not os.path.isabs(path) or "\0" in path:  # noqa: PTH117
            raise PlanError(f"{where}: {path!r} is not an absolute path")
        before = self._paths.setdefault(comparable(path), number)
        if len(self._paths) == self._count:
            raise PlanError(f"{where}: {path!r} stands in the plan already, in group {before}")
        self._count = len(self._paths)
        sha256 = _typed(entry, "sha256", str, where)
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise PlanError(f"{where}: 'sha256' is {sha256!r}, not 64 hexadecimal digits")
        return FileState(
            path,
            _natural(entry, "size", where),
            sha256,
            _integer(entry, "mtime_ns", where),
            _integer(entry, "device", where),
            _natural(entry, "inode", where),
            _natural(entry, "links", where) if "links" in entry else 1,
            _typed(entry, "symlink", bool, where, False),
        )

    _count = 0


def comparable(path: str) -> str:
    """A path as the system compares names, without `..`, doubled separators and the like."""
    return os.path.normcase(os.path.normpath(path))


def _header(entry: Mapping[str, Any]) -> Header:
    where = "the plan"
    if not _strings(entry, "searched", where):
        raise PlanError(f"{where}: 'searched' names no folder")
    for key in ("searched", "reference"):
        for folder in _strings(entry, key, where):
            if not os.path.isabs(folder) or "\0" in folder:  # noqa: PTH117
                raise PlanError(f"{where}: {folder!r} in {key!r} is not an absolute path")
    generation = None if entry.get("generation") is None else _natural(entry, "generation", where)
    return Header(
        _strings(entry, "searched", where),
        _strings(entry, "reference", where),
        _strings(entry, "policy", where),
        _typed(entry, "collection", str, where, None),
        generation,
        _typed(entry, "folder", str, where, None),
    )


def _check_reference(header: Header, groups: Sequence[Group]) -> None:
    """By the spelling of paths; what links, mounts and case hide is seen when the plan is applied."""
    roots = tuple(os.path.join(comparable(root), "") for root in header.reference)  # noqa: PTH118
    for group in groups if roots else ():
        for file in group.removed:
            for state in file.states():
                if comparable(state.path).startswith(roots):
                    raise PlanError(f"group {group.number}: {state.path!r} is to be removed, but lies in the reference")


def _check_takeover(group: Group, where: str) -> None:
    """A file that stays after all may still be named: nothing is taken over from it."""
    others = {file.state.path for file in group.files if file.action != "keep"}
    for one in group.takes_over:
        if one.source not in others:
            raise PlanError(f"{where}: takes over from {one.source!r}, which is not another file of the group")


def _taken_over(value: object, where: str) -> TakenOver:
    entry = _mapping(value, f"{where}, takes_over")
    _check_keys(entry, {"source", "what", "value"}, {"key"}, f"{where}, takes_over")
    what = _choice(entry, "what", ("label", "metadata", "example"), where)
    return TakenOver(_typed(entry, "source", str, where), what, entry["value"], _typed(entry, "key", str, where, None))


def _score(entry: Mapping[str, Any], where: str) -> float | None:
    score = entry.get("score")
    if score is None:
        return None
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise PlanError(f"{where}: 'score' is {score!r}, not a number")
    return float(score)


def _transformation(entry: Mapping[str, Any], where: str) -> Transformation | None:
    rows = entry.get("transformation")
    if rows is None:
        return None
    shaped = isinstance(rows, list) and len(rows) in (2, 3) and all(isinstance(r, list) and len(r) == 3 for r in rows)
    if not shaped or not all(type(number) in (int, float) for row in rows for number in row):
        raise PlanError(f"{where}: 'transformation' is not a matrix of 2x3 or 3x3 numbers")
    return tuple(tuple(float(number) for number in row) for row in rows)


def _overlap(entry: Mapping[str, Any], where: str) -> tuple[float, float] | None:
    shares = entry.get("overlap")
    if shares is None:
        return None
    if not isinstance(shares, list) or len(shares) != 2 or not all(type(one) in (int, float) for one in shares):
        raise PlanError(f"{where}: 'overlap' is {shares!r}, not two numbers")
    return float(shares[0]), float(shares[1])


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise PlanError(f"{where}: {type(value).__name__} instead of an object")
    return value


def _check_keys(entry: Mapping[str, Any], required: set[str], optional: set[str], where: str) -> None:
    for key in sorted(required - set(entry)):
        raise PlanError(f"{where}: the key {key!r} is missing")
    for key in sorted(set(entry) - required - optional):
        raise PlanError(f"{where}: the key {key!r} is unknown")


def _typed(entry: Mapping[str, Any], key: str, kind: type[_T], where: str, default: Any = ...) -> Any:
    value = entry.get(key)
    if value is None and default is not ...:
        return default
    if not isinstance(value, kind):
        raise PlanError(f"{where}: {key!r} is {value!r}, which is not of type {kind.__name__}")
    return value


def _integer(entry: Mapping[str, Any], key: str, where: str) -> int:
    if type(entry[key]) is not int:
        raise PlanError(f"{where}: {key!r} is {entry[key]!r}, not a whole number")
    return int(entry[key])


def _natural(entry: Mapping[str, Any], key: str, where: str) -> int:
    number = _integer(entry, key, where)
    if number < 0:
        raise PlanError(f"{where}: {key!r} is {number}, less than 0")
    return number


def _list(entry: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = entry[key]
    if not isinstance(value, list):
        raise PlanError(f"{where}: {key!r} is not a list")
    return value


def _strings(entry: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise PlanError(f"{where}: {key!r} is not a list of strings")
    return tuple(value)


def _choice(entry: Mapping[str, Any], key: str, choices: tuple[str, ...], where: str) -> Any:
    value = entry[key]
    if value not in choices:
        raise PlanError(f"{where}: {key!r} is {value!r}; it can be {', '.join(choices)}")
    return value


def _parsed(text: str) -> Any:
    """The JSON value of a text. Raises PlanError with the line of the mistake where the parser knows it."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise PlanError(f"line {error.lineno}: {error.msg[0].lower()}{error.msg[1:]}") from error
    except (ValueError, RecursionError) as error:
        raise PlanError(str(error)) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise ValueError(f"the key {twice!r} appears twice in one object")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")
