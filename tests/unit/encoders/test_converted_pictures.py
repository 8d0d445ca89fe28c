"""Vision models of other libraries, converted: the vectors of the library, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from PIL import Image

from simsearch.encoders import open_encoder
from simsearch.encoders.converting import OnnxOptions, convert, samples
from simsearch.encoders.converting.parity import LOWEST_COSINE, PARITY, check_cosine
from simsearch.encoders.converting.processors import Pixels, load_pixels, pixel_spec
from simsearch.encoders.converting.storing import SMALL, eight_bits
from simsearch.encoders.folder import ONNX_NAME, WEIGHTS_NAME, WORDS_NAME, read_config
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.encoders.pretrained_folder import read_folder
from simsearch.encoders.pretrained_hub import find_pretrained
from simsearch.errors import EncoderError, UsageError
from simsearch.types import WordsFindPictures

IMAGENET = [np.array(each).reshape(3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
KINDS = pytest.mark.parametrize("kind", ["dinov2", "vit", "clip", "siglip"])
SHAPES = [(50, 41), (33, 90), (32, 32), (7, 5)]


def pictures() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in SHAPES]


def expected(kind: str, folder: Path, given: list[NDArray[np.uint8]], *, half: bool = False) -> NDArray[np.float64]:
    """What the library itself gives, one image at a time; float64 rows of length one."""
    from transformers import AutoImageProcessor, CLIPModel, Dinov2Model, SiglipModel, ViTModel

    model = {"dinov2": Dinov2Model, "vit": ViTModel, "clip": CLIPModel, "siglip": SiglipModel}[kind]
    network = model.from_pretrained(folder)
    for parameter in network.parameters() if half else ():
        if parameter.dim() > 1 and parameter.numel() > SMALL:
            parameter.data = parameter.data.half().float()
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    rows = []
    for picture in given:
        prepared = processor(images=Image.fromarray(picture), return_tensors="pt")
        with torch.inference_mode():
            if kind in ("clip", "siglip"):
                found = network.get_image_features(**prepared).pooler_output
            else:
                # The pooler of this ViT is random: its file has none.
                found = network(**prepared).last_hidden_state[:, 0]
        rows.append(found[0].double().numpy())
    return np.stack([row / np.linalg.norm(row) for row in rows])


@KINDS
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_vectors_are_those_of_the_library(
    kind: str, hub_models: dict[str, Path], converted: Callable[..., Path]
) -> None:
    encoder = open_encoder(converted(kind))
    assert isinstance(encoder, OnnxEncoder)
    vectors, truth = encoder.encode(pictures()), expected(kind, hub_models[kind], pictures())
    assert vectors.dtype == np.float32 and vectors.shape == (4, encoder.dim) == truth.shape
    assert encoder.modality == "image"
    assert isinstance(encoder, WordsFindPictures) == (kind in ("clip", "siglip"))
    if kind in ("vit", "siglip"):
        # Where images are squashed, pixels are the same; a middle that is cut out lies half a pixel elsewhere.
        np.testing.assert_allclose(vectors, truth, atol=2e-5)
    patterns = samples.pictures(32, 32)
    cosines = (encoder.encode(patterns) * expected(kind, hub_models[kind], patterns)).sum(axis=1)
    assert cosines.min() > 0.9995
    assert cosines.min() == pytest.approx(encoder.config.figures["processor_cosine"], abs=2e-5)
    assert np.abs(truth[0] - truth[1]).max() > 1e-3
    square = [picture[:32, :32] for picture in pictures()[:1]]
    np.testing.assert_allclose(
        encoder.embed([encoder.prepare(each) for each in square]), expected(kind, hub_models[kind], square), atol=1e-3
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_in_16_bits_they_are_those_of_the_library_with_rounded_weights(
    hub_models: dict[str, Path], converted: Callable[..., Path]
) -> None:
    vectors = open_encoder(converted("vit", 16)).encode(pictures())
    np.testing.assert_allclose(vectors, expected("vit", hub_models["vit"], pictures(), half=True), atol=2e-5)
    assert np.abs(vectors - expected("vit", hub_models["vit"], pictures())).max() > 2e-5
    stored = onnx.load_model_from_string((converted("vit", 16) / ONNX_NAME).read_bytes()).graph.initializer
    assert not [
        each
        for each in stored
        if each.data_type == TensorProto.FLOAT and len(each.dims) > 1 and np.prod(each.dims) > SMALL
    ]


def test_fewer_bits_take_less_room_and_say_what_they_cost(converted: Callable[..., Path]) -> None:
    configs = {bits: read_config(converted("clip", bits)) for bits in (32, 16, 8)}
    for name in (ONNX_NAME, WORDS_NAME):
        sizes = [configs[bits].files[name].size for bits in (32, 16, 8)]
        assert sizes == sorted(sizes, reverse=True) and sizes[2] < 0.5 * sizes[0]
    cosines = [configs[bits].figures["lowest_cosine_to_32_bits"] for bits in (32, 16, 8)]
    assert cosines == sorted(cosines, reverse=True)
    assert cosines[0] > 1 - 1e-6 and LOWEST_COSINE <= cosines[2] < 1 - 1e-6
    assert all(config.figures["onnx_parity"] <= PARITY for config in configs.values())
    assert len({config.fingerprint for config in configs.values()}) == 3


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_batch_normalization_does_not_undo_the_rounding(tmp_path: Path) -> None:
    """Folded into the layers before it, it would change weights that were rounded for storage."""
    from transformers import ConvNextImageProcessorPil, ResNetConfig, ResNetModel

    torch.manual_seed(0)
    model = ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[16, 24], depths=[1, 1], layer_type="basic"))
    model.train()(torch.randn(8, 3, 32, 32))
    model.eval().save_pretrained(tmp_path / "model")
    mean, std = ([float(value) for value in each.ravel()] for each in IMAGENET)
    processor = ConvNextImageProcessorPil(size={"shortest_edge": 32}, crop_pct=0.875, image_mean=mean, image_std=std)
    processor.save_pretrained(tmp_path / "model")
    made = convert(tmp_path / "model", tmp_path / "out")
    assert (made.fit, made.zoom, made.dim) == ("crop", 0.875, 24)
    for parameter in model.parameters():
        if parameter.dim() > 1 and parameter.numel() > SMALL:
            parameter.data = parameter.data.half().float()
    encoder = open_encoder(tmp_path / "out")
    pixels = np.stack([encoder.prepare(each).pixels for each in pictures()])  # type: ignore[union-attr]
    normalized = (pixels.transpose(0, 3, 1, 2) / 255 - IMAGENET[0]) / IMAGENET[1]
    with torch.inference_mode():
        truth = model(torch.from_numpy(normalized).float()).pooler_output.flatten(1).double().numpy()
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    np.testing.assert_allclose(encoder.encode(pictures()), truth, atol=1e-4)


def test_a_folder_says_where_it_came_from_and_holds_no_weights_to_train_on(converted: Callable[..., Path]) -> None:
    config = read_config(converted("dinov2"))
    assert config.model == {"kind": "converted", "source": "dinov2", "bits": 32}
    assert config.training["converted_from"] == "dinov2"
    assert (config.fit, config.zoom, config.resample, config.width) == ("crop", 0.8, "bicubic", 32)
    assert WEIGHTS_NAME not in config.files and config.format == 2
    assert [(layer.name, layer.kind, layer.shape) for layer in config.layers] == [("pictures", "Dinov2Model", (32,))]
    assert config.parameters > 20_000
    assert 0 < config.figures["processor_levels"] < 5 and config.figures["processor_cosine"] > 0.99


def test_the_same_model_gives_the_same_folder(hub_models: dict[str, Path], tmp_path: Path) -> None:
    first, again = (convert(hub_models["vit"], tmp_path / name, bits=8) for name in ("a", "b"))
    assert first.fingerprint == again.fingerprint
    assert (tmp_path / "a" / ONNX_NAME).read_bytes() == (tmp_path / "b" / ONNX_NAME).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_line_of_pixels_does_not_fill_the_memory(converted: Callable[..., Path]) -> None:
    """Its short side fitted, it would be 40 x 4,000,000 pixels."""
    line = np.zeros((1, 100_000, 3), dtype=np.uint8)
    line[:, 49_996:50_004] = 255
    prepared = open_encoder(converted("dinov2")).prepare(line)
    assert prepared.pixels.shape == (32, 32, 3) and (prepared.width, prepared.height) == (100_000, 1)


def test_weights_that_are_no_numbers_are_not_converted(broken: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"torch and ONNX Runtime differ by nan"):
        convert(broken("dinov2", "layernorm.bias", float("nan")), tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_missing_weights_are_not_made_up(broken: Callable[..., Path], tmp_path: Path) -> None:
    folder = broken("dinov2", "encoder.layer.1.mlp.fc2.weight", None)
    with pytest.raises(EncoderError, match=r"do not match its configuration: 1 are missing, the first is encoder\."):
        convert(folder, tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_weights_of_another_shape_are_refused(hub_models: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(hub_models["dinov2"], tmp_path / "other")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 32', '"hidden_size": 36'), encoding="utf-8")
    with pytest.raises(EncoderError, match="transformers cannot load it"):
        open_encoder(folder)


def test_pictures_of_no_fixed_size_are_refused(hub_models: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(hub_models["dinov2"], tmp_path / "other")
    config = folder / "preprocessor_config.json"
    config.write_text(config.read_text().replace('"do_center_crop": true', '"do_center_crop": false'), encoding="utf-8")
    with pytest.raises(EncoderError, match="no fixed size"):
        open_encoder(folder)


def test_a_processor_without_words_in_encoder_json_is_refused(hub_models: dict[str, Path]) -> None:
    class Mirrored(Pixels):
        def fitted(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
            return super().fitted(pixels)[:, ::-1]

    pixels = load_pixels(find_pretrained(str(hub_models["vit"])))
    assert pixel_spec(pixels, "it")[1] == 0.0
    mirrored = Mirrored(pixels.processor, pixels.width, pixels.height, pixels.mean, pixels.std)
    with pytest.raises(EncoderError, match=r"encoder.json cannot represent .* \(squash\) differs by"):
        pixel_spec(mirrored, "it")


def test_the_fingerprint_of_a_source_covers_weights_and_preprocessing(
    hub_models: dict[str, Path], broken: Callable[..., Path], tmp_path: Path
) -> None:
    def fingerprint(folder: Path) -> str:
        return read_folder(folder, "it").fingerprint

    original = fingerprint(hub_models["dinov2"])
    copy = shutil.copytree(hub_models["dinov2"], tmp_path / "copy")
    (copy / "README.md").write_text("a card", encoding="utf-8")
    assert fingerprint(copy) == original
    config = copy / "preprocessor_config.json"
    config.write_text(config.read_text().replace("0.48", "0.47"), encoding="utf-8")
    changed = broken("dinov2", "layernorm.bias", 0.5)
    assert len({original, fingerprint(copy), fingerprint(changed)}) == 3


def test_requests_that_make_no_sense_are_refused_before_anything_is_loaded(
    hub_models: dict[str, Path], converted: Callable[..., Path], tmp_path: Path
) -> None:
    vit = hub_models["vit"]
    with pytest.raises(UsageError, match="bits 4: must be one of 32, 16, 8"):
        convert(vit, tmp_path / "out", bits=4)
    with pytest.raises(UsageError, match="--max-tokens is for ONNX files"):
        convert(vit, tmp_path / "out", onnx=OnnxOptions(max_tokens=3))
    with pytest.raises(UsageError, match="exists; choose another name"):
        convert(vit, tmp_path)
    with pytest.raises(UsageError, match="is already an encoder of simsearch"):
        convert(converted("vit", 16), tmp_path / "out")
    with pytest.raises(EncoderError, match=r"No model 'nothing': it is neither an ONNX file"):
        convert("nothing", tmp_path / "out")


def test_eight_bits_take_the_axis_along_which_they_are_more_exact() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 30)).astype(np.float32)
    rows, columns = 2.0 ** np.arange(20)[:, None], 2.0 ** -np.arange(30)
    for scaled, shape in ((values * rows, (20, 1)), (values * columns, (1, 30))):
        steps, factors = eight_bits(scaled.astype(np.float32))
        assert factors.shape == shape and steps.dtype == np.int8
        assert (np.abs(steps * factors - scaled) <= 0.5001 * factors).all()
    steps, factors = eight_bits(np.zeros((20, 30), np.float32))
    assert not steps.any() and (factors == 1).all()


@pytest.mark.parametrize(("bits", "more"), [(8, 16), (16, 32)])
def test_bits_that_change_the_embeddings_are_refused(bits: int, more: int) -> None:
    assert check_cosine(0.99123456789, bits) == 0.991235
    for cosine in (0.9899, float("nan")):
        with pytest.raises(EncoderError, match=rf"in {bits} bits .* below 0\.99: not converted; use --bits {more}"):
            check_cosine(cosine, bits)
