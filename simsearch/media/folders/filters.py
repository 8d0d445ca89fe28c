"""What is left out of a folder: system folders, hidden names, and what patterns exclude."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from simsearch.errors import MediaError, UsageError
from simsearch.media.encodings import decoded
from simsearch.media.files import read_head
from simsearch.types import Skip

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".simsearchignore"
"""Holds patterns as .gitignore does, for the folder that it lies in and those below."""
SYSTEM_FOLDERS = frozenset(
    (
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@sharebin", "@tmp", "@__thumb"),
        *(".@__thumb", ".snapshot", ".zfs", "$recycle.bin", "system volume information", "found.000"),
        *(".trash", ".trashes", ".spotlight-v100", ".fseventsd", ".documentrevisions-v100", ".temporaryitems"),
        *("network trash folder", "temporary items", ".appledouble", "__macosx", "lost+found", ".thumbnails"),
        *("node_modules", "__pycache__", ".git", ".hg", ".svn", ".bzr", ".venv", ".tox", ".ipynb_checkpoints"),
        *(".stfolder", ".stversions", ".dropbox.cache"),
    )
)
"""Names, in lower case, of folders that file servers, operating systems and developers' tools fill: thumbnails, trash,
snapshots, packages."""
_SYSTEM_PREFIXES = (".trash-",)
_SYSTEM_FILES = frozenset(
    ("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", ".ds_store", ".localized", ".nomedia", IGNORE_FILE)
)
HIDDEN, EXCLUDED = "hidden", "excluded"
_MOST_PATTERNS = 2**20


@dataclass(frozen=True, slots=True)
class FileFilter:
    """Which files of a folder count, beside the list of system folders, which never do.

    `exclude` holds patterns in the syntax of .gitignore, relative to the folder. Hidden names (with a leading dot) are
    left out unless `include_hidden`. Raises UsageError for an invalid pattern.
    """

    exclude: tuple[str, ...] = ()
    include_hidden: bool = False

    def __post_init__(self) -> None:
        self.patterns()

    def patterns(self) -> GitIgnoreSpec | None:
        """The compiled patterns; None without any."""
        return _compiled(self.exclude, "--exclude") if self.exclude else None

    @classmethod
    def unpacked(cls, packed: str | None) -> FileFilter:
        """The inverse of `packed`; the default filter for None."""
        if not packed:
            return cls()
        found = json.loads(packed)
        return cls(tuple(found["exclude"]), found["include_hidden"])

    def packed(self) -> str:
        return json.dumps(asdict(self))

    def given(self) -> dict[str, str]:
        """What differs from the default, by name."""
        excluded = {"exclude": " ".join(self.exclude)} if self.exclude else {}
        return excluded | ({"include_hidden": "true"} if self.include_hidden else {})


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file or folder that does not count; `reason` is the name of a system folder, "hidden" or "excluded"."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The patterns that hold in one folder: those of the filter, and of each ignore file from the root to here."""

    include_hidden: bool = False
    levels: tuple[tuple[int, GitIgnoreSpec], ...] = field(default=())
    """The length of a folder's path with its separator, and the patterns that are relative to it; outermost first."""

    @classmethod
    def at(cls, root: str, chosen: FileFilter) -> Rules:
        patterns = chosen.patterns()
        return cls(chosen.include_hidden, () if patterns is None else ((_start(root), patterns),))

    def within(self, folder: str, names: Iterable[str]) -> Rules:
        """The rules for what lies in a folder that holds these names. Raises MediaError for a bad ignore file."""
        if IGNORE_FILE not in names:
            return self
        path = os.path.join(folder, IGNORE_FILE)  # noqa: PTH118
        try:
            lines = decoded(read_head(path, _MOST_PATTERNS)).splitlines()
        except MediaError as error:
            raise MediaError(f"{path}: {error}") from error
        return Rules(self.include_hidden, (*self.levels, (_start(folder), _compiled(lines, path))))

    def reason(self, path: str, name: str, *, folder: bool) -> str | None:
        """Why a file or folder is left out: see `LeftOut`; "" for the system's own files; None when it counts."""
        low = name.lower()
        if folder and (low in SYSTEM_FOLDERS or low.startswith(_SYSTEM_PREFIXES)):
            return name
        if not folder and is_system_file(name):
            return ""
        if name.startswith(".") and not self.include_hidden:
            return HIDDEN
        for start, patterns in reversed(self.levels):
            relative = path[start:].replace(os.sep, "/") + ("/" if folder else "")
            matched = patterns.check_file(relative).include
            if matched is not None:
                return EXCLUDED if matched else None
        return None


def is_system_file(name: str) -> bool:
    """Whether a file is one that an operating system keeps beside those of its user (also `._NAME` of macOS)."""
    return name.lower() in _SYSTEM_FILES or name.startswith("._")


def described(left_out: Mapping[str, int]) -> str:
    """As "40 @eaDir, 3 hidden"; empty without any."""
    return ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())


def as_skips(left_out: Sequence[LeftOut]) -> list[Skip]:
    """One record for each reason, with the first path and the count."""
    first: dict[str, str] = {}
    for one in left_out:
        first.setdefault(one.reason, one.path)
    counts = Counter(one.reason for one in left_out)
    return [
        Skip(path, f"left out ({reason}{f', {counts[reason]:,} in all' if counts[reason] > 1 else ''})", counts[reason])
        for reason, path in first.items()
    ]


def _start(folder: str) -> int:
    return len(folder.rstrip(os.sep)) + 1


def _compiled(lines: Iterable[str], source: str) -> GitIgnoreSpec:
    # Only loaded where there are patterns.
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{source}: {error}; patterns are written as in .gitignore") from error
