"""The report of a plan: what stands in a plan is on its pages, safely, and each copy is outlined on what is kept."""

from __future__ import annotations

import base64
import io
import os
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from removals import keep, plan_of, put, remove, state
from scenes import scene

from simsearch.duplicates.removal.plan import Group, Plan, PlannedFile, TakenOver, Transformation
from simsearch.duplicates.report import writing
from simsearch.duplicates.report.names import shown, size_shown
from simsearch.duplicates.report.pictures import SIDE, Thumbnail, drawn, outline
from simsearch.duplicates.report.wording import compared
from simsearch.duplicates.report.writing import is_report, write_report
from simsearch.errors import UsageError

IDENTITY: Transformation = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
NO_ENCODING = [os.fsdecode(b"caf\xe9.png")] if sys.platform == "linux" else []
"""A name in bytes of no encoding, which only Linux has."""
VOID = {"meta", "img", "br", "image", "use", "polygon", "circle"}


class Page(HTMLParser):
    """A page that was parsed: its text, and its elements with their attributes. Raises AssertionError where elements
    are not closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def picture(path: Path, image: Image.Image) -> Path:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return put(path, stream.getvalue())


def report_of(plan: Plan, tmp_path: Path) -> Page:
    (page,) = write_report(plan, tmp_path / "report.html")
    return Page(page.read_text(encoding="utf-8"))


def test_a_copy_is_outlined_on_the_kept_picture(tmp_path: Path) -> None:
    kept = picture(tmp_path / "in" / "kept.png", scene(1))
    cut = picture(tmp_path / "in" / "cut.png", scene(1).crop((120, 90, 360, 270)))
    matrix = ((1.0, 0.0, -120.0), (0.0, 1.0, -90.0))
    copy = replace(remove(cut), kind="cropped", score=0.91, transformation=matrix, overlap=(0.25, 1.0))
    page = report_of(plan_of(tmp_path / "in", [keep(kept), copy]), tmp_path)
    (polygon,) = page.all("polygon")
    points = np.array([[float(n) for n in pair.split(",")] for pair in (polygon["points"] or "").split()])
    scale = SIDE / 480
    np.testing.assert_allclose(points, np.array([[120, 90], [360, 90], [360, 270], [120, 270]]) * scale, atol=0.5)
    assert "cropped · score 0.91 · shows 25% of the kept one" in page.text
    (image,) = page.all("image")
    assert [use["href"] for use in page.all("use")] == [f"#{image['id']}"]
    small = Image.open(io.BytesIO(base64.b64decode((image["href"] or "").partition(",")[2])))
    assert small.size == (SIDE, 225) and small.format == "JPEG"
    assert len(page.all("img")) == 2


@pytest.mark.parametrize(
    ("edit", "matrix", "corner"),
    [
        (ImageOps.mirror, ((-1.0, 0.0, 479.0), (0.0, 1.0, 0.0)), (SIDE, 0)),
        (lambda p: p.rotate(180), ((-1.0, 0.0, 479.0), (0.0, -1.0, 359.0)), (SIDE, 225)),
        (lambda p: p, (*IDENTITY, (0.0, 0.0, 1.0)), (0, 0)),
    ],
)
def test_the_upper_left_corner_of_a_copy_is_marked(tmp_path: Path, edit, matrix: Transformation, corner) -> None:
    kept, copy = (
        Thumbnail.of(str(picture(tmp_path / f"{n}.png", p))) for n, p in enumerate((scene(1), edit(scene(1))))
    )
    corners = outline(kept, copy, matrix)
    assert corners is not None
    np.testing.assert_allclose(corners[0], corner, atol=0.01)
    x, y = (float(found) for found in re.findall(r'c[xy]="([-\d.]+)"', drawn(kept, "kept", corners)))
    assert (x, y) == pytest.approx(corner, abs=0.06)


@pytest.mark.parametrize("matrix", [((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), ((1.0, 0.0, float("inf")), (0.0, 1.0, 0.0))])
def test_a_transformation_that_cannot_be_turned_around_has_no_outline(tmp_path: Path, matrix: Transformation) -> None:
    one = Thumbnail.of(str(picture(tmp_path / "a.png", scene(1))))
    assert outline(one, one, matrix) is None


def test_an_outline_far_outside_is_cut_off(tmp_path: Path) -> None:
    one = Thumbnail.of(str(picture(tmp_path / "a.png", scene(1))))
    far = outline(one, one, ((0.001, 0.0, 0.0), (0.0, 0.001, 0.0)))
    assert far is not None and far.max() > 100_000
    box = [float(n) for n in (re.search(r'viewBox="([^"]+)"', drawn(one, "kept", far)) or [""])[1].split()]
    assert max(map(abs, box)) < 4 * SIDE


def test_names_are_text_whatever_they_hold(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    posix = ["<img src=x onerror=alert(1)>.png", 'a"b&c.png', "\u202egnp.exe.png"]
    names = [*(posix if os.name == "posix" else ["a&b.png"]), *NO_ENCODING]
    copies = [remove(picture(folder / name, scene(1))) for name in names]
    sidecar = put(folder / "kept.xmp", b"<x/>")
    kept = keep(picture(folder / "kept.png", scene(1)), sidecar)
    plan = plan_of(folder, [kept, *copies])
    page = report_of(plan, tmp_path)
    if os.name == "posix":
        assert "<img src=x onerror=alert(1)>.png" in page.text and "\\u{202e}gnp.exe.png" in page.text
    assert ("caf\\xe9.png" in page.text) == bool(NO_ENCODING)
    assert not page.all("script")
    assert {key for _, attributes in page.elements for key in attributes if key.startswith("on")} == set()
    assert all((image["src"] or "").startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert [meta["content"] for meta in page.all("meta") if meta.get("http-equiv")] == [writing.POLICY]
    assert "default-src 'none'" in writing.POLICY and "script" not in writing.POLICY
    assert f"{sidecar.name} (sidecar, 4 bytes)" in page.text


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    gone, broken = picture(tmp_path / "in" / "gone.png", scene(2)), put(tmp_path / "in" / "broken.png")
    copies = [remove(gone), remove(broken)]
    plan = plan_of(tmp_path / "in", [keep(picture(tmp_path / "in" / "k.png", scene(1))), *copies])
    gone.unlink()
    page = report_of(plan, tmp_path)
    assert page.text.count("cannot be shown: ") == 2 and len(page.all("img")) == 1


def test_totals_companions_and_what_is_taken_over_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    kept, copy = picture(folder / "kept.png", scene(1)), picture(folder / "copy.png", scene(1))
    raw, linked = put(folder / "copy.xmp", b"x" * 90), picture(folder / "linked.png", scene(1))
    (folder / "other name.png").hardlink_to(linked)
    near = PlannedFile(state(picture(folder / "near.png", scene(2))), "leave", "not proved", "near", 0.4)
    files = (keep(kept), remove(copy, raw), remove(linked), near)
    taken = (TakenOver(str(copy), "label", "<b>"), TakenOver(str(copy), "metadata", 7, "stars"))
    plan = replace(plan_of(folder), groups=(Group(1, files, (*taken, TakenOver(str(copy), "example", "Ana")), True),))
    page = report_of(plan, tmp_path)
    freed = copy.stat().st_size + 90
    for told in (
        "1 group",
        "3 files to be removed",
        f"{size_shown(freed)} freed",
        "1 left for you to decide",
        "one of 2 hard links: its removal frees nothing",
        "the label <b>, from copy.png",
        "stars = 7, from copy.png",
        "being an enrolled example of Ana",
        "Goes with it:copy.xmp (sidecar, 90 bytes)",
        "also a copy of a file outside of this group",
        "Stays near · score 0.40",
    ):
        assert told in page.text


def test_texts_are_compared_word_by_word(tmp_path: Path) -> None:
    kept, copy = (
        put(tmp_path / "in" / "a.txt", b"a red car\r\nin 1998"),
        put(tmp_path / "in" / "b.txt", b"a red <b>bus\nin 1998"),
    )
    page = report_of(plan_of(tmp_path / "in", [keep(kept), remove(copy)]), tmp_path)
    assert "a red car\nin 1998" in page.text
    assert compared("a red car", "a red <b>bus") == (
        "<blockquote>a red <del>car</del><ins>&lt;b&gt;bus</ins></blockquote>"
    )
    assert compared("one two", "one two") == "<blockquote>one two</blockquote>"
    assert compared("one two", "one") == "<blockquote>one<del> two</del></blockquote>"


def test_many_groups_become_several_pages_and_old_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "FILES", 4)
    groups = [[keep(put(tmp_path / "in" / f"{n}a.txt")), remove(put(tmp_path / "in" / f"{n}b.txt"))] for n in range(5)]
    pages = write_report(plan_of(tmp_path / "in", *groups), tmp_path / "report.html")
    assert [page.name for page in pages] == ["report.html", "report-2.html", "report-3.html"]
    parsed = [Page(page.read_text(encoding="utf-8")) for page in pages]
    assert [len(page.all("section")) for page in parsed] == [2, 2, 1]
    assert {link["href"] for link in parsed[1].all("a") if (link["href"] or "").startswith("./")} == {
        f"./{page.name}" for page in pages
    }
    assert "5 groups" in parsed[2].text
    assert len(write_report(plan_of(tmp_path / "in", groups[0]), tmp_path / "report.html")) == 1
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["report.html"]


def test_a_large_group_is_folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simsearch.duplicates.report.groups.OPEN", 2)
    copies = [remove(put(tmp_path / "in" / f"{n}.txt")) for n in range(4)]
    page = report_of(plan_of(tmp_path / "in", [keep(put(tmp_path / "in" / "k.txt")), *copies]), tmp_path)
    assert "2 more files" in page.text and len(page.all("article")) == 5


def test_nothing_but_a_report_is_replaced(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "in", [keep(put(tmp_path / "in" / "a.txt")), remove(put(tmp_path / "in" / "b.txt"))])
    mine = put(tmp_path / "mine.html", b"<p>mine</p>")
    with pytest.raises(UsageError, match=r"mine\.html"):
        write_report(plan, mine)
    assert mine.read_bytes() == b"<p>mine</p>"
    with pytest.raises(UsageError, match=r"\.html"):
        write_report(plan, tmp_path / "report.txt")
    (page,) = write_report(plan, tmp_path / "report.html")
    assert is_report(page)
    assert write_report(plan, page) == (page,)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "mine.html", "report.html"]


def test_a_plan_without_groups_has_a_report(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.txt")
    assert "0 groups" in report_of(plan_of(tmp_path / "in"), tmp_path).text


def test_sizes_have_three_digits() -> None:
    assert [size_shown(n) for n in (0, 1, 999, 1000, 12_345, 123_456, 999_999, 5_000_000_000)] == [
        "0 bytes",
        "1 byte",
        "999 bytes",
        "1.00 kB",
        "12.3 kB",
        "123 kB",
        "1.00 MB",
        "5.00 GB",
    ]
    assert shown("a\tb\x00") == "a\\u{9}b\\u{0}"
