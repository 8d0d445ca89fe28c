"""simsearch dedupe: find, plan, apply and undo at the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from scenes import scene

from simsearch.collection import Collection
from simsearch.collection.locking import writing


@pytest.fixture(scope="session")
def drawn_album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene with an equal file and a smaller copy, and another scene."""
    folder = tmp_path_factory.mktemp("album")
    scene(1).save(folder / "one.png")
    shutil.copyfile(folder / "one.png", folder / "one-again.png")
    scene(1).resize((240, 180)).save(folder / "small.png")
    scene(2).save(folder / "other.png")
    for number, path in enumerate(sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))):
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    return folder


@pytest.fixture
def album(command, drawn_album: Path, place: Path, tiny: Path) -> Path:
    """The scenes as the folder and the collection `album`."""
    folder = Path(shutil.copytree(drawn_album, place / "album"))
    assert command("index", folder, "--encoder", tiny, "--quiet").code == 0
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_whole_way(command, album: Path, place: Path) -> None:
    found = command("dedupe", "find", "album", "--json")
    assert found.code == 3
    assert {(Path(str(row["a"])).name, Path(str(row["b"])).name, row["kind"]) for row in found.records} == {
        ("one-again.png", "one.png", "exact"),
        ("one.png", "small.png", "resized or recompressed"),
        ("one-again.png", "small.png", "resized or recompressed"),
    }
    for row in found.records:
        assert list(row) == ["a", "b", "score", "kind", "group", "via"]
        assert (row["group"], row["via"]) == (1, None) and 0.6 <= float(str(row["score"])) <= 1
    assert "equal bytes: 1 pair" in found.err
    shown = command("dedupe", "find", "--quiet")
    assert (shown.code, shown.err) == (3, "")
    assert shown.out.splitlines()[0] == "group 1" and "keep" in shown.out.splitlines()[1]

    planned = command("dedupe", "plan", "album", "-o", "plan.json", "--report", "plan.html", "--json")
    assert planned.code == 0
    assert (place / "plan.html").read_text(encoding="utf-8").count("<img") >= 3
    assert planned.records[0]["files"] == 2
    assert len(names(album)) == 4

    applied = command("dedupe", "apply", "plan.json", "--json")
    assert (applied.code, applied.records[0]["removed"], applied.records[0]["items"]) == (0, 2, 2)
    assert names(album) == ["one.png", "other.png"]
    again = command("dedupe", "apply", "plan.json")
    assert (again.code, again.out) == (0, "0 files removed, 2 before, 0 bytes freed\n")
    assert command("dedupe", "find", "album").code == 0
    assert "2 items" in command("check").out

    undone = command("dedupe", "undo", "--json")
    assert (undone.code, undone.records[0]["restored"], undone.records[0]["items"]) == (0, 2, 2)
    assert len(names(album)) == 4
    assert "4 items" in command("check").out
    nothing = command("dedupe", "undo")
    assert (nothing.code, nothing.out) == (1, "") and "nothing to undo" in nothing.err


def test_a_folder_gets_its_collection_and_is_brought_up_to_date(command, album: Path, place: Path) -> None:
    scene(2).resize((240, 180)).save(album / "other-small.png")
    found = command("dedupe", "find", "album", "--json", "--quiet")
    assert any("other-small.png" in str(row["a"]) for row in found.records)
    assert command("dedupe", "find", "elsewhere").err == (
        "Error: elsewhere is neither a folder nor a collection; there are the collections album\n"
    )


