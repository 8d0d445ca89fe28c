"""Contact sheets: rows of thumbnails with captions, for visual inspection of results."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from simsearch.errors import MediaError, SimsearchError, UsageError
from simsearch.manifest import replacing
from simsearch.media.images import PixelSpec, from_array, from_image, thumbnail
from simsearch.outputs import require_output

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

SHEET_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".pdf": "PDF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
SHEET_MARK = "simsearch contact sheet"
_SOFTWARE = 305
"""The tag of TIFF and EXIF for the program that made a file."""
MAX_SHEET_SIDE = 30_000
_MARGIN = 12
_GAP = 8
_BORDER = 4
_INK, _PALE, _GRAY = "#222222", "#999999", "#dddddd"


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture (the bytes of a file, an image, uint8 pixels, or None), the lines below it, and the color of its
    frame."""

    content: bytes | Image.Image | NDArray[np.uint8] | None
    caption: tuple[str, ...] = ()
    border: str | None = None


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A title and its tiles; the first tile is the query, the others are its results."""

    title: str
    tiles: tuple[Tile, ...]
    ruled: bool = True
    """Whether a rule separates the first tile from the others."""


@dataclass(frozen=True, slots=True)
class _Layout:
    tile: int
    font: FreeTypeFont | BitmapFont
    line: int
    """Height of a line of text."""

    def height(self, row: SheetRow) -> int:
        lines = max((len(tile.caption) for tile in row.tiles), default=0)
        return (self.line if row.title else 0) + self.tile + 2 * _BORDER + lines * self.line + 2 * _GAP

    def left(self, column: int) -> int:
        # The query stands apart from its answers, with a rule between.
        return _MARGIN + column * (self.tile + 2 * _BORDER + _GAP) + (2 * _GAP if column else 0)


def contact_sheet(rows: Sequence[SheetRow], *, tile: int = 160) -> Image.Image:
    """An RGB image of the rows on white; pictures are fitted into squares of `tile` pixels.

    Long captions lose their middle, and a picture that cannot be read becomes a gray tile with the reason.
    Raises UsageError when nothing is to be shown, or the sheet would be over 30,000 pixels high or wide.
    """
    if not any(row.tiles for row in rows):
        raise UsageError("a contact sheet needs at least one image")
    size = max(11, tile // 12)
    layout = _Layout(tile, ImageFont.load_default(size=size), size + 5)
    width = layout.left(max(len(row.tiles) for row in rows)) - _GAP + _MARGIN
    height = 2 * _MARGIN + sum(layout.height(row) for row in rows)
    if max(width, height) > MAX_SHEET_SIDE:
        raise UsageError(f"a contact sheet of {width}x{height} pixels is too large: show fewer images")
    sheet = Image.new("RGB", (width, height), "white")
    top = _MARGIN
    for row in rows:
        _draw_row(sheet, row, top, layout)
        top += layout.height(row)
    return sheet


def side_by_side(contents: Sequence[bytes], size: int) -> Image.Image:
    """The pictures in a row on white, each fitted into a square of `size` pixels. Raises MediaError."""
    joined = Image.new("RGB", (len(contents) * size, size), "white")
    for number, content in enumerate(contents):
        small = thumbnail(content, size)
        joined.paste(small, (number * size + (size - small.width) // 2, (size - small.height) // 2))
    return joined


def check_sheet(path: Path, *, force: bool = False) -> None:
    """Raises UsageError for another suffix, and for a file that is there and no contact sheet, unless `force`."""
    require_output(path, "a contact sheet", SHEET_FORMATS, SHEET_MARK.encode(), force=force)


def save_sheet(image: Image.Image, path: str | Path, *, force: bool = False) -> None:
    """Writes the sheet, whole or not at all, in the format that the suffix names.

    Raises UsageError like `check_sheet`, SimsearchError when the file cannot be written.
    """
    path = Path(path)
    check_sheet(path, force=force)
    name = SHEET_FORMATS[path.suffix.lower()]
    try:
        with replacing(path) as temporary, temporary.open("wb") as stream:
            image.save(stream, format=name, **_marked(name))
            if name == "PDF":
                # Pillow writes its strings in UTF-16; a comment at the end is plain.
                stream.write(f"% {SHEET_MARK}\n".encode())
    except (OSError, ValueError) as error:
        raise SimsearchError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error


def _marked(name: str) -> dict[str, Any]:
    """The arguments of Pillow that leave the mark of a contact sheet in a file of this format."""
    if name == "PDF":
        return {}
    if name == "TIFF":
        return {"tiffinfo": {_SOFTWARE: SHEET_MARK}}
    if name == "PNG":
        text = PngInfo()
        text.add_text("Software", SHEET_MARK)
        return {"pnginfo": text}
    exif = Image.Exif()
    exif[_SOFTWARE] = SHEET_MARK
    return {"exif": exif.tobytes()}


def _draw_row(sheet: Image.Image, row: SheetRow, top: int, layout: _Layout) -> None:
    draw = ImageDraw.Draw(sheet)
    if row.title:
        text = _shortened(row.title, sheet.width - 2 * _MARGIN, layout.font)
        draw.text((_MARGIN, top), text, fill=_INK, font=layout.font)
        top += layout.line
    for column, tile in enumerate(row.tiles):
        _draw_tile(sheet, tile, (layout.left(column), top), layout)
    if row.ruled and len(row.tiles) > 1:
        rule = layout.left(1) - _GAP - _GAP // 2
        draw.line((rule, top, rule, top + layout.tile + 2 * _BORDER), fill=_PALE, width=2)


def _draw_tile(sheet: Image.Image, tile: Tile, corner: tuple[int, int], layout: _Layout) -> None:
    left, top = corner
    draw = ImageDraw.Draw(sheet)
    frame = (left, top, left + layout.tile + 2 * _BORDER - 1, top + layout.tile + 2 * _BORDER - 1)
    if tile.border is not None:
        draw.rectangle(frame, outline=_color(tile.border), width=_BORDER)
    try:
        small = _small(tile.content, layout.tile)
    except MediaError as error:
        draw.rectangle([left + _BORDER, top + _BORDER, frame[2] - _BORDER, frame[3] - _BORDER], fill=_GRAY)
        _draw_reason(draw, str(error), (left + 2 * _BORDER, top + 2 * _BORDER), layout)
    else:
        inset = (layout.tile - small.width) // 2, (layout.tile - small.height) // 2
        sheet.paste(small, (left + _BORDER + inset[0], top + _BORDER + inset[1]))
    below = frame[3] + 3
    for line in tile.caption:
        text = _shortened(line, layout.tile + 2 * _BORDER, layout.font)
        draw.text((left, below), text, fill=_INK, font=layout.font)
        below += layout.line


def _small(content: bytes | Image.Image | NDArray[np.uint8] | None, size: int) -> Image.Image:
    if content is None:
        raise MediaError("no picture")
    if isinstance(content, bytes):
        return thumbnail(content, size)
    spec = PixelSpec(size, size, 3, "pad")
    small = from_array(content, spec) if isinstance(content, np.ndarray) else from_image(content, spec)
    return Image.fromarray(small.pixels)


def _draw_reason(draw: ImageDraw.ImageDraw, reason: str, corner: tuple[int, int], layout: _Layout) -> None:
    """The reason in as many lines as fit into the tile."""
    width, lines = layout.tile - 2 * _BORDER, [""]
    for word in _printable(reason).split():
        longer = f"{lines[-1]} {word}".strip()
        if layout.font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(_shortened(word, width, layout.font))
    most = max(1, (layout.tile - 2 * _BORDER) // layout.line)
    for number, line in enumerate([line for line in lines if line][:most]):
        draw.text((corner[0], corner[1] + number * layout.line), line, fill=_INK, font=layout.font)


def _shortened(text: str, width: float, font: FreeTypeFont | BitmapFont) -> str:
    """The text, on one line, with … in the middle where it is wider than `width`."""
    text = _printable(text)
    # Measuring takes time for each letter: more than four letters a pixel never fit.
    if len(text) > 4 * width:
        text = text[: int(2 * width)] + text[-int(2 * width) :]
    if font.getlength(text) <= width:
        return text
    fits, too_many = 0, len(text)
    while too_many - fits > 1:
        half = (fits + too_many) // 2
        fits, too_many = (half, too_many) if font.getlength(_cut(text, half)) <= width else (fits, half)
    return _cut(text, fits)


def _cut(text: str, letters: int) -> str:
    """The beginning and the end of the text, together `letters` long, with … between."""
    tail = letters // 2
    return text[: letters - tail] + "…" + text[len(text) - tail :]


def _printable(text: str) -> str:
    # Pillow's own font has the letters of English only: an accent is better lost than the letter.
    text = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _color(name: str) -> tuple[int, ...]:
    try:
        return ImageColor.getrgb(name)
    except ValueError as error:
        raise UsageError(f"border {name!r} is not the name of a color") from error
