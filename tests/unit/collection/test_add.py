"""Bringing a collection up to date with files: what is added, kept, moved and removed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsearch.collection import Collection
from simsearch.encoders import open_encoder
from simsearch.errors import UsageError
from simsearch.types import AddReport, Item, Skip


@pytest.fixture
def collection(tmp_path, counting) -> Iterator[Collection]:
    with Collection.create(tmp_path / "indexes" / "gallery", counting) as made:
        yield made


def names(collection: Collection) -> list[str]:
    return sorted(Path(item.uri).name for item in collection.items())


def test_a_folder_is_indexed_once_and_then_nothing_changes(collection, counting, gallery):
    assert collection.add(gallery) == AddReport(added=8)
    assert counting.taken() == 8
    before = list(collection.items())
    assert collection.add(gallery) == AddReport(unchanged=8)
    assert counting.taken() == 0
    assert list(collection.items()) == before
    assert [item.uri for item in before] == [str(gallery / f"{n}.png") for n in range(8)]
    assert collection.check().clean


def test_new_and_changed_files_alone_are_encoded(collection, counting, gallery, draw):
    collection.add(gallery)
    ids = {item.uri: item.id for item in collection.items()}
    counting.taken()
    draw(gallery / "new.jpg", 50)
    draw(gallery / "3.png", 60, (30, 30))
    assert collection.add(gallery) == AddReport(added=1, unchanged=7, updated=1)
    assert counting.taken() == 2
    assert len(collection) == 9
    changed = collection.store.item_by_uri(str(gallery / "3.png"))
    assert changed.id == ids[changed.uri]
    assert collection.query(gallery / "3.png", 1)[0].score == pytest.approx(1, abs=1e-5)
    assert collection.check().clean


def test_a_file_with_a_new_time_and_the_same_bytes_is_not_encoded(collection, counting, gallery):
    collection.add(gallery)
    counting.taken()
    os.utime(gallery / "2.png", ns=(10**18, 10**18))
    assert collection.add(gallery) == AddReport(unchanged=8)
    assert collection.store.item_by_uri(str(gallery / "2.png")).mtime_ns == 10**18
    assert counting.taken() == 0
    assert collection.store.generation() == 1


def test_a_renamed_file_is_not_encoded_and_its_old_name_goes(collection, counting, gallery):
    collection.add(gallery)
    counting.taken()
    (gallery / "0.png").rename(gallery / "moved.png")
    assert collection.add(gallery) == AddReport(reused=1, unchanged=7, removed=1)
    assert counting.taken() == 0
    assert names(collection) == ["1.png", "2.png", "3.png", "4.png", "5.png", "6.png", "7.png", "moved.png"]
    assert collection.check().clean


def test_all_files_renamed_at_once_are_moves_and_not_a_missing_disk(collection, counting, gallery):
    collection.add(gallery)
    counting.taken()
    for number in range(8):
        (gallery / f"{number}.png").rename(gallery / f"moved-{number}.png")
    assert collection.add(gallery) == AddReport(reused=8, removed=8)
    assert counting.taken() == 0
    assert names(collection) == [f"moved-{number}.png" for number in range(8)]


def test_removed_files_go_and_their_contents_with_them(collection, gallery):
    collection.add(gallery)
    (gallery / "5.png").unlink()
    (gallery / "6.png").unlink()
    assert collection.add(gallery) == AddReport(unchanged=6, removed=2)
    counts = collection.store.counts()
    assert (counts.items, counts.contents) == (6, 6)
    found = collection.query(gallery / "0.png", 50)
    assert sorted(Path(match.item.uri).name for match in found) == [f"{n}.png" for n in (0, 1, 2, 3, 4, 7)]


def test_equal_bytes_under_two_names_are_two_items_with_one_content(collection, counting, gallery):
    shutil.copy(gallery / "0.png", gallery / "twin.png")
    assert collection.add(gallery) == AddReport(added=8, reused=1)
    assert counting.taken() == 8
    counts = collection.store.counts()
    assert (counts.items, counts.contents) == (9, 8)
    (gallery / "0.png").unlink()
    assert collection.add(gallery) == AddReport(unchanged=8, removed=1)
    assert collection.query(gallery / "twin.png", 1)[0].item.uri == str(gallery / "twin.png")


def test_only_what_lies_under_the_given_root_is_swept(collection, tmp_path, draw):
    one, two, similar = tmp_path / "one", tmp_path / "two", tmp_path / "one-more"
    for number, folder in enumerate((one, two, similar)):
        for seed in range(4):
            draw(folder / f"{seed}.png", 10 * number + seed)
    assert collection.add([one, two, similar]) == AddReport(added=12)
    for folder in (one, two, similar):
        (folder / "0.png").unlink()
    assert collection.add(one) == AddReport(unchanged=3, removed=1)
    assert len(collection) == 11
    assert collection.info().roots == (str(one), str(two), str(similar))


def test_a_part_of_a_root_can_be_updated_alone_and_is_no_new_root(collection, tmp_path, draw):
    root = tmp_path / "root"
    for name in ("a/0.png", "a/1.png", "a/2.png", "b/3.png", "b/4.png"):
        draw(root / name, int(name[2]))
    collection.add(root)
    (root / "a" / "0.png").unlink()
    (root / "b" / "3.png").unlink()
    draw(root / "a" / "new.png", 77)
    assert collection.add(root / "a") == AddReport(added=1, unchanged=2, removed=1)
    assert collection.info().roots == (str(root),)
    assert names(collection) == ["1.png", "2.png", "3.png", "4.png", "new.png"]


def test_a_single_file_can_be_added_and_goes_when_it_has_gone_with_prune(collection, gallery):
    assert collection.add(gallery / "0.png") == AddReport(added=1)
    assert collection.add(gallery / "0.png") == AddReport(unchanged=1)
    (gallery / "0.png").unlink()
    assert collection.add(gallery / "0.png") == AddReport(kept=1, vanished=1)
    assert collection.add(gallery / "0.png", prune=True) == AddReport(removed=1)
    assert len(collection) == 0


@pytest.mark.parametrize("what", ["missing", "empty", "mostly"])
def test_too_many_vanished_files_are_kept_until_prune(collection, gallery, what):
    collection.add(gallery)
    if what == "mostly":
        for number in range(5):
            (gallery / f"{number}.png").unlink()
    else:
        shutil.rmtree(gallery)
        if what == "empty":
            gallery.mkdir()
    gone, left = (5, 3) if what == "mostly" else (8, 0)
    assert collection.add(gallery) == AddReport(kept=gone, vanished=gone, unchanged=left)
    assert len(collection) == 8
    assert collection.add(gallery, prune=True) == AddReport(removed=gone, unchanged=left)
    assert len(collection) == left
    assert collection.check().clean


def test_half_of_the_files_may_vanish(collection, gallery):
    collection.add(gallery)
    for number in range(4):
        (gallery / f"{number}.png").unlink()
    assert collection.add(gallery) == AddReport(unchanged=4, removed=4)


def test_a_folder_that_never_was_is_refused(collection, tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        collection.add(tmp_path / "nowhere")
    assert collection.info().roots == ()


UNREADABLE = """
from simsearch.collection import Collection
with Collection.open(arguments[0]) as collection:
    report = collection.add(arguments[1])
    print(report.unchanged, report.removed, report.kept, len(collection), [skip.reason for skip in report.skipped])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows folders have no permission bits")
