"""Checkpoints: written atomically, and loaded without executing code."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor

from simsearch.errors import DamagedError, TrainingError
from simsearch.manifest import replacing
from simsearch.space import disk_is_full, missing_space

CHECKPOINT_FORMAT = 2


class Weights(TypedDict):
    """The state that a training step changes."""

    objective: dict[str, Tensor]
    optimizer: dict[str, object]
    scaler: dict[str, object]


class State(Weights):
    """The state from which a run resumes. Batch and random numbers of a step are functions of the seed and the step."""

    format: int
    configuration: str
    step: int
    steps: int
    best: dict[str, Tensor]
    best_figure: float
    best_step: int
    history: list[dict[str, float]]
    seconds: float


def save_checkpoint(path: Path, state: State) -> None:
    """Replaces the checkpoint atomically. Raises TrainingError when it cannot be written; the one before stays."""
    try:
        with replacing(path) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:
        raise TrainingError(
            f"{path} cannot be written: {_reason(path, state, error)}. Free some space and run the same command again: "
            "it resumes from the checkpoint before, if there is one"
        ) from error


def _reason(path: Path, state: State, error: OSError | RuntimeError) -> str:
    """Why a checkpoint cannot be written. torch reports a full disk in several lines about its own source."""
    tensors = [*state["objective"].values(), *state["best"].values()]
    # An optimizer keeps up to two numbers for each weight.
    needed = 2 * sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if disk_is_full(error) or shutil.disk_usage(path.parent).free < needed:
        return missing_space(path.parent, needed)
    return getattr(error, "strerror", None) or str(error).splitlines()[0]


def load_checkpoint(path: Path, configuration: str) -> State | None:
    """The checkpoint of this run, or None when there is none.

    Raises TrainingError when it belongs to another configuration, DamagedError when it cannot be read.
    """
    if not path.exists():
        return None
    try:
        state = _read(path)
        found = (state["format"], state["configuration"])
    except (
        OSError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        EOFError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise DamagedError(f"{path}: not a checkpoint ({cause}); train from the beginning with --restart") from error
    if found != (CHECKPOINT_FORMAT, configuration):
        raise TrainingError(
            f"{path} belongs to a run with other files or settings; "
            "give the same ones to resume it, or --restart to train from the beginning"
        )
    return state


def _read(path: Path) -> State:
    # torch writes a zip file but does not verify its checksums; its older formats are not used here.
    with zipfile.ZipFile(path) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()) or archive.testzip():
            raise ValueError("a checksum differs")
    state: State = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not state.keys() >= State.__required_keys__:
        raise ValueError("parts are missing")
    return state
