"""Running command lines: in this process, which is fast, or in one of their own, which is the real thing."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simsearch.cli import main


@dataclass(frozen=True)
class Done:
    """What a command line gave."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, object]]:
        """Its standard output, one JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Done]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, without settings from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIMSEARCH_HOME", raising=False)
    yield tmp_path


@pytest.fixture
def command(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> Command:
    """Runs a command line in this process, as `main` would; whatever happens, there is no traceback."""
    if hasattr(signal, "SIGPIPE"):
        before = signal.getsignal(signal.SIGPIPE)
        request.addfinalizer(lambda: signal.signal(signal.SIGPIPE, before))

    def run(*words: object, given: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["simsearch", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert isinstance(stopped.value.code, int)
        return Done(stopped.value.code, out, err)

    return run


@pytest.fixture
def process(place: Path) -> Command:
    """Runs a command line in a process of its own."""

    def run(*words: object, given: bytes = b"") -> Done:
        line = [sys.executable, "-m", "simsearch", *(word if isinstance(word, bytes) else str(word) for word in words)]
        done = subprocess.run(line, input=given, capture_output=True, timeout=120, cwd=place)
        out, err = os.fsdecode(done.stdout), os.fsdecode(done.stderr)
        assert "Traceback" not in out + err
        return Done(done.returncode, out, err)

    return run


@pytest.fixture
def indexed(command: Command, gallery: Path, tiny: Path) -> Path:
    """The gallery, indexed as the only collection."""
    assert command("index", gallery, "--encoder", tiny, "--quiet").code == 0
    return gallery
