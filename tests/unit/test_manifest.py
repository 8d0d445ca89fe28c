from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simsearch.errors import DamagedError
from simsearch.manifest import (
    MANIFEST_NAME,
    Manifest,
    PartFile,
    checksum,
    read_manifest,
    replacing,
    write_atomically,
    write_manifest,
)

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def index_file(folder: Path, content: bytes = b"vectors") -> PartFile:
    path = folder / "vectors-00000003.npy"
    path.write_bytes(content)
    return PartFile.of(path)


def manifest(folder: Path) -> Manifest:
    return Manifest(3, 17, 5, {"rows": index_file(folder)}, {"kind": "flat"}, {"recall": 0.99}, "d")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"first")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there_and_nothing_else(
    new: bool, failure: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    if not new:
        path.write_bytes(b"first")
    with pytest.raises(failure), replacing(path, new=new) as temporary:
        temporary.write_bytes(b"half")
        assert temporary.parent == tmp_path
        assert temporary.match(".*.tmp")
        raise failure
    assert names(tmp_path) == ([] if new else ["file"])
    if not new:
        assert path.read_bytes() == b"first"


def test_a_new_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path, new=True) as temporary:
        temporary.write_bytes(b"first")
        assert not path.exists()
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["file"]


def test_a_new_file_does_not_replace_one_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first")
    with pytest.raises(FileExistsError), replacing(path, new=True) as temporary:
        temporary.write_bytes(b"second")
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_does_not_replace_one_that_came_meanwhile(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    path = tmp_path / "file"
    with pytest.raises(FileExistsError), replacing(path, new=True) as temporary:
        temporary.write_bytes(b"second")
        path.write_bytes(b"first")
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["file"]


def test_a_new_file_needs_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "hardlink_to", no_links)
    with replacing(tmp_path / "file", new=True) as temporary:
        temporary.write_bytes(b"first")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert names(tmp_path) == ["file"]


def no_links(path: Path, target: Path) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_the_checksum_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert checksum(tmp_path / "file") == EMPTY_SHA256


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    written = manifest(tmp_path)
    write_manifest(tmp_path, written)
    assert read_manifest(tmp_path) == written
    index = written.files["rows"]
    assert (index.name, index.size) == ("vectors-00000003.npy", 7)
    assert index.verify(tmp_path) == index.verify(tmp_path, thorough=True) == tmp_path / index.name


def test_another_size_is_damage(tmp_path: Path) -> None:
    index = index_file(tmp_path)
    (tmp_path / index.name).write_bytes(b"vector")
    with pytest.raises(DamagedError, match="6 bytes instead of 7"):
        index.verify(tmp_path)


def test_other_bytes_of_the_same_size_are_damage(tmp_path: Path) -> None:
    index = index_file(tmp_path)
    path = tmp_path / index.name
    path.write_bytes(b"VECTORS")
    os.utime(path, ns=(index.mtime_ns + 10_000_000, index.mtime_ns + 10_000_000))
    with pytest.raises(DamagedError, match="checksum differs"):
        index.verify(tmp_path)


def test_bytes_that_changed_behind_the_same_time_are_found_when_thorough(tmp_path: Path) -> None:
    index = index_file(tmp_path)
    path = tmp_path / index.name
    with path.open("r+b") as stream:
        stream.write(b"V")
    os.utime(path, ns=(index.mtime_ns, index.mtime_ns))
    assert index.verify(tmp_path) == path
    with pytest.raises(DamagedError, match="checksum differs"):
        index.verify(tmp_path, thorough=True)


def test_a_copy_with_another_inode_and_time_is_good_if_its_bytes_are(tmp_path: Path) -> None:
    index = index_file(tmp_path)
    path = tmp_path / index.name
    path.rename(tmp_path / "old")
    path.write_bytes(b"vectors")
    assert index.verify(tmp_path) == path
    path.write_bytes(b"vectorz")
    with pytest.raises(DamagedError, match="checksum differs"):
        index.verify(tmp_path)


def test_a_missing_file_and_a_folder_in_its_place_are_damage(tmp_path: Path) -> None:
    index = index_file(tmp_path)
    path = tmp_path / index.name
    path.unlink()
    with pytest.raises(DamagedError, match="No such file"):
        index.verify(tmp_path)
    path.mkdir()
    with pytest.raises(DamagedError):
        replace(index, size=path.stat().st_size).verify(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"format": 2}', b'{"format": 2, "files": 3}']
)
def test_what_is_no_manifest_is_damage(content: bytes, tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_bytes(content)
    with pytest.raises(DamagedError, match="not a manifest"):
        read_manifest(tmp_path)


def edited(folder: Path, **changes: Any) -> None:
    write_manifest(folder, manifest(folder))
    path = folder / MANIFEST_NAME
    document = json.loads(path.read_bytes())
    part = document if document.keys() & changes.keys() else document["files"]["rows"]
    part |= changes
    path.write_text(json.dumps(document))


def test_another_format_is_told(tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest(tmp_path))
    path = tmp_path / MANIFEST_NAME
    path.write_text(path.read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(DamagedError, match="format 3, this simsearch reads 2"):
        read_manifest(tmp_path)


def test_the_older_format_names_no_files_that_can_be_used(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_text('{"format": 1, "index": {}}')
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize("name", ["", ".", "..", "../other", "/etc/passwd", "a/b", "a\0b", "a/"])
def test_a_name_outside_the_folder_is_damage(name: str, tmp_path: Path) -> None:
    edited(tmp_path, name=name)
    with pytest.raises(DamagedError, match="not a file name in this folder"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("name", 3, "str"),
        ("chosen", ["flat"], "dict"),
        ("generation", "3", "int"),
        ("count", True, "int"),
        ("size", 7.0, "int"),
        ("sha256", None, "str"),
    ],
)
def test_a_field_of_another_type_is_damage(field: str, value: object, kind: str, tmp_path: Path) -> None:
    edited(tmp_path, **{field: value})
    with pytest.raises(DamagedError, match=f"{field} is .* not of type {kind}"):
        read_manifest(tmp_path)


def test_a_field_too_many_is_damage(tmp_path: Path) -> None:
    edited(tmp_path, colour="red")
    with pytest.raises(DamagedError, match="colour"):
        read_manifest(tmp_path)
