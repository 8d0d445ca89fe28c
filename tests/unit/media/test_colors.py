"""Every mode becomes 8-bit gray or color on white by a stated rule."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from simsearch.media.decoding.colors import FAINTEST
from simsearch.media.images import PixelSpec, decode, from_image

LOWEST, HIGHEST, FLOAT = 340, 341, 11


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def pixels(content: bytes, channels: int = 3) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(content))
    decoded = decode(content, PixelSpec(*image.size, channels, "squash")).pixels
    return decoded[:, :, 0] if channels == 1 else decoded


def png(rows: NDArray[np.uint16], color_type: int) -> bytes:
    """A PNG of 16 bits a channel, which Pillow cannot write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = rows.shape[:2]
    scanlines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(scanlines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def wide() -> NDArray[np.uint16]:
    values = np.random.default_rng(3).integers(0, 65536, (6, 5), dtype=np.uint16)
    values[0, :4] = 0, 255, 256, 65535
    return values


@pytest.mark.parametrize("name", ["PNG", "TIFF", "PGM"])
def test_16_bit_gray_loses_its_lower_byte(name: str, wide: NDArray[np.uint16]) -> None:
    content = {
        "PNG": png(wide, 0),
        "TIFF": saved(Image.fromarray(wide), "TIFF"),
        "PGM": b"P5 5 6 65535\n" + wide.astype(">u2").tobytes(),
    }[name]
    assert np.array_equal(pixels(content, 1), wide >> 8)
    assert np.array_equal(pixels(content, 3), np.repeat((wide >> 8)[:, :, None], 3, axis=2))


def test_16_bit_big_endian_tiff(wide: NDArray[np.uint16]) -> None:
    image = Image.frombytes("I;16B", (5, 6), wide.astype(">u2").tobytes())
    assert np.array_equal(pixels(saved(image, "TIFF"), 1), wide >> 8)


def test_16_bit_tiff_whose_zero_is_white(wide: NDArray[np.uint16]) -> None:
    content = saved(Image.fromarray(wide), "TIFF")
    black_is_zero, white_is_zero = (struct.pack("<HHIHH", 262, 3, 1, kind, 0) for kind in (1, 0))
    assert content.count(black_is_zero) == 1
    assert np.array_equal(pixels(content.replace(black_is_zero, white_is_zero), 1), 255 - (wide >> 8))


@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (6, 4)])
def test_16_bit_color(color_type: int, channels: int) -> None:
    values = np.random.default_rng(4).integers(0, 65536, (6, 5, channels), dtype=np.uint16)
    values[:, :, 3:] = 65535
    assert np.array_equal(pixels(png(values, color_type)), values[:, :, :3] >> 8)


@pytest.mark.parametrize("magic", ["P2", "P5"])
def test_pgm_of_10_bits_is_scaled_by_its_maximum(magic: str) -> None:
    values = np.array([[0, 1, 511], [512, 1022, 1023]])
    body = " ".join(map(str, values.ravel())).encode() if magic == "P2" else values.astype(">u2").tobytes()
    content = f"{magic} 3 2 1023\n".encode() + body
    expected = np.round(values / 1023 * 65535).astype(int) >> 8
    assert np.array_equal(pixels(content, 1), expected)


def test_one_bit() -> None:
    values = np.array([[0, 255, 0], [255, 255, 0]], dtype=np.uint8)
    image = Image.fromarray(values).convert("1")
    for name, options in (("PNG", {}), ("TIFF", {"compression": "group4"}), ("PPM", {}), ("BMP", {}), ("GIF", {})):
        assert np.array_equal(pixels(saved(image, name, **options), 1), values), name


@given(arrays(np.float32, (4, 3), elements=st.floats(0, 1, width=32)))
@settings(max_examples=40, deadline=None)
def test_floats_from_0_to_1(values: NDArray[np.float32]) -> None:
    expected = np.rint(values.astype(np.float64) * 255)
    assert np.array_equal(pixels(saved(Image.fromarray(values), "TIFF"), 1), expected)


@given(arrays(np.float32, (4, 3), elements=st.floats(-(2.0**99), 2.0**99, width=32)))
@settings(max_examples=40, deadline=None)
def test_other_floats_are_scaled_from_the_range_that_occurs(values: NDArray[np.float32]) -> None:
    values[0, :2] = -5, 7
    lowest, highest = float(values.min()), float(values.max())
    expected = np.rint((values.astype(np.float64) - lowest) / (highest - lowest) * 255)
    assert np.array_equal(pixels(saved(Image.fromarray(values), "TIFF"), 1), expected)


def test_floats_that_are_not_finite() -> None:
    values = np.array([[np.nan, np.inf, -np.inf], [2, 4, 3]], dtype=np.float32)
    assert np.array_equal(pixels(saved(Image.fromarray(values), "TIFF"), 1), [[0, 0, 0], [0, 255, 128]])
    nothing = np.full((2, 2), np.nan, dtype=np.float32)
    assert np.array_equal(pixels(saved(Image.fromarray(nothing), "TIFF"), 1), np.zeros((2, 2)))


def test_a_float_tiff_can_declare_its_range() -> None:
    values = np.array([[0, 50, 100], [150, 200, 300]], dtype=np.float32)
    tags = ImageFileDirectory_v2()
    for tag, value in ((LOWEST, 0.0), (HIGHEST, 200.0)):
        tags.tagtype[tag] = FLOAT
        tags[tag] = value
    content = saved(Image.fromarray(values), "TIFF", tiffinfo=tags)
    assert np.array_equal(pixels(content, 1), [[0, 64, 128], [191, 255, 255]])


