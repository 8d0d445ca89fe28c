"""Files that are whole or not there: atomic replacement, checksums, and the manifest of index files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simsearch.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simsearch.types import JSONValue

MANIFEST_FORMAT = 2
OLDER_FORMATS = (1,)
MANIFEST_NAME = "manifest.json"


@contextlib.contextmanager
def replacing(path: Path, *, new: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`; on success it is fsynced and renamed onto `path`, else removed.

    A reader sees the old file or the new one, never a part. The rename itself is made durable on POSIX
    by syncing the folder; Windows has no such call and needs none. With `new` a file that is there already, or
    comes while this works, is left as it is: FileExistsError.
    """
    if new and os.path.lexists(path):
        raise FileExistsError(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        _sync(temporary, os.O_RDWR)
        if new:
            _rename_to_new(temporary, path)
        else:
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        _sync(path.parent, os.O_RDONLY)


def _rename_to_new(temporary: Path, path: Path) -> None:
    if os.name != "posix":
        # Refuses a file that is there; on POSIX it would replace it.
        temporary.rename(path)
        return
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links (FAT): here the check precedes the rename, not with it.
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        temporary.rename(path)
    else:
        temporary.unlink()


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces `path` by `content`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def checksum(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits. Reads all of it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class PartFile:
    """What the manifest records of one index file. A file never changes once it has its name."""

    name: str
    size: int
    mtime_ns: int
    inode: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> PartFile:
        """The record of the file as it is now. Reads all of it."""
        stat = path.stat()
        return cls(path.name, stat.st_size, stat.st_mtime_ns, stat.st_ino, checksum(path))

    def verify(self, folder: Path, *, thorough: bool = False) -> Path:
        """The path of the file if it is as recorded; else DamagedError.

        Size, mtime and inode are compared; the checksum only when one of them differs, or when `thorough`.
        """
        path = folder / self.name
        try:
            stat = path.stat()
            if stat.st_size != self.size:
                raise DamagedError(f"{path}: {stat.st_size} bytes instead of {self.size}")
            same = (stat.st_mtime_ns, stat.st_ino) == (self.mtime_ns, self.inode)
            if (thorough or not same) and checksum(path) != self.sha256:
                raise DamagedError(f"{path}: the checksum differs from the manifest")
        except OSError as error:
            raise DamagedError(f"{path}: {error.strerror or error}") from error
        return path


@dataclass(frozen=True, slots=True)
class Manifest:
    """The current files of the index, and what was chosen and measured for them.

    `generation` is that of the store when the rows were written, `last_content_id` the largest id that the store had
    ever given then, `count` the number of rows. `files` are by their part of the index. `database` tells the
    database that they were made from from another one, which may have the same generation.
    """

    generation: int
    last_content_id: int
    count: int
    files: Mapping[str, PartFile]
    chosen: Mapping[str, JSONValue]
    audit: Mapping[str, JSONValue]
    database: str


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Makes these the current index files of the folder; this is the switch."""
    document = {"format": MANIFEST_FORMAT, **asdict(manifest)}
    write_atomically(folder / MANIFEST_NAME, json.dumps(document, indent=1).encode())


def read_manifest(folder: Path) -> Manifest | None:
    """The current index files, or None when the folder has no manifest, or one of an older format.

    Raises DamagedError for anything else.
    """
    path = folder / MANIFEST_NAME
    try:
        document = json.loads(path.read_bytes())
        written = document.pop("format")
        if written in OLDER_FORMATS:
            return None
        if written != MANIFEST_FORMAT:
            raise DamagedError(f"{path}: format {written!r}, this simsearch reads {MANIFEST_FORMAT}")
        files = {part: PartFile(**record) for part, record in document.pop("files").items()}
        manifest = Manifest(files=files, **document)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"{path}: not a manifest ({type(error).__name__}: {error})") from error
    for record in (manifest, *files.values()):
        _check_types(path, record)
    for file in files.values():
        if file.name in ("", ".", "..") or "\0" in file.name or Path(file.name).name != file.name:
            raise DamagedError(f"{path}: {file.name!r} is not a file name in this folder")
    return manifest


_TYPES = {"int": int, "str": str}


def _check_types(path: Path, record: Any) -> None:
    for field in fields(record):
        value, wanted = getattr(record, field.name), _TYPES.get(str(field.type), dict)
        if type(value) is not wanted:
            raise DamagedError(f"{path}: {field.name} is {value!r}, which is not of type {wanted.__name__}")
