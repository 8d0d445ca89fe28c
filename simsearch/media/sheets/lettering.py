"""Lettering in any script: each character in the first font that has it, else as its escape."""

from __future__ import annotations

import importlib.util
import os
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import ImageFont as BitmapFont

    Font: TypeAlias = FreeTypeFont | BitmapFont

FONT_SUFFIXES = (".ttf", ".otf", ".ttc")
FAVORED = ("notosans", "dejavusans", "arialunicode", "segoeui", "msyh", "yugoth", "malgun", "pingfang", "hiragino")
"""Fonts of many letters, tried before others."""
PLACEHOLDERS = ("lastresort", "adobeblank", "adobenotdef")
"""Fonts that draw the same for every character, or nothing."""
MOST_FONTS = 300
"""How many fonts are looked through for a letter."""
_STYLES = ("bold", "italic", "oblique", "mono", "condensed", "light", "thin", "black", "serif")
_NOWHERE = "\U0010ffff"
"""A character that no font has, drawn as all that a font lacks."""


def font_folders() -> list[Path]:
    """Where the fonts of this system and of its user are, and those that matplotlib brings, if it is installed."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  (unlike Path.home it never fails)
    if sys.platform == "win32":
        places = [
            Path(os.environ.get("WINDIR", r"C:\Windows"), "Fonts"),
            home / "AppData/Local/Microsoft/Windows/Fonts",
        ]
    elif sys.platform == "darwin":
        places = [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    else:
        shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
        own = os.environ.get("XDG_DATA_HOME") or home / ".local/share"
        places = [Path(own, "fonts"), home / ".fonts", *(Path(place, "fonts") for place in shared.split(":") if place)]
    plots = importlib.util.find_spec("matplotlib")
    if plots is not None and plots.origin is not None:
        places.append(Path(plots.origin).parent / "mpl-data/fonts/ttf")
    return places


class Lettering:
    """Text of one size. Fonts are looked for when a character is not in Pillow's own, which has those of English."""

    def __init__(self, size: int, folders: Sequence[Path] | None = None) -> None:
        self.size = size
        self._folders = folders
        self._fonts: list[Font] = [ImageFont.load_default(size=size)]
        self._others: Iterator[Font] | None = None
        self._font_of: dict[str, Font | None] = {}
        self._lacking: dict[int, bytes] = {}

    def width(self, text: str) -> float:
        """The width of a line in pixels."""
        return sum(font.getlength(part) for font, part in self._runs(text))

    def draw(self, draw: ImageDraw, corner: tuple[float, float], text: str, fill: str) -> None:
        """Draws a line of text below and to the right of the corner."""
        left, top = corner
        base = top + self.size
        for font, part in self._runs(text):
            draw.text((left, base), part, fill=fill, font=font, anchor="ls" if isinstance(font, FreeTypeFont) else None)
            left += font.getlength(part)

    def shown(self, text: str) -> str:
        """The text with all that can be drawn: letters that no font has lose their accents, or are escaped."""
        return "".join(map(self._shown, unicodedata.normalize("NFC", text)))

    def _shown(self, character: str) -> str:
        if character.isprintable() and self._find(character) is not None:
            return character
        plain = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
        if plain and plain != character and all(part.isprintable() and self._find(part) for part in plain):
            return plain
        return character.encode("unicode_escape", "backslashreplace").decode("ascii")

    def _runs(self, text: str) -> Iterator[tuple[Font, str]]:
        """The text in parts of one font each."""
        for _, run in groupby(text, key=lambda character: id(self._find(character))):
            part = "".join(run)
            yield self._find(part[0]) or self._fonts[0], part

    def _find(self, character: str) -> Font | None:
        """The first font that has the character; remembered."""
        if character not in self._font_of:
            self._font_of[character] = next((font for font in self._all_fonts() if self._has(font, character)), None)
        return self._font_of[character]

    def _all_fonts(self) -> Iterator[Font]:
        yield from self._fonts
        if self._others is None:
            self._others = _installed(self.size, font_folders() if self._folders is None else self._folders)
        for font in self._others:
            self._fonts.append(font)
            yield font

    def _has(self, font: Font, character: str) -> bool:
        if character == " ":
            return True
        if id(font) not in self._lacking:
            self._lacking[id(font)] = _drawn(font, _NOWHERE)
        return _drawn(font, character) != self._lacking[id(font)]


def _drawn(font: Font, character: str) -> bytes:
    mask = font.getmask(character)
    return bytes(f"{mask.size}", "ascii") + bytes(mask)


def _installed(size: int, folders: Sequence[Path]) -> Iterator[Font]:
    """The fonts in folders that can be opened, those with many letters first."""
    paths = [
        Path(root, name)
        for folder in folders
        for root, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(FONT_SUFFIXES) and not name.lower().startswith(PLACEHOLDERS)
    ]
    for path in sorted(paths, key=_order)[:MOST_FONTS]:
        try:
            yield ImageFont.truetype(path, size)
        except (OSError, ValueError):
            # A font of pictures in one size only, or a damaged one.
            continue


def _order(path: Path) -> tuple[bool, int, str]:
    name = path.name.lower().replace("-", "").replace(" ", "").replace("_", "")
    place = next((number for number, favored in enumerate(FAVORED) if name.startswith(favored)), len(FAVORED))
    return any(style in name for style in _STYLES), place, str(path)
