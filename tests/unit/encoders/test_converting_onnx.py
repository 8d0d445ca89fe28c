"""ONNX files of users, of images and of texts: the vectors of the file itself, by hand, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from simsearch.encoders import open_encoder
from simsearch.encoders.converting import OnnxOptions, convert
from simsearch.encoders.converting.graphs import files as onnx_files
from simsearch.encoders.folder import ONNX_NAME, WEIGHTS_NAME, read_config
from simsearch.errors import EncoderError, MissingExtraError, UsageError

SIDE, DIM = 8, 12
RNG = np.random.default_rng(0)
PIXELS = RNG.normal(size=(3 * SIDE * SIDE, DIM)).astype(np.float32)
TABLE = RNG.normal(size=(40, DIM)).astype(np.float32)
ALL_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
WORDS = ["[PAD]", "[UNK]", "red", "green", "dog", "cat", "a", "the"]
OPSET = 17


def saved(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: dict[str, Any]) -> Path:
    graph = helper.make_graph(
        nodes, "g", inputs, outputs, [numpy_helper.from_array(np.asarray(each), name) for name, each in weights.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    model.doc_string = "made at /home/somebody"
    path.write_bytes(model.SerializeToString())
    return path


def value(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def pictures(
    path: Path, shape: tuple[Any, ...] = ("n", 3, SIDE, SIDE), *, kind: int = TensorProto.FLOAT, reshape: Any = None
) -> Path:
    """A linear map of all numbers of an image, in the order in which they are given; output `embeddings`, to see that
    a name of ours is no trouble."""
    flatten = helper.make_node("Flatten", ["pixels"], ["flat"], axis=1)
    if reshape is not None:
        flatten = helper.make_node("Reshape", ["pixels", "shape"], ["flat"])
    nodes = [
        flatten,
        helper.make_node("Cast", ["flat"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["wide", "weights"], ["embeddings"]),
    ]
    weights: dict[str, Any] = {"weights": PIXELS}
    if reshape is not None:
        weights["shape"] = np.array(reshape, dtype=np.int64)
    return saved(path, nodes, [value("pixels", list(shape), kind)], [value("embeddings", ["n", "d"])], weights)


def unit(rows: NDArray[Any]) -> NDArray[np.float64]:
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def some(count: int = 3) -> list[NDArray[np.uint8]]:
    return [np.random.default_rng(each).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for each in range(count)]


def by_hand(given: list[NDArray[np.uint8]], *, nchw: bool, bgr: bool = False, mean: Any = 0, std: Any = 1) -> Any:
    values = (np.stack(given)[:, :, :, ::-1] if bgr else np.stack(given)) / 255.0
    values = (values - np.array(mean)) / np.array(std)
    return unit((values.transpose(0, 3, 1, 2) if nchw else values).reshape(len(given), -1) @ PIXELS.astype(np.float64))


IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        (("n", 3, SIDE, SIDE), {}, {"nchw": True}),
        (("n", SIDE, SIDE, 3), {}, {"nchw": False}),
        ((1, 3, SIDE, SIDE), {"bgr": True}, {"nchw": True, "bgr": True}),
        (
            ("n", 3, "h", "w"),
            {"size": (SIDE, SIDE), "mean": (0.5,), "std": (0.5,)},
            {"nchw": True, "mean": 0.5, "std": 0.5},
        ),
        (
            ("n", "c", SIDE, SIDE),
            {"layout": "nchw", "mean": IMAGENET[0], "std": IMAGENET[1], "bgr": True},
            {"nchw": True, "mean": IMAGENET[0], "std": IMAGENET[1], "bgr": True},
        ),
        (
            ("n", 3, SIDE, SIDE),
            {"scale": 255.0, "mean": (127.5,), "std": (128.0,)},
            {"nchw": True, "mean": 0.5, "std": 128 / 255},
        ),
    ],
)
def test_pictures_come_out_as_by_hand(
    shape: tuple[Any, ...], options: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    made = convert(pictures(tmp_path / "m.onnx", shape), tmp_path / "out", bits=32, onnx=OnnxOptions(**options))
    assert (made.width, made.height, made.channels, made.dim, made.fit) == (SIDE, SIDE, 3, DIM, "crop")
    assert made.figures["onnx_parity"] <= 1e-4
    np.testing.assert_allclose(open_encoder(tmp_path / "out").encode(some()), by_hand(some(), **expected), atol=1e-5)


def test_fewer_bits_and_what_the_folder_says(tmp_path: Path) -> None:
    path = pictures(tmp_path / "face.onnx")
    truth = by_hand(some(40), nchw=True)
    sizes = []
    for bits, least in ((32, 1 - 1e-6), (16, 1 - 1e-5), (8, 0.999)):
        made = convert(path, tmp_path / "out", bits=bits, overwrite=bits != 32)
        found = open_encoder(tmp_path / "out").encode(some(40))
        assert (found * truth).sum(axis=1).min() > least
        sizes.append(made.files[ONNX_NAME].size)
        assert made.figures["lowest_cosine_to_32_bits"] > least - 1e-6
    assert sizes[0] > 1.7 * sizes[1] > 1.7 * 1.2 * sizes[2]
    config = read_config(tmp_path / "out")
    assert config.model == {"kind": "converted", "source": "face.onnx", "bits": 8}
    assert config.parameters == PIXELS.size and WEIGHTS_NAME not in config.files
    assert b"somebody" not in (tmp_path / "out" / ONNX_NAME).read_bytes()


def test_gray_pictures_and_numbers_of_16_bits(tmp_path: Path) -> None:
    weights = {"weights": PIXELS[: SIDE * SIDE].astype(np.float16)}
    nodes = [helper.make_node("Flatten", ["x"], ["f"], axis=1), helper.make_node("MatMul", ["f", "weights"], ["y"])]
    kind = TensorProto.FLOAT16
    path = saved(
        tmp_path / "m.onnx", nodes, [value("x", ["n", 1, SIDE, SIDE], kind)], [value("y", ["n", "d"], kind)], weights
    )
    made = convert(path, tmp_path / "out")
    assert made.channels == 1
    given = [picture[:, :, 0] for picture in some()]
    expected = unit(np.stack(given).reshape(3, -1) / 255 @ weights["weights"].astype(np.float64))
    found = open_encoder(tmp_path / "out").encode(given)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=3e-3)


def tokens(path: Path) -> Path:
    """A vector for each column of an image, and one for all."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["columns"], perm=[0, 3, 1, 2]),
        helper.make_node("Reshape", ["columns", "shape"], ["tokens"]),
        helper.make_node("MatMul", ["tokens", "weights"], ["each"]),
        helper.make_node("ReduceMean", ["each"], ["all"], axes=[1], keepdims=0),
        helper.make_node("Constant", [], ["unused"], value=numpy_helper.from_array(np.zeros(2, np.float32))),
    ]
    weights = {"weights": PIXELS[: 3 * SIDE], "shape": np.array([0, SIDE, 3 * SIDE], dtype=np.int64)}
    outputs = [value("each", ["n", "t", "d"]), value("all", ["n", "d"])]
    return saved(path, nodes, [value("x", ["n", 3, SIDE, SIDE])], outputs, weights)