def test_copies_of_a_reference_are_proposed_and_it_is_never_touched(
    command, album: Path, place: Path, tiny: Path
) -> None:
    (place / "new").mkdir()
    shutil.copyfile(album / "one.png", place / "new" / "a.png")
    shutil.copyfile(album / "one.png", place / "new" / "b.png")
    scene(7).save(place / "new" / "c.png")
    (place / "new" / "linked").symlink_to(album)
    assert command("index", "new", "--encoder", tiny, "--quiet").code == 0
    found = command("dedupe", "find", "new", "--against", "album", "--json", "--quiet")
    listed = {(Path(str(row["a"])).name, Path(str(row["b"])).name, row["kind"]) for row in found.records}
    assert found.code == 3
    assert {pair[1:] for pair in listed if pair[0] != "a.png"} == {("a.png", "exact"), ("b.png", "exact")}
    assert ("a.png", "b.png", "exact") in listed and len(listed) == 3
    before = {path.name: path.stat().st_mtime_ns for path in album.iterdir()}
    assert command("dedupe", "plan", "new", "--against", "album", "-o", "p.json").code == 0
    joined = command("dedupe", "apply", "p.json", "--link", "hard")
    assert joined.code == 2 and "would join the files of the reference" in joined.err
    assert command("dedupe", "apply", "p.json").code == 0
    assert names(place / "new") == ["c.png", "linked"]
    assert {path.name: path.stat().st_mtime_ns for path in album.iterdir()} == before
    assert command("dedupe", "undo", "--index", "new").code == 0
    assert names(place / "new") == ["a.png", "b.png", "c.png", "linked"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["find", "--strict", "--loose"], 2, "--strict and --loose exclude each other; give one of them"),
        (["find", "--keep", "beauty"], 2, "no criterion 'beauty'; possible are folder, resolution"),
        (["find", "--against", "album"], 2, "album cannot be its own reference; leave --against out"),
        (["plan", "-o", "none/plan.json"], 2, "none/plan.json: there is no folder none; make it first"),
        (["plan", "-o", "album/one.png"], 2, "album/one.png: a plan cannot be .png"),
        (["plan", "-o", "plan.json", "--report", "plan.txt"], 2, "plan.txt: a report of duplicates cannot be .txt"),
        (
            ["plan", "-o", "plan.json", "--report", "album/one.html"],
            2,
            "album/one.html exists and is not a report of duplicates",
        ),
        (["apply", "none.json"], 1, "none.json: no such file or directory"),
        (["apply", "plan.json", "--trash", "--delete"], 2, "--trash, --link and --delete exclude each other"),
        (["apply", "plan.json", "--quarantine", "album/aside"], 2, "lies in the searched folder"),
        (["apply", "plan.json", "--index", "none"], 1, "No collection at indexes/none"),
        (["undo", "none"], 1, "none: there is no such journal"),
    ],
)
def test_a_mistake_is_told_in_one_line(words: list[str], code: int, message: str, command, album: Path) -> None:
    assert command("dedupe", "plan", "-o", "plan.json", "--quiet").code == 0
    (album / "one.html").write_text("mine")
    done = command("dedupe", *words, "--quiet")
    assert (done.code, done.out) == (code, "")
    assert message in done.err and len(done.err.splitlines()) == 1
    assert len(names(album)) == 5 and (album / "one.html").read_text() == "mine"


def test_a_plan_finds_its_collection_and_refuses_another(command, album: Path, place: Path, tiny: Path) -> None:
    assert command("dedupe", "plan", "-o", "plan.json", "--quiet").code == 0
    assert command("index", album, "--index", "second", "--encoder", tiny, "--quiet").code == 0
    wrong = command("dedupe", "apply", "plan.json", "--index", "second")
    assert wrong.code == 1 and "the plan is for another collection" in wrong.err
    (place / "indexes" / "album").rename(place / "indexes" / "moved")
    assert command("dedupe", "apply", "plan.json").code == 0
    # Of two collections that knows which run was the latest.
    assert command("dedupe", "undo").code == 0
    assert len(names(album)) == 4