def test_items_in_a_folder_that_cannot_be_read_are_kept(tiny, draw, public, nobody):
    root = public / "root"
    for seed in range(3):
        draw(root / "open" / f"{seed}.png", seed)
        draw(root / "closed" / f"{seed}.png", 10 + seed)
    shutil.copytree(tiny, public / "tiny")
    with Collection.create(public / "col", public / "tiny") as made:
        made.add(root)
    if os.geteuid() == 0:
        for path in (public / "col", *(public / "col").iterdir()):
            os.chown(path, 65534, 65534)
    (root / "closed").chmod(0o000)
    done = nobody(UNREADABLE, public / "col", root)
    (root / "closed").chmod(0o755)
    assert (done.stdout, done.stderr) == ("3 0 3 6 ['permission denied']\n", "")
    with Collection.open(public / "col") as made:
        assert {item.uri.split("/")[-2]: item.problem for item in made.items()} == {
            "open": None,
            "closed": "permission denied",
        }
        made.add(root)
        assert made.info().problems == 0


def test_hidden_files_are_ignored_and_others_listed_with_reasons(collection, gallery):
    shutil.copy(gallery / "0.png", gallery / ".hidden.png")
    (gallery / ".folder").mkdir()
    shutil.copy(gallery / "0.png", gallery / ".folder" / "0.png")
    (gallery / "notes.txt").write_text("no picture")
    (gallery / "broken.png").write_bytes((gallery / "1.png").read_bytes()[:60])
    (gallery / "empty.jpg").write_bytes(b"")
    (gallery / "text.gif").write_text("no picture either")
    report = collection.add(gallery)
    assert report.added == len(collection) == 8
    assert [Path(skip.path).name for skip in sorted(report.skipped, key=lambda skip: skip.path)] == [
        "broken.png",
        "empty.jpg",
        "notes.txt",
        "text.gif",
    ]
    reasons = {Path(skip.path).name: skip.reason for skip in report.skipped}
    assert reasons["empty.jpg"] == "empty file"
    assert reasons["notes.txt"] == "not an image (.txt)"
    assert all(reason and "\n" not in reason for reason in reasons.values())


