"""Damaged files are decoded or refused in one line; nothing else may happen."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from simsearch.errors import MediaError
from simsearch.media.images import PixelSpec, decode

SPEC = PixelSpec(16, 12, 3, "squash")
FILES = 500


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def noise(mode: str = "RGB") -> Image.Image:
    shape = (36, 48) if mode in ("L", "I;16") else (36, 48, 3)
    values = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(values.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(values).convert(mode)


def heic() -> bytes:
    stream = io.BytesIO()
    pillow_heif.from_pillow(noise()).save(stream, quality=80)
    return stream.getvalue()


EXIF = Image.Exif()
EXIF[274] = 6
EXIF[270] = "a description of some length"
PICTURES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(noise(), "JPEG", exif=EXIF),
    "jpeg, progressive": lambda: saved(noise(), "JPEG", progressive=True),
    "jpeg, cmyk": lambda: saved(noise("CMYK"), "JPEG"),
    "png": lambda: saved(noise(), "PNG", exif=EXIF),
    "png, palette": lambda: saved(noise("P"), "PNG", transparency=bytes(range(99))),
    "png, 16 bits": lambda: saved(noise("I;16"), "PNG"),
    "webp": lambda: saved(noise(), "WEBP", exif=EXIF),
    "webp, lossless": lambda: saved(noise("RGBA"), "WEBP", lossless=True),
    "gif": lambda: saved(noise(), "GIF", save_all=True, append_images=[Image.new("RGB", (48, 36))]),
    "tiff": lambda: saved(noise(), "TIFF", exif=EXIF),
    "tiff, lzw": lambda: saved(noise(), "TIFF", compression="tiff_lzw"),
    "tiff, jpeg": lambda: saved(noise(), "TIFF", compression="jpeg"),
    "tiff, fax": lambda: saved(noise("1"), "TIFF", compression="group4"),
    "bmp": lambda: saved(noise(), "BMP"),
    "bmp, palette": lambda: saved(noise("P"), "BMP"),
    "ppm": lambda: saved(noise(), "PPM"),
    "pgm, plain": lambda: b"P2 4 3 300\n" + b" ".join(b"%d" % value for value in range(0, 240, 20)),
    "avif": lambda: saved(noise(), "AVIF", speed=10),
    "heic": heic,
}


def outcome(content: bytes) -> str:
    """ "decoded", or the reason why not."""
    try:
        picture = decode(content, SPEC)
    except MediaError as error:
        reason = str(error)
        assert reason.isprintable()
        assert 5 <= len(reason) <= 130
        assert "object at 0x" not in reason
        return reason
    assert picture.pixels.shape == (12, 16, 3)
    assert picture.width > 0
    assert picture.height > 0
    return "decoded"


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """One of five kinds of damage, in one or several places."""
    values = bytearray(content)
    kind = rng.integers(5)
    start = int(rng.integers(len(values)))
    length = int(rng.integers(1, 64))
    if kind == 0:
        for _ in range(rng.integers(1, 12)):
            values[rng.integers(len(values))] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del values[start:]
    elif kind == 2:
        values[start : start + length] = bytes(len(values[start : start + length]))
    elif kind == 3:
        values[start : start + length] = rng.bytes(length)
    else:
        # The header is where the sizes and offsets are.
        for _ in range(rng.integers(1, 6)):
            values[rng.integers(min(len(values), 200))] = rng.integers(256)
    return bytes(values)


@pytest.mark.parametrize("name", PICTURES)
def test_the_whole_file_is_decoded(name: str) -> None:
    assert outcome(PICTURES[name]()) == "decoded"


@pytest.mark.parametrize("name", [name for name in PICTURES if not name.startswith("pgm")])
def test_a_truncated_file_is_refused_unless_most_of_it_is_there(name: str) -> None:
    content = PICTURES[name]()
    full, most = decode(content, SPEC).pixels.astype(int), 0
    for cut in np.linspace(0, 0.95 * len(content), 25, dtype=int):
        try:
            found = decode(content[:cut], SPEC)
        except MediaError:
            continue
        assert found.incomplete
        assert found.remark.startswith("incomplete: the end of the file is missing")
        # Its EXIF turns two of the pictures: there columns are missing.
        close = np.abs(found.pixels - full).max(axis=(0, 2) if name in ("jpeg", "png") else (1, 2)) < 40
        most = max(most, int(close.sum()))
        assert cut > len(content) // 4
    assert (most >= 10) == name.startswith(("jpeg", "png", "gif", "bmp", "ppm"))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("rest", [0, 0.05])
def test_a_jpeg_without_its_last_bytes_is_read_as_it_is_shown(progressive: bool, rest: float) -> None:
    image = Image.effect_mandelbrot((200, 160), (-2, -1.5, 1, 1.5), 90).convert("RGB")
    content = saved(image, "JPEG", quality=90, progressive=progressive)
    for spec in (PixelSpec(50, 40, 3, "squash"), PixelSpec(200, 160, 1, "squash")):
        full = decode(content, spec)
        found = decode(content[: round(len(content) * (1 - rest)) - 2], spec)
        rows = slice(0, None if progressive else int(spec.height * (1 - 3 * rest)))
        assert np.abs(found.pixels[rows].astype(int) - full.pixels[rows]).mean() < (8 if rest else 0.01)
        assert (found.incomplete, found.width, found.height) == (True, 200, 160)
        assert (full.incomplete, full.remark) == (False, "")


def test_no_damage_does_harm(capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(2024)
    pictures = {name: make() for name, make in PICTURES.items()}
    names = list(pictures)
    outcomes = []
    for number in range(FILES):
        name = names[number % len(names)]
        outcomes.append(outcome(damaged(pictures[name], rng)))
        written = capfd.readouterr()
        # libtiff is C and tells its errors on standard error by itself; Pillow offers no way to stop it.
        assert written.out + ("" if name.startswith("tiff") else written.err) == "", name
    refused = FILES - outcomes.count("decoded")
    assert FILES // 4 < refused < FILES, "the damage is neither harmless nor total"
    assert len(set(outcomes)) > 20


def test_what_a_decoder_raises_becomes_a_media_error(monkeypatch: pytest.MonkeyPatch) -> None:
    content = PICTURES["png"]()
    for failure in (
        OSError("a\nb"),
        ValueError(),
        SyntaxError("x"),
        EOFError("x"),
        KeyError("x"),
        IndexError("x"),
        TypeError("x"),
        OverflowError("x"),
        ZeroDivisionError("x"),
        MemoryError(),
        AttributeError("x"),
        NameError("x"),
        RecursionError("x"),
        NotImplementedError("x"),
        AssertionError(),
        Image.DecompressionBombError("x"),
    ):

        def fail(*_: object, failure: Exception = failure, **__: object) -> None:
            raise failure

        monkeypatch.setattr(Image.Image, "resize", fail)
        with pytest.raises(MediaError, match=r"^broken PNG: ") as caught:
            decode(content, SPEC)
        assert caught.value.__cause__ is failure


def test_a_mistake_in_the_code_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mistake(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise Mistake

    monkeypatch.setattr(Image.Image, "resize", fail)
    with pytest.raises(Mistake):
        decode(PICTURES["png"](), SPEC)
