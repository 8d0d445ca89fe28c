"""Drawing of contact sheets: lines of tiles, on pages of a limited height."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from simsearch.errors import MediaError, UsageError
from simsearch.media.images import PixelSpec, from_array, from_image, thumbnail
from simsearch.media.sheets.lettering import Lettering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Content: TypeAlias = bytes | Image.Image | NDArray[Any] | str | MediaError | None
    """The bytes of an image file, an image, pixels, a text, or why there is no image; None where there is none."""

MAX_SHEET_SIDE = 30_000
PAGE_HEIGHT = 6_000
PER_LINE = 10
"""The tiles of a line behind the query; the others go to the next line."""
_MARGIN = 12
_GAP = 8
_BORDER = 4
_INK, _PALE, _GRAY, _PAPER = "#222222", "#999999", "#dddddd", "#f4f1e8"


@dataclass(frozen=True, slots=True)
class Tile:
    """One image or text, the lines below it, and the color of its frame."""

    content: Content
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
class _Line:
    """A part of a row that fits the width of a page. `query` is the first tile of the row, on its first line only."""

    title: str
    query: Tile | None
    tiles: tuple[Tile, ...]
    ruled: bool

    @property
    def columns(self) -> int:
        return len(self.tiles) + self.ruled


@dataclass(frozen=True, slots=True)
class _Layout:
    tile: int
    letters: Lettering
    line: int
    """Height of a line of text."""

    def height(self, line: _Line) -> int:
        shown = (*line.tiles, *([line.query] if line.query else []))
        captions = max((len(tile.caption) for tile in shown), default=0)
        return (self.line if line.title else 0) + self.tile + 2 * _BORDER + captions * self.line + 2 * _GAP

    def left(self, column: int) -> int:
        # The query stands apart from its answers, with a rule between.
        return _MARGIN + column * (self.tile + 2 * _BORDER + _GAP) + (2 * _GAP if column else 0)


def contact_sheet(rows: Sequence[SheetRow], *, tile: int = 160) -> Image.Image:
    """An RGB image of the rows on white; images are fitted into squares of `tile` pixels.

    A row has ten results on a line. Long captions lose their middle, and an image that cannot be read becomes a gray
    tile with the reason. Raises UsageError when nothing is to be shown, or the sheet would be over 30,000 pixels high
    or wide.
    """
    (page,) = _pages(rows, tile, MAX_SHEET_SIDE, several=False)
    return page


def contact_sheets(rows: Sequence[SheetRow], *, tile: int = 160) -> list[Image.Image]:
    """The same as pages of at most 6,000 pixels of height, as many as are needed."""
    return _pages(rows, tile, PAGE_HEIGHT, several=True)


def side_by_side(contents: Sequence[bytes], size: int) -> Image.Image:
    """The images in a row on white, each fitted into a square of `size` pixels. Raises MediaError."""
    joined = Image.new("RGB", (len(contents) * size, size), "white")
    for number, content in enumerate(contents):
        small = thumbnail(content, size)
        joined.paste(small, (number * size + (size - small.width) // 2, (size - small.height) // 2))
    return joined


def _pages(rows: Sequence[SheetRow], tile: int, most: int, *, several: bool) -> list[Image.Image]:
    if not any(row.tiles for row in rows):
        raise UsageError("a contact sheet needs at least one image")
    if tile < 1:
        raise UsageError(f"tile is {tile}; give the pixels of the side of a tile, 1 or more")
    size = max(11, tile // 12)
    layout = _Layout(tile, Lettering(size), size + 5)
    lines = [line for row in rows for line in _lines(row)]
    width = layout.left(max(line.columns for line in lines)) - _GAP + _MARGIN
    pages = _broken(lines, layout, most) if several else [lines]
    height = max(_height(page, layout) for page in pages)
    if max(width, height) > MAX_SHEET_SIDE:
        raise UsageError(
            f"a contact sheet of {width}x{height} pixels is too large: show fewer images or smaller ones (tile), or "
            "make pages (simsearch.sheets)"
        )
    return [_page(page, width, layout) for page in pages]


def _lines(row: SheetRow) -> Iterator[_Line]:
    ruled = row.ruled and len(row.tiles) > 1
    query, tiles = (row.tiles[0], row.tiles[1:]) if ruled else (None, row.tiles)
    for start in range(0, max(1, len(tiles)), PER_LINE):
        part = tiles[start : start + PER_LINE]
        yield _Line("" if start else row.title, None if start else query, part, ruled)


def _broken(lines: Sequence[_Line], layout: _Layout, most: int) -> list[list[_Line]]:
    """The lines in pages, each of which has at least one."""
    pages: list[list[_Line]] = [[]]
    used = 2 * _MARGIN
    for line in lines:
        height = layout.height(line)
        if pages[-1] and used + height > most:
            pages.append([])
            used = 2 * _MARGIN
        pages[-1].append(line)
        used += height
    return pages


def _height(page: Sequence[_Line], layout: _Layout) -> int:
    return 2 * _MARGIN + sum(layout.height(line) for line in page)


def _page(lines: Sequence[_Line], width: int, layout: _Layout) -> Image.Image:
    sheet = Image.new("RGB", (width, _height(lines, layout)), "white")
    top = _MARGIN
    for line in lines:
        _draw_line(sheet, line, top, layout)
        top += layout.height(line)
    return sheet


def _draw_line(sheet: Image.Image, line: _Line, top: int, layout: _Layout) -> None:
    draw = ImageDraw.Draw(sheet)
    if line.title:
        text = _shortened(line.title, sheet.width - 2 * _MARGIN, layout.letters)
        layout.letters.draw(draw, (_MARGIN, top), text, _INK)
        top += layout.line
    if line.query is not None:
        _draw_tile(sheet, line.query, (layout.left(0), top), layout)
    for column, tile in enumerate(line.tiles, start=int(line.ruled)):
        _draw_tile(sheet, tile, (layout.left(column), top), layout)
    if line.ruled:
        rule = layout.left(1) - _GAP - _GAP // 2
        draw.line((rule, top, rule, top + layout.tile + 2 * _BORDER), fill=_PALE, width=2)


def _draw_tile(sheet: Image.Image, tile: Tile, corner: tuple[int, int], layout: _Layout) -> None:
    left, top = corner
    draw = ImageDraw.Draw(sheet)
    frame = (left, top, left + layout.tile + 2 * _BORDER - 1, top + layout.tile + 2 * _BORDER - 1)
    if tile.border is not None:
        draw.rectangle(frame, outline=_color(tile.border), width=_BORDER)
    inner = (left + _BORDER, top + _BORDER, frame[2] - _BORDER, frame[3] - _BORDER)
    try:
        if isinstance(tile.content, str):
            _draw_words(draw, tile.content, inner, layout, _PAPER)
        else:
            small = _small(tile.content, layout.tile)
            inset = (layout.tile - small.width) // 2, (layout.tile - small.height) // 2
            sheet.paste(small, (inner[0] + inset[0], inner[1] + inset[1]))
    except MediaError as error:
        _draw_words(draw, error.reason, inner, layout, _GRAY)
    below = frame[3] + 3
    for line in tile.caption:
        text = _shortened(line, layout.tile + 2 * _BORDER, layout.letters)
        layout.letters.draw(draw, (left, below), text, _INK)
        below += layout.line


def _small(content: bytes | Image.Image | NDArray[Any] | MediaError | None, size: int) -> Image.Image:
    if content is None:
        raise MediaError("no image")
    if isinstance(content, MediaError):
        raise content
    if isinstance(content, bytes):
        return thumbnail(content, size)
    spec = PixelSpec(size, size, 3, "pad")
    small = from_array(content, spec) if isinstance(content, np.ndarray) else from_image(content, spec)
    return Image.fromarray(small.pixels)


def _draw_words(
    draw: ImageDraw.ImageDraw, words: str, box: tuple[int, int, int, int], layout: _Layout, paper: str
) -> None:
    """The words on paper, in as many lines as fit into the box; the last is cut with … where there are more."""
    draw.rectangle(box, fill=paper)
    width, letters = layout.tile - 2 * _BORDER, layout.letters
    most = max(1, (layout.tile - 2 * _BORDER) // layout.line)
    lines = _wrapped(words[: 40 * layout.tile], width, letters)
    if len(lines) > most:
        lines = [*lines[: most - 1], _shortened(f"{lines[most - 1]} …", width, letters)]
    for number, line in enumerate(lines):
        letters.draw(draw, (box[0] + _BORDER, box[1] + _BORDER + number * layout.line), line, _INK)


def _wrapped(words: str, width: float, letters: Lettering) -> list[str]:
    """The words in lines no wider than `width`; a word that is wider is broken, as in scripts without spaces."""
    lines = [""]
    for word in map(letters.shown, words.split()):
        longer = f"{lines[-1]} {word}".strip()
        if letters.width(longer) <= width:
            lines[-1] = longer
            continue
        lines.append("")
        for character in word:
            if lines[-1] and letters.width(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line]


def _shortened(text: str, width: float, letters: Lettering) -> str:
    """The text, on one line, with … in the middle where it is wider than `width`."""
    # Measuring takes time for each letter: more than four letters a pixel never fit.
    if len(text) > 4 * width:
        text = text[: int(2 * width)] + text[-int(2 * width) :]
    text = letters.shown(text)
    if letters.width(text) <= width:
        return text
    fits, too_many = 0, len(text)
    while too_many - fits > 1:
        half = (fits + too_many) // 2
        fits, too_many = (half, too_many) if letters.width(_cut(text, half)) <= width else (fits, half)
    return _cut(text, fits)


def _cut(text: str, letters: int) -> str:
    """The beginning and the end of the text, together `letters` long, with … between."""
    tail = letters // 2
    return text[: letters - tail] + "…" + text[len(text) - tail :]


def _color(name: str) -> tuple[int, ...]:
    try:
        return ImageColor.getrgb(name)
    except ValueError as error:
        raise UsageError(f"border {name!r} is not the name of a color") from error
