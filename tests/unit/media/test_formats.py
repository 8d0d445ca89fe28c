"""The format is told from the first bytes, and nothing too large is decoded."""

from __future__ import annotations

import io
import struct
import sys
import zlib

import pytest
from PIL import Image

from simsearch.errors import MediaError
from simsearch.media.formats import sniff
from simsearch.media.images import PixelSpec, decode

GREY = PixelSpec(8, 8, 1, "squash")


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"GIF89a", "GIF"),
        (b"II*\0", "TIFF"),
        (b"MM\0+", "TIFF"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "WebP"),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"P5\n8 8", "PNM"),
        (b"P7\n", None),
        (b"P5x", None),
        (b"P", None),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "BMP"),
        (b"BMW is a car, not a film", None),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", "HEIC"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", None),
        (b"", None),
        (b"\x89PNG", None),
    ],
)
def test_sniff(head: bytes, name: str | None) -> None:
    assert sniff(head) == name
    assert sniff(head + bytes(64)) == name


def test_heic_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    head = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    with pytest.raises(MediaError, match=r'^HEIC needs an extra: pip install "simsearch\[heic\]"$'):
        decode(head, GREY)


def headers() -> dict[str, bytes]:
    """The smallest pictures of each format, claiming 20,000 x 20,000 pixels."""
    side = 20_000
    small = Image.new("RGB", (8, 8), (200, 60, 20))
    png = saved(small, "PNG")
    gif = saved(small, "GIF")
    bmp = saved(small, "BMP")
    jpeg = saved(small, "JPEG")
    frame = jpeg.index(b"\xff\xc0") + 5
    tiff = saved(small, "TIFF")
    for tag in (256, 257):
        entry = tiff.index(struct.pack("<HH", tag, 4))
        tiff = tiff[: entry + 8] + struct.pack("<I", side) + tiff[entry + 12 :]
    ihdr = b"IHDR" + struct.pack(">II", side, side) + png[24:29]
    return {
        "PNG": png[:12] + ihdr + struct.pack(">I", zlib.crc32(ihdr)) + png[33:],
        "GIF": gif[:6] + struct.pack("<HH", side, side) + gif[10:],
        "BMP": bmp[:18] + struct.pack("<ii", side, side) + bmp[26:],
        "JPEG": jpeg[:frame] + struct.pack(">HH", side, side) + jpeg[frame + 4 :],
        "PPM": b"P6 20000 20000 255\n" + bytes(10),
        "TIFF": tiff,
    }


@pytest.mark.parametrize("name", ["PNG", "GIF", "BMP", "JPEG", "PPM", "TIFF"])
def test_bombs_are_refused_by_their_header(name: str) -> None:
    with pytest.raises(MediaError, match=r"^20000x20000 pixels, over the limit of 150 million$"):
        decode(headers()[name], GREY)


def test_large_pictures_within_the_limit_do_not_warn() -> None:
    picture = decode(saved(Image.new("1", (10_000, 10_000), 1), "TIFF", compression="group4"), GREY)
    assert (picture.width, picture.height) == (10_000, 10_000)
    assert (picture.pixels == 255).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello, this is text" * 9, "not an image in a supported format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image in a supported format"),
        (b"BMW is a car, and this file is a text." * 3, "not an image in a supported format"),
        (b"P6 0 7 255\n" + bytes(99), "broken PNM: not identified by this driver"),
    ],
)
def test_what_is_no_picture(content: bytes, reason: str) -> None:
    with pytest.raises(MediaError) as caught:
        decode(content, GREY)
    assert str(caught.value) == reason
