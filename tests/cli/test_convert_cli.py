"""simsearch convert, and what is said where an encoder takes no words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import simsearch
from simsearch.encoders import open_encoder


@pytest.fixture
def face(place: Path) -> Path:
    """A file of a user: a linear map of images of 8 x 8."""
    weights = np.random.default_rng(0).normal(size=(192, 12)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["f"], axis=1), helper.make_node("MatMul", ["f", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 12])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = place / "face.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_a_file_becomes_an_encoder_that_indexes(command, face, gallery):
    done = command(
        "convert",
        face,
        "-o",
        "encoders/face",
        "--mean",
        "0.5,0.5,0.5",
        "--std",
        "0.5",
        "--size",
        "8x8",
        "--layout",
        "nchw",
        "--bgr",
        "--json",
        "--quiet",
    )
    assert (done.code, done.err) == (0, "")
    (record,) = done.records
    encoder = open_encoder("encoders/face")
    assert (record["fingerprint"], record["dim"], record["bits"]) == (encoder.fingerprint, 12, 16)
    assert (record["kind"], record["source"], record["words"]) == ("converted", "face.onnx", False)
    assert record["bytes"] == Path("encoders/face/encoder.onnx").stat().st_size
    assert command("index", gallery, "--encoder", "encoders/face", "--quiet").code == 0
    assert command("query", gallery / "1.png", "--json").records[0]["score"] == pytest.approx(1, abs=1e-5)
    told = command("info", "encoders/face")
    assert "training: converted_from" in told.out and "face.onnx" in told.out
    told = command("convert", face, "-o", "encoders/other", "--bits", "8")
    assert told.out.splitlines()[0].startswith("encoders/other: images to 12 dimensions")
    assert "lowest cosine to 32 bits" in told.out and told.err.startswith("converting ")


def test_an_encoder_that_is_there_stays_unless_it_may_be_replaced(command, face, place):
    assert command("convert", face, "-o", "encoders/face", "--quiet").code == 0
    before = open_encoder("encoders/face").fingerprint
    again = command("convert", face, "-o", "encoders/face", "--bits", "32", "--quiet")
    assert (again.code, again.out) == (2, "")
    assert again.err.endswith("exists; choose another name, or --overwrite to replace the encoder in it\n")
    assert open_encoder("encoders/face").fingerprint == before
    assert command("convert", face, "-o", "encoders/face", "--bits", "32", "--overwrite", "--quiet").code == 0
    assert open_encoder("encoders/face").fingerprint != before
    assert [path.name for path in (place / "encoders").iterdir()] == ["face"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nothing"], 1, "No model 'nothing': it is neither an ONNX file"),
        (["nothing.onnx"], 1, "nothing.onnx: No such file"),
        (["photo"], 2, "photo is already an encoder of simsearch"),
        (["face.onnx", "--size", "9"], 1, "takes images of 8x8, not of 9x9 as --size says"),
        (["face.onnx", "--size", "9x9x9"], 2, "is neither a number of pixels nor WIDTHxHEIGHT"),
        (["face.onnx", "--mean", "a,b"], 2, "are no numbers with commas between them"),
        (["face.onnx", "--output", "z"], 2, "has no output 'z'; there are y"),
        (["face.onnx", "--bits", "4"], 2, "'4' is not one of"),
    ],
)
def test_failures_are_told_in_one_line(command, face, place, words, code, said):
    done = command("convert", *words, "-o", "encoders/x", "--quiet")
    assert (done.code, done.out) == (code, "")
    assert said in done.err.splitlines()[-1]
    assert not list(place.glob("encoders/*"))


def test_words_are_asked_of_an_encoder_that_takes_none(command, indexed):
    done = command("query", "a red dress")
    assert done.code == 1
    assert "a red dress: no such file, and tiny does not take words; index the images with an encoder" in done.err
    assert "a CLIP or SigLIP model (simsearch convert)" in done.err
    done = command("query", "--text", "a red dress")
    assert done.code == 2 and "the encoder tiny takes images, not words" in done.err


def test_the_function_is_public(face, place):
    assert simsearch.convert(face, "out", bits=32).dim == 12