@pytest.mark.parametrize("prune", [False, True])
def test_an_item_whose_file_is_broken_by_now_stays_with_the_reason(collection, counting, gallery, prune):
    collection.add(gallery)
    before, good = list(collection.items()), (gallery / "4.png").read_bytes()
    for name in ("2.png", "3.png", "4.png", "5.png", "6.png"):
        (gallery / name).write_bytes(b"broken")
    skipped = tuple(Skip(str(gallery / f"{n}.png"), "not an image in a supported format") for n in range(2, 7))
    for _ in range(2):
        assert collection.add(gallery, prune=prune) == AddReport(unchanged=3, kept=5, skipped=skipped)
    assert collection.info().problems == 5
    marked = [replace(item, problem=skipped[0].reason) if 1 < n < 7 else item for n, item in enumerate(before)]
    assert list(collection.items()) == marked
    assert "problem='not an image" in repr(marked[4])
    counting.taken()
    (gallery / "4.png").write_bytes(good)
    assert collection.add(gallery).unchanged == 4
    assert counting.taken() == 0
    assert [item.problem for item in collection.items()].count(None) == 4
    (gallery / "5.png").unlink()
    assert collection.add(gallery) == AddReport(unchanged=4, kept=3, removed=1, skipped=(*skipped[:2], skipped[4]))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a privilege for symbolic links")
def test_what_is_behind_a_broken_link_stays_until_prune(collection, gallery, tmp_path, draw):
    for seed in range(9):
        draw(tmp_path / "elsewhere" / f"{seed}.png", 20 + seed)
    (gallery / "folder").symlink_to(tmp_path / "elsewhere")
    (gallery / "single.png").symlink_to(tmp_path / "elsewhere" / "0.png")
    # The folder comes first in the scan, and the link to a file of it is another name.
    assert collection.add(gallery) == AddReport(added=17, reused=1)
    (tmp_path / "elsewhere").rename(tmp_path / "away")
    broken = tuple(Skip(str(gallery / name), "broken link") for name in ("folder", "single.png"))
    assert collection.add(gallery) == AddReport(unchanged=8, kept=10, skipped=broken)
    assert collection.add(gallery, prune=True) == AddReport(unchanged=8, removed=10, skipped=broken)


def test_items_count_once_where_sources_overlap(collection, gallery, draw):
    draw(gallery / "sub" / "new.png", 9)
    both = [gallery, gallery / "sub", gallery / "0.png", gallery]
    assert collection.add(both) == AddReport(added=9)
    assert collection.add(both) == AddReport(unchanged=9)
    (gallery / "0.png").write_bytes(b"broken")
    skipped = (Skip(str(gallery / "0.png"), "not an image in a supported format"),)
    assert collection.add(both) == AddReport(unchanged=8, kept=1, skipped=skipped)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows gives no inode while a folder is listed")