def test_the_output_and_its_pooling_are_chosen(tmp_path: Path) -> None:
    path = tokens(tmp_path / "m.onnx")
    values = np.stack(some()).transpose(0, 2, 3, 1).reshape(3, SIDE, -1) / 255 @ PIXELS[: 3 * SIDE].astype(np.float64)
    for number, (output, pooling, expected) in enumerate(
        [
            ("each", "mean", values.mean(axis=1)),
            ("each", "cls", values[:, 0]),
            ("all", None, values.mean(axis=1)),
        ]
    ):
        out = tmp_path / str(number)
        convert(path, out, bits=32, onnx=OnnxOptions(output=output, pooling=pooling))
        np.testing.assert_allclose(open_encoder(out).encode(some()), unit(expected), atol=1e-5)
    for options, reason in [
        ({}, r"has 2 outputs; name the one with the embeddings: --output each \| all"),
        ({"output": "none"}, "has no output 'none'; there are each, all"),
        ({"output": "each"}, r"'each' has the shape \(1, 8, 12\), .* --pooling mean or --pooling cls"),
        ({"output": "all", "pooling": "mean"}, "'all' is one vector per input; omit --pooling mean"),
    ]:
        with pytest.raises(UsageError, match=reason):
            convert(path, tmp_path / "out", onnx=OnnxOptions(**options))
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("shape", "options", "kind", "reason"),
    [
        (("n", 3, 8, 8), {"size": (9, 8)}, EncoderError, r"\(any, 3, 8, 8\) takes images of 8x8, not of 9x8"),
        (("n", 3, "h", 8), {"size": (9, 9)}, EncoderError, "takes images of 8xany, not of 9x9 as --size says"),
        (("n", 3, "h", "w"), {}, UsageError, "has no fixed size; give one: --size 224"),
        (("n", 3, 8, 8), {"layout": "nhwc"}, EncoderError, "has 8 channels in --layout nhwc"),
        (("n", "c", 8, 8), {}, UsageError, "does not show which axis is that of the channels; give --layout"),
        (("n", 4, 8, 8), {}, UsageError, "does not show which axis"),
        (("n", 3, 8, 8), {"mean": (0.1, 0.2)}, UsageError, "has 3 channels, but --mean has 2 numbers"),
        (("n", 3, 8, 8), {"max_tokens": 7}, UsageError, "is an image model, to which --max-tokens does not apply"),
        (("n", 1, 8, 8), {"bgr": True}, UsageError, "takes grayscale images, to which --bgr does not apply"),
        (("n", 3, 8), {}, EncoderError, "is not an image input"),
        (("n", 3, 9, 8), {}, EncoderError, "Incompatible dimensions"),
    ],
)
def test_a_file_of_another_shape_than_the_options_say(
    shape: tuple[Any, ...], options: dict[str, Any], kind: type[Exception], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=reason) as told:
        convert(pictures(tmp_path / "m.onnx", shape), tmp_path / "out", onnx=OnnxOptions(**options))
    assert "\n" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_a_batch_that_is_built_in_is_found(tmp_path: Path) -> None:
    flat = [1, 3 * SIDE * SIDE]
    with pytest.raises(EncoderError, match=r"does not accept a batch of 4 .* with a batch of any size"):
        convert(pictures(tmp_path / "m.onnx", (1, 3, SIDE, SIDE), reshape=flat), tmp_path / "out")
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"], axis=1),
        helper.make_node("MatMul", ["f", "weights"], ["y"]),
        helper.make_node("ReduceMean", ["y"], ["m"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["y", "m"], ["d"]),
        helper.make_node("Add", ["d", "one"], ["z"]),
    ]
    weights = {"weights": PIXELS, "one": np.ones(DIM, np.float32)}
    path = saved(tmp_path / "b.onnx", nodes, [value("x", ["n", 3, SIDE, SIDE])], [value("z", ["n", "d"])], weights)
    with pytest.raises(EncoderError, match="rows alone and in a batch differ by"):
        convert(path, tmp_path / "out")


