"""Contact sheets show each picture in its place and never fail for one that is broken."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from simsearch.errors import SimsearchError, UsageError
from simsearch.media.sheets import SheetRow, Tile, _shortened, contact_sheet, save_sheet

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


@given(st.text(max_size=200), st.integers(20, 300))
@settings(max_examples=80, deadline=None)
def test_shortened_text_fits_and_keeps_both_ends(text: str, width: int) -> None:
    font = ImageFont.load_default(size=13)
    short = _shortened(text, width, font)
    assert short.isprintable()
    assert font.getlength(short) <= width
    plain = text.isascii() and text.isprintable()
    if plain and font.getlength(text) <= width:
        assert short == text
    elif plain and "…" in short:
        start, _, end = short.partition("…")
        assert text.startswith(start)
        assert text.endswith(end)
        assert 0 <= len(start) - len(end) <= 1


def test_accents_are_dropped_but_not_their_letters() -> None:
    assert _shortened("Zoë\u0301 Ångström", 500, ImageFont.load_default(size=13)) == "Zoe Angstrom"


def test_nothing_and_too_much() -> None:
    for rows in ([], [SheetRow("title", ())]):
        with pytest.raises(UsageError, match=r"^a contact sheet needs at least one image"):
            contact_sheet(rows)
    with pytest.raises(UsageError, match="too large"):
        contact_sheet([SheetRow("", (Tile(None),))] * 300)


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
