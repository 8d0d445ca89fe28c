"""A picture at its full size, for networks that bring their own way to fit it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from simsearch.errors import MediaError
from simsearch.media.images import whole

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)


def file_of(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def test_every_pixel_is_kept() -> None:
    picture = Image.fromarray(PIXELS)
    for source in (PIXELS, picture, file_of(picture, "PNG")):
        found = whole(source, 8)
        np.testing.assert_array_equal(found.pixels, PIXELS)
        assert (found.width, found.height) == (20, 30)


def test_gray_and_transparent_pictures_become_color_on_white() -> None:
    gray = whole(PIXELS[:, :, 0], 8)
    np.testing.assert_array_equal(gray.pixels, np.repeat(PIXELS[:, :, :1], 3, axis=2))
    clear = whole(file_of(Image.new("RGBA", (4, 3), (9, 9, 9, 0)), "PNG"), 8)
    assert clear.pixels.shape == (3, 4, 3) and (clear.pixels == 255).all()


def test_a_picture_lying_on_its_side_is_turned() -> None:
    exif = Image.Exif()
    exif[274] = 6
    found = whole(file_of(Image.fromarray(PIXELS), "PNG", exif=exif), 8)
    np.testing.assert_array_equal(found.pixels, np.rot90(PIXELS, -1))
    assert (found.width, found.height) == (30, 20)


@pytest.mark.parametrize(
    ("enough", "shape"), [(100, (100, 150)), (99, (100, 150)), (101, (200, 300)), (500, (400, 600))]
)
def test_a_large_jpeg_is_decoded_as_large_as_needed(enough: int, shape: tuple[int, int]) -> None:
    smooth = Image.fromarray(PIXELS).resize((600, 400), Image.Resampling.BICUBIC)
    found = whole(file_of(smooth, "JPEG", quality=95), enough)
    assert found.pixels.shape == (*shape, 3) and (found.width, found.height) == (600, 400)
    expected = np.asarray(smooth.resize(shape[::-1], Image.Resampling.BOX), dtype=float)
    assert np.abs(found.pixels - expected).mean() < 2.0


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(MediaError, match="not an image"):
        whole(b"notes", 8)
    with pytest.raises(MediaError, match=r"shape \(2, 2, 5\)"):
        whole(np.zeros((2, 2, 5), dtype=np.uint8), 8)
    with pytest.raises(MediaError, match="broken PNG"):
        whole(file_of(Image.fromarray(PIXELS), "PNG")[:200], 8)
