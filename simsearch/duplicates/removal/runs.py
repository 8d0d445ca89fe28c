"""What a run has done so far, replayed from the records of its journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from simsearch.duplicates.removal.attributes import Attributes

VERSION = 1
Method: TypeAlias = Literal["quarantine", "trash", "hardlink", "symlink", "delete"]
"""How files go: moved to a folder, to the desktop trash, replaced by links to the kept file, or deleted."""
IRREVERSIBLE: frozenset[Method] = frozenset(("trash", "delete"))
"""The methods that `undo_run` cannot undo."""
Times: TypeAlias = tuple[int, int]
"""Times of access and of modification, in nanoseconds."""
Status: TypeAlias = Literal["intended", "done", "back"]


@dataclass(frozen=True, slots=True)
class Step:
    """A file that goes. `to` is where it is moved, or what the link that replaces it leads to.

    `temporary` is the name, in the folder of the one or the other, under which files are made before they take
    their place.
    """

    path: str
    to: str | None
    temporary: str
    size: int
    sha256: str
    attributes: Attributes


@dataclass(slots=True)
class Unit:
    """A file and its companions, which go and come back together; `kept` is what stays in their place.

    `folders` has the attributes, before it, of the folders that lose something.
    """

    number: int
    group: int
    method: Method
    kept: str
    kept_identity: tuple[int, int]
    steps: tuple[Step, ...]
    folders: Mapping[str, Attributes]
    status: list[Status] = field(default_factory=list)
    abandoned: bool = False

    def __post_init__(self) -> None:
        self.status = self.status or ["intended"] * len(self.steps)

    @property
    def open(self) -> bool:
        """Whether a kill has left it in the middle of its steps, or of their being rolled back."""
        return not self.abandoned and set(self.status) != {"done"}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Unit:
        """The unit of a record."""
        return cls(
            record["number"],
            record["group"],
            _method(record["method"]),
            record["kept"],
            (record["kept_identity"][0], record["kept_identity"][1]),
            tuple(Step(**(step | {"attributes": Attributes(**step["attributes"])})) for step in record["steps"]),
            {folder: Attributes(**seen) for folder, seen in record["folders"].items()},
        )


@dataclass(slots=True)
class Run:
    """All that one journal has recorded. `before` has each folder as the run found it.

    `left` has the modification time that this run itself has last left on each folder; another one now means that
    someone else has changed the folder since.
    """

    folder: Path
    plan: str = ""
    method: Method | None = None
    searched: tuple[str, ...] = ()
    units: dict[int, Unit] = field(default_factory=dict)
    before: dict[str, Attributes] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    ended: bool = False
    undoing: dict[str, Times] | None = None
    undone: bool = False

    def active(self) -> list[str]:
        """The paths of files that have gone and are not back, or of which that is unknown."""
        return [
            step.path
            for unit in self.units.values()
            for step, status in zip(unit.steps, unit.status, strict=True)
            if status == "done" or (status == "intended" and not unit.abandoned)
        ]

    def open_units(self) -> list[Unit]:
        return [unit for unit in self.units.values() if unit.open]

    def can_be_undone(self) -> bool:
        """Whether files have gone, or folders have times that a kill has kept from being put back."""
        return bool(self.active() or self.open_units()) or self.undoing is not None

    def replay(self, record: Mapping[str, Any]) -> None:
        """Takes in one record. Raises ValueError, KeyError, TypeError or IndexError for what is none."""
        name = record["record"]
        if (name == "begin") != (self.method is None):
            raise ValueError(f"{name!r} is out of place")
        getattr(self, f"_{_known(name)}")(record)

    def _begin(self, record: Mapping[str, Any]) -> None:
        if record["version"] != VERSION:
            raise ValueError(f"version {record['version']!r} of journals, this simsearch reads {VERSION}")
        self.plan, self.method = str(record["plan"]), _method(record["method"])
        self.searched = tuple(record["searched"])

    def _unit(self, record: Mapping[str, Any]) -> None:
        unit = Unit.of(record)
        self.units[unit.number] = unit
        for folder, seen in unit.folders.items():
            self.before.setdefault(folder, seen)
            self.left[folder] = seen.mtime_ns

    def _done(self, record: Mapping[str, Any]) -> None:
        self.units[record["unit"]].status[record["step"]] = "done"
        self.left.update(record["folders"])

    def _back(self, record: Mapping[str, Any]) -> None:
        self.units[record["unit"]].status[record["step"]] = "back"

    def _abandoned(self, record: Mapping[str, Any]) -> None:
        unit = self.units[record["unit"]]
        unit.abandoned = True
        # Where a unit was put back, its folders have their times of before it.
        if unit.method not in IRREVERSIBLE:
            self.left.update({folder: seen.mtime_ns for folder, seen in unit.folders.items()})

    def _end(self, record: Mapping[str, Any]) -> None:
        del record
        self.ended = True

    def _undo(self, record: Mapping[str, Any]) -> None:
        self.undoing = {folder: (times[0], times[1]) for folder, times in record["folders"].items()}

    def _undone(self, record: Mapping[str, Any]) -> None:
        del record
        self.left.update({folder: times[1] for folder, times in (self.undoing or {}).items()})
        self.undoing, self.undone = None, True
        for unit in self.units.values():
            unit.abandoned = True


def _known(name: object) -> str:
    if name not in ("begin", "unit", "done", "back", "abandoned", "end", "undo", "undone"):
        raise ValueError(f"{name!r} is no record")
    return str(name)


def _method(name: object) -> Method:
    for method in get_args(Method):
        if name == method:
            return method  # type: ignore[no-any-return]
    raise ValueError(f"{name!r} is no method")
