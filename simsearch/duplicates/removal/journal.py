"""The journal of one run: an append-only file of JSON lines, each synced to disk before the work goes on.

begin      which plan, and how its files go
unit       the intention: a file and its companions, with all that is needed to bring them back
done       a step of a unit has happened
back       a step was put back, by an undo or because its unit could not be finished
abandoned  nothing more will happen to a unit
end        the plan was gone through
undo       an undo begins, with the times that the folders get at its end
undone     the undo has ended
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simsearch.duplicates.removal.runs import VERSION, Method, Run, Times, Unit
from simsearch.errors import DamagedError, PlanError
from simsearch.manifest import write_atomically

JOURNAL_NAME = "journal.jsonl"
_APPEND = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)


class Journal:
    """An open journal; `run` is what it has recorded so far. Used as a context manager."""

    def __init__(self, path: Path, run: Run, length: int) -> None:
        self.path, self.run, self._length = path, run, length
        self._handle = os.open(path, _APPEND)
        if os.fstat(self._handle).st_size != length:
            os.ftruncate(self._handle, length)

    @classmethod
    def create(cls, path: Path, plan: str, method: Method, searched: Sequence[str]) -> Journal:
        """A new journal, whose first line is there as soon as the file is. Raises PlanError when it cannot be made."""
        begin = {"record": "begin", "version": VERSION, "plan": plan, "method": method, "searched": searched}
        try:
            path.parent.mkdir(parents=True, mode=0o700)
            write_atomically(path, _line(begin))
        except OSError as error:
            raise PlanError(f"{path}: the journal cannot be written: {error.strerror or error}") from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Journal:
        """An existing journal to be continued; a line that a kill has torn is cut off."""
        run, length = _read(path)
        try:
            return cls(path, run, length)
        except OSError as error:
            raise PlanError(f"{path}: the journal cannot be written: {error.strerror or error}") from error

    def unit(self, unit: Unit) -> None:
        """Records that the steps of a unit are about to happen."""
        entry = asdict(unit)
        del entry["status"], entry["abandoned"]
        self._write({"record": "unit", **entry})

    def done(self, unit: Unit, step: int, folders: dict[str, int]) -> None:
        """Records that a step has happened, and the modification times that this has left on folders."""
        self._write({"record": "done", "unit": unit.number, "step": step, "folders": folders})

    def back(self, unit: Unit, step: int) -> None:
        """Records that a file is again where it was."""
        self._write({"record": "back", "unit": unit.number, "step": step})

    def abandoned(self, unit: Unit) -> None:
        """Records that nothing more will happen to a unit."""
        self._write({"record": "abandoned", "unit": unit.number})

    def end(self) -> None:
        """Records that the plan was gone through."""
        self._write({"record": "end"})

    def undo(self, folders: dict[str, Times]) -> None:
        """Records that an undo begins, and the times that folders get at its end."""
        self._write({"record": "undo", "folders": folders})

    def undone(self, left: int) -> None:
        """Records that the undo has ended, with so many files that it could not bring back."""
        self._write({"record": "undone", "left": left})

    def close(self) -> None:
        os.close(self._handle)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write(self, record: dict[str, Any]) -> None:
        line = _line(record)
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
            os.fsync(self._handle)
        except OSError as error:
            # What a full disk has torn must not come before later lines.
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._length)
            raise PlanError(
                f"{self.path}: the journal cannot be written: {error.strerror or error}; nothing is lost: "
                "make room, then apply the plan again or undo it"
            ) from error
        self._length += len(line)
        self.run.replay(json.loads(line))


def read_journal(path: Path) -> Run:
    """What a journal has recorded. Raises PlanError where there is none, DamagedError where it is none."""
    return _read(path)[0]


def journals(quarantine: Path) -> list[Path]:
    """The journals of a quarantine folder, the oldest first."""
    return sorted(quarantine.glob(f"*/{JOURNAL_NAME}"))


def sweep(quarantine: Path) -> None:
    """Removes what is left of runs that were killed before their journal was there; nothing was touched by them."""
    for leftover in quarantine.glob(f"*/.{JOURNAL_NAME}.*.tmp"):
        leftover.unlink()
        with contextlib.suppress(OSError):
            leftover.parent.rmdir()


def _read(path: Path) -> tuple[Run, int]:
    """What was recorded, and the length of the file without a torn end."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise PlanError(f"{path}: there is no such journal") from error
    except OSError as error:
        raise PlanError(f"{path}: the journal cannot be read: {error.strerror or error}") from error
    run, length = Run(path.parent), 0
    for number, (line, record) in enumerate(_records(content), 1):
        try:
            if record is None:
                raise ValueError("not JSON")
            run.replay(record)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise DamagedError(f"{path}: line {number} is not of a journal ({error})") from error
        length += len(line)
    if run.method is None:
        raise DamagedError(f"{path}: not a journal, its first line is missing")
    return run, length


def _records(content: bytes) -> Iterator[tuple[bytes, Any]]:
    lines = content.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            record = None
        if record is None and number == len(lines):
            return
        yield line, record


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode("ascii") + b"\n"
