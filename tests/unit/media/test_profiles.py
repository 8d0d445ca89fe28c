"""Color profiles are converted to sRGB, for which files are written with profiles made here."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from simsearch.media.images import PixelSpec, decode, may_differ, thumbnail, whole

SPEC = PixelSpec(40, 30, 3, "squash")
PROPHOTO = ((0.7977, 0.1352, 0.0313), (0.2880, 0.7119, 0.0001), (0.0, 0.0, 0.8249))
"""The matrix of ProPhoto RGB to XYZ (D50), whose gamma is 1.8."""


def matrix_profile(matrix: tuple[tuple[float, ...], ...], gamma: float) -> bytes:
    """An ICC profile (version 2) of three primaries and one gamma."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642) + fixed(1.0) + fixed(0.8249)}
    for number, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ")):
        tags[name] = b"XYZ \0\0\0\0" + b"".join(fixed(row[number]) for row in matrix)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"p\0" + bytes(78)
    tags[b"cprt"] = b"text\0\0\0\0none\0\0\0\0"
    place, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        table += name + struct.pack(">II", place + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", place + len(body), b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ") + bytes(12)
    head += b"acsp" + bytes(28) + fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


WIDE = matrix_profile(PROPHOTO, 1.8)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    rng = np.random.default_rng(3)
    return Image.fromarray(rng.integers(30, 220, (6, 8, 3), dtype=np.uint8)).resize(
        (160, 120), Image.Resampling.BICUBIC
    )


@pytest.fixture(scope="module")
def copy(photo: Image.Image) -> Image.Image:
    """The photo in ProPhoto RGB: other numbers for the same colors."""
    wide = ImageCms.ImageCmsProfile(io.BytesIO(WIDE))
    converted = ImageCms.profileToProfile(photo, ImageCms.createProfile("sRGB"), wide)
    assert converted is not None
    assert difference(np.asarray(converted), np.asarray(photo)) > 10
    return converted


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("name", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_copy_in_another_color_space_has_the_same_pixels(photo: Image.Image, copy: Image.Image, name: str) -> None:
    options = {"quality": 95} if name in ("JPEG", "WEBP") else {}
    content = saved(copy, name, icc_profile=WIDE, **options)
    for channels in (1, 3):
        spec = PixelSpec(40, 30, channels, "crop")
        expected = decode(saved(photo, "PNG"), spec).pixels
        assert difference(decode(content, spec).pixels, expected) < 4
        if channels == 3:
            assert difference(decode(saved(copy, name, icc_profile=None, **options), spec).pixels, expected) > 8
    assert difference(np.asarray(thumbnail(content, 160)), np.asarray(photo)) < 4
    assert difference(whole(content, 160).pixels, np.asarray(photo)) < 4
    assert may_differ(content)


def test_the_profile_of_srgb_and_one_that_is_none_change_nothing(photo: Image.Image) -> None:
    plain = decode(saved(photo, "PNG"), SPEC).pixels
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (own, b"no profile", WIDE[:200], WIDE[:-40]):
        content = saved(photo, "PNG", icc_profile=profile)
        if difference(decode(content, SPEC).pixels, plain) > 0:
            assert profile == WIDE[:-40]
        else:
            assert not may_differ(content)


def test_transparency_and_palettes_keep_their_profile(photo: Image.Image, copy: Image.Image) -> None:
    opaque = decode(saved(photo, "PNG"), SPEC).pixels
    with_alpha = copy.convert("RGBA")
    assert difference(decode(saved(with_alpha, "PNG", icc_profile=WIDE), SPEC).pixels, opaque) < 4
    few = copy.quantize(200)
    assert difference(decode(saved(few, "PNG", icc_profile=WIDE), SPEC).pixels, opaque) < 8
