"""Pictures that are blank or incomplete: indexed with a remark, and enrolled only when that makes sense."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from simsearch.cli.output import LISTED, print_remarks, print_skipped
from simsearch.collection import Collection
from simsearch.types import Remark, Skip


@pytest.fixture
def collection(tmp_path, tiny) -> Iterator[Collection]:
    with Collection.create(tmp_path / "indexes" / "gallery", tiny) as made:
        yield made


@pytest.fixture
def pages(tmp_path, image) -> Path:
    """A whole picture, one without its end, one with a quarter of it, and two that are blank in their own ways."""
    folder = tmp_path / "pages"
    folder.mkdir()
    stream = io.BytesIO()
    image(3).resize((240, 200)).save(stream, "JPEG", quality=95)
    content = stream.getvalue()
    (folder / "whole.jpg").write_bytes(content)
    (folder / "cut.jpg").write_bytes(content[:-2])
    (folder / "rest.jpg").write_bytes(content[: len(content) // 4])
    Image.new("RGB", (30, 30), "white").save(folder / "white.png")
    Image.new("RGBA", (30, 30), (255, 0, 0, 0)).save(folder / "clear.png")
    return folder


def by_name(remarks: tuple[Remark, ...]) -> dict[str, str]:
    return {Path(one.path).name: one.text for one in remarks}


def test_what_is_there_is_indexed_and_what_is_missing_is_said_once(collection, pages):
    report = collection.add(pages)
    assert (report.added, [Path(skip.path).name for skip in report.skipped]) == (4, ["rest.jpg"])
    assert "% of it is missing" in report.skipped[0].reason
    assert by_name(report.remarks) == {
        "cut.jpg": "incomplete: the end of the file is missing",
        "white.png": "blank: there is nothing to see",
        "clear.png": "blank: there is nothing to see",
    }
    assert [Path(match.item.uri).name for match in collection.query(pages / "whole.jpg", k=2)] == [
        "cut.jpg",
        "whole.jpg",
    ]
    assert collection.add(pages).remarks == ()


def test_strict_skips_what_is_incomplete(collection, pages):
    report = collection.add(pages, strict=True)
    assert (report.added, sorted(Path(skip.path).name for skip in report.skipped)) == (3, ["cut.jpg", "rest.jpg"])
    assert collection.add(pages).added == 1


def test_a_blank_picture_is_an_example_only_by_force(collection, pages, gallery):
    collection.add(pages)
    refused = collection.enroll("Ana", [pages / "white.png", Image.new("L", (9, 9)), pages / "whole.jpg"])
    assert (refused.added, len(refused.skipped)) == (1, 2)
    assert refused.skipped[0].reason == "blank: there is nothing to see; --force (force=True) enrolls it"
    assert collection.enroll("Ana", [pages / "white.png"], force=True).added == 1
    folders = gallery.parent / "people"
    (folders / "Bo").mkdir(parents=True)
    (pages / "clear.png").rename(folders / "Bo" / "clear.png")
    assert collection.enroll_folders(folders).labels["Bo"].added == 0
    assert collection.enroll_folders(folders, force=True).labels["Bo"].added == 1
    collection.reindex(collection.encoder)
    assert collection.labels() == {"Ana": 2, "Bo": 1}


def test_many_of_one_reason_are_one_line(capsys):
    some = [Skip(f"/{number}.txt", "not an image (.txt)") for number in range(LISTED)]
    print_skipped([*some, Skip("/x.pdf", "not an image (.pdf)")])
    assert len(capsys.readouterr().err.splitlines()) == LISTED + 1
    print_skipped([*some, Skip("/last.txt", "not an image (.txt)"), Skip("/x.pdf", "not an image (.pdf)")])
    assert capsys.readouterr().err.splitlines() == [
        "skipped /0.txt and 20 more: not an image (.txt)",
        "skipped /x.pdf: not an image (.pdf)",
    ]
    print_remarks([Remark("/a", "cut"), Remark("/b", "blank"), Remark("/c", "cut", 99)])
    assert capsys.readouterr().err.splitlines() == ["/a and 99 more: cut", "/b: blank"]