def test_deleting_is_named_as_final_before_it_begins(command, album: Path) -> None:
    command("dedupe", "plan", "-o", "plan.json", "--quiet")
    done = command("dedupe", "apply", "plan.json", "--delete", "--quiet")
    assert done.err == "About to delete 2 files for good: undo cannot bring them back.\n"
    assert names(album) == ["one.png", "other.png"]
    assert "nothing to undo" in command("dedupe", "undo").err


def test_files_come_back_where_their_collection_is_gone(command, album: Path, place: Path) -> None:
    command("dedupe", "plan", "-o", "plan.json", "--quiet")
    journal = command("dedupe", "apply", "plan.json", "--json").records[0]["journal"]
    shutil.rmtree(place / "indexes")
    undone = command("dedupe", "undo", journal)
    assert (undone.code, undone.out) == (0, "2 files and 0 items restored\n")
    assert "only the files are put back" in undone.err
    assert len(names(album)) == 4


def test_links_free_what_is_equal_and_are_no_removal(command, album: Path) -> None:
    command("dedupe", "plan", "-o", "plan.json", "--quiet")
    done = command("dedupe", "apply", "plan.json", "--link", "hard")
    assert done.code == 0 and done.out.startswith("1 file replaced by links, ")
    assert "small.png: is not byte for byte the kept file" in done.err
    assert (album / "one.png").samefile(album / "one-again.png")
    assert "4 items" in command("check").out
    # Of two names of one file none frees anything.
    planned = command("dedupe", "plan", "album", "-o", "plan.json", "--json", "--quiet")
    assert planned.records[0]["bytes"] == (album / "small.png").stat().st_size


def test_the_missing_extra_is_named_before_the_work(command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "photos").mkdir()
    scene(1).save(place / "photos" / "a.png")
    monkeypatch.setitem(sys.modules, "cv2", None)
    done = command("dedupe", "find", "photos")
    assert (done.code, names(place)) == (1, ["photos"])
    assert done.err.endswith('needs an extra that is not installed: pip install "simsearch[dedupe]"\n')


