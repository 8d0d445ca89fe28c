"""16-bit images whose values have fewer bits are shown by these bits, not black."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from simsearch.media.images import PixelSpec, decode

GRAY = np.linspace(0, 255, 12 * 16).reshape(12, 16).astype(np.uint16)


def shown(content: bytes, channels: int = 1) -> NDArray[np.int64]:
    return decode(content, PixelSpec(16, 12, channels, "squash")).pixels.astype(int)


def tiff(values: NDArray[np.uint16], **tags: int) -> bytes:
    stream, numbers = io.BytesIO(), {"max_sample": 281, "smin": 340, "smax": 341}
    info = ImageFileDirectory_v2()
    for name, value in tags.items():
        info[numbers[name]] = value
        info.tagtype[numbers[name]] = 3
    Image.fromarray(values).save(stream, "TIFF", tiffinfo=info)
    return stream.getvalue()


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_bits_that_the_values_use_are_shown(bits: int) -> None:
    values = (GRAY << (bits - 8)) + (1 << (bits - 8)) - 1
    assert np.abs(shown(tiff(values))[..., 0] - GRAY).max() <= 1
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    assert np.abs(shown(stream.getvalue())[..., 0] - GRAY).max() <= 1


def test_what_the_file_declares_counts() -> None:
    dark = GRAY * 4  # 10 bits of 12
    assert np.abs(shown(tiff(dark, max_sample=4095))[..., 0] - GRAY // 4).max() <= 1
    assert np.abs(shown(tiff(dark, smin=0, smax=2040))[..., 0] - GRAY / 2).max() <= 1


def test_a_narrow_range_is_widened_unless_it_is_noise() -> None:
    narrow = shown(tiff(30_000 + GRAY * 2))[..., 0]
    assert (narrow.min(), narrow.max()) == (0, 255)
    assert np.ptp(shown(tiff((30_000 + GRAY // 64).astype(np.uint16)))) == 0


def color_png(values: NDArray[np.uint16]) -> bytes:
    """A PNG of 16 bits a channel, which Pillow cannot write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if channels == 3 else 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("bits", [8, 12, 14, 16])
@pytest.mark.parametrize("alpha", [False, True])
def test_colors_of_fewer_bits_too(bits: int, alpha: bool) -> None:
    colors = np.random.default_rng(1).integers(0, 256, (12, 16, 3)).astype(np.uint16)
    colors[0, 0] = 255
    values = (colors << (bits - 8)) + (1 << (bits - 8)) - 1
    if alpha:
        values = np.concatenate([values, np.full((12, 16, 1), 65535, dtype=np.uint16)], axis=2)
    assert np.abs(shown(color_png(values), 3) - colors).max() <= 1
