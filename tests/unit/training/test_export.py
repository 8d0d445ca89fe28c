"""Export: the same vectors from ONNX Runtime as from torch, one file without traces, and no silent change after."""

from __future__ import annotations

import getpass
import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx.external_data_helper import convert_model_to_external_data
from safetensors.torch import load_file
from torch import nn

from simsearch.encoders.folder import (
    CONFIG_NAME,
    ONNX_NAME,
    WEIGHTS_NAME,
    EncoderConfig,
    read_config,
    read_verified,
)
from simsearch.encoders.onnx import OnnxEncoder, load_session
from simsearch.errors import EncoderError
from simsearch.training.export import PARITY, check_parity, export_encoder, layer_table, to_onnx
from simsearch.training.models import ModelSpec, SiameseEncoder, build

SPECS = {
    "shapes": ModelSpec("shapes", 16, 12, 3, 8),
    "digits": ModelSpec("digits", 8, 8, 1, 6, dropout=0.3),
    "backbone": ModelSpec("backbone", 14, 14, 3, 10),
    "residual": ModelSpec("residual", 16, 16, 3, 12, widths=(8, 16), stem_stride=2),
}
ALL_SPECS = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


def pixels(spec: ModelSpec, count: int = 5, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, size=(count, spec.height, spec.width, spec.channels), dtype=np.uint8)


def built(spec: ModelSpec, seed: int = 0) -> SiameseEncoder:
    torch.manual_seed(seed)
    encoder = build(spec, mean=(0.5,) * spec.channels, std=(0.3,) * spec.channels)
    encoder(torch.from_numpy(pixels(spec, 32)))  # moves the statistics of batch normalisation from where they start
    return encoder.eval()


