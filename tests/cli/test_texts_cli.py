"""The commands on collections of texts."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from simsearch.collection import Collection
from simsearch.collection.opening import default_encoder
from simsearch.errors import UsageError
from simsearch.media.encodings import NAME

FAQ = "id,text,topic\n1,how do I return a dress,returns\n2,when will it arrive,shipping\n3,do you sell hats,range\n"


@pytest.fixture
def faq(command, place, tiny_text) -> Path:
    """A table, indexed as the only collection."""
    path = place / "faq.csv"
    path.write_text(FAQ)
    done = command("index", "faq.csv", "--encoder", tiny_text, "--label-column", "topic", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    return path


def test_words_find_rows_and_json_has_their_texts(command, faq):
    done = command("query", "return my dress", "--json", "-k", "1")
    assert (done.code, done.err) == (0, "")
    (record,) = done.records
    assert record == {
        "query": "return my dress",
        "rank": 1,
        "score": record["score"],
        "score_kind": "texts",
        "id": 1,
        "path": f"{faq}#1",
        "label": "returns",
        "metadata": {},
        "text": "how do I return a dress",
        "problem": None,
        "copies": 0,
    }
    assert 0.3 < record["score"] < 1


def test_people_get_the_texts_shortened_to_the_line(command, faq, monkeypatch):
    faq.write_text("id,text,topic\n1," + "word " * 500 + ',\n2,"two\nlines\tand\x1b[31m color",\n')
    assert command("index", "faq.csv", "--quiet").code == 0
    monkeypatch.setenv("COLUMNS", str(len(str(faq)) + 90))
    found = {line.split()[2]: line for line in command("query", "word").out.splitlines()}
    assert len(found[f"{faq}#1"]) == len(str(faq)) + 89
    assert found[f"{faq}#1"].endswith("word word wor…") or found[f"{faq}#1"].endswith("…")
    assert found[f"{faq}#2"].endswith("two lines and\\x1b[31m color")
    monkeypatch.setenv("COLUMNS", "20")
    assert len(command("query", "word", "-k", "1").out.splitlines()[0].split(f"{faq}#1  ")[1]) == 40


def test_text_and_file_say_what_an_argument_is(command, faq, place):
    (place / "hats").write_text("when will it arrive")
    for words, path in (
        (["hats"], f"{faq}#2"),
        (["hats", "--text"], f"{faq}#3"),
        (["hats", "--file"], f"{faq}#2"),
        (["-"], f"{faq}#2"),
        (["faq.csv#3"], f"{faq}#3"),
    ):
        done = command("query", *words, "--json", "-k", "1", given=b"when will it arrive\n")
        assert (done.code, done.records[0]["path"], done.records[0]["query"]) == (0, path, words[0])
    missing = command("query", "do you sell hats", "--file")
    assert (missing.code, missing.err) == (1, "skipped do you sell hats: no such file\n")
    for name in (["query"], ["recognize"], ["enroll", "Ana"]):
        both = command(*name, "hats", "--text", "--file")
        assert (both.code, both.err) == (2, "Error: --text and --file exclude each other; give one of them\n")
    sheet = command("query", "hats", "--text", "--save", "sheet.png")
    assert (sheet.code, sheet.err, (place / "sheet.png").is_file()) == (0, "sheet: sheet.png\n", True)


def test_a_name_of_no_file_is_told_to_be_taken_as_a_text(command, faq, place):
    (place / "folder").mkdir()
    (place / "there.txt").write_text("refund", encoding="utf-8")
    for words, what in (("nosuch.txt", "no such file"), ("folder", "a folder"), ("faq.csv#9999", "no such file")):
        for ask in (("query", words, "--index", "faq.csv"), ("enroll", "x", words), ("recognize", words)):
            if (ask[0], words) == ("enroll", "folder"):
                continue
            assert f"{words}: {what}, treated as a text" in command(*ask).err
            assert "treated as a text" not in command(*ask, "--text").err
            assert "treated as a text" not in command(*ask, "--quiet").err
    for words in ("there.txt", "refund please", "see nosuch.txt", "faq.csv#3"):
        assert "treated as a text" not in command("query", words).err


def test_every_row_that_is_left_out_is_counted(command, place, tiny_text):
    rows = "".join(f"{number % 2},text {number}\n" for number in range(300))
    (place / "twice.csv").write_text("id,text\n" + rows, encoding="utf-8")
    done = command("index", "twice.csv", "--encoder", tiny_text)
    assert done.out.endswith("2 items (2 added, 298 skipped)\n")
    assert "198 rows in all" in done.err
    record = command("index", "twice.csv", "--encoder", tiny_text, "--index", "again", "--json").records[0]
    assert (record["skipped"], len(record["skipped_files"])) == (298, 101)


def test_texts_are_enrolled_recognized_and_forgotten(command, faq, place):
    assert command("enroll", "returns", "I want my money back", "faq.csv#1").out == (
        "returns: 2 examples added, 2 in all; 1 label\n"
    )
    assert command("enroll", "hats", "-", "--quiet", given=b"do you have hats").code == 0
    done = command("recognize", "my money back", "a hat\nplease", "-t", "0.3").out.splitlines()
    assert [line.split()[0] for line in done] == ["returns", "hats"]
    assert done[1].endswith("a hat please")
    record = command("recognize", "--text", "I want my money back", "-t", "0.6", "--json").records[0]
    assert record["label"] == "returns"
    assert record["evidence"][0] == {
        "id": 1,
        "label": "returns",
        "path": "",
        "score": pytest.approx(1, abs=1e-5),
        "text": "I want my money back",
    }
    assert command("recognize", "zzz", "-t", "0.99").out.split() == [
        "unknown",
        *command("recognize", "zzz").out.split()[1:],
    ]
    assert command("forget", "returns").code == 0


def test_rows_are_removed_and_bad_ones_are_told(command, faq):
    assert command("remove", "faq.csv#2").out == "1 item removed\n"
    faq.write_text(FAQ + "4,too,many,fields\n")
    done = command("index", "faq.csv", "--json", "--quiet")
    assert done.code == 0
    assert done.err == f"skipped {faq}:5: 4 cells, but the header has 3\n"
    assert {key: done.records[0][key] for key in ("added", "unchanged", "skipped", "items")} == {
        "added": 1,
        "unchanged": 2,
        "skipped": 1,
        "items": 3,
    }
    assert command("remove", "faq.csv", "--json").records == [{"path": "faq.csv", "removed": 3}]
    info = command("info", "--json").records[0]
    assert (info["items"], info["modality"]) == (0, "text")
    assert command("check").code == 0


def test_a_table_without_a_text_column_is_told_and_fails_when_nothing_else_is_there(command, place, tiny_text):
    (place / "f.csv").write_text("a,b\n1,2\n")
    done = command("index", "f.csv", "--encoder", tiny_text, "--quiet")
    assert done.code == 1
    assert done.err == (
        f"skipped {place / 'f.csv'}: no column 'text' (--text-column); the columns are a, b\n"
        "Error: nothing could be stored, so indexes/f.csv was not made\n"
    )
    assert command("index", "f.csv", "--text-column", "b", "--quiet").code == 0
    assert command("index", "f.csv", "--by", "page").code == 2


def test_what_a_folder_holds_decides_the_encoder(command, place, gallery, tiny, tiny_text):
    (place / "notes").mkdir()
    assert default_encoder([str(place / "notes")]) == "photo"
    (place / "notes" / "a.md").write_text("x")
    (place / "labels.csv").write_text("path,label\n")
    assert default_encoder([str(place / "notes")]) == "text"
    assert default_encoder([str(gallery), str(place / "labels.csv")], ["labels.csv"]) == "photo"
    assert command("index", "notes", "--quiet").code == 0
    assert command("info", "--json").records[0]["encoder"] == "text"
    shutil.rmtree(place / "indexes")
    for name in ("to do", "b", "c"):
        (gallery / f"{name}.txt").write_text(f"images of mine, {name}")
    mixed = command("index", gallery)
    assert (mixed.code, mixed.out) == (2, "")
    assert mixed.err == (
        "Error: files of both kinds, 8 of images and 3 of texts; a collection holds one. Say which: "
        "--encoder photo or --encoder text\n"
    )
    assert not (place / "indexes").exists()
    for encoder, added, skipped in ((tiny, 8, 3), (tiny_text, 3, 8)):
        record = command("index", gallery, "--encoder", encoder, "--json", "--quiet").records[0]
        assert (record["added"], record["skipped"]) == (added, skipped)
        shutil.rmtree(place / "indexes")


def test_reindex_takes_the_texts_from_the_collection(command, faq, tmp_path_factory):
    from text_encoder import make_text_encoder

    command("enroll", "hats", "a hat", "--quiet")
    other = make_text_encoder(tmp_path_factory.mktemp("other") / "other-text", seed=3)
    faq.rename(faq.with_name("away.csv"))
    done = command("reindex", "--encoder", other, "--json", "--quiet")
    assert (done.code, done.records[0]["items"], done.records[0]["lost"]) == (0, 3, [])
    assert command("query", "hats", "-k", "1", "--json").records[0]["text"] == "do you sell hats"
    with Collection.open("indexes/faq.csv") as opened:
        assert opened.labels() == {"hats": 1}
        assert opened.check().clean


def test_the_python_of_the_page_on_texts_runs(place, tiny_text):
    page = (Path(__file__).parent.parent.parent / "docs" / "texts.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    (place / "faq.csv").write_text("question,topic\nhow do I return it,returns\n")
    (place / "letter.txt").write_text("Dear shop")
    names: dict[str, object] = {}
    exec(compile(source.replace('encoder="text"', f"encoder={str(tiny_text)!r}"), "texts.md", "exec"), names)
    collection = names["collection"]
    assert isinstance(collection, Collection)
    with collection:
        assert [(Path(item.uri).name, item.label, item.metadata) for item in collection.items()] == [
            ("faq.csv#1", "returns", {}),
            ("mail 1", None, {"year": 2024}),
            ("mail 2", None, {"year": 2025}),
        ]
        assert collection.labels() == {"returns": 1}


def test_an_encoding_is_named_once_and_remembered(command, place, tiny_text):
    notes = place / "notes"
    notes.mkdir()
    (notes / "a.txt").write_bytes("café au lait".encode("cp1252"))
    (notes / "b.ndjson").write_bytes('{"text": "naïve"}\n{"text": null}\n[]\n'.encode("cp1252"))
    (notes / "c.json").write_bytes('[{"text": "marked é", "id": "k"}]'.encode("utf-16"))
    done = command("index", "notes", "--encoder", tiny_text, "--encoding", "cp1252", "--json", "--quiet")
    assert (done.code, done.records[0]["added"], done.records[0]["skipped"]) == (0, 3, 2)
    assert done.err.splitlines() == [
        f"skipped {notes}/b.ndjson:2: no text",
        f"skipped {notes}/b.ndjson:3: not a JSON object but []",
    ]
    with Collection.open(place / "indexes" / "notes") as collection:
        assert sorted(item.text for item in collection.items()) == ["café au lait", "marked é", "naïve"]
    assert f"{notes}  --encoding cp1252" in command("info", "--index", "notes").out
    (notes / "a.txt").write_bytes("tête-à-tête".encode("cp1252"))
    assert command("index", "notes", "--json", "--quiet").records[0]["updated"] == 1
    # Said anew, the files are read again although they have not changed.
    assert command("index", "notes", "--encoding", "latin-1", "--quiet").code == 0
    assert command("index", "notes", "--encoding", "utf-8", "--json", "--quiet").err.splitlines()[0] == (
        f"skipped {notes}/a.txt: not UTF-8 (byte 0xea at 1); {NAME}"
    )


def test_an_encoding_that_there_is_not_is_refused_in_one_line(command, faq, place):
    reason = "Error: no encoding 'utf-9'; for instance utf-8, utf-16, cp1252, latin-1, shift-jis or gb18030\n"
    for words in (
        ["index", "faq.csv", "--encoding", "utf-9"],
        ["train", "faq.csv", "-o", "out", "--set", "encoding=utf-9"],
        ["evaluate", "text", "faq.csv", "--encoding", "utf-9"],
        ["distill", "text", "faq.csv", "-o", "out", "--encoding", "utf-9"],
    ):
        done = command(*words, "--quiet")
        assert (done.code, done.out, done.err) == (2, "", reason)


def test_labels_are_in_a_table_of_any_encoding(command, place):
    (place / "photos").mkdir()
    Image.new("RGB", (8, 8), "red").save(place / "photos" / "a.png")
    (place / "labels.tsv").write_bytes("path\tlabel\nphotos/a.png\tété\n".encode("cp1252"))
    (place / "photos" / "notes.json").write_text("{}")
    words = ("index", "photos", "--encoder", "photo", "--quiet")
    assert command(*words, "--labels", "labels.tsv", "--encoding", "cp1252").code == 0
    with Collection.open(place / "indexes" / "photos") as collection:
        assert [item.label for item in collection.items()] == ["été"]
    done = command(*words, "--encoding", "cp1252")
    assert (done.code, "but these are images" in done.err) == (2, True)
    (place / "labels.tsv").write_text("path\tlabel\na.png\nb.png\n")
    done = command(*words, "--labels", "labels.tsv")
    assert (done.code, done.err.splitlines()[0]) == (2, "Error: labels.tsv: 2 bad rows; correct or remove them")


def test_notes_in_json_beside_pictures_do_not_make_texts_of_them(place):
    (place / "both").mkdir()
    for name in ("a.png", "a.json"):
        (place / "both" / name).touch()
    assert default_encoder(["both"]) == "photo"
    assert default_encoder(["both/a.json"]) == "text"
    with pytest.raises(UsageError, match="files of both kinds, 1 of images and 2 of"):
        default_encoder(["both", "both/a.json"])
