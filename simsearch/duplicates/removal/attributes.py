"""What belongs to a file beside its bytes: times, mode, owner, extended attributes."""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from simsearch.media.files import why


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a file (or a symbolic link itself, whose target `link` is) had beside its bytes."""

    mode: int
    uid: int
    gid: int
    atime_ns: int
    mtime_ns: int
    device: int
    inode: int
    link: str | None = None
    extended: Mapping[str, str] = field(default_factory=dict)
    """Names and values, these in base64. Linux only: on macOS `carry` takes them along."""

    @classmethod
    def of(cls, path: str) -> Attributes:
        """The attributes now. Raises OSError."""
        seen = os.lstat(path)
        link = os.readlink(path) if stat.S_ISLNK(seen.st_mode) else None  # noqa: PTH115
        return cls(
            stat.S_IMODE(seen.st_mode),
            seen.st_uid,
            seen.st_gid,
            seen.st_atime_ns,
            seen.st_mtime_ns,
            seen.st_dev,
            seen.st_ino,
            link,
            _extended(path),
        )

    def restore(self, path: str) -> list[str]:
        """Gives a file these attributes; returns what could not be restored, in words."""
        failed: list[str] = []
        now = os.lstat(path)
        if (now.st_uid, now.st_gid) != (self.uid, self.gid):
            with _noting("owner", failed):
                _own(path, self.uid, self.gid)
        if self.link is None and stat.S_IMODE(os.lstat(path).st_mode) != self.mode:
            with _noting("mode", failed):
                os.chmod(path, self.mode)  # noqa: PTH101
        with _noting("extended attributes", failed):
            _set_extended(path, self.extended)
        with _noting("times", failed):
            set_times(path, self.atime_ns, self.mtime_ns)
        return failed


def set_times(path: str, atime_ns: int, mtime_ns: int) -> None:
    """Sets both times of a file, folder or link, unless it has them. Raises OSError."""
    now = os.lstat(path)
    if (now.st_atime_ns, now.st_mtime_ns) == (atime_ns, mtime_ns):
        return
    if os.utime in os.supports_follow_symlinks:
        os.utime(path, ns=(atime_ns, mtime_ns), follow_symlinks=False)
    elif not stat.S_ISLNK(now.st_mode):
        os.utime(path, ns=(atime_ns, mtime_ns))


def carry(source: str, target: str) -> None:
    """Takes along what only the system itself can copy: on macOS extended attributes, resource forks and ACLs."""
    if sys.platform == "darwin":
        import ctypes

        # copyfile(3): COPYFILE_ACL | COPYFILE_STAT | COPYFILE_XATTR
        failed = ctypes.CDLL(None, use_errno=True).copyfile(os.fsencode(source), os.fsencode(target), None, 1 | 2 | 4)
        if failed:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


def _own(path: str, uid: int, gid: int) -> None:
    if sys.platform != "win32":
        os.chown(path, uid, gid, follow_symlinks=False)


def _extended(path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    if sys.platform == "linux":
        # A file system without them refuses; an attribute that may be listed need not be readable.
        with contextlib.suppress(OSError):
            for name in os.listxattr(path, follow_symlinks=False):
                with contextlib.suppress(OSError):
                    value = os.getxattr(path, name, follow_symlinks=False)
                    found[name] = base64.b64encode(value).decode("ascii")
    return found


def _set_extended(path: str, wanted: Mapping[str, str]) -> None:
    now = _extended(path)
    if sys.platform == "linux":
        for name, value in wanted.items():
            if now.get(name) != value:
                os.setxattr(path, name, base64.b64decode(value), follow_symlinks=False)
        # Others than those of users come from the system, which labels what is new.
        for name in now:
            if name.startswith("user.") and name not in wanted:
                os.removexattr(path, name, follow_symlinks=False)


@contextlib.contextmanager
def _noting(what: str, failed: list[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        failed.append(f"{what} ({why(error)})")
