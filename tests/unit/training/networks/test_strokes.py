from __future__ import annotations

import numpy as np
import pytest
import torch

from simsearch.encoders import open_encoder
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.errors import UsageError
from simsearch.training.finetuning.initial import load_initial_encoder
from simsearch.training.networks.building import build
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.networks.strokes import CHANNELS, COLUMNS, ROWS, STROKE_FEATURES, Strokes, grid_pooled


def test_maps_are_pooled_in_the_cells_of_a_grid() -> None:
    maps = torch.randn(2, 3, 4, 8, generator=torch.Generator().manual_seed(0))
    expected = np.empty((2, 2, 3, ROWS, COLUMNS))
    for picture in range(2):
        for channel in range(3):
            for row in range(ROWS):
                for column in range(COLUMNS):
                    cell = maps[picture, channel, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].double().numpy()
                    expected[picture, :, channel, row, column] = cell.mean(), np.sqrt(np.mean(cell**2))
    np.testing.assert_allclose(grid_pooled(maps).numpy(), expected.reshape(2, -1), rtol=1e-5, atol=1e-6)


def test_an_empty_cell_has_a_finite_gradient() -> None:
    maps = torch.zeros(1, 1, 4, 8, requires_grad=True)
    grid_pooled(maps).sum().backward()
    assert maps.grad is not None
    assert torch.isfinite(maps.grad).all()


def test_standardized_features_have_no_mean_and_each_layer_the_same_length() -> None:
    torch.manual_seed(0)
    network = Strokes().eval().double()
    with torch.no_grad():
        pooled = network.pooled(torch.randn(40, 1, 32, 64, dtype=torch.float64))
        network.standardize(pooled)
        features = (pooled - network.get_buffer("centre")) * network.get_buffer("gain")
    torch.testing.assert_close(
        features.mean(dim=0), torch.zeros(STROKE_FEATURES, dtype=torch.float64), atol=1e-8, rtol=0
    )
    first = 0
    for channels in CHANNELS:
        last = first + 2 * ROWS * COLUMNS * channels
        assert features[:, first:last].var(dim=0).sum() == pytest.approx(1.0, rel=0.02)
        first = last
    assert first == STROKE_FEATURES


def test_grey_sees_what_photo_sees_of_three_equal_channels() -> None:
    strokes, photo = load_initial_encoder("strokes").encoder.eval(), load_initial_encoder("photo").encoder.eval()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 64, 1), dtype=np.uint8)
    grey = torch.from_numpy(pixels)
    assert isinstance(strokes.trunk, Strokes)
    assert isinstance(photo.trunk, torch.nn.Sequential)
    with torch.no_grad():
        found = strokes.trunk.front(strokes.standardized(strokes.prepare(grey)))
        expected = photo.trunk[:9](photo.standardized(photo.prepare(grey.expand(-1, -1, -1, 3))))
    # The sum of three kernels is rounded to 16 bits once more.
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0.02)


def test_the_encoder_that_ships_gives_features_that_do_not_depend_on_where_the_ink_is() -> None:
    encoder = open_encoder("strokes")
    assert isinstance(encoder, OnnxEncoder)
    page, elsewhere = (np.full((200, 400), 255, dtype=np.uint8) for _ in range(2))
    drawn = np.random.default_rng(0).integers(0, 120, (80, 200), dtype=np.uint8)
    page[10:90, 20:220] = elsewhere[100:180, 150:350] = drawn
    pictures = [encoder.prepare(each) for each in (page, elsewhere)]
    assert pictures[0].pixels.shape == (224, 448, 1)
    np.testing.assert_array_equal(pictures[0].pixels, pictures[1].pixels)
    assert encoder.features(pictures).shape == (2, STROKE_FEATURES)
    assert encoder.embed(pictures).shape == (2, 256)


@pytest.mark.parametrize("change", [{"width": 32}, {"height": 16}, {"channels": 3}, {"features": 7}])
def test_what_it_cannot_be_is_refused(change: dict[str, int]) -> None:
    how = {"width": 64, "height": 32, "channels": 1, "dim": 8, "features": STROKE_FEATURES} | change
    with pytest.raises(UsageError, match="strokes gives 2304 features"):
        build(ModelSpec("strokes", head=True, **how), mean=(0.5,) * how["channels"], std=(0.5,) * how["channels"])  # type: ignore[arg-type]
