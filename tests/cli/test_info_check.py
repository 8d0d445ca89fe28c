"""simsearch info and check, which collection is meant, and the help."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

from simsearch import __version__
from simsearch.cli import COMMANDS
from simsearch.encoders.folder import encoder_folder, read_config
from simsearch.evaluation.statistics.probability import SameCurve


def test_info_describes_the_collection(command, indexed, tiny):
    command("enroll", "Ana", indexed / "0.png")
    record = command("info", "--json").records[0]
    fingerprint = read_config(tiny).fingerprint
    assert record.pop("bytes_on_disk") > 10_000
    assert record.pop("index") == {
        "kind": "flat",
        "reason": "comparing with each of 8 vectors is exact and fast",
        "target": 0.99,
        "memory": None,
        "rows": 8,
        "beside": 0,
        "code": "",
        "lists": 0,
        "probes": 0,
        "factor": 0,
        "recall": None,
    }
    assert record == {
        "folder": "indexes/gallery",
        "encoder": str(tiny),
        "fingerprint": fingerprint,
        "modality": "image",
        "dim": 24,
        "items": 8,
        "kept": {},
        "contents": 8,
        "problems": 0,
        "labels": {"Ana": 1},
        "roots": [str(indexed)],
        "readings": {},
        "generation": 1,
    }
    lines = command("info").out.splitlines()
    assert lines[1] == "items       8 with 8 distinct contents"
    assert lines[-1] == "enrolled    Ana: 1 example"


def test_info_tells_how_files_are_read(command, tiny_text, tmp_path):
    (tmp_path / "f.csv").write_text("sku,title\na,red\nb,blue\n", encoding="utf-8")
    command("index", tmp_path / "f.csv", "--encoder", tiny_text, "--text-column", "title", "--id-column", "sku")
    assert command("info", "--json").records[0]["readings"] == {str(tmp_path / "f.csv"): {"text": "title", "id": "sku"}}
    assert f"{tmp_path / 'f.csv'}  --text-column title  --id-column sku" in command("info").out


def test_info_describes_an_encoder_without_loading_torch(command, tiny):
    record = command("info", tiny, "--json").records[0]
    assert (record["dim"], record["width"], record["fingerprint"]) == (24, 32, read_config(tiny).fingerprint)
    lines = command("info", tiny).out.splitlines()
    assert lines[0].split()[:2] == ["encoder", "tiny"]
    assert lines[-3].split() == ["projection", "linear", "24", "1152"]


def test_info_describes_a_text_encoder(command, tiny_text):
    record = command("info", tiny_text, "--json").records[0]
    assert (record["modality"], record["max_tokens"], "width" in record) == ("text", 64, False)
    assert "text, the first 64 tokens, vocabulary of 746" in command("info", tiny_text).out


def test_check_says_clean(command, indexed):
    done = command("check")
    assert (done.code, done.out, done.err) == (0, "indexes/gallery is clean: 8 items, 8 contents\n", "")
    record = command("check", "--json").records[0]
    assert record == {
        "collection": "indexes/gallery",
        "clean": True,
        "store_problems": [],
        "index_problems": [],
        "repaired": [],
        "items": 8,
        "contents": 8,
        "recall": None,
    }


def test_check_measures_the_recall(command, indexed):
    done = command("check", "--recall")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[1].startswith("recall: 1.0000 of the 10 nearest found (95 % interval 0.9")
    found = command("check", "--recall", "--json").records[0]["recall"]
    assert (found["recall"], found["high"], found["queries"]) == (1.0, 1.0, 8)


def test_the_recall_and_memory_are_kept(command, indexed):
    assert command("index", indexed, "--recall", "1", "--memory", "2GB", "--quiet").code == 0
    index = command("info", "--json").records[0]["index"]
    assert (index["target"], index["memory"]) == (1.0, 2_000_000_000)
    assert "memory      2,000 MB at most" in command("info").out
    command("index", indexed, "--memory", "any", "--quiet")
    assert command("info", "--json").records[0]["index"]["memory"] is None
    for option, value in (("--recall", "2"), ("--memory", "lots")):
        done = command("index", indexed, option, value)
        assert (done.code, len(done.err.splitlines())) == (2, 1)


def test_compact_gives_back_the_space_of_what_was_removed(command, indexed, place):
    for number in range(1, 8):
        command("remove", indexed / f"{number}.png", "--quiet")
    before = command("info", "--json").records[0]
    done = command("compact", "--json").records[0]
    assert done["before"] > done["after"] == command("info", "--json").records[0]["bytes_on_disk"]
    assert (before["index"]["rows"], command("info", "--json").records[0]["index"]["rows"]) == (8, 1)
    assert len(command("query", indexed / "0.png", "--json").records) == 1
    assert "bytes before" in command("compact").out
    assert command("check").code == 0


def test_check_without_any_collection_says_so(command):
    done = command("check")
    assert (done.code, done.out) == (0, "No collection in indexes yet. Make one: simsearch index FOLDER\n")


def test_check_finds_a_damaged_index_file_and_repair_mends_it(command, indexed, place):
    before = command("query", indexed / "1.png", "--json").records
    (vectors,) = (place / "indexes" / "gallery").glob("vectors-*")
    content = bytearray(vectors.read_bytes())
    content[-3] ^= 0xFF
    stat = vectors.stat()
    vectors.write_bytes(content)
    os.utime(vectors, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    found = command("check")
    assert (found.code, found.out) == (1, "")
    assert found.err.splitlines() == [
        f"damaged: {vectors.relative_to(place)}: the checksum differs from the manifest",
        "The database holds all vectors: simsearch check --repair rebuilds the index file.",
    ]
    assert command("check", "--json").records[0]["clean"] is False
    mended = command("check", "--repair")
    assert (mended.code, mended.out) == (0, "indexes/gallery is clean: 8 items, 8 contents\n")
    assert mended.err.startswith("repaired: ")
    assert command("check", "--repair").err == ""
    assert command("query", indexed / "1.png", "--json").records == before


def test_check_tells_of_a_damaged_database(command, indexed, place):
    path = place / "indexes" / "gallery" / "collection.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("UPDATE content SET vector = zeroblob(96) WHERE id = 3")
    connection.commit()
    connection.close()
    done = command("check", "--repair")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        "damaged: 1 vectors in content are not finite or not of length one: 3",
        "The database itself is damaged: restore it from a copy, or index the files into a new collection.",
    ]


def test_which_collection_is_meant(command, indexed, tiny, draw, place, monkeypatch):
    draw(place / "second" / "1.png", 50)
    assert command("index", "second", "--encoder", tiny, "--quiet").code == 0
    several = command("query", indexed / "0.png")
    assert (several.code, several.out) == (2, "")
    assert several.err == "Error: There are 2 collections in indexes: gallery, second. Say which: --index NAME\n"
    assert len(command("query", indexed / "0.png", "--index", "gallery", "--json").records) == 8
    assert len(command("query", indexed / "0.png", "--index", "indexes/second", "--json").records) == 1
    missing = command("query", indexed / "0.png", "--index", "third")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == "Error: No collection at indexes/third. There are in indexes: gallery, second\n"
    monkeypatch.setenv("SIMSEARCH_HOME", str(place / "home"))
    none = command("query", indexed / "0.png")
    assert none.code == 1
    assert none.err == f"Error: No collection in {place / 'home'} yet. Make one: simsearch index FOLDER\n"
    assert command("index", indexed, "--encoder", tiny, "--quiet").code == 0
    assert (place / "home" / "gallery" / "collection.sqlite").is_file()
    assert command("info", "--json").records[0]["folder"] == str(place / "home" / "gallery")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(command, name):
    done = command(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: simsearch {name} ")


def test_the_help_lists_every_command(command):
    done = command("--help")
    assert done.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in done.out


def test_version(command):
    assert command("--version").out == f"simsearch, version {__version__}\n"


HEAVY = ("numpy", "PIL", "faiss", "sqlalchemy", "torch", "onnxruntime", "matplotlib", "tqdm")


def test_help_loads_nothing_heavy_and_a_query_no_torch(indexed, place):
    code = (
        "import sys, contextlib\nfrom simsearch.cli import main\n"
        "with contextlib.suppress(SystemExit):\n    main()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )

    def loaded(*words: object) -> str:
        line = [sys.executable, "-c", code, *map(str, words)]
        return subprocess.run(line, capture_output=True, text=True, cwd=place, timeout=60).stderr

    assert loaded("--help") == "[]\n"
    assert loaded("query", "--help") == "[]\n"
    assert loaded("info") == "['numpy', 'sqlalchemy']\n"
    assert loaded("query", indexed / "0.png") == "['numpy', 'faiss', 'sqlalchemy']\n"


def test_info_prints_what_the_scores_of_an_encoder_that_ships_mean(command):
    for name, compared in (("photo", "images"), ("glyph", "images"), ("strokes", "images"), ("text", "texts")):
        told = command("info", name).out
        assert f"calibration for {compared}, measured on " in told
        curve = SameCurve.of_document(read_config(encoder_folder(name)).curves[compared])
        rows = told.partition(f"calibration for {compared}")[2].partition("\n\n")[0].splitlines()[1:]
        assert rows[0].split() == ["from", "score", "P(same)", "FAR", "TAR"]
        points = [tuple(map(float, row.split())) for row in rows[1:]]
        assert len(points) > 5
        for score, _, far, tar in points:
            # From the score that is printed on, no more impostors are accepted than are printed.
            stored = next(place for place, at in enumerate(curve.scores) if at <= score < at + 0.00101)
            assert (far, tar) == pytest.approx((curve.far[stored], curve.tar[stored]), abs=6e-4)


def test_info_of_an_encoder_without_a_curve_says_how_to_get_one(command, tiny):
    assert "no calibration: simsearch evaluate" in command("info", tiny).out


@pytest.mark.parametrize("curves", [["none"], {"images": "none"}, {"images": {"scores": [0.1]}}])
def test_curves_that_are_none_are_told_in_one_line(command, place, tiny, curves):
    shutil.copytree(tiny, place / "edited")
    path = place / "edited" / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2, "curves": curves}))
    done = command("info", "edited")
    assert done.code == 1
    assert "curve" in done.err
    assert done.err.count("\n") == 1
