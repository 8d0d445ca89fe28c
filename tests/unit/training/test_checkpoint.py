"""Checkpoints: read back as written, refused when they are of another run, never able to run code."""

from __future__ import annotations

import io
import math
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from simsearch.errors import DamagedError, TrainingError
from simsearch.training.checkpoint import CHECKPOINT_FORMAT, State, load_checkpoint, save_checkpoint


def state(configuration: str = "this run", step: int = 7) -> State:
    torch.manual_seed(step)
    network = torch.nn.Linear(40, 30)
    optimizer = torch.optim.AdamW(network.parameters(), 0.1)
    network(torch.rand(2, 40)).sum().backward()
    optimizer.step()
    return State(
        format=CHECKPOINT_FORMAT,
        configuration=configuration,
        step=step,
        steps=9,
        objective=network.state_dict(),
        optimizer=optimizer.state_dict(),
        scaler={},
        best=network.state_dict(),
        best_figure=-math.inf,
        best_step=0,
        history=[{"step": 7.0, "loss": 0.5, "validation": 0.25}],
        seconds=1.5,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.pt"


class Touch:
    """What a hostile pickle looks like: reading it makes a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


def test_a_checkpoint_is_read_back_as_it_was_written(path: Path) -> None:
    written = state()
    save_checkpoint(path, written)
    found = load_checkpoint(path, "this run")
    assert found is not None
    assert found.keys() == written.keys()
    for name in ("objective", "best"):
        assert found[name].keys() == written[name].keys()
        assert all(torch.equal(found[name][key], written[name][key]) for key in written[name])
    plain = ("format", "configuration", "step", "steps", "scaler", "best_figure", "best_step", "history", "seconds")
    assert {key: dict(found)[key] for key in plain} == {key: dict(written)[key] for key in plain}
    moments = found["optimizer"]["state"]
    assert isinstance(moments, dict)
    assert isinstance(written["optimizer"]["state"], dict)
    assert torch.equal(moments[0]["exp_avg"], written["optimizer"]["state"][0]["exp_avg"])


def test_no_checkpoint_is_none(path: Path) -> None:
    assert load_checkpoint(path, "this run") is None


def test_saving_replaces_and_leaves_nothing_beside(path: Path) -> None:
    save_checkpoint(path, state(step=1))
    save_checkpoint(path, state(step=2))
    found = load_checkpoint(path, "this run")
    assert found is not None
    assert found["step"] == 2
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_failed_save_leaves_the_old_checkpoint(path: Path) -> None:
    save_checkpoint(path, state(step=1))
    broken = state(step=2)
    broken["optimizer"] = {"unpicklable": lambda: None}
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save_checkpoint(path, broken)
    found = load_checkpoint(path, "this run")
    assert found is not None
    assert found["step"] == 1
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_checkpoint_of_another_run_is_refused(path: Path) -> None:
    save_checkpoint(path, state("another run"))
    with pytest.raises(TrainingError, match=r"other files or settings.*--restart"):
        load_checkpoint(path, "this run")


def test_the_checkpoint_of_another_format_is_refused(path: Path) -> None:
    later = state()
    later["format"] = CHECKPOINT_FORMAT + 1
    save_checkpoint(path, later)
    with pytest.raises(TrainingError, match="--restart"):
        load_checkpoint(path, "this run")


def refused(path: Path) -> None:
    with pytest.raises(
        DamagedError, match=r"checkpoint\.pt: not a checkpoint \(.+\); train from the beginning with --restart"
    ):
        load_checkpoint(path, "this run")


def test_a_truncated_checkpoint_is_refused_wherever_it_ends(path: Path) -> None:
    save_checkpoint(path, state())
    whole = path.read_bytes()
    for share in range(20):
        path.write_bytes(whole[: len(whole) * share // 20])
        refused(path)
    path.write_bytes(whole[:-1])
    refused(path)


def test_an_altered_byte_is_found_or_changes_nothing(path: Path) -> None:
    """Every part of the contents has a checksum; what has none, as the padding, is not used."""
    written = state()
    save_checkpoint(path, written)
    whole = path.read_bytes()
    caught = 0
    for position in [*range(0, 600, 5), *range(600, len(whole) - 600, 397), *range(len(whole) - 600, len(whole), 5)]:
        altered = bytearray(whole)
        altered[position] ^= 0xFF
        path.write_bytes(altered)
        try:
            found = load_checkpoint(path, "this run")
        except DamagedError:
            caught += 1
            continue
        assert found is not None
        assert (found["step"], found["history"]) == (written["step"], written["history"])
        assert all(torch.equal(found["objective"][key], written["objective"][key]) for key in written["objective"])
    assert caught > 100


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_refused(path: Path, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    path.write_bytes(bytes(torch.randint(256, (400,), generator=generator).tolist()))
    refused(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"PK\x03\x04",
        b"hello\n",
        b"\x80\x04N.",
        b"I42\n.",
    ],
    ids=["empty", "zero", "zip head", "text", "pickled None", "old pickle"],
)
def test_small_files_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("content", [None, 3, [1, 2], {"step": 4}, torch.zeros(3), {"format": CHECKPOINT_FORMAT}])
def test_other_things_that_torch_saved_are_refused(path: Path, content: object) -> None:
    torch.save(content, path)
    refused(path)


@pytest.mark.parametrize("key", ["step", "objective", "optimizer", "best", "history", "seconds"])
def test_a_checkpoint_with_a_part_missing_is_refused(path: Path, key: str) -> None:
    part = dict(state())
    del part[key]
    torch.save(part, path)
    refused(path)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_malicious_pickle_does_not_run(path: Path, protocol: int) -> None:
    target = path.parent / "made by the pickle"
    content = {**state(), "history": Touch(target)}
    path.write_bytes(pickle.dumps(Touch(target), protocol))
    refused(path)
    path.write_bytes(pickle.dumps(content, protocol))
    refused(path)
    assert not target.exists()


def test_a_malicious_pickle_inside_torchs_format_does_not_run(path: Path) -> None:
    target = path.parent / "made by the pickle"
    torch.save({**state(), "history": Touch(target)}, path)
    refused(path)
    assert not target.exists()
    torch.load(io.BytesIO(path.read_bytes()), weights_only=False)
    assert target.exists(), "the pickle is harmless, so this proves nothing"


def test_a_zip_without_tensors_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"format": CHECKPOINT_FORMAT}, 2))
    refused(path)
