"""JPEG 2000, TGA and raw images of cameras."""

from __future__ import annotations

import io
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from simsearch.errors import MediaError
from simsearch.media.formats import IMAGE_SUFFIXES, sniff
from simsearch.media.images import PixelSpec, decode

SPEC = PixelSpec(24, 20, 3, "squash")


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    rng = np.random.default_rng(9)
    return Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)).resize((24, 20), Image.Resampling.BILINEAR)


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
@pytest.mark.parametrize(("name", "options"), [("TGA", {}), ("TGA", {"compression": "tga_rle"}), ("JPEG2000", {}),
                                               ("JPEG2000", {"no_jp2": True})])  # fmt: skip
def test_they_are_decoded(photo: Image.Image, name: str, options: dict[str, object], mode: str) -> None:
    if (name, mode) == ("JPEG2000", "P"):
        mode = "LA"
    image = photo.convert(mode)
    found = decode(saved(image, name, **options), SPEC)
    assert np.abs(found.pixels.astype(int) - np.asarray(image.convert("RGB"))).max() <= 2
    assert (found.width, found.height) == (24, 20)


def test_a_tga_has_a_whole_header_and_the_pixels_that_it_promises(photo: Image.Image) -> None:
    content = saved(photo, "TGA")
    for damaged in (content[:17], content[:18], content[:400], b"\1" + content[1:18], bytes(900), b"\xff" * 900):
        with pytest.raises(MediaError, match="not an image in a supported format"):
            decode(damaged, SPEC)
    assert sniff(content[:64]) is None


def raw_tiff() -> bytes:
    """The beginning of a DNG: a TIFF with the tag DNGVersion."""
    return b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHI4s", 50706, 1, 4, b"\1\4\0\0") + bytes(60)


RAWS = [raw_tiff(), b"II*\0\x10\0\0\0CR" + bytes(60), b"FUJIFILMCCD-RAW " + bytes(60), b"IIRO" + bytes(60),
        b"\0\0\0\x18ftypcrx " + bytes(60)]  # fmt: skip


class FakeError(Exception):
    pass


def library(photo: Image.Image, kind: str, flip: int) -> SimpleNamespace:
    """What `raw.py` uses of rawpy, with a preview of this kind."""

    class Raw:
        sizes = SimpleNamespace(flip=flip)

        def __enter__(self) -> Raw:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def extract_thumb(self) -> SimpleNamespace:
            if kind == "none":
                raise missing()
            data = saved(photo, "JPEG", quality=95) if kind == "jpeg" else np.asarray(photo)
            return SimpleNamespace(format=kind, data=data)

        def postprocess(self, **_: object) -> object:
            return np.asarray(photo)

    missing = type("Missing", (FakeError,), {})

    def imread(stream: io.BytesIO) -> Raw:
        if kind == "broken":
            raise FakeError(b"data corrupted")
        return Raw()

    return SimpleNamespace(
        imread=imread,
        ThumbFormat=SimpleNamespace(JPEG="jpeg"),
        LibRawError=FakeError,
        LibRawNoThumbnailError=missing,
        LibRawUnsupportedThumbnailError=missing,
    )


@pytest.mark.parametrize("content", RAWS)
def test_raw_images_are_told_apart_and_need_the_extra(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(MediaError, match=r'^raw images need an extra: pip install "simsearch\[raw\]"$'):
        decode(content, SPEC)
    assert {".dng", ".cr2", ".nef", ".arw"} <= IMAGE_SUFFIXES


@pytest.mark.parametrize("kind", ["jpeg", "bitmap", "none"])
def test_the_preview_is_read_and_turned(photo: Image.Image, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", library(photo, kind, flip=0))
    assert np.abs(decode(raw_tiff(), SPEC).pixels.astype(int) - np.asarray(photo)).mean() < 8
    monkeypatch.setitem(sys.modules, "rawpy", library(photo, kind, flip=6))
    turned = decode(raw_tiff(), PixelSpec(20, 24, 3, "squash"))
    # What is developed is upright.
    assert (turned.width, turned.height) == ((24, 20) if kind == "none" else (20, 24))


def test_a_broken_raw_image_is_told_in_one_line(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", library(photo, "broken", flip=0))
    with pytest.raises(MediaError, match=r"^broken RAW: data corrupted$"):
        decode(raw_tiff(), SPEC)
