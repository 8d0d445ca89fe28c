"""Every format, orientation and fit gives the pixels that were meant, and nothing too large is decoded."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from PIL.JpegImagePlugin import JpegImageFile

from simsearch.errors import MediaError, UsageError
from simsearch.media.images import PixelSpec, _reduce, decode, from_array, from_image, thumbnail

SAMPLES = Path(__file__).parents[3] / "examples" / "samples"
LEFT, RIGHT = (200, 60, 20), (20, 60, 200)
ORIENTATION = 274
# What the EXIF standard says has to be done to the stored rows and columns, as operations on arrays.
UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def halves(width: int = 40, height: int = 30) -> Image.Image:
    image = Image.new("RGB", (width, height), LEFT)
    image.paste(RIGHT, (width // 2, 0, width, height))
    return image


def exact(width: int, height: int, channels: int = 3) -> PixelSpec:
    return PixelSpec(width, height, channels, "squash")


def oriented(turn: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    return exif


def photograph() -> Image.Image:
    path = min((SAMPLES / "clothing" / "dress").iterdir())
    return Image.open(path).convert("RGB").resize((1203, 1607), Image.Resampling.BICUBIC)


def smooth() -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 1, 1601), np.linspace(0, 1, 1199))
    return Image.fromarray(np.stack([255 * x, 255 * y, 127 * (1 + np.sin(6 * x * y))], axis=-1).astype(np.uint8))


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("PNG", 0), ("BMP", 0), ("TIFF", 0), ("PPM", 0), ("JPEG", 4), ("WEBP", 8), ("AVIF", 8), ("MPO", 4), ("GIF", 0)],
)
def test_each_format(name: str, tolerance: int) -> None:
    picture = decode(saved(halves(), name), exact(40, 30))
    assert (picture.width, picture.height) == (40, 30)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.flags.c_contiguous
    assert picture.pixels.flags.writeable
    assert picture.pixels.shape == (30, 40, 3)
    assert np.abs(picture.pixels[15, 5].astype(int) - LEFT).max() <= tolerance
    assert np.abs(picture.pixels[15, 35].astype(int) - RIGHT).max() <= tolerance


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits", "tiff_adobe_deflate"])
def test_compressed_tiff(compression: str) -> None:
    picture = decode(saved(halves(), "TIFF", compression=compression), exact(40, 30))
    assert np.array_equal(picture.pixels, np.asarray(halves()))


@pytest.mark.parametrize("name", ["GIF", "TIFF", "PNG", "WEBP"])
def test_the_first_frame_counts(name: str) -> None:
    second = Image.new("RGB", (40, 30), "black")
    options = {"lossless": True} if name == "WEBP" else {}
    picture = decode(saved(halves(), name, save_all=True, append_images=[second], **options), exact(40, 30))
    assert np.array_equal(picture.pixels, np.asarray(halves()))


def test_heic() -> None:
    stream = io.BytesIO()
    pillow_heif.from_pillow(halves(64, 48)).save(stream, quality=95)
    picture = decode(stream.getvalue(), exact(64, 48))
    assert (picture.width, picture.height) == (64, 48)
    assert np.abs(picture.pixels[24, 8].astype(int) - LEFT).max() <= 8
    assert ".heic" not in Image.EXTENSION, "nothing is registered for other users of Pillow"


@pytest.mark.parametrize("turn", UPRIGHT)
@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP"])
def test_orientation_is_exact(turn: int, name: str) -> None:
    stored = np.random.default_rng(turn).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    options = {"lossless": True} if name == "WEBP" else {}
    expected = UPRIGHT[turn](stored)
    height, width = expected.shape[:2]
    content = saved(Image.fromarray(stored), name, exif=oriented(turn), **options)
    picture = decode(content, exact(width, height))
    assert (picture.width, picture.height) == (width, height)
    assert np.array_equal(picture.pixels, expected)
    in_memory = from_image(Image.open(io.BytesIO(content)), exact(width, height))
    assert np.array_equal(in_memory.pixels, expected)


@pytest.mark.parametrize("turn", UPRIGHT)
@pytest.mark.parametrize("fit", ["squash", "crop", "pad", "ink"])
def test_orientation_of_a_reduced_jpeg(turn: int, fit: str) -> None:
    stored = np.asarray(photograph().resize((403, 607)))
    spec = PixelSpec(50, 40, 3, fit)
    picture = decode(saved(Image.fromarray(stored), "JPEG", exif=oriented(turn), quality=95), spec)
    upright = from_array(np.ascontiguousarray(UPRIGHT[turn](stored)), spec)
    assert (picture.width, picture.height) == (upright.width, upright.height)
    assert difference(picture.pixels, upright.pixels) < 1.5


@pytest.mark.parametrize("value", [0, 9, 77])
def test_an_orientation_that_does_not_exist_is_ignored(value: int) -> None:
    picture = decode(saved(halves(), "PNG", exif=oriented(value)), exact(40, 30))
    assert np.array_equal(picture.pixels, np.asarray(halves()))


def test_broken_exif_neither_warns_nor_hides_the_picture() -> None:
    entry = struct.pack("<HHII", 0x010E, 2, 5000, 60000)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4)
    content = saved(halves(), "JPEG", exif=exif)
    with pytest.warns(UserWarning):
        Image.open(io.BytesIO(content)).getexif()
    assert np.abs(decode(content, exact(40, 30)).pixels[15, 5].astype(int) - LEFT).max() <= 4


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("source", [photograph, smooth])
@pytest.mark.parametrize("side", [64, 105])
def test_a_reduced_decode_equals_the_full_one(
    fit: str, channels: int, source: Callable[[], Image.Image], side: int
) -> None:
    content = saved(source(), "JPEG", quality=90)
    spec = PixelSpec(side, side, channels, fit)
    reduced = decode(content, spec).pixels
    whole = from_image(Image.open(io.BytesIO(content)), spec).pixels
    assert difference(reduced, whole) < 1.0


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    wanted=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    fit=st.sampled_from(["squash", "crop", "pad"]),
)
@settings(max_examples=60, deadline=None)
def test_the_scale_of_a_jpeg(width: int, height: int, wanted: tuple[int, int], fit: str) -> None:
    content = saved(Image.new("RGB", (width, height), LEFT), "JPEG")
    picture = JpegImageFile(io.BytesIO(content))
    factor = _reduce(picture, PixelSpec(*wanted, 3, fit))
    across, down = wanted[0] / width, wanted[1] / height
    scale = {"squash": (across, down), "crop": (max(across, down),) * 2, "pad": (min(across, down),) * 2}[fit]
    size = max(1, round(width * scale[0])), max(1, round(height * scale[1]))
    assert factor in (1, 2, 4, 8)
    assert picture.size == (-(-width // factor), -(-height // factor))
    if factor > 1:
        assert picture.width >= 2 * size[0] - 1
        assert picture.height >= 2 * size[1] - 1
    decoded = decode(content, PixelSpec(*wanted, 3, fit)).pixels.reshape(-1, 3).astype(int)
    close = np.abs(decoded - LEFT).max(axis=1) <= 4
    white = (decoded == 255).all(axis=1)
    assert close.any()
    assert (close | white).all()
    assert fit == "pad" or close.all()


@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    wanted=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    fit=st.sampled_from(["squash", "crop", "pad"]),
    channels=st.sampled_from([1, 3]),
)
@settings(max_examples=80, deadline=None)
def test_one_color_stays_one_color(size: tuple[int, int], wanted: tuple[int, int], fit: str, channels: int) -> None:
    spec = PixelSpec(*wanted, channels, fit)
    picture = from_array(np.full((size[1], size[0]), 7, dtype=np.uint8), spec)
    assert (picture.width, picture.height) == size
    assert picture.pixels.shape == (wanted[1], wanted[0], channels)
    assert set(np.unique(picture.pixels)) <= ({7, 255} if fit == "pad" else {7})
    filled = (picture.pixels[:, :, 0] == 7).sum()
    scale = min(wanted[0] / size[0], wanted[1] / size[1])
    expected = (min(wanted[0], max(1, round(size[0] * scale)))) * (min(wanted[1], max(1, round(size[1] * scale))))
    assert filled == (expected if fit == "pad" else wanted[0] * wanted[1])


def test_squash_crop_and_pad_of_a_wide_picture() -> None:
    wide = np.zeros((10, 40), dtype=np.uint8)
    wide[:, 15:25] = 100
    assert np.array_equal(from_array(wide, PixelSpec(10, 10, 1, "crop")).pixels[:, :, 0], np.full((10, 10), 100))
    padded = from_array(wide, PixelSpec(40, 40, 1, "pad")).pixels[:, :, 0]
    assert np.array_equal(padded[15:25], wide)
    assert (padded[:15] == 255).all()
    assert (padded[25:] == 255).all()
    squashed = from_array(wide, PixelSpec(4, 10, 1, "squash")).pixels[5, :, 0]
    # A quarter of the row is light, so a quarter of its light is left; the cubic filter rings a little.
    assert np.abs(squashed.astype(int) - [0, 53, 53, 0]).max() <= 4
    assert abs(int(squashed.sum()) - 100) <= 8


def drawing(page: tuple[int, int], left: int, top: int, size: int, *, paper: int = 255, ink: int = 0) -> Image.Image:
    """The letter F, `size` pixels high and half as wide, on a page."""
    image = Image.new("L", page, paper)
    pen = ImageDraw.Draw(image)
    for box in ((0, 0, 0.1, 1), (0, 0, 0.5, 0.1), (0, 0.4, 0.35, 0.5)):
        across, down, right, bottom = (round(share * size) for share in box)
        pen.rectangle((left + across, top + down, left + right - 1, top + bottom - 1), fill=ink)
    return image


INK = PixelSpec(32, 32, 1, "ink")


@given(left=st.integers(0, 70), top=st.integers(0, 40), ink=st.integers(0, 200))
@settings(max_examples=40, deadline=None)
def test_ink_is_found_wherever_it_was_drawn(left: int, top: int, ink: int) -> None:
    middle, moved = (
        from_image(drawing((120, 100), *place, 50, ink=ink), INK).pixels for place in ((48, 25), (left, top))
    )
    assert middle.min() <= ink + 30
    assert np.array_equal(middle, moved)


@pytest.mark.parametrize("size", [60, 120, 240])
def test_ink_has_the_same_size_however_large_it_was_drawn(size: int) -> None:
    seen = from_image(drawing((250, 250), 3, 4, size), INK).pixels[:, :, 0]
    expected = from_image(drawing((312, 312), 96, 36, 240), PixelSpec(32, 32, 1, "pad")).pixels[:, :, 0]
    rows = np.flatnonzero((seen < 128).any(axis=1))
    least = max(size * 1.3, 0.4 * 250)
    assert len(rows) == pytest.approx(32 * size / least, abs=1.01)
    assert abs(rows[0] + rows[-1] - 31) <= 1
    assert size < 0.4 * 250 / 1.3 or difference(seen, expected) < 12


def test_a_dot_is_not_blown_up() -> None:
    page = Image.new("L", (100, 100), 255)
    page.paste(0, (70, 10, 74, 14))
    dark = np.argwhere(from_image(page, INK).pixels[:, :, 0] < 128)
    assert (dark.min(axis=0) >= 14).all()
    assert (dark.max(axis=0) <= 17).all()


@pytest.mark.parametrize(("paper", "ink"), [(255, 255), (200, 180), (0, 255), (9, 9)])
def test_without_ink_on_paper_all_of_the_page_is_taken(paper: int, ink: int) -> None:
    page = drawing((60, 60), 20, 5, 40, paper=paper, ink=ink)
    framed = Image.new("L", (78, 78), 255)
    framed.paste(page, (9, 9))
    expected = framed.resize((32, 32), Image.Resampling.BICUBIC)
    assert np.array_equal(from_image(page, INK).pixels[:, :, 0], np.asarray(expected))


def test_crop_equals_resizing_then_cutting() -> None:
    image = photograph().resize((300, 200))
    cut = image.resize((96, 64), Image.Resampling.BICUBIC).crop((16, 0, 80, 64))
    cropped = from_image(image, PixelSpec(64, 64, 3, "crop")).pixels
    assert difference(cropped, np.asarray(cut)) < 0.5


@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_of_the_wanted_size_come_back_unchanged(channels: int) -> None:
    shape = (6, 9, 3) if channels == 3 else (6, 9)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    turned = np.asfortranarray(pixels)
    picture = from_array(turned, exact(9, 6, channels))
    assert np.array_equal(picture.pixels, pixels.reshape(6, 9, channels))
    assert picture.pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((4, 4, 2), np.uint8), "of shape (4, 4, 2); give the pixels of an image as (h, w)"),
        (np.zeros((0, 4), np.uint8), "of shape (0, 4)"),
        (np.zeros(4, np.uint8), "of shape (4,)"),
        (np.zeros((1, 4, 4, 3), np.uint8), "of shape (1, 4, 4, 3)"),
        (np.full((4, 4, 3), 1.5, np.float32), "of float32 with values from 1.5 to 1.5; give pixels as floats from 0"),
        (np.full((4, 4, 3), np.nan), "of float64 with values from nan to nan"),
        (np.zeros((4, 4, 3), np.int64), "of int64; give pixels as uint8 from 0 to 255 (array.astype(numpy.uint8))"),
    ],
)
def test_other_arrays_are_refused(pixels: NDArray[Any], said: str) -> None:
    with pytest.raises(MediaError) as refused:
        from_array(pixels, exact(4, 4))
    assert str(refused.value).startswith(f"an array {said}")


def test_arrays_of_the_usual_forms_give_what_the_image_gives() -> None:
    image = halves()
    pixels = np.asarray(image)
    wanted = from_image(image, exact(8, 8)).pixels
    opaque = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    floats = pixels.astype(np.float32) / 255
    for same in (pixels, pixels.transpose(2, 0, 1), floats, floats.transpose(2, 0, 1), opaque, pixels[:, :, ::1]):
        assert np.array_equal(from_array(same, exact(8, 8)).pixels, wanted)
    gray = np.asarray(image.convert("L"))
    wanted = from_image(image.convert("L"), exact(8, 8)).pixels
    for same in (gray, gray[:, :, None], gray[None], gray / 255.0):
        assert np.array_equal(from_array(same, exact(8, 8)).pixels, wanted)
    ink = gray > 100
    assert np.array_equal(
        from_array(ink, exact(8, 8)).pixels, from_array(ink.astype(np.uint8) * np.uint8(255), exact(8, 8)).pixels
    )


def test_an_image_that_is_closed_is_refused() -> None:
    image = Image.open(io.BytesIO(saved(halves(), "PNG")))
    image.close()
    with pytest.raises(MediaError, match=r"^broken image: "):
        from_image(image, exact(4, 4))


def test_from_image_leaves_the_image_as_it_was() -> None:
    image = halves()
    from_image(image, PixelSpec(8, 8, 1, "crop"))
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), np.asarray(halves()))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((0, 8, 3, "pad"), "0x8"),
        ((8, 5000, 3, "pad"), "8x5000"),
        ((8, 8, 4, "pad"), "channels must be .* not 4"),
        ((8, 8, 3, "stretch"), "'stretch'"),
    ],
)
def test_specs_that_make_no_sense(values: tuple[int, int, int, str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        PixelSpec(*values)


def test_thumbnails_keep_the_shape() -> None:
    small = thumbnail(saved(halves(400, 100), "JPEG", exif=oriented(6)), 80)
    assert (small.mode, small.size) == ("RGB", (20, 80))
    assert np.abs(np.asarray(small)[5, 10].astype(int) - LEFT).max() <= 4
