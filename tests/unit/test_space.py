"""Space on disks: reserved before a file is mapped, and told in one line where there is none."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from simsearch.errors import EncoderError, TrainingError
from simsearch.space import CHUNK, disk_is_full, missing_space, reserve, telling_full_disk
from simsearch.training.checkpoint import State, load_checkpoint, save_checkpoint
from simsearch.training.data.reserved import reserved_array

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(params=["reserved", "not known", "refused"])
def way(request, monkeypatch: pytest.MonkeyPatch) -> str:
    """How space is had: reserved by the system, or written where it or the file system does not know that."""
    if request.param == "not known":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    elif request.param == "refused":

        def refused(*_: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")

        monkeypatch.setattr(os, "posix_fallocate", refused, raising=False)
    return str(request.param)


@pytest.mark.parametrize("size", [0, 5, CHUNK - 1, CHUNK, 2 * CHUNK + 7])
def test_a_file_keeps_its_beginning_and_has_its_space(way: str, tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"begin"[:size])
    os.truncate(path, size)
    reserve(path, size) if size or way != "reserved" else None
    assert path.read_bytes() == b"begin"[:size].ljust(size, b"\0")
    if hasattr(path.stat(), "st_blocks"):
        assert path.stat().st_blocks * 512 >= size - 512


def test_an_array_in_a_file_is_zero_and_can_be_filled(way: str, tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    made = reserved_array(path, np.float32, (700, 1000))
    assert not made.any()
    made[:] = np.arange(1000)
    made.flush()
    del made
    assert np.load(path)[699].tolist() == list(range(1000))


def test_an_array_without_space_says_how_much_it_needs_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr("simsearch.training.data.reserved.reserve", full)
    said = r"pixels\.npy: the disk is full, [\d,.]+ MB are free and about 3\.0 MB needed; free some space"
    with pytest.raises(TrainingError, match=said) as caught:
        reserved_array(tmp_path / "pixels.npy", np.uint8, (3000, 1000))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


OF_TORCH = RuntimeError("[enforce fail at x.cc] unexpected pos 704\nframe #0\nframe #1")


@pytest.mark.parametrize(
    ("error", "free", "reason"),
    [
        (FULL, 10**9, r"the disk is full, 1,000\.0 MB are free and about 0\.8 MB needed"),
        (OF_TORCH, 1000, r"the disk is full, 0\.0 MB are free and about 0\.8 MB needed"),
        (OF_TORCH, 10**9, r"\[enforce fail at x\.cc\] unexpected pos 704"),
    ],
)
def test_a_checkpoint_that_cannot_be_written_is_told_in_one_line_and_the_one_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, free: int, reason: str
) -> None:
    path = tmp_path / "checkpoint.pt"
    weights = {"weights": torch.zeros(100, 1000)}
    state = {**dict.fromkeys(State.__required_keys__, 0), "format": 2, "configuration": "c", "objective": weights}
    state["best"] = {}
    save_checkpoint(path, state)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(torch, "save", fail)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(TrainingError, match=rf"checkpoint\.pt cannot be written: {reason}\. .* the same") as caught:
        save_checkpoint(path, {**state, "step": 1})
    assert "\n" not in str(caught.value)
    assert load_checkpoint(path, "c")["step"] == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_full_disk_is_told_with_the_cure_and_other_errors_are_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = r"work: the disk is full, [\d,.]+ MB are free; free some space and run the same command again"
    with pytest.raises(EncoderError, match=said), telling_full_disk(tmp_path / "work", EncoderError):
        raise FULL
    with pytest.raises(PermissionError), telling_full_disk(tmp_path, EncoderError):
        raise PermissionError(errno.EACCES, "no")
    assert not disk_is_full(ValueError())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    assert missing_space(tmp_path / "a" / "b", 2_100_000) == (
        "the disk is full, 0.1 MB are free and about 2.1 MB needed"
    )
