"""Raw images of cameras, by the preview that the camera put into them (extra `raw`, LibRaw)."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import BmpImagePlugin, Image, JpegImagePlugin

from simsearch.errors import MediaError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

RAW_SUFFIXES = frozenset(
    (
        *(".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".raf", ".orf", ".rw2", ".pef", ".srw"),
        *(".3fr", ".iiq", ".erf", ".mrw", ".kdc", ".dcr"),
    )
)
_MAGIC = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM")
_SUBFILE, _MAKE, _FURTHER, _DNG = 254, 271, 330, 50706  # TIFF tags
_ORIENTATION = 274  # EXIF tag
_FLIPS = {3: 3, 5: 8, 6: 6}
"""EXIF orientations by the numbers of LibRaw."""
_MOST_TAGS = 512


def sniff_raw(head: bytes) -> bool:
    """Whether a file that begins with `head` is a raw image in a format of its own."""
    if head[:4] == b"II*\0" and head[8:10] == b"CR":
        return True
    return head.startswith(_MAGIC) or head[4:12] == b"ftypcrx "


def is_camera_tiff(content: bytes) -> bool:
    """Whether a TIFF is a raw image: a DNG, or a small preview of a camera beside further images."""
    tags = _first_tags(content)
    return _DNG in tags or (tags.get(_SUBFILE) == 1 and _FURTHER in tags and _MAKE in tags)


def _first_tags(content: bytes) -> dict[int, int]:
    """The tags of the first directory of a TIFF, with their values where these are whole numbers."""
    order = "<" if content[:2] == b"II" else ">"
    try:
        (place,) = struct.unpack_from(f"{order}I", content, 4)
        (count,) = struct.unpack_from(f"{order}H", content, place)
        entries = [
            struct.unpack_from(f"{order}HHI4s", content, place + 2 + 12 * number)
            for number in range(min(count, _MOST_TAGS))
        ]
    except struct.error:
        return {}
    sizes = {3: "H", 4: "I"}
    return {
        tag: struct.unpack_from(f"{order}{sizes[kind]}", value)[0] if kind in sizes else 0
        for tag, kind, _, value in entries
    }


def open_raw(stream: BytesIO) -> ImageFile:
    """The preview in a raw image, turned as the camera says; developed where there is none. Raises MediaError."""
    try:
        import rawpy
    except ImportError as error:
        raise MediaError('raw images need an extra: pip install "simsearch[raw]"') from error
    try:
        with rawpy.imread(stream) as raw:
            flip = int(raw.sizes.flip)
            try:
                preview = raw.extract_thumb()
            except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
                # Developing turns it upright.
                return _bitmap(Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True)))
    except rawpy.LibRawError as error:
        reason = error.args[0] if error.args else error
        raise MediaError(f"broken RAW: {reason.decode() if isinstance(reason, bytes) else reason}") from error
    if preview.format == rawpy.ThumbFormat.JPEG:
        picture: ImageFile = JpegImagePlugin.JpegImageFile(BytesIO(bytes(preview.data)))
    else:
        picture = _bitmap(Image.fromarray(np.asarray(preview.data, dtype=np.uint8)))
    exif = picture.getexif()
    if _ORIENTATION not in exif and flip in _FLIPS:
        exif[_ORIENTATION] = _FLIPS[flip]
    return picture


def _bitmap(picture: Image.Image) -> ImageFile:
    stream = BytesIO()
    picture.save(stream, "BMP")
    stream.seek(0)
    return BmpImagePlugin.BmpImageFile(stream)
