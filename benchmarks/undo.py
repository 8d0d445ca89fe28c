"""Random plans of duplicates applied with kills at random moments, then undone: is the tree what it was?"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import hashlib
import json
import math
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simsearch.duplicates.removal.apply import apply_plan
from simsearch.duplicates.removal.journal import journals, read_journal
from simsearch.duplicates.removal.plan import Companion, FileState, Group, Header, Plan, PlannedFile
from simsearch.duplicates.removal.plan_file import read_plan, write_plan
from simsearch.duplicates.removal.undo import undo_run
from simsearch.errors import PlanError

METHODS = ("quarantine", "quarantine on another file system", "hardlink", "symlink")
CALLS = (
    "chmod",
    "chown",
    "close",
    "fsync",
    "ftruncate",
    "link",
    "mkdir",
    "open",
    "removexattr",
    "rename",
    "replace",
    "rmdir",
    "setxattr",
    "symlink",
    "unlink",
    "utime",
    "write",
)
"""The functions of `os` through which files are changed; a child dies before one of their calls."""
KILLED = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="random plans (default 1000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where trees are made; by default the temporary folder")
    parser.add_argument(
        "--elsewhere", type=Path, help="a folder on another file system, where some quarantines are made"
    )
    parser.add_argument("--dry", action="store_true", help="print the report, and write no file of results")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        perform(Task(**json.loads(options.task)))
        return
    from measuring import Bar, Report

    started, counts = time.monotonic(), Counter[str]()
    for number in range(options.count):
        with (
            tempfile.TemporaryDirectory(dir=options.folder) as folder,
            tempfile.TemporaryDirectory(dir=options.elsewhere or folder) as elsewhere,
        ):
            counts.update(trial(Path(folder), Path(elsewhere), options.seed * 1_000_000 + number))
    rows = [("what", "count"), *((name, f"{counts[name]:,}") for name in sorted(counts) if name != "differing")]
    report = Report(
        "undo",
        "Whatever moment a removal of duplicates or its undo is killed at, an undo brings back the tree as it was.",
        f"{options.count:,} random trees and plans, seed {options.seed}, {time.monotonic() - started:,.0f} s; of files "
        "and folders are compared names, bytes, mtime_ns, mode, owner, extended attributes, links",
        rows,
        [Bar("trees that differ after the undo", counts["differing"], at_most=0)],
    )
    if options.dry:
        print(report.markdown())
    else:
        report.publish()
    sys.exit(counts["differing"] > 0)


# -- one trial -----------------------------------------------------------------------------------------------------


def trial(folder: Path, elsewhere: Path, seed: int) -> Counter[str]:
    """Makes a tree and a plan, applies it with kills, undoes it with kills, and compares; then once more in peace."""
    rng = random.Random(seed)
    root, method = folder / "photos", rng.choice(METHODS)
    quarantine = (elsewhere if method.endswith("file system") else folder) / "quarantine"
    plan = make_plan(rng, root)
    write_plan(folder / "plan.json", plan.header, plan.groups)
    plan = read_plan(folder / "plan.json")
    before, counts = snapshot(root), Counter[str]()
    for what in rng.choice((("apply",), ("apply", "apply"), ("apply", "undo"), ("apply", "apply", "undo", "undo"))):
        if what == "undo" and not journals(quarantine):
            break
        task = Task(what, str(folder / "plan.json"), str(quarantine), method, None)
        status = interrupt(rng, task)
        landed = status == KILLED
        counts["differing"] += status not in (0, KILLED)
        counts[f"kills of {what} that landed" if landed else f"runs of {what} that ended before the kill"] += 1
        counts["differing"] += not kept_are_there(plan)
    with divided(quarantine, method):
        if (journal := latest(quarantine)) is not None:
            report = undo_run(journal)
            counts["files put back"] += report.restored
            counts["differing"] += bool(report.failed or report.incomplete)
        counts["differing"] += snapshot(root) != before or leftovers(quarantine)
        done = apply_plan(plan, quarantine, method=method.split()[0])  # type: ignore[arg-type]
        counts["files removed by the same plan after the undo"] += done.applied
        if done.journal is not None:
            undo_run(done.journal)
    counts["differing"] += snapshot(root) != before or leftovers(quarantine)
    counts[f"plans: {method}"] += 1
    if counts["differing"]:
        print(f"seed {seed}, {method}: the tree differs", file=sys.stderr)
    return counts


def latest(quarantine: Path) -> Path | None:
    """The newest journal with something left to undo, as the command takes it."""
    return next((path for path in reversed(journals(quarantine)) if read_journal(path).can_be_undone()), None)


def interrupt(rng: random.Random, task: Task) -> int:
    """Runs a task in a child that dies at a random call, or is killed after a random time; its exit status."""
    if rng.random() < 0.5:
        return run(dataclasses.replace(task, at=int(rng.expovariate(1 / 40)) + 1))
    return run(task, rng.random() * 0.1)


def kept_are_there(plan: Plan) -> bool:
    """Whether every group has its kept file, with its bytes."""
    return all(
        hashlib.sha256(Path(group.kept.state.path).read_bytes()).hexdigest() == group.kept.state.sha256
        for group in plan.groups
    )


def leftovers(quarantine: Path) -> bool:
    """Whether anything but journals and locks is left in quarantine."""
    allowed = ("journal.jsonl", "lock", "lock.pid")
    files = (path.name for path in quarantine.rglob("*") if path.is_symlink() or path.is_file())
    # What begins like the last was killed before there was a journal; the next run sweeps it away.
    return any(name not in allowed and not name.startswith(".journal.jsonl.") for name in files)


# -- children that die ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """What a child does: `apply` a plan or `undo` the newest journal, dying before its `at`-th call."""

    what: str
    plan: str
    quarantine: str
    method: str
    at: int | None


def run(task: Task, kill_after: float | None = None) -> int:
    """Does a task in a child, killed after so many seconds; its exit status, KILLED where it died on the way."""
    if hasattr(os, "fork"):
        child = os.fork()
        if child == 0:
            try:
                perform(task)
            except BaseException:  # noqa: BLE001
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        deadline = math.inf if kill_after is None else time.monotonic() + kill_after
        while (ended := os.waitpid(child, 0 if kill_after is None else os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                ended = os.waitpid(child, 0)
                break
            time.sleep(0.0005)
        status = os.waitstatus_to_exitcode(ended[1])
        return KILLED if status == -signal.SIGKILL else status
    words = [sys.executable, __file__, "--task", json.dumps(task.__dict__)]
    with subprocess.Popen(words) as process:
        try:
            return process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            return KILLED


def perform(task: Task) -> None:
    """The work of a child."""
    quarantine = Path(task.quarantine)
    with divided(quarantine, task.method):
        plan = read_plan(Path(task.plan))
        if task.at is not None:
            die_at(task.at)
        if task.what == "undo":
            if (journal := latest(quarantine)) is not None:
                undo_run(journal)
        else:
            with contextlib.suppress(PlanError):
                apply_plan(plan, quarantine, method=task.method.split()[0])  # type: ignore[arg-type]


def die_at(number: int) -> None:
    """Makes this process die before its `number`-th call from now, in the middle of it where it writes."""
    calls = 0

    def dying(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == number:
                if name == "write":
                    call(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os._exit(KILLED)
            return call(*arguments, **options)

        return counted

    for name in CALLS:
        if hasattr(os, name):
            replace(name, dying(name, getattr(os, name)))


@contextlib.contextmanager
def divided(quarantine: Path, method: str) -> Iterator[None]:
    """For `on another file system`: the system refuses to rename and to link over the border of the quarantine."""

    def refusing(call: Callable[..., Any]) -> Callable[..., Any]:
        def checked(source: Any, target: Any, **options: Any) -> Any:
            if len({str(path).startswith(str(quarantine)) for path in (source, target)}) == 2:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source))
            return call(source, target, **options)

        return checked

    saved = {name: getattr(os, name) for name in ("rename", "link")}
    if method.endswith("file system"):
        for name, call in saved.items():
            replace(name, refusing(call))
    try:
        yield
    finally:
        for name, call in saved.items():
            setattr(os, name, call)


def replace(name: str, call: Callable[..., Any]) -> None:
    """Puts a function in the place of one of `os`, with what the system says that one can do."""
    if getattr(os, name) in os.supports_follow_symlinks:
        os.supports_follow_symlinks.add(call)
    setattr(os, name, call)


# -- random trees --------------------------------------------------------------------------------------------------


def make_plan(rng: random.Random, root: Path) -> Plan:
    """A random tree with groups of copies and near copies, sidecars, links, odd names, modes and times."""
    folders = [root, *(root / name for name in ("2019", "2019/märz", "other place", "x" * 60)[: rng.randint(0, 4)])]
    groups = []
    for number in range(1, rng.randint(2, 6)):
        content = rng.randbytes(rng.choice((0, 1, 100, 70_000)))
        files = [planned(rng, folders, f"{number}-0.jpg", content, "keep")]
        for place in range(1, rng.randint(2, 5)):
            action = "leave" if rng.random() < 0.1 else "remove"
            other = content if rng.random() < 0.7 else rng.randbytes(50)
            files.append(planned(rng, folders, f"{number}-{place}{odd(rng)}.jpg", other, action, files[0]))
        rng.shuffle(files)
        groups.append(Group(number, tuple(files)))
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_dir():
            os.utime(path, ns=(moment(rng), moment(rng)))
    os.utime(root, ns=(moment(rng), moment(rng)))
    return Plan(Header((str(root),)), tuple(groups))


def planned(
    rng: random.Random, folders: list[Path], name: str, content: bytes, action: Any, kept: PlannedFile | None = None
) -> PlannedFile:
    """A file of a plan, with a sidecar now and then; sometimes a symbolic or hard link to the kept one."""
    path, chance = rng.choice(folders) / name, rng.random()
    path.parent.mkdir(parents=True, exist_ok=True)
    if kept is not None and chance < 0.06:
        path.symlink_to(os.path.relpath(kept.state.path, path.parent))
    elif kept is not None and chance < 0.12:
        path.hardlink_to(kept.state.path)
    else:
        make(rng, path, content)
    companions = []
    if rng.random() < 0.3:
        make(rng, path.with_suffix(".xmp"), rng.randbytes(20))
        companions = [Companion(state(path.with_suffix(".xmp")), "sidecar")]
    return PlannedFile(state(path), action, "a copy", "exact", 1.0, None, tuple(companions))


def make(rng: random.Random, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    if sys.platform == "linux" and rng.random() < 0.3:
        with contextlib.suppress(OSError):
            os.setxattr(path, "user.note", rng.randbytes(9))
    if hasattr(os, "geteuid") and os.geteuid() == 0 and rng.random() < 0.2:
        os.chown(path, 1234, 5678)
    path.chmod(rng.choice((0o644, 0o600, 0o755, 0o664)))
    os.utime(path, ns=(moment(rng), moment(rng)))


def state(path: Path) -> FileState:
    return FileState.of(path, hashlib.sha256(path.read_bytes()).hexdigest())


def moment(rng: random.Random) -> int:
    return rng.randrange(10**18, 17 * 10**17)


def odd(rng: random.Random) -> str:
    """The middle of a name: nothing, words, or on Linux bytes that are no text."""
    names = [
        "",
        " copy",
        "Ω",
        "'\"\\n"[: 3 if os.name == "posix" else 0],
        os.fsdecode(b"\xff") * (sys.platform == "linux"),
    ]
    return rng.choice(names)


def snapshot(root: Path) -> dict[str, Any]:
    """Everything about each file and folder that an undo must bring back."""
    found: dict[str, Any] = {}
    for path in [root, *root.rglob("*")]:
        seen = path.lstat()
        content: Any = None
        if stat.S_ISLNK(seen.st_mode):
            content = str(path.readlink())
        elif stat.S_ISREG(seen.st_mode):
            content = (hashlib.sha256(path.read_bytes()).hexdigest(), seen.st_nlink)
        names = os.listxattr(path, follow_symlinks=False) if sys.platform == "linux" else []
        extended = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
        found[os.fspath(path)] = (seen.st_mode, seen.st_uid, seen.st_gid, seen.st_mtime_ns, content, extended)
    return found


if __name__ == "__main__":
    main()
