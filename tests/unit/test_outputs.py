"""What is there and was not written by simsearch is never replaced unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsearch.collection.places import check_place
from simsearch.encoders.placing import require_place
from simsearch.errors import UsageError
from simsearch.outputs import first_foreign, require_output
from simsearch.store import Store

MARK = b"made by simsearch"


def required(path: Path, *, force: bool = False) -> None:
    require_output(path, "a thing", (".a", ".b"), MARK, force=force)


@pytest.mark.parametrize("content", [MARK, MARK + bytes(9000), bytes(9000) + MARK, b"x" * 4000 + MARK])
def test_an_output_may_be_replaced_by_an_output(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.a").write_bytes(content)
    required(tmp_path / "x.a")
    required(tmp_path / "new.B")


@pytest.mark.parametrize("content", [b"", b"a photo", bytes(9000) + MARK + bytes(9000)])
def test_anything_else_is_refused_before_the_work(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.a").write_bytes(content)
    (tmp_path / "folder.a").mkdir()
    said = r"x\.a exists and is not a thing by simsearch; give another name, or --force to replace it$"
    with pytest.raises(UsageError, match=said):
        required(tmp_path / "x.a")
    required(tmp_path / "x.a", force=True)
    for name, reason in [
        ("x.png", r"a thing cannot be \.png; give a name that ends in \.a or \.b$"),
        ("x", "a thing cannot be without suffix"),
        ("missing/x.a", "there is no folder"),
        ("folder.a", "is a folder"),
    ]:
        with pytest.raises(UsageError, match=reason):
            required(tmp_path / name, force=True)


def test_what_is_not_of_a_folder_is_named(tmp_path: Path) -> None:
    assert first_foreign(tmp_path, ()) is None
    for name in ("b.txt", "lock", "vectors-1.faiss"):
        (tmp_path / name).touch()
    assert first_foreign(tmp_path, ("lock", "vectors-*.faiss")) == "b.txt"
    assert first_foreign(tmp_path, ("lock", "*.*")) is None


ENCODER = '{"format": 2, "modality": "image", "fingerprint": "x"}'


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"out/photo.jpg": ""}, "exists; choose another name, or --overwrite"),
        ({"out/encoder.json": '{"of": "another program"}'}, "exists; choose another name, or --overwrite"),
        ({"out/encoder.json": ENCODER, "out/photo.jpg": ""}, r"holds more than an encoder \(photo\.jpg\)"),
        ({"out/encoder.json": ENCODER, "out/report/mine.txt": ""}, r"holds more than an encoder \(report/mine\.txt\)"),
        ({"out.training/photo.jpg": ""}, r"holds something else than an unfinished run \(photo\.jpg\)"),
    ],
)
def test_an_encoder_folder_with_something_else_is_not_touched(
    tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=reason):
        require_place(tmp_path / "out", tmp_path / "out.training", overwrite=True)


def test_an_encoder_is_replaced_when_that_is_asked_for(tmp_path: Path) -> None:
    folder, work = tmp_path / "out", tmp_path / "out.training"
    require_place(folder, work, overwrite=False)
    work_files = (
        "checkpoint.blocks.pt",
        "pixels2.npy",
        "features-ab12.maps.making",
        "teacher",
        ".checkpoint.pt.1.ab.tmp",
    )
    for name in ("out/report/pairs.png", "out/encoder.onnx", *(f"out.training/{name}" for name in work_files)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (folder / "encoder.json").write_text(ENCODER)
    require_place(folder, work, overwrite=True)
    with pytest.raises(UsageError, match="--overwrite to replace the encoder in it"):
        require_place(folder, work, overwrite=False)


@pytest.mark.parametrize("name", ["photo.jpg", "manifest.json", "vectors-2024.csv"])
def test_a_collection_is_not_made_among_other_files(tmp_path: Path, name: str) -> None:
    check_place(tmp_path / "new")
    check_place(tmp_path)
    Store.create(tmp_path / "collection.sqlite", {"dim": "4"}).close()
    for own in ("lock", "lock.pid", "vectors-00000001.faiss"):
        (tmp_path / own).touch()
    check_place(tmp_path)
    (tmp_path / name).write_text("{}")
    with pytest.raises(UsageError, match=rf"holds other files \({name}\); a collection needs a new or empty folder"):
        check_place(tmp_path)
