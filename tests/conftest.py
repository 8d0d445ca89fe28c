"""What many tests need: a small encoder, and pictures."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.numpy import save_file
from text_encoder import make_text_encoder

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import ONNX_NAME, WEIGHTS_NAME, EncoderConfig, Layer, write_config
from simsearch.encoders.onnx import OnnxEncoder

if TYPE_CHECKING:
    from simsearch.types import Source, Vectors

SIDE = 32
GRID = 4
DIM = 24
Draw = Callable[..., Path]


def make_encoder(folder: Path, seed: int) -> Path:
    """An encoder folder whose vectors are a random projection of a 4x4 grid of mean colours."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(GRID * GRID * 3, DIM)).astype(np.float32)
    constants = {"weights": weights, "middle": np.float32(127.5), "axes": np.array([1], dtype=np.int64)}
    cell = SIDE // GRID
    nodes = [
        helper.make_node("Cast", ["pixels"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["numbers", "middle"], ["centred"]),
        helper.make_node("Transpose", ["centred"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["grid"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Flatten", ["grid"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["projected"]),
        helper.make_node("ReduceL2", ["projected", "axes"], ["length"], keepdims=1),
        helper.make_node("Div", ["projected", "length"], ["embeddings"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", DIM])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    (folder / ONNX_NAME).write_bytes(model.SerializeToString())
    save_file({"weights": weights}, folder / WEIGHTS_NAME)
    config = EncoderConfig(
        name=folder.name,
        modality="image",
        dim=DIM,
        width=SIDE,
        height=SIDE,
        channels=3,
        fit="squash",
        model={"kind": "tiny", "seed": seed},
        layers=(Layer("projection", "linear", (DIM,), weights.size),),
        training={"seed": seed},
        figures={},
    )
    write_config(folder, config.sealed(folder))
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small encoder: fast, and different pictures get different vectors."""
    return make_encoder(tmp_path_factory.mktemp("encoders") / "tiny", seed=1)


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another encoder of the same size, with another fingerprint."""
    return make_encoder(tmp_path_factory.mktemp("encoders") / "other", seed=2)


@pytest.fixture(scope="session")
def tiny_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small text encoder: texts that share words score higher than others."""
    return make_text_encoder(tmp_path_factory.mktemp("encoders") / "tiny-text")


def picture(seed: int, size: tuple[int, int] = (24, 20)) -> Image.Image:
    """A picture of a coarse pattern of its own for each seed."""
    colours = np.random.default_rng(seed).integers(0, 256, size=(4, 4, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize(size, Image.Resampling.BILINEAR)


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Draws the picture of a seed into a file: the suffix says how, missing folders are made."""

    def drawn(path: Path, seed: int, size: tuple[int, int] = (24, 20)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(seed, size).save(path)
        return path

    return drawn


@pytest.fixture(scope="session")
def image() -> Callable[[int], Image.Image]:
    """The picture of a seed as a PIL image."""
    return picture


@pytest.fixture
def gallery(tmp_path: Path, draw: Draw) -> Path:
    """A folder of eight different pictures, 0.png to 7.png."""
    folder = tmp_path / "gallery"
    for seed in range(8):
        draw(folder / f"{seed}.png", seed)
    return folder


class Counting:
    """An encoder that remembers how many pictures it was asked to embed."""

    def __init__(self, inner: OnnxEncoder) -> None:
        self.inner = inner
        self.embedded = 0
        self.name, self.fingerprint, self.modality, self.dim = inner.name, inner.fingerprint, "image", inner.dim

    def prepare(self, source: Source) -> object:
        return self.inner.prepare(source)

    def embed(self, prepared: Sequence[object]) -> Vectors:
        self.embedded += len(prepared)
        return self.inner.embed(prepared)

    def encode(self, sources: Sequence[Source]) -> Vectors:
        self.embedded += len(sources)
        return self.inner.encode(sources)

    def taken(self) -> int:
        """How many since the last time."""
        count, self.embedded = self.embedded, 0
        return count


@pytest.fixture
def counting(tiny: Path) -> Counting:
    return Counting(open_encoder(tiny))


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that any user can reach and read, removed afterwards; pytest's own are for their owner only."""
    with tempfile.TemporaryDirectory(prefix="simsearch-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


PRELUDE = """
import contextlib, io, os, sys
from pathlib import Path
from PIL import Image
from simsearch.cli import main
encoder, place = sys.argv[1:3]
def command(*words):
    sys.argv = ["simsearch", *map(str, words)]
    with contextlib.suppress(SystemExit):
        main()
def become_nobody():
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
# Everything is imported before, because nobody may be unable to reach the installation.
Path(place, "warm").mkdir()
Image.effect_noise((9, 9), 50).save(Path(place, "warm", "a.png"))
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    command("index", place + "/warm", "--encoder", encoder, "--index", place + "/index")
    command("query", place + "/warm/a.png", "--index", place + "/index", "-k", "1", "--json")
    command("check", "--index", place + "/index")
    command("query", place + "/nothing", "--index", place + "/nothing")
    command("enroll", "Ana", place + "/warm/a.png", "--index", place + "/index")
    command("recognize", place + "/warm/a.png", "--index", place + "/index")
become_nobody()
"""
Nobody = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def unmeasured() -> dict[str, str]:
    """The environment of a child that cannot write what it measures of its coverage."""
    return {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"}


@pytest.fixture
def nobody(tiny: Path, tmp_path: Path, unmeasured: dict[str, str]) -> Nobody:
    """Runs Python code in a process without any privileges; `command` runs a command line within it."""

    def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        place = Path(tempfile.mkdtemp(dir=tmp_path))
        script = f"{PRELUDE}\narguments = {list(map(str, arguments))!r}\n{code}"
        return subprocess.run(
            [sys.executable, "-c", script, tiny, place],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env=unmeasured,
        )

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says which tests had no browser, where they can be seen: at the end."""
    skipped = terminalreporter.stats.get("skipped", [])
    without = [report.nodeid for report in skipped if "no browser" in str(report.longrepr)]
    if without:
        terminalreporter.section("no browser: install chromium to run these tests")
        for name in without:
            terminalreporter.line(name)
