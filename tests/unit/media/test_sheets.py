"""Contact sheets show each picture in its place and never fail for one that is broken."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from simsearch.errors import SimsearchError, UsageError
from simsearch.media.sheets import SheetRow, Tile, contact_sheet, contact_sheets, save_sheet, save_sheets
from simsearch.media.sheets.drawing import PAGE_HEIGHT, PER_LINE, _shortened, _wrapped
from simsearch.media.sheets.lettering import Lettering, font_folders

RED, GREEN, BLUE, GREY, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (221, 221, 221), (255, 255, 255)


def content(color: tuple[int, int, int], size: tuple[int, int] = (30, 30)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, "PNG")
    return stream.getvalue()


def area(sheet: Image.Image, color: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of all pixels of a color, the last two included."""
    rows, columns = np.nonzero((np.asarray(sheet) == color).all(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def test_pictures_stand_in_their_places() -> None:
    row = SheetRow(
        "title", (Tile(content(RED), ("query",)), Tile(content(GREEN)), Tile(Image.new("RGB", (9, 9), BLUE)))
    )
    sheet = contact_sheet([row], tile=50)
    assert sheet.mode == "RGB"
    places = [area(sheet, color) for color in (RED, GREEN, BLUE)]
    for left, top, right, bottom in places:
        assert (right - left, bottom - top) == (49, 49)
        assert top == places[0][1]
    apart = [places[1][0] - places[0][2], places[2][0] - places[1][2]]
    assert apart[0] > apart[1] > 0, "the query stands apart"
    assert places[2][2] < sheet.width


def test_rows_stand_below_each_other() -> None:
    rows = [SheetRow("one", (Tile(content(RED), ("a", "b")),)), SheetRow("", (Tile(content(BLUE), ("c",)),))]
    sheet = contact_sheet(rows, tile=40)
    assert area(sheet, BLUE)[1] > area(sheet, RED)[3] + 2 * 11
    assert area(sheet, BLUE)[3] < sheet.height


def test_borders_surround_the_tile() -> None:
    sheet = contact_sheet([SheetRow("", (Tile(content(BLUE, (30, 15)), (), "red"),))], tile=40)
    frame, picture = area(sheet, RED), area(sheet, BLUE)
    assert (frame[2] - frame[0], frame[3] - frame[1]) == (47, 47)
    assert (picture[2] - picture[0], picture[3] - picture[1]) == (39, 19)
    assert frame[0] == picture[0] - 4
    assert abs((picture[1] - frame[1]) - (frame[3] - picture[3])) <= 1
    with pytest.raises(UsageError, match="'reddish' is not the name of a color"):
        contact_sheet([SheetRow("", (Tile(content(BLUE), (), "reddish"),))])


@pytest.mark.parametrize("broken", [None, b"", b"no picture at all", content(RED, (90, 90))[:60]])
def test_unreadable_pictures_become_gray_tiles_with_a_reason(broken: bytes | None) -> None:
    sheet = contact_sheet([SheetRow("", (Tile(content(BLUE)), Tile(broken)))], tile=120)
    left, top, right, bottom = area(sheet, GREY)
    assert (right - left, bottom - top) == (119, 119)
    tile = np.asarray(sheet)[top : bottom + 1, left : right + 1]
    assert 20 < (tile.max(axis=2) < 100).sum() < 3000, "some of it is text"
    assert area(sheet, BLUE)[2] < left


def test_captions_stay_within_their_tile() -> None:
    captions = ("x" * 500, "a/very/long/path\nwith a line break and \udcff.png", "é \x07 日本")
    tiles = (Tile(content(BLUE)), Tile(content(GREEN), captions), Tile(content(RED)))
    with_text = np.asarray(contact_sheet([SheetRow("", tiles)], tile=60)).astype(int)
    bare = (tiles[0], Tile(content(GREEN), ("", "", "")), tiles[2])
    without = np.asarray(contact_sheet([SheetRow("", bare)], tile=60)).astype(int)
    changed = np.nonzero((with_text != without).any(axis=(0, 2)))[0]
    left, _, right, bottom = area(Image.fromarray(without.astype(np.uint8)), GREEN)
    assert left - 4 <= changed.min() < changed.max() <= right + 5
    assert np.nonzero((with_text != without).any(axis=(1, 2)))[0].min() > bottom


OWN = Lettering(13, [])
"""Without any font but Pillow's OWN."""


@pytest.fixture(scope="module")
def dejavu() -> Lettering:
    """With the fonts that come with matplotlib: Latin, Greek, Cyrillic and Arabic, but no Chinese."""
    import matplotlib

    return Lettering(13, [Path(matplotlib.__file__).parent / "mpl-data" / "fonts" / "ttf"])


@given(text=st.text(max_size=200), width=st.integers(20, 300))
@settings(max_examples=80, deadline=None)
def test_shortened_text_fits_and_keeps_both_ends(text: str, width: int) -> None:
    short = _shortened(text, width, OWN)
    assert short.isprintable()
    assert OWN.width(short) <= width
    plain = text.isascii() and text.isprintable()
    if plain and OWN.width(text) <= width:
        assert short == text
    elif plain and "…" in short:
        start, _, end = short.partition("…")
        assert text.startswith(start)
        assert text.endswith(end)
        assert 0 <= len(start) - len(end) <= 1


def test_letters_that_no_font_has_lose_their_accents_or_are_escaped() -> None:
    assert OWN.shown("Zoe\u0308 Ångström") == "Zoe Angstrom"
    assert OWN.shown("日本.png") == r"\u65e5\u672c.png"
    assert OWN.shown("new\nline \udcff \x07") == r"new\nline \udcff \x07"


def test_letters_are_taken_from_the_first_font_that_has_them(dejavu: Lettering) -> None:
    for text in ("Zoë Ångström", "Жанна", "ελληνικά", "صورة"):
        assert dejavu.shown(text) == text
        assert dejavu.width(text) > 0
        assert OWN.shown(text) != text
    assert dejavu.shown("Жанна 日本") == r"Жанна \u65e5\u672c", "no placeholder stands for a letter"
    sheet = Image.new("RGB", (200, 30), "white")
    mixed = "abc Жанна abc"
    dejavu.draw(ImageDraw.Draw(sheet), (5, 5), mixed, "#000000")
    left, top, right, bottom = area(sheet, (0, 0, 0))
    assert left >= 5 and right <= 5 + dejavu.width(mixed) + 1
    assert top >= 5 and bottom < 25


def test_fonts_are_looked_for_only_when_a_letter_needs_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []
    monkeypatch.setattr("simsearch.media.sheets.lettering.font_folders", lambda: asked.append(1) or [tmp_path])
    letters = Lettering(13)
    assert letters.shown("plain.png") == "plain.png"
    assert asked == []
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    assert letters.shown("Ж日Ж") == r"\u0416\u65e5\u0416"
    assert asked == [1]


def test_the_places_of_fonts_are_folders_of_this_system() -> None:
    assert any(folder.is_dir() for folder in font_folders()), "matplotlib's at the least"


def test_words_are_drawn_in_lines_that_fit() -> None:
    lines = _wrapped("a red dress with a very-long-word-" + "x" * 60, 100, OWN)
    assert "".join(lines).replace(" ", "") == "areddresswithavery-long-word-" + "x" * 60
    assert max(map(OWN.width, lines)) <= 100
    blank, sheet = (contact_sheet([SheetRow("", (Tile(words),))], tile=120) for words in ("", "a red dress " * 60))
    paper = np.asarray(blank)[20, 20]
    assert (np.asarray(blank) == paper).all(axis=2).sum() == 120 * 120
    changed = np.argwhere((np.asarray(sheet) != np.asarray(blank)).any(axis=2))
    assert len(changed) > 300
    assert changed.min() >= 12 + 4 and changed.max() < 12 + 4 + 120, "the words stay in their tile"


def test_rows_are_wrapped_and_the_query_stays_apart() -> None:
    tiles = (Tile(content(RED)), *[Tile(content(GREEN))] * 9, Tile(content(BLUE)), Tile(content(BLUE)))
    sheet = contact_sheet([SheetRow("", tiles)], tile=30)
    assert sheet.width == contact_sheet([SheetRow("", tiles[: PER_LINE + 1])], tile=30).width
    left, top, _, bottom = area(sheet, BLUE)
    assert (left, top) == (area(sheet, GREEN)[0], area(sheet, RED)[1]), "the last of the first line, one of the second"
    assert bottom > area(sheet, GREEN)[3]
    hundred = contact_sheet([SheetRow("", (Tile(content(RED)), *[Tile(content(BLUE))] * 100))])
    assert hundred.width < 2_100


def test_many_rows_are_pages(tmp_path: Path) -> None:
    rows = [SheetRow(str(number), (Tile(content(RED)), Tile(content(BLUE)))) for number in range(60)]
    pages = contact_sheets(rows)
    assert len(pages) == 3
    assert all(page.height <= PAGE_HEIGHT for page in pages)
    together = contact_sheet(rows)
    assert sum(page.height - 24 for page in pages) == together.height - 24
    files = save_sheets(pages, tmp_path / "sheet.png")
    assert [file.name for file in files] == ["sheet-1.png", "sheet-2.png", "sheet-3.png"]
    for file, page in zip(files, pages, strict=True):
        with Image.open(file) as opened:
            assert opened.size == page.size
    assert save_sheets(pages, tmp_path / "sheet.pdf") == [tmp_path / "sheet.pdf"]
    assert (tmp_path / "sheet.pdf").read_bytes().count(b"/Type /Page\n") == 3
    assert save_sheets(pages[:1], tmp_path / "one.png") == [tmp_path / "one.png"]


def test_nothing_and_too_much() -> None:
    for rows in ([], [SheetRow("title", ())]):
        with pytest.raises(UsageError, match=r"^a contact sheet needs at least one image"):
            contact_sheet(rows)
    with pytest.raises(UsageError, match="too large"):
        contact_sheet([SheetRow("", (Tile(None),))] * 300)
    with pytest.raises(UsageError, match="tile is 0; give the pixels of the side of a tile"):
        contact_sheet([SheetRow("", (Tile(None),))], tile=0)


@pytest.mark.parametrize(("suffix", "name"), [(".png", "PNG"), (".JPG", "JPEG"), (".webp", "WEBP"), (".tif", "TIFF")])
def test_saving(tmp_path: Path, suffix: str, name: str) -> None:
    sheet = contact_sheet([SheetRow("", (Tile(content(RED)),))])
    path = tmp_path / f"sheet{suffix}"
    # A sheet is replaced by another one.
    for _ in range(2):
        save_sheet(sheet, path)
    with Image.open(path) as opened:
        assert (opened.format, opened.size) == (name, sheet.size)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".pdf"])