def test_32_bit_integers_are_scaled_from_the_range_that_occurs() -> None:
    values = np.array([[-100, 0, 100], [200, 300, 410]], dtype=np.int32)
    assert np.array_equal(
        pixels(saved(Image.fromarray(values), "TIFF"), 1), np.rint((values + 100) / 510 * 255).astype(int)
    )
    assert np.array_equal(pixels(saved(Image.fromarray(np.full((2, 2), 9, np.int32)), "TIFF"), 1), np.zeros((2, 2)))


@given(arrays(np.uint8, (3, 4, 4)))
@settings(max_examples=40, deadline=None)
def test_alpha_is_laid_on_white_unless_only_black_shows_it(values: NDArray[np.uint8]) -> None:
    share = values[:, :, 3:].astype(float) / 255
    on_white, on_black = (values[:, :, :3] * share + ground * (1 - share) for ground in (255, 0))
    found = pixels(saved(Image.fromarray(values, "RGBA"), "PNG"))
    visible, on_other = (float(np.ptp(page, axis=(0, 1)).max()) for page in (on_white, on_black))
    expected = on_white if visible >= FAINTEST or on_other < FAINTEST else on_black
    borderline = min(abs(visible - FAINTEST), abs(on_other - FAINTEST)) < 2
    assert np.abs(found - expected).max() <= 1 or borderline


def test_ink_that_white_hides_is_shown_on_black() -> None:
    found = {}
    for name, ink in (("white", (255, 255, 255)), ("pale", (250, 250, 235)), ("dark", (20, 30, 40))):
        drawing = np.zeros((40, 40, 4), dtype=np.uint8)
        drawing[..., :3] = ink
        drawing[10:14, 5:35, 3] = 255
        found[name] = pixels(saved(Image.fromarray(drawing), "PNG")).astype(int)
        assert np.ptp(found[name]) > 180
    assert (found["white"][0, 0] == 0).all()
    assert (found["dark"][0, 0] == 255).all()


def test_what_has_nothing_to_see_is_blank() -> None:
    for image in (Image.new("RGBA", (90, 90)), Image.new("L", (9, 9), 7), Image.new("RGB", (30, 30), (255, 0, 0))):
        picture = decode(saved(image, "PNG"), PixelSpec(20, 20, 3, "pad"))
        assert picture.remark == "blank: there is nothing to see"
        assert not picture.incomplete
    dot = Image.new("L", (20, 20), 255)
    dot.putpixel((17, 3), 240)
    assert decode(saved(dot, "PNG"), PixelSpec(20, 20, 3, "pad")).remark == ""


def test_gray_with_alpha() -> None:
    values = np.array([[[0, 255], [0, 0]], [[100, 128], [255, 9]]], dtype=np.uint8)
    image = Image.fromarray(values, "LA")
    assert np.abs(pixels(saved(image, "PNG"), 1).astype(int) - [[0, 255], [177, 255]]).max() <= 1
    premultiplied = from_image(image.convert("La"), PixelSpec(2, 2, 1, "squash")).pixels[:, :, 0]
    assert np.abs(premultiplied.astype(int) - [[0, 255], [177, 255]]).max() <= 1


@pytest.mark.parametrize("name", ["PNG", "GIF"])
def test_a_transparent_palette_entry_shows_white(name: str) -> None:
    image = Image.new("P", (4, 2), 0)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.paste(1, (2, 0, 4, 2))
    found = pixels(saved(image, name, transparency=0))
    assert (found[:, :2] == 255).all()
    assert (found[:, 2:] == (200, 0, 0)).all()
    opaque = pixels(saved(image, name))
    assert (opaque[:, :2] == (10, 20, 30)).all()


def test_a_palette_with_degrees_of_transparency() -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([0, 0, 0, 200, 0, 0])
    image.putpixel((1, 0), 1)
    found = pixels(saved(image, "PNG", transparency=bytes([51, 255])))
    assert found.tolist() == [[[204, 204, 204], [200, 0, 0]]]


def test_one_color_marked_as_transparent() -> None:
    image = Image.new("RGB", (2, 1), (1, 2, 3))
    image.putpixel((1, 0), (50, 60, 70))
    assert pixels(saved(image, "PNG", transparency=(1, 2, 3))).tolist() == [[[255, 255, 255], [50, 60, 70]]]


@pytest.mark.parametrize(("name", "tolerance"), [("JPEG", 6), ("TIFF", 0)])
def test_cmyk(name: str, tolerance: int) -> None:
    inks = {(0, 0, 0, 0): (255, 255, 255), (0, 255, 255, 0): (255, 0, 0), (0, 0, 0, 255): (0, 0, 0)}
    for ink, color in inks.items():
        image = Image.new("CMYK", (16, 16), ink)
        found = pixels(saved(image, name)).astype(int)
        assert np.abs(found - color).max() <= tolerance, ink


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "RGBX", "RGBa", "PA"])
def test_other_modes_in_memory(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (200, 60, 20, 255))
    if mode in ("YCbCr", "HSV", "RGBX"):
        image = image.convert("RGB")
    image = image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    found = from_image(image, PixelSpec(4, 4, 3, "squash")).pixels.astype(int)
    assert np.abs(found - (200, 60, 20)).max() <= (40 if mode == "PA" else 3)