def embedded(encoder: SiameseEncoder, sample: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        return encoder(torch.from_numpy(sample)).numpy()


def exported(
    folder: Path, spec: ModelSpec, *, half: bool = False, seed: int = 0, fit: str = "squash"
) -> tuple[SiameseEncoder, EncoderConfig]:
    folder.mkdir(parents=True, exist_ok=True)
    encoder = built(spec, seed)
    config = export_encoder(
        encoder, spec, folder, name="small", fit=fit, sample=pixels(spec, 8), half=half,
        training={"seed": seed, "history": [{"step": 1.0}]}, figures={"accuracy": 0.5},
    )  # fmt: skip
    return encoder, config


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported encoder folder; tests change copies of it."""
    folder = tmp_path_factory.mktemp("exported") / "small"
    exported(folder, SPECS["shapes"])
    return folder


@pytest.fixture
def copy(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "small"))


@ALL_SPECS
@pytest.mark.parametrize("half", [False, True], ids=["float", "half"])
def test_vectors_equal_torchs_for_any_batch(spec: ModelSpec, half: bool, tmp_path: Path) -> None:
    encoder, config = exported(tmp_path, spec, half=half)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [CONFIG_NAME, ONNX_NAME, WEIGHTS_NAME]
    opened = OnnxEncoder.open(tmp_path)
    session = load_session(read_verified(tmp_path, opened.config, ONNX_NAME), "small")
    for count in (1, 2, 7):
        sample = pixels(spec, count, seed=count)
        (found,) = session.run(None, {"pixels": sample})
        assert found.shape == (count, spec.dim)
        np.testing.assert_allclose(found, embedded(encoder, sample), atol=PARITY, rtol=0)
    assert 0 <= float(str(config.figures["onnx_parity"])) <= PARITY


@ALL_SPECS
@pytest.mark.parametrize("half", [False, True], ids=["float", "half"])
def test_weights_build_the_same_network_again(spec: ModelSpec, half: bool, tmp_path: Path) -> None:
    encoder, _ = exported(tmp_path, spec, half=half)
    weights = load_file(tmp_path / WEIGHTS_NAME)
    assert any(tensor.dtype == torch.float16 for tensor in weights.values()) is half
    stored = json.loads((tmp_path / CONFIG_NAME).read_text())["model"]
    assert stored.pop("half") is half
    again = ModelSpec(**(stored | {"widths": tuple(stored["widths"])}))
    assert again == spec
    fresh = built(again, seed=5)
    fresh.load_state_dict(weights)
    np.testing.assert_array_equal(embedded(fresh.eval(), pixels(spec)), embedded(encoder, pixels(spec)))


def test_half_takes_half_the_room_and_changes_little(tmp_path: Path) -> None:
    spec = SPECS["backbone"]
    plain, plain_config = exported(tmp_path / "plain", spec)
    half, half_config = exported(tmp_path / "half", spec, half=True)
    for name in (ONNX_NAME, WEIGHTS_NAME):
        assert half_config.files[name].size < 0.65 * plain_config.files[name].size
    difference = np.abs(embedded(plain, pixels(spec)) - embedded(half, pixels(spec))).max()
    assert 0 < difference < 5e-3


@pytest.mark.parametrize("half", [False, True], ids=["float", "half"])
def test_the_file_holds_no_trace_of_this_machine(half: bool, tmp_path: Path) -> None:
    model = to_onnx(built(SPECS["residual"]), pixels(SPECS["residual"], 2), half=half)
    site_packages = Path(torch.__file__).parent.parent
    traces = [str(Path.cwd()), str(Path.home()), str(site_packages), "site-packages", ".py", "File ",
              getpass.getuser() + "@", socket.gethostname() + "/"]  # fmt: skip
    for trace in traces:
        assert trace.encode() not in model, trace
    parsed = onnx.load_from_string(model)
    strings = [parsed.doc_string, parsed.graph.doc_string, *(node.doc_string for node in parsed.graph.node)]
    assert not any(strings)
    assert not any(node.metadata_props for node in parsed.graph.node)
    assert not any(tensor.external_data for tensor in parsed.graph.initializer)


def test_the_same_weights_give_the_same_file() -> None:
    spec = SPECS["shapes"]
    first, again, other = (to_onnx(built(spec, seed), pixels(spec, 2)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("where", ["weights.bin", "/etc/hostname", "../outside"])
def test_a_model_with_external_data_is_refused(tmp_path: Path, where: str) -> None:
    model = onnx.load_from_string(to_onnx(built(SPECS["shapes"]), pixels(SPECS["shapes"], 2)))
    convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = where
        tensor.ClearField("raw_data")
    with pytest.raises(EncoderError, match=r"somewhere/encoder\.onnx: .*external data"):
        load_session(model.SerializeToString(), "somewhere/encoder.onnx")


@pytest.mark.parametrize("content", [b"", b"\0" * 50, b"not a model", b"\x08\x07\x12\x04"],
                         ids=["empty", "zeros", "text", "a beginning"])  # fmt: skip
def test_a_broken_model_is_refused(content: bytes) -> None:
    with pytest.raises(EncoderError, match="broken: ONNX Runtime cannot load it"):
        load_session(content, "broken")


def test_a_truncated_model_is_refused() -> None:
    model = to_onnx(built(SPECS["shapes"]), pixels(SPECS["shapes"], 2))
    for share in (1, 5, 9):
        with pytest.raises(EncoderError, match="cannot load it"):
            load_session(model[: len(model) * share // 10], "truncated")


@pytest.mark.parametrize("change", [2e-3, float("nan")])
def test_export_refuses_when_torch_and_onnx_differ(change: float) -> None:
    spec = SPECS["shapes"]
    encoder = built(spec)
    model = to_onnx(encoder, pixels(spec, 2))
    assert check_parity(encoder, model, pixels(spec)) <= PARITY
    with torch.no_grad():
        list(encoder.parameters())[-2][0].add_(change)
    with pytest.raises(EncoderError, match=r"differ by .*not exported"):
        check_parity(encoder, model, pixels(spec))


@ALL_SPECS
def test_the_table_of_layers_counts_every_parameter(spec: ModelSpec) -> None:
    encoder = built(spec)
    table = layer_table(encoder, pixels(spec, 2))
    assert sum(layer.parameters for layer in table) == sum(parameter.numel() for parameter in encoder.parameters())
    assert table[-1].kind == "L2"
    assert table[-1].shape == (spec.dim,)
    assert len({layer.name for layer in table}) == len(table)


def test_the_table_of_layers_has_the_shapes_of_the_outputs() -> None:
    spec = ModelSpec("shapes", 28, 28, 3, 16)
    rows = [(layer.kind, layer.shape, layer.parameters) for layer in layer_table(built(spec), pixels(spec, 2))]
    assert rows == [
        ("Conv2d", (16, 26, 26), 448), ("ReLU", (16, 26, 26), 0), ("MaxPool2d", (16, 13, 13), 0),
        ("Conv2d", (8, 11, 11), 1160), ("ReLU", (8, 11, 11), 0), ("MaxPool2d", (8, 5, 5), 0),
        ("Flatten", (200,), 0), ("Linear", (16,), 3216), ("L2", (16,), 0),
    ]  # fmt: skip


def test_the_table_leaves_no_hooks_behind() -> None:
    encoder = built(SPECS["shapes"])
    layer_table(encoder, pixels(SPECS["shapes"], 2))
    assert not any(module._forward_hooks for module in encoder.modules())
    assert isinstance(encoder.trunk, nn.Sequential)


def test_the_description_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    _, written = exported(tmp_path, SPECS["residual"], fit="crop")
    found = read_config(tmp_path)
    assert found == replace(written, model=found.model)
    assert dict(found.model) == json.loads(json.dumps(dict(written.model)))
    assert (found.name, found.modality, found.dim, found.width, found.height, found.channels, found.fit) == (
        "small", "image", 12, 16, 16, 3, "crop",
    )  # fmt: skip
    assert found.parameters == sum(layer.parameters for layer in written.layers)
    assert found.training == {"seed": 0, "history": [{"step": 1.0}]}


def test_the_fingerprint_follows_weights_and_preprocessing_only(tmp_path: Path) -> None:
    spec = SPECS["shapes"]
    (_, first), (_, again), (_, weights), (_, fit) = (
        exported(tmp_path / "1", spec), exported(tmp_path / "2", spec),
        exported(tmp_path / "3", spec, seed=1), exported(tmp_path / "4", spec, fit="crop"),
    )  # fmt: skip
    assert len(first.fingerprint) == 16
    assert again.fingerprint == first.fingerprint
    assert len({first.fingerprint, weights.fingerprint, fit.fingerprint}) == 3
    assert replace(first, name="other", figures={}, training={}).expected_fingerprint() == first.fingerprint
    for change in ({"width": 17}, {"height": 5}, {"channels": 1}, {"dim": 9}, {"fit": "pad"}, {"modality": "text"}):
        assert replace(first, **change).expected_fingerprint() != first.fingerprint  # type: ignore[arg-type]


def edited(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    path = folder / CONFIG_NAME
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


EDITS: dict[str, Callable[[dict[str, object]], object]] = {
    "fit": lambda document: document.update(fit="crop"),
    "width": lambda document: document.update(width=99),
    "dim": lambda document: document.update(dim=3),
    "fingerprint": lambda document: document.update(fingerprint="0" * 16),
    "checksum": lambda document: document["files"][ONNX_NAME].update(sha256="0" * 64),  # type: ignore[index]
}


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_an_edited_description_is_found(copy: Path, change: Callable[[dict[str, object]], object]) -> None:
    edited(copy, change)
    with pytest.raises(EncoderError, match="fingerprint .* the file was edited; export the encoder again"):
        read_config(copy)


BREAKS: dict[str, Callable[[dict[str, object]], object]] = {
    "no format": lambda document: document.pop("format"),
    "no files": lambda document: document.pop("files"),
    "no layers": lambda document: document.pop("layers"),
    "no name": lambda document: document.pop("name"),
    "another key": lambda document: document.update(surprise=1),
    "files of another kind": lambda document: document.update(files=[1]),
    "no record": lambda document: document.update(files={}),
    "layers of another kind": lambda document: document.update(layers=[3]),
}


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS)
def test_a_broken_description_is_an_encoder_error(copy: Path, change: Callable[[dict[str, object]], object]) -> None:
    edited(copy, change)
    with pytest.raises(EncoderError, match="not an encoder's description"):
        read_config(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "\udcff"])
def test_a_description_that_is_no_object_is_an_encoder_error(copy: Path, text: str) -> None:
    (copy / CONFIG_NAME).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(EncoderError, match="not an encoder's description"):
        read_config(copy)


def test_a_later_format_asks_for_an_update(copy: Path) -> None:
    edited(copy, lambda document: document.update(format=2))
    with pytest.raises(EncoderError, match="another format than 1; update simsearch"):
        read_config(copy)


def test_a_folder_without_a_description_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is no encoder folder"):
        read_config(tmp_path)


@pytest.mark.parametrize("name", [ONNX_NAME, WEIGHTS_NAME])
def test_damaged_files_are_found_before_they_are_used(copy: Path, name: str) -> None:
    config = read_config(copy)
    path = copy / name
    whole = path.read_bytes()
    assert read_verified(copy, config, name) == whole
    path.write_bytes(whole[:-1])
    with pytest.raises(EncoderError, match=f"{len(whole) - 1} bytes instead of {len(whole)}"):
        read_verified(copy, config, name)
    for position in (0, len(whole) // 2, len(whole) - 1):
        altered = bytearray(whole)
        altered[position] ^= 1
        path.write_bytes(altered)
        with pytest.raises(EncoderError, match="checksum differs"):
            read_verified(copy, config, name)
    path.unlink()
    with pytest.raises(EncoderError, match="No such file"):
        read_verified(copy, config, name)


def test_a_damaged_model_is_not_run(copy: Path) -> None:
    whole = bytearray((copy / ONNX_NAME).read_bytes())
    whole[len(whole) // 2] ^= 1
    (copy / ONNX_NAME).write_bytes(whole)
    encoder = OnnxEncoder.open(copy)
    with pytest.raises(EncoderError, match="checksum differs"):
        encoder.encode([pixels(SPECS["shapes"], 1)[0]])


def test_an_opened_encoder_gives_torchs_vectors_for_pixels(kept: Path) -> None:
    spec = SPECS["shapes"]
    sample = pixels(spec, 3)
    vectors = OnnxEncoder.open(kept).encode(list(sample))
    np.testing.assert_allclose(vectors, embedded(built(spec), sample), atol=PARITY, rtol=0)
