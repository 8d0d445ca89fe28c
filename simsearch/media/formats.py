"""Opening encoded images: detecting the format, and a single type of error."""

from __future__ import annotations

import contextlib
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TgaImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from simsearch.errors import MediaError
from simsearch.media.raw import RAW_SUFFIXES, is_camera_tiff, open_raw, sniff_raw

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

IMAGE_SUFFIXES = RAW_SUFFIXES | frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".dib"),
        *(".pbm", ".pgm", ".ppm", ".pnm", ".heic", ".heif", ".hif", ".avif", ".tga"),
        *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    )
)
MAX_PIXELS = 150_000_000
HEAD = 64
"""The number of bytes that `sniff` needs."""

# Pillow's decoders are many and old: on damaged bytes each of these has been seen to come out of one of them.
_FAILURES = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    MemoryError,
    AttributeError,
    NameError,
    RuntimeError,
    AssertionError,
    BufferError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_PIL_MODULES = r"PIL\."
_MAGIC = (
    ("JPEG", b"\xff\xd8\xff"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("GIF", b"GIF87a"),
    ("GIF", b"GIF89a"),
    ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n"),
    ("JPEG 2000", b"\xff\x4f\xff\x51"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("TIFF", b"II+\0"),
    ("TIFF", b"MM\0+"),
)
_TGA_HEADER = 18
_TGA_DEPTHS = {1: (8,), 2: (16, 24, 32), 3: (8, 16), 9: (8,), 10: (16, 24, 32), 11: (8, 16)}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
# Classes, not Image.open: it would try formats that run other programs, and could not say how large a bomb is.
_OPENERS: dict[str, Callable[[BytesIO], ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "PNM": PpmImagePlugin.PpmImageFile,
    "JPEG 2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
    "TGA": TgaImagePlugin.TgaImageFile,
    "RAW": open_raw,
}


def sniff(head: bytes) -> str | None:
    """The name of the picture format that a file beginning with `head` (64 bytes or more) claims to be in, or None."""
    if sniff_raw(head):
        return "RAW"
    for name, magic in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "PNM"
    return _sniff_boxes(head) if head[4:8] == b"ftyp" else None


def _sniff_boxes(head: bytes) -> str | None:
    """HEIC or AVIF by its brands: the main one, or where that is the general one, the compatible ones."""
    brands = [head[start : start + 4] for start in (8, *range(16, len(head) - 3, 4))]
    if brands[0] in (b"avif", b"avis") or (brands[0] in (b"mif1", b"msf1") and b"avif" in brands):
        return "AVIF"
    return "HEIC" if brands[0] in _HEIF_BRANDS else None


def open_picture(content: bytes) -> tuple[str, ImageFile]:
    """The name of the format and the picture, of which only the header has been read.

    Raises MediaError for what is no picture, is broken, or has more than 150 million pixels.
    """
    name = sniff(content[:HEAD]) or ("TGA" if _is_tga(content) else None)
    if name == "TIFF" and is_camera_tiff(content):
        name = "RAW"
    if name is None:
        raise MediaError("empty file" if not content else "not an image in a supported format")
    opener = _OPENERS.get(name) or _optional_opener(name)
    with decoding(name):
        picture = opener(BytesIO(content))
    check_size(*picture.size)
    return name, picture


def _is_tga(content: bytes) -> bool:
    """Whether the header is that of a TGA, which has no signature, and the pixels that it promises are there."""
    if len(content) < _TGA_HEADER:
        return False
    length, mapped, kind, entries, entry_bits = struct.unpack_from("<BBBxxHB", content)
    width, height, depth, descriptor = struct.unpack_from("<HHBB", content, 12)
    if depth not in _TGA_DEPTHS.get(kind, ()) or mapped != (kind in (1, 9)) or descriptor & 0xC0 or not width * height:
        return False
    table = entries * ((entry_bits + 7) // 8) if mapped else 0
    # Run lengths take a byte for 128 pixels at best.
    pixels = width * height // 128 if kind > 8 else width * height * depth // 8
    return bool(mapped or not (entries or entry_bits)) and len(content) >= _TGA_HEADER + length + table + pixels


def _optional_opener(name: str) -> Callable[[BytesIO], ImageFile]:
    """What opens HEIC and AVIF, which not every installation can."""
    try:
        if name == "AVIF":
            from PIL import _avif  # noqa: F401
            from PIL.AvifImagePlugin import AvifImageFile

            return AvifImageFile
        from pillow_heif import HeifImageFile
    except ImportError as error:
        if name == "AVIF":
            raise MediaError("this build of Pillow cannot read AVIF: pip install --upgrade pillow") from error
        raise MediaError('HEIC needs an extra: pip install "simsearch[heic]"') from error
    opener: Callable[[BytesIO], ImageFile] = HeifImageFile
    return opener


def check_size(width: int, height: int) -> None:
    """Raises MediaError for a picture without pixels, or with so many that decoding would fill the memory."""
    if width < 1 or height < 1:
        raise MediaError(f"{width}x{height} pixels: nothing to see")
    if width * height > MAX_PIXELS:
        raise MediaError(f"{width}x{height} pixels, over the limit of {MAX_PIXELS // 1_000_000} million")


@contextlib.contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turns whatever Pillow raises inside into a MediaError of one line; its warnings stay out of sight."""
    _silence_pillow()
    try:
        yield
    except _FAILURES as error:
        raise MediaError(f"broken {name}: {_one_line(error)}") from error


def _silence_pillow() -> None:
    # Damaged metadata makes Pillow warn. `warnings.catch_warnings` is not safe in threads, a filter is: it is put
    # where it is missing, as others may have reset the filters since.
    wanted = [entry for entry in warnings.filters if getattr(entry[3], "pattern", None) == _PIL_MODULES]
    if not wanted:
        warnings.filterwarnings("ignore", module=_PIL_MODULES)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    printable = "".join(letter if letter.isprintable() else "?" for letter in text) or type(error).__name__
    return printable if len(printable) <= 100 else printable[:99] + "…"