def test_a_process_that_is_killed_in_its_work_is_gone_on_with(command, album: Path, place: Path) -> None:
    command("dedupe", "plan", "-o", "plan.json", "--quiet")
    code = (
        "import os, sys\n"
        "from simsearch.store.duplicates.removals import Removals\n"
        "Removals.set_aside = lambda *_: os._exit(9)\n"
        "from simsearch.cli import main\n"
        "sys.argv = ['simsearch', 'dedupe', 'apply', 'plan.json', '--quiet']\n"
        "main()\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=place).returncode == 9
    assert names(album) == ["one.png", "other.png"]
    assert "4 items" in command("check").out
    assert command("dedupe", "find", "--quiet").code == 0
    assert "2 items" in command("check").out
    assert command("dedupe", "undo").out == "2 files and 2 items restored\n"


def test_a_file_that_may_not_go_stays(command, album: Path) -> None:
    command("dedupe", "plan", "-o", "plan.json", "--quiet")
    (album / "small.png").chmod(0o444)
    (album / "one-again.png").write_bytes(b"edited")
    done = command("dedupe", "apply", "plan.json", "--quiet")
    assert done.code == 1
    assert sorted(line.rpartition("/")[2] for line in done.err.splitlines()) == [
        f"one-again.png: has 6 bytes, {(album / 'one.png').stat().st_size} when the plan was made",
        "small.png: is read-only; make it writable and apply the plan again",
    ]
    assert len(names(album)) == 4


def test_another_command_at_work_is_named(command, album: Path, place: Path) -> None:
    command("dedupe", "plan", "-o", "plan.json", "--quiet")
    with writing(place / "indexes" / "album"):
        done = command("dedupe", "apply", "plan.json")
    assert done.code == 1 and f"is being written by process {os.getpid()}" in done.err


def test_the_report_in_python_is_that_of_the_command(command, album: Path, place: Path) -> None:
    rows = command("dedupe", "find", "--json", "--quiet").out.splitlines()
    with Collection.open(place / "indexes" / "album") as collection:
        pairs = collection.find_duplicates().pairs
    assert [json.loads(row)["a"] for row in rows] == [pair.a for pair in pairs]


def test_a_folder_of_both_kinds_needs_an_encoder_to_be_named(command, place: Path, tiny_text: Path) -> None:
    (place / "mixed").mkdir()
    scene(1).save(place / "mixed" / "a.png")
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (place / "mixed" / name).write_text("the same words")
    done = command("dedupe", "find", "mixed", "--encoder", tiny_text, "--json", "--quiet")
    assert (done.code, len(done.records)) == (3, 6)
    assert {row["kind"] for row in done.records} == {"exact"}
    again = command("dedupe", "find", "mixed", "--encoder", "photo", "--quiet")
    assert again.code == 2 and "was built with encoder" in again.err


def test_a_folder_of_which_nothing_can_be_read_fails(command, place: Path) -> None:
    (place / "broken").mkdir()
    (place / "broken" / "a.jpg").write_bytes(b"none")
    done = command("dedupe", "find", "broken", "--quiet")
    assert done.code == 1 and "none of its 1 files could be read" in done.err and "a.jpg" in done.err


def test_a_search_that_is_killed_keeps_what_it_has_compared(command, album: Path, place: Path, tiny: Path) -> None:
    for number in range(3, 7):
        scene(number).save(album / f"{number}.png")
        scene(number).resize((300, 225)).save(album / f"{number}-small.png")
    command("index", album, "--quiet")
    code = (
        "import os, signal, sys\n"
        "from simsearch.collection.duplicates import comparing\n"
        "from simsearch.store.duplicates.comparisons import Comparisons\n"
        "comparing.BATCH = 3\n"
        "add, calls = Comparisons.add, []\n"
        "def killed(self, rows, looks):\n"
        "    add(self, rows, looks)\n"
        "    calls.append(len(rows))\n"
        "    if len(calls) == 2:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "Comparisons.add = killed\n"
        "from simsearch.cli import main\n"
        "sys.argv = ['simsearch', 'dedupe', 'find', 'album', '--json', '--quiet']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert command("check").code == 0
    with Collection.open(place / "indexes" / "album") as collection:
        kept = {(row.one, row.other) for row in collection.store.comparisons.all()}
    assert len(kept) == 6
    resumed = command("dedupe", "find", "album", "--json", "--quiet")
    with Collection.open(place / "indexes" / "album") as collection:
        assert kept < {(row.one, row.other) for row in collection.store.comparisons.all()}
    shutil.rmtree(place / "indexes")
    fresh = command("dedupe", "find", "album", "--encoder", tiny, "--json", "--quiet")
    assert (resumed.code, resumed.records) == (3, fresh.records)


def test_labelled_pairs_choose_what_counts_as_a_copy(command, album: Path, place: Path) -> None:
    rows = ["one.png,one-again.png,1", "one.png,small.png,0", "one.png,other.png,0", "gone.png,one.png,1"]
    (album / "pairs.csv").write_text("a,b,same\n" + "\n".join(rows), encoding="utf-8")
    done = command("dedupe", "calibrate", "album/pairs.csv", "--json")
    assert done.code == 0
    assert (done.records[0]["pairs"], done.records[0]["accepted"], done.records[0]["recall"]) == (3, 1, 1.0)
    assert "gone.png: is no item of the collection" in done.err
    found = command("dedupe", "find", "--json")
    assert [row["kind"] for row in found.records] == ["exact"]
    assert "chosen by 3 labeled pairs" in found.err
    assert command("dedupe", "calibrate", "--reset").out == "Copies are accepted from the default score on.\n"
    assert len(command("dedupe", "find", "--json", "--quiet").records) == 3
    wrong = command("dedupe", "calibrate")
    assert (wrong.code, wrong.err) == (2, "Error: give a table of labeled pairs, or --reset without one\n")
