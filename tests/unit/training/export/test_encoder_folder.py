"""Export: the same vectors from ONNX Runtime as from torch, one file without traces, and no silent change after."""

from __future__ import annotations

import functools
import getpass
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx.external_data_helper import convert_model_to_external_data
from safetensors.torch import load_file
from torch import nn

from simsearch.encoders.converting.parity import PARITY
from simsearch.encoders.converting.storing import SMALL
from simsearch.encoders.folder import (
    CONFIG_NAME,
    ONNX_NAME,
    WEIGHTS_NAME,
    EncoderConfig,
    read_config,
    read_verified,
)
from simsearch.encoders.network import load_session
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.errors import EncoderError
from simsearch.training.export.folder import check_parity, export_encoder, layer_table, round_weights
from simsearch.training.networks.building import build
from simsearch.training.networks.encoder import SiameseEncoder
from simsearch.training.networks.specification import ModelSpec

SPECS = {
    "with a head": ModelSpec("residual", 16, 16, 3, 5, widths=(4, 6), head=True),
    "shapes": ModelSpec("shapes", 16, 12, 3, 8),
    "digits": ModelSpec("digits", 8, 8, 1, 6, dropout=0.3),
    "backbone": ModelSpec("backbone", 14, 14, 3, 10),
    "residual": ModelSpec("residual", 16, 16, 3, 12, widths=(8, 16), stem_stride=2),
}
KINDS = pytest.mark.parametrize(
    ("name", "half"),
    [("shapes", False), ("backbone", False), ("backbone", True), ("residual", True)],
)
ALL_SPECS = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


@dataclass(frozen=True)
class Exported:
    folder: Path
    spec: ModelSpec
    encoder: SiameseEncoder
    config: EncoderConfig


Made = Callable[..., Exported]


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
        embeddings: torch.Tensor = encoder(torch.from_numpy(sample))
    return embeddings.numpy()