@pytest.mark.parametrize("how", ["another file", "written into", "the same bytes"])
def test_a_file_replaced_by_one_of_equal_size_and_time_is_noticed(collection, counting, tmp_path, draw, how):
    here, other = draw(tmp_path / "root" / "a.bmp", 1), draw(tmp_path / "b.bmp", 1 if how == "the same bytes" else 2)
    collection.add(tmp_path / "root")
    assert counting.taken() == 1
    before, decoded = here.stat(), []
    counting.prepare = lambda source: decoded.append(source) or counting.inner.prepare(source)
    if how == "written into":
        here.write_bytes(other.read_bytes())
    else:
        other.replace(here)
    os.utime(here, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert (here.stat().st_size, here.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    same = how == "the same bytes"
    # The item is not taken for the file before it is indexed again.
    assert isinstance(collection.query(here).query, Path)
    counting.taken()
    decoded.clear()
    assert collection.add(tmp_path / "root") == (AddReport(unchanged=1) if same else AddReport(updated=1))
    assert (counting.taken(), len(decoded)) == ((0, 0) if same else (1, 1))
    assert collection.add(tmp_path / "root") == AddReport(unchanged=1)
    assert counting.taken() == 0
    assert isinstance(collection.query(here).query, Item)


def test_a_collection_from_before_inodes_were_recorded_reads_nothing_again(collection, counting, gallery):
    collection.add(gallery)
    counting.taken()
    with collection.writing() as store, store._database.writing() as connection:
        connection.exec_driver_sql("UPDATE item SET inode = NULL, ctime_ns = NULL")
    counting.prepare = None
    for _ in range(2):
        assert collection.add(gallery) == AddReport(unchanged=8)
        files = collection.store.known([str(gallery / f"{n}.png") for n in range(8)])
        assert {known.ctime_ns for known in files.values()} == {path.stat().st_ctime_ns for path in gallery.iterdir()}


def test_verify_content_reads_everything_and_encodes_what_differs(collection, counting, gallery, draw, monkeypatch):
    collection.add(gallery)
    counting.taken()
    # A file system that shows no difference at all.
    monkeypatch.setattr("simsearch.collection.adding.changes.as_before", lambda *_: True)
    draw(gallery / "3.png", 70)
    assert collection.add(gallery) == AddReport(unchanged=8)
    assert collection.add(gallery, verify_content=True) == AddReport(unchanged=7, updated=1)
    assert counting.taken() == 1


def test_the_middle_of_three_fails_and_the_others_keep_their_vectors(collection, gallery, tmp_path, tiny, draw):
    folder = tmp_path / "three"
    draw(folder / "a.png", 1)
    (folder / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    draw(folder / "c.png", 3, (50, 10))
    assert collection.add(folder).added == 2
    expected = open_encoder(tiny).encode([folder / "a.png", folder / "c.png"])
    items = list(collection.items())
    assert [Path(item.uri).name for item in items] == ["a.png", "c.png"]
    vectors = collection.store.vectors_of([item.content_id for item in items])
    assert vectors == pytest.approx(expected, abs=1e-6)


def test_items_are_removed_by_path_and_by_folder(collection, gallery, tmp_path, draw):
    draw(gallery / "sub" / "x.png", 30)
    draw(gallery / "sub" / "y.png", 31)
    collection.add(gallery)
    assert collection.remove(gallery / "0.png") == 1
    assert collection.remove([gallery / "sub", gallery / "1.png"]) == 3
    assert collection.remove(gallery / "nothing.png") == 0
    assert names(collection) == [f"{n}.png" for n in range(2, 8)]
    assert (gallery / "0.png").exists()
    assert collection.check().clean


NAMES = st.sampled_from(["a", "b", "c", "sub/a", "sub/b"])
STEPS = st.lists(st.dictionaries(NAMES, st.integers(0, 3), max_size=5), min_size=1, max_size=4)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=STEPS)
def test_whatever_changes_the_collection_is_what_the_folder_is(tiny, tmp_path_factory, draw, states):
    """After each `add` with prune the items are the files, and the vectors those of the files."""
    place = tmp_path_factory.mktemp("states")
    root, encoder = place / "root", open_encoder(tiny)
    root.mkdir()
    with Collection.create(place / "col", encoder) as made:
        for state in states:
            shutil.rmtree(root)
            root.mkdir()
            for name, seed in state.items():
                draw(root / f"{name}.png", seed)
            report = made.add(root, prune=True)
            items = {item.uri: item for item in made.items()}
            assert set(items) == {str(root / f"{name}.png") for name in state}
            assert report.added + report.reused + report.updated + report.unchanged == len(state)
            assert made.store.counts().contents == len(set(state.values()))
            for uri, item in items.items():
                assert made.store.vectors_of([item.content_id])[0] == pytest.approx(encoder.encode([uri])[0], abs=1e-5)
            assert made.check().clean


def test_a_table_of_labels_that_names_no_file_is_refused_before_anything_is_stored(tmp_path, counting, gallery):
    table = tmp_path / "elsewhere" / "labels.csv"
    table.parent.mkdir()
    table.write_text("path,label\n0.png,cat\n1.png,dog\n")
    with Collection.create(tmp_path / "col", counting) as made:
        with pytest.raises(UsageError) as refused:
            made.add(gallery, labels=table)
        assert str(refused.value) == (
            f"--labels {table}: none of its 2 paths is a file in {gallery}; the first is {table.parent / '0.png'}. "
            "Paths are relative to the folder of the table"
        )
        assert len(made) == 0
        table.write_text("path,label\n../gallery/0.png,cat\n1.png,dog\n")
        assert made.add([gallery], labels=table).added == 8
        assert {item.label for item in made} == {"cat", None}


def test_progress_is_a_bar_or_none(tmp_path, counting, gallery, capsys):
    with Collection.create(tmp_path / "col", counting) as made:
        assert made.add(gallery, progress=True).added == 8
        assert "indexing" in capsys.readouterr().err
        assert made.add(gallery, progress=False).unchanged == 8
        with pytest.raises(UsageError, match=r"^progress is 'x' \(str\); give True for a bar"):
            made.add(gallery, progress="x")
    assert capsys.readouterr().err == ""
