"""Two processes learn what one would: the same losses, gradients, runs and encoder, and only the first one tells."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file
from two_processes import LOSSES, everything

from simsearch.encoders.folder import WEIGHTS_NAME, read_config
from simsearch.errors import UsageError
from simsearch.training import Changes, train
from simsearch.training.processes import SingleProcess, autocast_to, precision_of, shard_of

CHILD = Path(__file__).parents[2] / "two_processes.py"
TOLERANCE = {"rtol": 0, "atol": 1e-5}
WORDS = (
    "--preset",
    "shapes",
    "--steps",
    "6",
    "--set",
    "batch_images=5",
    "--set",
    "optimizer=sgd",
    "--learning-rate",
    "0.05",
    "--no-report",
)


@dataclass(frozen=True)
class Together:
    """What two processes said and found, by their rank."""

    said: tuple[str, str]
    complained: tuple[str, str]
    found: tuple[dict[str, NDArray[np.generic]], dict[str, NDArray[np.generic]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("together")


@pytest.fixture(scope="module")
def together(folder: Path, shapes: Path) -> Together:
    """Two processes on this machine, as a launcher starts them."""
    line = [sys.executable, str(CHILD), str(folder), "train", str(shapes), "-o", str(folder / "both"), *WORDS, "--json"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    environments = [os.environ | place | {"RANK": rank, "LOCAL_RANK": rank} for rank in "01"]
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
            for environment in environments
        ]
        for child in children:
            stack.callback(child.kill)
        told = [child.communicate(timeout=1_200) for child in children]
    assert [child.returncode for child in children] == [0, 0], told
    found = [dict(np.load(folder / f"rank{rank}.npz", allow_pickle=False)) for rank in (0, 1)]
    return Together((told[0][0], told[1][0]), (told[0][1], told[1][1]), (found[0], found[1]))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NDArray[np.generic]]:
    return everything(SingleProcess(torch.device("cpu")), tmp_path_factory.mktemp("alone"))


def part(found: dict[str, NDArray[np.generic]], name: str) -> dict[str, NDArray[np.generic]]:
    return {key: value for key, value in found.items() if key.startswith(f"{name}/")}


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_gradients_are_those_of_one_process(
    together: Together, alone: dict[str, NDArray[np.generic]], loss: str
) -> None:
    expected = part(alone, f"of {loss}")
    assert expected[f"of {loss}/loss"] > 0
    assert sum(bool(np.abs(gradient).max() > 1e-4) for gradient in expected.values()) > 5
    for found in together.found:
        assert part(found, f"of {loss}").keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, **TOLERANCE, err_msg=name)


def test_runs_end_as_in_one_process_also_when_they_were_stopped(
    together: Together, alone: dict[str, NDArray[np.generic]]
) -> None:
    expected = part(alone, "runs")
    for found in together.found:
        assert part(found, "runs").keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, **TOLERANCE, err_msg=name)
            if name.startswith("runs/straight"):
                np.testing.assert_array_equal(found[name], found[name.replace("straight", "resumed")])


def test_a_run_without_a_gain_ends_in_all_processes(together: Together) -> None:
    for found in together.found:
        np.testing.assert_allclose(found["runs/ended"], [12, 9, 6, 0.9])


def test_all_processes_stop_at_a_loss_that_is_not_finite(
    together: Together, alone: dict[str, NDArray[np.generic]]
) -> None:
    assert str(alone["spoiled/said"]).startswith("the loss is nan at step ")
    for found in together.found:
        assert found["spoiled/said"] == alone["spoiled/said"]


def test_a_budget_of_time_is_the_same_number_of_steps_in_all_processes(together: Together) -> None:
    first, second = (int(found["steps"]) for found in together.found)  # type: ignore[call-overload]
    assert first == second >= 1


def test_an_encoder_of_two_processes_is_that_of_one_and_only_the_first_tells(
    together: Together, folder: Path, shapes: Path
) -> None:
    trained = train(
        shapes,
        folder / "one",
        recipe="shapes",
        steps=6,
        learning_rate=0.05,
        report=False,
        changes=Changes(batch_images=5, optimizer="sgd"),
    )
    expected, found = (load_file(folder / name / WEIGHTS_NAME) for name in ("one", "both"))
    assert expected.keys() == found.keys()
    for name, weights in expected.items():
        np.testing.assert_allclose(found[name], weights, **TOLERANCE, err_msg=name)
    told = json.loads(together.said[0])
    assert told["figures"]["validation"] == pytest.approx(trained.figures["validation"], abs=1e-5)
    assert together.said[1] == together.complained[1] == ""
    assert read_config(folder / "both").training["processes"] == 2
    assert not list(folder.glob("*.training"))


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 40), world=st.integers(1, 7))
def test_shares_are_equal_in_size_and_have_every_row_first_to_last(rows: int, world: int) -> None:
    class Some(SingleProcess):
        def __init__(self, rank: int) -> None:
            self.rank, self.world = rank, world

    shares = [shard_of(np.arange(rows), Some(rank)) for rank in range(world)]
    assert {len(share) for share in shares} == {-(-rows // world)}
    np.testing.assert_array_equal(np.concatenate(shares)[:rows], np.arange(rows))


def test_precisions_go_with_their_device() -> None:
    cpu = torch.device("cpu")
    assert precision_of("auto", cpu) == precision_of("float32", cpu) == torch.float32
    assert precision_of("bfloat16", cpu) == torch.bfloat16
    with pytest.raises(UsageError, match="precision float16 needs a GPU; on the CPU there are"):
        precision_of("float16", cpu)
    with pytest.raises(UsageError, match="no precision 'half'; there are auto, float32"):
        precision_of("half", cpu)
    with autocast_to(torch.bfloat16, cpu):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with autocast_to(torch.float32, cpu):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