def hostile(path: Path, change: Callable[[Any], None]) -> Path:
    model = onnx.load_model_from_string(pictures(path).read_bytes())
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def elsewhere(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def foreign(model: Any) -> None:
    model.opset_import.append(helper.make_opsetid("evil", 1))
    model.graph.node[0].domain = "evil"


def bomb(model: Any) -> None:
    """An array of a terabyte, made of a file of some kilobytes."""
    model.graph.initializer.append(numpy_helper.from_array(np.array([1 << 20, 1 << 18], dtype=np.int64), "huge"))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["huge"], ["ones"]))


def lying(model: Any) -> None:
    model.graph.initializer[0].dims[0] = 1 << 33


def old(model: Any) -> None:
    model.opset_import[0].version = 7


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (elsewhere, "refers to external data"),
        (foreign, r"non-standard operators \('evil'\)"),
        (bomb, "'ones' within the network has 274,877,906,944 elements"),
        (lying, "bytes, but its shape needs"),
        (old, "operator set has version 7, older than 9"),
    ],
)
def test_hostile_files_are_refused(change: Callable[[Any], None], reason: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=reason):
        convert(hostile(tmp_path / "m.onnx", change), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_what_is_no_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.onnx"
    with pytest.raises(EncoderError, match="No such file"):
        convert(path, tmp_path / "out")
    for content in (b"", b"text that is no model", b"\x08\x08"):
        path.write_bytes(content)
        with pytest.raises(EncoderError, match=r"m\.onnx: ") as told:
            convert(path, tmp_path / "out")
        assert "\n" not in str(told.value)
    monkeypatch.setattr(onnx_files, "MOST_BYTES", 100)
    with pytest.raises(EncoderError, match="too large for one file"):
        convert(pictures(path), tmp_path / "out")
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r'pip install "simsearch\[pretrained\]"'):
        convert(path, tmp_path / "out")


# -- texts ---------------------------------------------------------------------------------------------------------


def texts(path: Path, *, names: tuple[str, ...] = ALL_INPUTS, length: Any = "l") -> Path:
    """A vector for each token, times the mask and plus the type, which is 0 of every token."""
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["y" if len(names) == 1 else "rows"])]
    if len(names) > 1:
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["wide"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["wide", "two"], ["mask"]),
            helper.make_node("Mul", ["rows", "mask"], ["y"]),
        ]
    weights = {"table": TABLE, "two": np.array([2], dtype=np.int64)}
    inputs = [value(name, ["n", length], TensorProto.INT64) for name in names]
    return saved(path, nodes, inputs, [value("y", ["n", "t", "d"])], weights)


