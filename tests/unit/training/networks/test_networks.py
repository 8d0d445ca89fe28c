"""The networks: their published sizes, unit embeddings, shared weights, and no NaN from an all-zero output."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from simsearch.errors import UsageError
from simsearch.training.networks.building import build
from simsearch.training.networks.encoder import ImageEncoder, SiameseEncoder
from simsearch.training.networks.residual import ResidualBlock
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.presets import PRESETS, preset

SPECS = {recipe.name: recipe.model for recipe in PRESETS.values() if isinstance(recipe.model, ModelSpec)}
PRESET_NAMES = pytest.mark.parametrize("name", SPECS)


def built(spec: ModelSpec, seed: int = 0) -> SiameseEncoder:
    torch.manual_seed(seed)
    return build(spec, mean=(0.5,) * spec.channels, std=(0.25,) * spec.channels)


def pixels(spec: ModelSpec, count: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = (count, spec.height, spec.width, spec.channels)
    return torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)


def sizes(encoder: SiameseEncoder) -> list[tuple[int, ...]]:
    return [tuple(parameter.shape) for parameter in encoder.parameters()]


@PRESET_NAMES
@pytest.mark.parametrize("training", [False, True])
def test_every_preset_builds_and_gives_unit_rows(name: str, training: bool) -> None:
    encoder = built(SPECS[name]).train(training)
    embeddings = encoder(pixels(SPECS[name]))
    assert embeddings.shape == (3, SPECS[name].dim)
    assert embeddings.dtype == torch.float32
    assert torch.linalg.vector_norm(embeddings, dim=1).tolist() == pytest.approx([1.0] * 3, abs=1e-5)


@PRESET_NAMES
def test_one_picture_has_one_embedding_wherever_it_stands(name: str) -> None:
    """The twin branches are one network: both places of a pair, and any batch, give the same."""
    encoder = built(SPECS[name]).eval()
    several = pixels(SPECS[name], 4)
    with torch.inference_mode():
        left, right = encoder(several), encoder(several.flip(0)).flip(0)
        alone = torch.cat([encoder(several[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(left, right, atol=1e-6, rtol=0)
    torch.testing.assert_close(left, alone, atol=1e-6, rtol=0)
    assert not torch.allclose(left[0], left[1], atol=1e-3)


@pytest.mark.parametrize("name", ["shapes", "digits", "backbone"])
def test_a_zero_output_stays_zero(name: str) -> None:
    encoder = built(SPECS[name]).eval()
    last = [module for module in encoder.trunk.modules() if isinstance(module, nn.Linear)][-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    embeddings = encoder(pixels(SPECS[name]))
    embeddings.sum().backward()
    assert (embeddings == 0).all()
    gradients = [parameter.grad for parameter in encoder.parameters() if parameter.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_a_zero_output_of_the_residual_network_stays_zero() -> None:
    encoder = built(SPECS["glyph"]).eval()
    assert isinstance(encoder.trunk, nn.Sequential)
    linear = encoder.trunk[-2]
    assert isinstance(linear, nn.Linear)
    nn.init.zeros_(linear.weight)
    with torch.inference_mode():
        assert (encoder(pixels(SPECS["glyph"])) == 0).all()


def test_pixels_are_scaled_then_normalized_by_channel() -> None:
    spec = ModelSpec("digits", 2, 2, 3, 4)
    encoder = ImageEncoder(nn.Flatten(), mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.125))
    raw = pixels(spec, 2)
    images = encoder.prepare(raw)
    assert images.shape == (2, 3, 2, 2)
    expected = torch.zeros(2, 3, 2, 2)
    for n in range(2):
        for channel, (mean, std) in enumerate(((0.1, 0.5), (0.2, 0.25), (0.3, 0.125))):
            for y in range(2):
                for x in range(2):
                    expected[n, channel, y, x] = (raw[n, y, x, channel].item() / 255 - mean) / std
    flat = expected.flatten(1)
    expected_rows = flat / torch.linalg.vector_norm(flat, dim=1, keepdim=True)
    torch.testing.assert_close(encoder(raw), expected_rows, atol=1e-5, rtol=1e-5)


def test_mean_and_deviation_are_saved_with_the_weights() -> None:
    spec = SPECS["shapes"]
    encoder = build(spec, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    other = build(spec, mean=(0.0,) * 3, std=(1.0,) * 3)
    other.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(other(pixels(spec)), encoder(pixels(spec)), atol=0, rtol=0)


def test_the_shapes_network_has_its_published_sizes() -> None:
    """28x28x3: two 3x3 convolutions of 16 and 8 maps, pooled to 5x5, and 16 numbers out of 200."""
    expected = [(16, 3, 3, 3), (16,), (8, 16, 3, 3), (8,), (16, 200), (16,)]
    assert sizes(built(SPECS["shapes"])) == expected
    assert sum(parameter.numel() for parameter in built(SPECS["shapes"]).parameters()) == 448 + 1160 + 3216


def test_the_digits_network_is_three_dense_layers_of_128_with_dropout() -> None:
    encoder = built(SPECS["digits"])
    assert sizes(encoder) == [(128, 784), (128,), (128, 128), (128,), (128, 128), (128,)]
    rates = [module.p for module in encoder.trunk.modules() if isinstance(module, nn.Dropout)]
    assert rates == [SPECS["digits"].dropout] * 2


def test_the_backbone_network_has_its_published_sizes() -> None:
    """128x128x3: convolutions of 32 and 64 maps, pooled to 30x30, 256 hidden units, 128 numbers."""
    expected = [(32, 3, 3, 3), (32,), (64, 32, 3, 3), (64,), (256, 64 * 30 * 30), (256,), (128, 256), (128,)]
    assert sizes(built(SPECS["backbone"])) == expected


def test_dropout_works_in_training_only() -> None:
    encoder = built(SPECS["digits"]).train()
    raw = pixels(SPECS["digits"], 1)
    assert not torch.equal(encoder(raw), encoder(raw))
    encoder.eval()
    assert torch.equal(encoder(raw), encoder(raw))


@pytest.mark.parametrize("kind", ["shapes", "digits", "backbone"])
@pytest.mark.parametrize("size", [(10, 10), (13, 31), (40, 22)])
def test_networks_fit_the_size_that_is_asked_for(kind: str, size: tuple[int, int]) -> None:
    spec = ModelSpec(kind, *size, 1, 6)
    assert built(spec)(pixels(spec, 2)).shape == (2, 6)


def test_a_residual_network_takes_any_widths_and_stride() -> None:
    spec = ModelSpec("residual", 20, 12, 1, 6, widths=(4, 8), stem_stride=2)
    encoder = built(spec).eval()
    blocks = [module for module in encoder.trunk.modules() if isinstance(module, ResidualBlock)]
    assert len(blocks) == 2
    assert encoder(pixels(spec, 2)).shape == (2, 6)


def test_a_residual_block_with_silent_convolutions_is_its_short_cut() -> None:
    block = ResidualBlock(3, 3, 1).eval()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    images = torch.rand(2, 3, 5, 5)
    assert torch.equal(block(images), images)


def test_the_same_seed_builds_the_same_weights() -> None:
    spec = SPECS["shapes"]
    first, again, another = built(spec, 1), built(spec, 1), built(spec, 2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), another.parameters(), strict=True))


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    spec = replace(preset("shapes").model, kind="transformer")
    with pytest.raises(UsageError, match=r"'transformer'.*shapes, digits, backbone, residual, lite, strokes$"):
        built(spec)


@pytest.mark.parametrize("size", [(16, 16), (13, 22), (32, 9)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 1)])
def test_a_flat_pooling_keeps_places(size: tuple[int, int], strides: tuple[int, int]) -> None:
    spec = ModelSpec(
        "residual", *size, 1, 6, widths=(4, 6), stem_stride=strides[0], first_stride=strides[1], pooling="flat"
    )
    plain = replace(spec, pooling="mean")
    raw = torch.full((2, size[1], size[0], 1), 255, dtype=torch.uint8)
    raw[0, :4, :4] = 0
    assert built(spec).eval()(raw).shape == (2, 6)
    maps = built(plain).trunk[:-4](torch.zeros(1, 1, size[1], size[0]))  # type: ignore[index]
    linear = built(spec).trunk[-2]  # type: ignore[index]
    assert isinstance(linear, nn.Linear)
    assert linear.in_features == maps[0].numel()


def test_blocks_deepen_stages() -> None:
    spec = ModelSpec("residual", 16, 16, 1, 6, widths=(4, 8), blocks=(1, 3))
    blocks = [module for module in built(spec).trunk.modules() if isinstance(module, ResidualBlock)]
    assert [isinstance(block.shortcut, nn.Identity) for block in blocks] == [True, False, True, True]
