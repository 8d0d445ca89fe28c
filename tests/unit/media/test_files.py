"""Files are read whole or refused with a short reason; nothing waits."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from simsearch.errors import MediaError
from simsearch.media import files
from simsearch.media.files import read_file, read_head

POSIX = os.name == "posix"
READ_AS_NOBODY = """
import os, sys
from simsearch.errors import MediaError
from simsearch.media.files import read_file
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    print(read_file(sys.argv[1]))
except MediaError as error:
    print(error)
"""


def reason(path: str | Path) -> str:
    with pytest.raises(MediaError) as caught:
        read_file(path)
    assert str(path) not in str(caught.value)
    return str(caught.value)


def test_bytes_come_back_unchanged(tmp_path: Path) -> None:
    content = bytes(range(256)) * 3 + b"\r\n\x1a\n"
    path = tmp_path / "file"
    path.write_bytes(content)
    assert read_file(path) == content
    assert read_file(str(path)) == content
    assert read_head(path, 5) == content[:5]
    assert read_head(path, 5000) == content


def test_reasons(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert reason(tmp_path / "empty") == "empty file"
    assert read_head(tmp_path / "empty", 4) == b""
    assert reason(tmp_path / "missing") == "no such file"
    assert reason(tmp_path) == "is a folder"
    assert reason(str(tmp_path) + "/a\0b") == "not a file name"
    assert len(reason(tmp_path / ("long" * 200))) < 60


def test_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 3 * 2**20)
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.truncate(3 * 2**20)
    assert len(read_file(path)) == 3 * 2**20
    with path.open("wb") as stream:
        stream.truncate(7_000 * 2**20)
    assert reason(path) == "7,000 MiB, over the limit of 3 MiB for one file"
    assert read_head(path, 4) == bytes(4)


def test_what_is_no_file_is_refused_without_waiting() -> None:
    if not POSIX:
        assert "device" not in reason(tempfile.gettempdir())
        return
    assert reason("/dev/zero") == "a device, not a file"
    # A socket's path must be short, so not in pytest's own folder.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        pipe = Path(folder, "pipe")
        os.mkfifo(pipe)
        assert reason(pipe) == "a named pipe, not a file"
        server.bind(f"{folder}/socket")
        assert reason(f"{folder}/socket") == "a socket, not a file"
        loop = Path(folder, "loop")
        loop.symlink_to(loop)
        assert "symbolic links" in reason(loop)


def test_permission_denied() -> None:
    if not POSIX:
        assert files.why(PermissionError(13, "Access is denied")) == "permission denied"
        return
    # Not pytest's folder, which other users cannot enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        secret = Path(folder, "secret")
        secret.write_bytes(b"x")
        outcomes = []
        for mode in (0o644, 0o000):
            secret.chmod(mode)
            outcome = subprocess.run(
                [sys.executable, "-c", READ_AS_NOBODY, str(secret)], capture_output=True, text=True, check=True
            )
            outcomes.append(outcome.stdout.strip())
    assert outcomes == ["b'x'", "permission denied"]