def export(folder: Path, name: str, *, half: bool = False, seed: int = 0) -> Exported:
    folder.mkdir()
    spec = SPECS[name]
    encoder = built(spec, seed)
    config = export_encoder(
        encoder,
        spec,
        folder,
        name="small",
        fit="squash",
        sample=pixels(spec, 8),
        half=half,
        training={"seed": seed, "history": [{"step": 1.0}]},
        figures={"accuracy": 0.5},
    )
    return Exported(folder, spec, encoder, config)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Exports of the small networks, each made once, as that takes a second; not to be changed."""
    place = tmp_path_factory.mktemp("exported")

    @functools.cache
    def once(name: str, half: bool) -> Exported:
        return export(place / f"{name} {half}", name, half=half)

    return lambda name, half=False: once(name, half)


@pytest.fixture
def plain(made: Made) -> bytes:
    """The ONNX file of the shapes network."""
    return (made("shapes").folder / ONNX_NAME).read_bytes()


@pytest.fixture
def kept(made: Made) -> Path:
    return made("shapes").folder


@pytest.fixture
def copy(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "small"))


@KINDS
def test_vectors_equal_torchs_for_any_batch(made: Made, name: str, half: bool) -> None:
    it = made(name, half)
    assert sorted(entry.name for entry in it.folder.iterdir()) == [CONFIG_NAME, ONNX_NAME, WEIGHTS_NAME]
    opened = OnnxEncoder.open(it.folder)
    session = load_session(read_verified(it.folder, opened.config, ONNX_NAME), "small")
    for count in (1, 2, 7):
        sample = pixels(it.spec, count, seed=count)
        (found,) = session.run(None, {"pixels": sample})
        assert found.shape == (count, it.spec.dim)
        np.testing.assert_allclose(found, embedded(it.encoder, sample), atol=PARITY, rtol=0)
    assert 0 <= float(str(it.config.figures["onnx_parity"])) <= PARITY


@KINDS
def test_weights_build_the_same_network_again(made: Made, name: str, half: bool) -> None:
    it = made(name, half)
    weights = load_file(it.folder / WEIGHTS_NAME)
    assert any(tensor.dtype == torch.float16 for tensor in weights.values()) is half
    stored = json.loads((it.folder / CONFIG_NAME).read_text())["model"]
    assert stored.pop("half") is half
    again = ModelSpec(**{key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()})
    assert again == it.spec
    fresh = built(again, seed=5)
    fresh.load_state_dict(weights)
    np.testing.assert_array_equal(embedded(fresh.eval(), pixels(again)), embedded(it.encoder, pixels(again)))


@ALL_SPECS
def test_rounding_changes_little_and_a_second_time_nothing(spec: ModelSpec) -> None:
    encoder = built(spec)
    for norm in encoder.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, -2.0, 2.0)
            nn.init.uniform_(norm.bias, -1.0, 1.0)
    before = embedded(encoder, pixels(spec))
    round_weights(encoder)
    once = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    np.testing.assert_allclose(embedded(encoder, pixels(spec)), before, atol=5e-3, rtol=0)
    round_weights(encoder)
    assert all(torch.equal(tensor, once[name]) for name, tensor in encoder.state_dict().items())
    large = [tensor for tensor in once.values() if tensor.is_floating_point() and tensor.numel() > SMALL]
    large = [tensor for tensor in large if tensor.dim() > 1]
    assert large
    assert all(torch.equal(tensor, tensor.half().float()) for tensor in large)


def test_a_rounded_network_can_be_trained_on() -> None:
    """Batch statistics, which training works with, give nearly the same embeddings before and after."""
    spec = ModelSpec("residual", 12, 12, 3, 6, widths=(8, 12))
    encoder = built(spec)
    for norm in encoder.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, -2.0, 2.0)
            nn.init.uniform_(norm.bias, -1.0, 1.0)
            norm.momentum = 1.0
    sample = torch.from_numpy(pixels(spec, 64))
    before = encoder.train()(sample)
    round_weights(encoder.eval())
    after = encoder.train()(sample)
    torch.testing.assert_close(after, before, atol=0.02, rtol=0)


def test_half_takes_half_the_room_and_changes_little(made: Made) -> None:
    plain, half = made("backbone"), made("backbone", True)
    for name in (ONNX_NAME, WEIGHTS_NAME):
        assert half.config.files[name].size < 0.65 * plain.config.files[name].size
    sample = pixels(plain.spec)
    difference = np.abs(embedded(plain.encoder, sample) - embedded(half.encoder, sample)).max()
    assert 0 < difference < 5e-3


def test_whoever_can_read_one_file_of_an_encoder_can_read_all(made: Made) -> None:
    files = list(made("shapes").folder.iterdir())
    assert len(files) == 3
    assert len({file.stat().st_mode for file in files}) == 1


@KINDS
def test_the_file_holds_no_trace_of_this_machine(made: Made, name: str, half: bool) -> None:
    model = (made(name, half).folder / ONNX_NAME).read_bytes()
    site_packages = Path(torch.__file__).parent.parent
    traces = [
        str(Path.cwd()),
        str(Path.home()),
        str(site_packages),
        "site-packages",
        ".py",
        'File "',
        "simsearch",
        getpass.getuser() + "@",
    ]
    for trace in traces:
        assert trace.encode() not in model, trace
    parsed = onnx.load_from_string(model)
    assert not any([parsed.doc_string, parsed.graph.doc_string, *(node.doc_string for node in parsed.graph.node)])
    assert not any(node.metadata_props for node in parsed.graph.node)
    assert not any(tensor.external_data for tensor in parsed.graph.initializer)


def test_equal_weights_give_an_equal_file_and_fingerprint(made: Made, tmp_path: Path) -> None:
    first, again, other = made("shapes"), export(tmp_path / "1", "shapes"), export(tmp_path / "2", "shapes", seed=1)
    for name in (ONNX_NAME, WEIGHTS_NAME):
        assert (first.folder / name).read_bytes() == (again.folder / name).read_bytes()
        assert (first.folder / name).read_bytes() != (other.folder / name).read_bytes()
    assert len(first.config.fingerprint) == 16
    assert again.config.fingerprint == first.config.fingerprint
    assert other.config.fingerprint != first.config.fingerprint


CHANGES = [{"width": 17}, {"height": 5}, {"channels": 1}, {"dim": 9}, {"fit": "pad"}]


def test_the_fingerprint_follows_the_preprocessing_and_nothing_beside(made: Made) -> None:
    config = made("shapes").config
    assert replace(config, name="other", figures={}, training={}).expected_fingerprint() == config.fingerprint
    changed = {replace(config, **change).expected_fingerprint() for change in CHANGES}  # type: ignore[arg-type]
    assert len(changed | {config.fingerprint}) == len(CHANGES) + 1


@pytest.mark.parametrize("where", ["weights.bin", "/etc/hostname", "../outside"])
def test_a_model_with_external_data_is_refused(plain: bytes, where: str) -> None:
    model = onnx.load_from_string(plain)
    convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = where
        tensor.ClearField("raw_data")
    with pytest.raises(EncoderError, match=r"somewhere/encoder\.onnx: .*external data"):
        load_session(model.SerializeToString(), "somewhere/encoder.onnx")


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 50, b"not a model", b"\x08\x07\x12\x04"], ids=["empty", "zeros", "text", "a beginning"]
)
def test_a_broken_model_is_refused(content: bytes) -> None:
    with pytest.raises(EncoderError, match="broken: ONNX Runtime cannot load it"):
        load_session(content, "broken")


def test_a_truncated_model_is_refused(plain: bytes) -> None:
    for share in (1, 5, 9):
        with pytest.raises(EncoderError, match="cannot load it"):
            load_session(plain[: len(plain) * share // 10], "truncated")


@pytest.mark.parametrize("change", [2e-3, float("nan")])
def test_export_refuses_when_torch_and_onnx_differ(plain: bytes, change: float) -> None:
    spec = SPECS["shapes"]
    encoder = built(spec)
    assert check_parity(encoder, plain, pixels(spec)) <= PARITY
    with torch.no_grad():
        list(encoder.parameters())[-2][0].add_(change)
    with pytest.raises(EncoderError, match=r"differ by .*not exported"):
        check_parity(encoder, plain, pixels(spec))


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
        ("Conv2d", (16, 26, 26), 448),
        ("ReLU", (16, 26, 26), 0),
        ("MaxPool2d", (16, 13, 13), 0),
        ("Conv2d", (8, 11, 11), 1160),
        ("ReLU", (8, 11, 11), 0),
        ("MaxPool2d", (8, 5, 5), 0),
        ("Flatten", (200,), 0),
        ("Linear", (16,), 3216),
        ("L2", (16,), 0),
    ]


def test_the_table_leaves_no_hooks_behind() -> None:
    encoder = built(SPECS["shapes"])
    layer_table(encoder, pixels(SPECS["shapes"], 2))
    assert not any(module._forward_hooks for module in encoder.modules())
    assert isinstance(encoder.trunk, nn.Sequential)


def test_the_description_is_read_back_as_it_was_written(made: Made) -> None:
    written = made("backbone").config
    found = read_config(made("backbone").folder)
    assert found == replace(written, model=found.model)
    assert dict(found.model) == json.loads(json.dumps(dict(written.model)))
    assert (found.name, found.modality, found.dim, found.width, found.height, found.channels, found.fit) == (
        "small",
        "image",
        10,
        14,
        14,
        3,
        "squash",
    )
    assert found.parameters == sum(parameter.numel() for parameter in made("backbone").encoder.parameters())
    assert found.training == {"seed": 0, "history": [{"step": 1.0}]}


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
    with pytest.raises(EncoderError, match=r"fingerprint .* the file was edited; export the encoder again"):
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
    "a name of another kind": lambda document: document.update(name=5),
    "a model of another kind": lambda document: document.update(model="x"),
    "a training of another kind": lambda document: document.update(training="x"),
    "figures of another kind": lambda document: document.update(figures=[]),
}


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS)
def test_a_broken_description_is_an_encoder_error(copy: Path, change: Callable[[dict[str, object]], object]) -> None:
    edited(copy, change)
    with pytest.raises(EncoderError, match="not a valid encoder description"):
        read_config(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "\udcff"])
def test_a_description_that_is_no_object_is_an_encoder_error(copy: Path, text: str) -> None:
    (copy / CONFIG_NAME).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(EncoderError, match="not a valid encoder description"):
        read_config(copy)


def test_a_later_format_asks_for_an_update(copy: Path) -> None:
    edited(copy, lambda document: document.update(format=3))
    with pytest.raises(EncoderError, match="format 3 is not one of 1 to 2; update simsearch"):
        read_config(copy)


def test_a_folder_without_a_description_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is not an encoder folder"):
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
    with pytest.raises(EncoderError, match="is missing; copy the whole"):
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