def tokenizer(path: Path, words: list[str] = WORDS, most: int | None = 6) -> Path:
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.add_special_tokens(["[PAD]", "[UNK]"])
    if most:
        made.enable_truncation(most)
    made.save(str(path))
    return path


TEXTS = ["red dog", "the cat", "a red cat a green dog and more", "dog"]
IDS = [[2, 4], [7, 5], [6, 2, 5, 6, 3, 4], [4]]


@pytest.mark.parametrize("names", [("input_ids",), ALL_INPUTS], ids=len)
@pytest.mark.parametrize(("pooling", "bits"), [("mean", 32), ("cls", 16)])
def test_texts_come_out_as_by_hand(names: tuple[str, ...], pooling: str, bits: int, tmp_path: Path) -> None:
    tokenizer(tmp_path / "tokenizer.json")
    options = OnnxOptions(pooling=pooling)
    made = convert(texts(tmp_path / "m.onnx", names=names), tmp_path / "out", bits=bits, onnx=options)
    assert (made.modality, made.max_tokens, made.vocabulary, made.padding, made.dim) == ("text", 6, 40, 0, DIM)
    rows = [TABLE[ids].astype(np.float64) for ids in IDS]
    expected = unit(np.stack([each.mean(axis=0) if pooling == "mean" else each[0] for each in rows]))
    found = open_encoder(tmp_path / "out").encode(TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-6 if bits == 32 else 1e-3)


def test_a_text_model_needs_its_tokenizer(tmp_path: Path) -> None:
    path, out, mean = texts(tmp_path / "m.onnx"), tmp_path / "out", {"pooling": "mean"}
    with pytest.raises(EncoderError, match=r"takes token ids, and .*tokenizer\.json cannot be read .*: --tokenizer"):
        convert(path, out)
    (tmp_path / "bad.json").write_text('{"model": 3}')
    with pytest.raises(UsageError, match=r"bad\.json has no maximum number of tokens"):
        convert(path, out, onnx=OnnxOptions(tokenizer=tmp_path / "bad.json"))
    with pytest.raises(EncoderError, match=r"not a tokenizer|no tokenizer"):
        convert(path, out, onnx=OnnxOptions(tokenizer=tmp_path / "bad.json", max_tokens=5))
    given = tokenizer(tmp_path / "t.json", most=None)
    with pytest.raises(UsageError, match="has no maximum number of tokens; give one"):
        convert(path, out, onnx=OnnxOptions(tokenizer=given, **mean))
    assert convert(path, out, onnx=OnnxOptions(tokenizer=given, max_tokens=9, **mean)).max_tokens == 9
    large = tokenizer(tmp_path / "large.json", [*WORDS, *map(str, range(99))])
    with pytest.raises(EncoderError, match="has 107 tokens, but the network has 40: it belongs to another encoder"):
        convert(path, tmp_path / "other", onnx=OnnxOptions(tokenizer=large, **mean))


@pytest.mark.parametrize(
    ("changes", "options", "reason"),
    [
        ({"names": ("input_ids", "attention_mask", "position_ids")}, {}, r"takes 'position_ids' \(any, any\); a text"),
        ({"length": 16}, {}, "takes texts of exactly 16 tokens; export it again"),
        ({}, {"size": (8, 8)}, "is a text model, to which --size does not apply"),
    ],
)
def test_text_models_that_do_not_fit(
    changes: dict[str, Any], options: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    tokenizer(tmp_path / "tokenizer.json")
    path = texts(tmp_path / "m.onnx", **changes)
    with pytest.raises((EncoderError, UsageError), match=reason):
        convert(path, tmp_path / "out", onnx=OnnxOptions(pooling="mean", **options))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"layout": "chwn"}, "layout 'chwn': must be one of nchw, nhwc"),
        ({"pooling": "max"}, "pooling 'max'"),
        ({"fit": "cover"}, "fit 'cover'"),
        ({"resample": "box"}, "resample 'box'"),
        ({"scale": 0.0}, "scale 0"),
        ({"std": (1.0, 0.0, 1.0)}, "no deviation may be 0"),
        ({"max_tokens": 0}, "max tokens must be 1 or more, not 0"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        OnnxOptions(**options)