def test_only_a_sheet_is_replaced_by_a_sheet(tmp_path: Path, suffix: str) -> None:
    path, sheet = tmp_path / f"photo{suffix}", Image.new("RGB", (8, 8))
    sheet.save(path)
    before = path.read_bytes()
    with pytest.raises(
        UsageError, match=r"exists and is not a contact sheet by simsearch; give another name, or --force"
    ):
        save_sheet(sheet, path)
    assert path.read_bytes() == before
    save_sheet(sheet, path, force=True)
    assert path.read_bytes() != before
    save_sheet(sheet, path)


def test_saving_where_it_is_not_possible(tmp_path: Path) -> None:
    sheet = Image.new("RGB", (8, 8))
    for name in ("sheet.txt", "sheet"):
        with pytest.raises(UsageError, match=r"a contact sheet cannot be .*; give a name that ends in \.png or "):
            save_sheet(sheet, tmp_path / name)
    with pytest.raises(UsageError, match=r"sheet\.png: there is no folder"):
        save_sheet(sheet, str(tmp_path / "missing" / "sheet.png"))
    with pytest.raises(SimsearchError, match="cannot be written"):
        save_sheet(Image.new("RGB", (20_000, 8)), tmp_path / "sheet.webp")
    assert list(tmp_path.iterdir()) == []
