"""Labelled material of every kind: what is read, what is skipped, and what is refused with file and line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import TrainingError, UsageError
from simsearch.labelled.reading import Labelled, read_labelled
from simsearch.media.encodings import NAME


def touch(root: Path, *names: str, text: str = "x") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("NAME", name), encoding="utf-8")


def table(folder: Path, *lines: str, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def classes_by_file(found: Labelled, root: Path) -> dict[str, str]:
    assert found.labels is not None
    return {
        Path(path).relative_to(root).as_posix(): found.classes[label]
        for path, label in zip(found.files or found.sources, found.labels, strict=True)
    }


def pairs_of(found: Labelled) -> list[tuple[str, ...]]:
    assert found.rows is not None
    return [tuple(found.sources[position] for position in row) for row in found.rows]


# -- folders -------------------------------------------------------------------------------------------------------


def test_the_folder_of_a_file_is_its_class(tmp_path: Path) -> None:
    touch(tmp_path, "red/1.png", "red/2.JPG", "blue/1.png")
    found = read_labelled(tmp_path)
    assert (found.modality, found.kind) == ("image", "classes")
    assert found.classes == found.groups == ("blue", "red")
    assert classes_by_file(found, tmp_path) == {"red/1.png": "red", "red/2.JPG": "red", "blue/1.png": "blue"}
    assert found.labels is not None
    assert found.labels.dtype == np.int64
    assert found.skipped == ()


def test_nested_folders_have_the_group_of_their_top_folder(tmp_path: Path) -> None:
    touch(tmp_path, "Greek/alpha/1.png", "Greek/beta/1.png", "Latin/a/upper/1.png", "plain/1.png")
    found = read_labelled(tmp_path)
    assert dict(zip(found.classes, found.groups, strict=True)) == {
        "Greek/alpha": "Greek",
        "Greek/beta": "Greek",
        "Latin/a/upper": "Latin",
        "plain": "plain",
    }


def test_stray_files_are_skipped_with_a_reason(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/1.png", "stray.png", "a/notes.txt", "a/x.pdf", "a/.hidden.png")
    found = read_labelled(tmp_path)
    assert classes_by_file(found, tmp_path) == {"a/1.png": "a", "b/1.png": "b"}
    assert {Path(skip.path).name: skip.reason for skip in found.skipped} == {
        "notes.txt": "not an image (.txt)",
        "x.pdf": "not an image (.pdf)",
        "stray.png": "not in a class folder",
        ".hidden.png": "left out (hidden)",
    }


def test_texts_are_read_where_they_are_more_than_the_pictures_or_when_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.txt", "b/2.MD", "b/c/3.txt", text="Text of NAME.\n")
    found = read_labelled(tmp_path)
    assert (found.modality, found.kind) == ("text", "classes")
    assert found.sources == ("Text of a/1.txt.\n", "Text of b/2.MD.\n", "Text of b/c/3.txt.\n")
    assert classes_by_file(found, tmp_path) == {"a/1.txt": "a", "b/2.MD": "b", "b/c/3.txt": "b/c"}
    touch(tmp_path, "a/7.png", "b/7.png")
    assert read_labelled(tmp_path).sources == found.sources
    assert len(read_labelled(tmp_path).skipped) == 2
    touch(tmp_path, "b/8.png")
    assert read_labelled(tmp_path).modality == "image"
    assert read_labelled(tmp_path, modality="text").sources == found.sources


def test_what_was_left_out_is_told_where_too_little_is_left(tmp_path: Path) -> None:
    touch(tmp_path, "one/a/1.txt", "one/a/2.txt", "one/x.txt", text="Text of NAME.\n")
    with pytest.raises(TrainingError, match=r"1 class folders with texts.*\(1 skipped, the first: .*x\.txt: not in a"):
        read_labelled(tmp_path / "one")
    (tmp_path / "paths.csv").write_text("path,label\nnone.txt,a\nother.txt,b\n", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"0 classes, .* \(2 skipped, the first: .*none\.txt: no such file\)$"):
        read_labelled(tmp_path / "paths.csv")


def test_texts_that_cannot_be_read_are_skipped(tmp_path: Path) -> None:
    touch(tmp_path, "a/good.txt", "b/good.txt", "b/x.pdf", "b/1.png")
    (tmp_path / "a" / "bom.txt").write_bytes(b"\xef\xbb\xbfline\r\n")
    (tmp_path / "a" / "empty.txt").touch()
    (tmp_path / "a" / "blank.txt").write_text(" \n")
    (tmp_path / "a" / "latin.txt").write_bytes("café".encode("latin-1"))
    (tmp_path / "a" / "nul.txt").write_bytes(b"a\0b")
    found = read_labelled(tmp_path, modality="text")
    assert found.sources == ("line\r\n", "x", "x")
    assert {Path(skip.path).name: skip.reason for skip in found.skipped} == {
        "empty.txt": "empty file",
        "blank.txt": "no text",
        "x.pdf": "not a text (.pdf)",
        "1.png": "not a text (.png)",
        "nul.txt": f"a NUL character; if it is a text, {NAME}",
        "latin.txt": f"not UTF-8 (byte 0xe9 at 3); {NAME}",
    }


def test_lines_of_class_folders_are_sources(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.txt", "b/1.txt", text="one NAME\n\n two \n")
    found = read_labelled(tmp_path, by_line=True)
    assert found.sources == ("one a/1.txt", "two", "one b/1.txt", "two")
    assert found.labels is not None
    assert found.lines is not None
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.lines.tolist() == [1, 3, 1, 3]
    assert found.documents is None


@pytest.mark.parametrize("way", ["relative", "through the parent", "with a slash"])
def test_class_names_do_not_depend_on_how_the_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    root = tmp_path / "labelled"
    touch(root, "a/1.png", "b/x/1.png")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    given_as = {
        "relative": Path("labelled"),
        "through the parent": tmp_path / "elsewhere" / ".." / "labelled",
        "with a slash": Path(f"{root}{os.sep}"),
    }[way]
    assert read_labelled(given_as).classes == ("a", "b/x")


@pytest.mark.parametrize(("names", "count"), [((), 0), (("one.png",), 0), (("a/1.png", "a/2.png"), 1)])
def test_fewer_than_two_classes_are_refused(tmp_path: Path, names: tuple[str, ...], count: int) -> None:
    touch(tmp_path, *names)
    with pytest.raises(TrainingError, match=f"{count} class folders with images, at least 2 .* --kind unlabelled"):
        read_labelled(tmp_path)


def test_any_folder_is_read_without_labels(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "a/2.png", "a/b/3.png", "notes.txt")
    found = read_labelled(tmp_path, kind="unlabelled")
    assert [Path(source).name for source in found.sources] == ["1.png", "2.png", "3.png"]
    assert (found.labels, found.documents, found.classes) == (None, None, ())
    assert [skip.reason for skip in found.skipped] == ["not an image (.txt)"]
    with pytest.raises(TrainingError, match="has 1 texts, at least 2 are needed"):
        read_labelled(tmp_path, kind="unlabelled", modality="text")


def test_each_file_and_each_block_of_lines_is_a_document(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_bytes(b"\n\na\nb\n \n\nc")
    (tmp_path / "2.txt").write_bytes(b"d\r\ne\r\n")
    found = read_labelled(tmp_path, kind="unlabelled", by_line=True)
    assert found.sources == ("a", "b", "c", "d", "e")
    assert found.documents is not None
    assert found.lines is not None
    assert found.documents.tolist() == [0, 0, 1, 2, 2]
    assert found.lines.tolist() == [3, 4, 7, 1, 2]
    whole = read_labelled(tmp_path, kind="unlabelled")
    assert (len(whole.sources), whole.documents) == (2, None)


# -- manifests and lines -------------------------------------------------------------------------------------------


def test_a_manifest_names_files_and_their_classes(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "d.png"
    found = read_labelled(table(tmp_path, "note,path,label", "n,b.png, red ", f",{elsewhere},blue", ",b.png,blue"))
    assert (found.modality, found.kind) == ("image", "classes")
    assert found.sources == (str(tmp_path / "b.png"), str(elsewhere), str(tmp_path / "b.png"))
    assert found.labels is not None
    assert found.lines is not None
    assert found.labels.tolist() == [1, 0, 0]
    assert found.classes == found.groups == ("blue", "red")
    assert found.lines.tolist() == [2, 3, 4]
    assert found.partitions is None


def test_text_files_of_a_manifest_that_cannot_be_read_are_skipped_with_their_rows(tmp_path: Path) -> None:
    touch(tmp_path, "1.txt", "3.txt", text="text NAME")
    file = table(tmp_path, "path,label,group,split", "1.txt,b,g,train", "2.txt,c,h,val", "3.txt,a,i,test")
    found = read_labelled(file)
    assert found.sources == ("text 1.txt", "text 3.txt")
    assert found.classes == ("a", "b")
    assert [(Path(skip.path).name, skip.reason) for skip in found.skipped] == [("2.txt", "no such file")]
    arrays = (found.labels, found.lines, found.partitions, found.grouped)
    assert [array.tolist() for array in arrays if array is not None] == [[1, 0], [2, 4], [0, 2], [0, 1]]
    assert found.group_names == ("g", "i")


def test_groups_of_classes_come_from_their_rows_unless_they_are_mixed(tmp_path: Path) -> None:
    rows = ("text,label,group", "t,b,g", "u,a,h", "v,b,g", "w,c,g")
    found = read_labelled(table(tmp_path, *rows))
    assert (found.classes, found.groups) == (("a", "b", "c"), ("h", "g", "g"))
    mixed = read_labelled(table(tmp_path, *rows, "x,b,h"))
    assert mixed.groups == ("a", "b", "c")
    assert mixed.grouped is not None
    assert mixed.grouped.tolist() == [0, 1, 0, 0, 1]


@pytest.mark.parametrize("word", ["validation", "valid", "val", "DEV", " dev "])
def test_partitions_have_several_names(tmp_path: Path, word: str) -> None:
    found = read_labelled(table(tmp_path, "text,label,split", "a,x,training", f"b,y,{word}", "c,z,test"))
    assert found.partitions is not None
    assert found.partitions.tolist() == [0, 1, 2]
    assert found.partitions.dtype == np.int8


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), min_size=2, max_size=12))
def test_labels_are_numbers_of_sorted_classes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    file = table(tmp_path_factory.getbasetemp(), "text,label", *[",".join(row) for row in rows])
    if len({label for _, label in rows}) < 2:
        with pytest.raises(TrainingError, match="1 classes, at least 2 are needed"):
            read_labelled(file)
        return
    found = read_labelled(file)
    assert found.labels is not None
    assert list(found.classes) == sorted({label for _, label in rows})
    assert [(text, found.classes[label]) for text, label in zip(found.sources, found.labels, strict=True)] == rows


def test_lines_without_blank_ones_are_no_documents(tmp_path: Path) -> None:
    found = read_labelled(table(tmp_path, "a\tb", " c ", name="lines.txt"), kind="unlabelled")
    assert found.sources == ("a\tb", "c")
    assert found.documents is None
    with pytest.raises(TrainingError, match=r"lines\.txt: 1 sources, at least 2"):
        read_labelled(table(tmp_path, "a", "", name="lines.txt"))
    for options in ({"kind": "classes"}, {"modality": "image"}, {"convention": "same"}):
        with pytest.raises(TrainingError, match=r"lines\.txt: lines of text without labels"):
            read_labelled(table(tmp_path, "a", "b", name="lines.txt"), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (
            ["text,split", "a,train"],
            {},
            "no column 'label'.*--columns label=NAME, or train without labels by --kind unlabelled",
        ),
        (
            ["path,text,label", "a.png,a,b"],
            {},
            "images in 'path', texts in 'text'.*--modality image or --modality text",
        ),
        (["a,b", "1,2"], {}, r"no column 'path' or 'text'.*the columns are a, b\. Give --columns ROLE=NAME"),
        (["left,same", "a,1"], {}, "'left' and 'right' for pairs"),
        (["text,label", "a,b", "c,"], {}, r"csv:3: label is missing"),
        (["text,label", "a,b", ",c"], {}, r"csv:3: text is missing"),
        (["text,label", "a,b"], {}, "1 classes, at least 2"),
        (["text,label"], {}, "0 classes, at least 2"),
        (["text,label", "a,b"], {"modality": "image"}, "column 'text' holds texts, not images"),
        (["text,label,split", "a,b,all"], {}, r"csv:2: split='all'; must be train, validation or test"),
        (["text,label,group", "a,b,"], {}, r"csv:2: group is missing"),
        (["text,label", "a,7.jpg"], {"label_until": "#"}, r"csv:2: label='7.jpg' has no text before a '#'"),
        (["text,label", "a,#7"], {"label_until": "#"}, r"csv:2: label='#7' has no text before"),
        (["text", "a"], {"kind": "unlabelled"}, "1 sources, at least 2"),
    ],
)
def test_manifests_that_cannot_be_learned_from(
    tmp_path: Path, lines: list[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        read_labelled(table(tmp_path, *lines), **options)
    assert str(caught.value).startswith(str(tmp_path / "table.csv"))


def test_both_a_path_and_a_text_column_are_read_by_modality(tmp_path: Path) -> None:
    file = table(tmp_path, "path,text,label", "a.png,one,x", "b.png,two,y")
    assert read_labelled(file, modality="text").sources == ("one", "two")
    assert read_labelled(file, modality="image").sources == (str(tmp_path / "a.png"), str(tmp_path / "b.png"))


# -- pairs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "same"),
    [
        ("same", [True, False]),
        ("similar", [True, False]),
        ("different", [False, True]),
        ("dissimilar", [False, True]),
    ],
)
def test_the_name_of_the_column_says_what_one_means(tmp_path: Path, column: str, same: list[bool]) -> None:
    """Y = 0 for similar pairs (Hadsell et al. 2006) and 1 for similar ones (Koch et al. 2015) are both in use."""
    found = read_labelled(table(tmp_path, f"left,right,{column}", "a.png,b.png,1", "a.png,c.png,0"))
    assert found.same is not None
    assert (found.modality, found.kind, found.same.tolist()) == ("image", "pairs", same)
    assert found.same.dtype == np.bool_
    named = column if column in ("same", "different") else {"similar": "same"}.get(column, "different")
    again = read_labelled(tmp_path / "table.csv", convention=named)
    assert again.same is not None
    assert again.same.tolist() == same


@pytest.mark.parametrize(("role", "same"), [("same", [True, False]), ("different", [False, True])])
def test_any_other_name_needs_a_convention(tmp_path: Path, role: str, same: list[bool]) -> None:
    file = table(tmp_path, "left,right,y", "a.png,b.png,1", "a.png,c.png,0")
    for options in ({"convention": role}, {"columns": f"{role}=y"}):
        found = read_labelled(file, **options).same  # type: ignore[arg-type]
        assert found is not None
        assert found.tolist() == same
    with pytest.raises(TrainingError, match=r"'same' \(1 = similar\) or 'different'.*--convention.*left, right, y"):
        read_labelled(file)


@pytest.mark.parametrize("header", ["left,right,same,different", "left,right,y,z", "left,right"])
def test_columns_that_leave_a_choice_are_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(TrainingError, match="no column with the label of each pair"):
        read_labelled(table(tmp_path, header, "a.png,b.png,1,0"))


def test_a_convention_against_the_name_of_the_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="column 'dissimilar' contradicts the convention same; omit --convention"):
        read_labelled(table(tmp_path, "left,right,dissimilar", "a,b,1"), convention="same")


def test_paths_start_at_the_files_folder_and_are_numbered_once(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "d.png"
    found = read_labelled(
        table(
            tmp_path, "note,right,left,same", "n,b.png,a.png,yes", f",{elsewhere},a.png,FALSE", ",b.png,sub/c.png, no "
        )
    )
    a, b, c = str(tmp_path / "a.png"), str(tmp_path / "b.png"), str(tmp_path / "sub" / "c.png")
    assert pairs_of(found) == [(a, b), (a, str(elsewhere)), (c, b)]
    assert found.same is not None
    assert found.same.tolist() == [True, False, False]
    assert len(found.sources) == len(set(found.sources)) == 4
    assert found.pairs is not None
    assert found.pairs.dtype == np.int64


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from("abcdef"),
            st.sampled_from("abcdef"),
            st.booleans(),
            st.sampled_from("gh"),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_pairs_of_texts_come_out_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, bool, str, int]]
) -> None:
    names = ("train", "val", "test")
    lines = [f"{left}\t{right}\t{same:d}\t{group}\t{names[partition]}" for left, right, same, group, partition in rows]
    file = table(tmp_path_factory.getbasetemp(), *lines, name="pairs.tsv")
    columns = "q1,q2,same,group,split"
    if not any(same for _, _, same, _, _ in rows):
        with pytest.raises(TrainingError, match=f"similar pairs are needed; found {len(rows)} dissimilar ones only"):
            read_labelled(file, columns=columns)
        return
    found = read_labelled(file, columns=columns)
    assert found.same is not None
    assert found.partitions is not None
    assert found.grouped is not None
    assert found.lines is not None
    groups = [found.group_names[number] for number in found.grouped]
    assert [
        (*pair, same, group, partition)
        for pair, same, group, partition in zip(pairs_of(found), found.same, groups, found.partitions, strict=True)
    ] == rows
    assert found.lines.tolist() == list(range(1, len(rows) + 1))
    assert (found.modality, len(found.sources)) == ("text", len(set(found.sources)))


def test_cells_under_left_and_right_are_paths_by_the_first_of_them(tmp_path: Path) -> None:
    file = table(tmp_path, "left,right,same", "a.txt,b,1", "b,a,0")
    assert read_labelled(file).sources == ("a.txt", "b", "a")
    assert read_labelled(file, modality="image").sources == (
        str(tmp_path / "a.txt"),
        str(tmp_path / "b"),
        str(tmp_path / "a"),
    )
    touch(tmp_path, "a.txt", text="the text")
    found = read_labelled(table(tmp_path, "left,right,same", "a.txt,a.txt,1", "a.txt,a.txt,0", "b.txt,a.txt,1"))
    assert found.sources == ("the text",)
    assert pairs_of(found) == [("the text", "the text")] * 2
    assert [(Path(skip.path).name, skip.reason) for skip in found.skipped] == [("b.txt", "no such file")]
    assert found.lines is not None
    assert found.lines.tolist() == [2, 3]
    pictures = table(tmp_path, "left,right,same", "a.PNG,b,1", "b,a,0")
    assert read_labelled(pictures).modality == "image"
    assert read_labelled(pictures, modality="text").sources == ("a.PNG", "b", "a")


BAD_ROWS = pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.png,b.png,maybe", "same='maybe'; must be 0 or 1"),
        ("a.png,b.png,", "same is missing"),
        ("a.png,,1", "right is missing"),
        (",b.png,1", "left is missing"),
        ("a.png,b.png,2", "same='2'; must be 0 or 1"),
        ("a.png", "1 cell, but the header has 3"),
    ],
)


@BAD_ROWS
def test_a_bad_row_leaves_no_trace_but_its_place_in_a_list(tmp_path: Path, row: str, reason: str) -> None:
    found = read_labelled(table(tmp_path, "left,right,same", "a.png,c.png,1", "", row, "a.png,d.png,0"))
    a, c, d = (str(tmp_path / f"{name}.png") for name in "acd")
    assert (found.sources, pairs_of(found)) == ((a, c, d), [(a, c), (a, d)])
    assert found.lines is not None
    assert found.lines.tolist() == [2, 5]
    assert [(Path(skip.path).name, skip.reason, skip.count) for skip in found.skipped] == [("table.csv:4", reason, 1)]


@BAD_ROWS
def test_a_bad_row_is_refused_where_that_is_asked_for(tmp_path: Path, row: str, reason: str) -> None:
    file = table(tmp_path, "left,right,same", "a.png,b.png,1", "", row, "a.png,c.png,0")
    with pytest.raises(TrainingError) as caught:
        read_labelled(file, strict=True)
    assert (
        str(caught.value) == f"{file}:4: {reason}; such rows are skipped without --strict (for train --set strict=true)"
    )


def test_twenty_bad_rows_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    file = table(tmp_path, "text,label", "a,x", "b,y", *["c,"] * 25)
    found = read_labelled(file)
    assert len(found.sources) == 2
    assert len(found.skipped) == 21
    assert sum(skip.count for skip in found.skipped) == 25
    assert found.skipped[-1].reason == "left out for reasons like those; 5 rows in all"
    with pytest.raises(TrainingError) as caught:
        read_labelled(file, strict=True)
    assert (
        str(caught.value)
        == f"{file}: 25 bad rows; such rows are skipped without --strict (for train --set strict=true)"
    )
    listed = caught.value.__notes__
    assert listed[0] == f"{file}:4: label is missing"
    assert len(listed) == 21


@pytest.mark.parametrize(
    "words", [("1", "0"), ("1.0", "0.0"), ("true", "False"), ("YES", "no"), ("y", "N"), ("t", "f")]
)
def test_answers_are_words_or_numbers(tmp_path: Path, words: tuple[str, str]) -> None:
    found = read_labelled(table(tmp_path, "left,right,same", f"a,b,{words[0]}", f"b,c,{words[1]}"))
    assert found.same is not None
    assert found.same.tolist() == [True, False]


@pytest.mark.parametrize("words", [("1", "0"), ("1.0", "0.0"), ("true", "false"), ('"1"', '"no"')])
def test_answers_of_json_are_the_same(tmp_path: Path, words: tuple[str, str]) -> None:
    rows = [f'{{"left": "a", "right": "b", "same": {word}}}' for word in words]
    for file in (
        table(tmp_path, *rows, name="a.ndjson"),
        table(tmp_path, f"[{rows[0]},", f"{rows[1]}]", name="a.json"),
    ):
        found = read_labelled(file)
        assert found.same is not None
        assert found.same.tolist() == [True, False]


def test_keys_that_only_later_objects_have_count_where_they_have_a_meaning(tmp_path: Path) -> None:
    rows = [
        '{"text": "a", "label": true}',
        '{"text": 5, "label": "x", "note": [1]}',
        '{"text": "c", "label": "x", "split": "test"}',
        '{"text": ["d"], "label": "x"}',
    ]
    found = read_labelled(table(tmp_path, *rows, name="a.jsonl"))
    assert (found.sources, found.classes) == (("a", "5"), ("true", "x"))
    assert [skip.reason for skip in found.skipped] == [
        "'split' is not in the first object, which must have all keys",
        "'text' is neither text nor number but [\"d\"]",
    ]
    with pytest.raises(TrainingError, match=r"a\.jsonl: no rows \(1 skipped, the first: .*a\.jsonl:1: not JSON"):
        read_labelled(table(tmp_path, "text", name="a.jsonl"))
    with pytest.raises(TrainingError, match="name their columns; give --columns ROLE=NAME"):
        read_labelled(tmp_path / "a.jsonl", columns="text,label")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "shift-jis"])
def test_any_encoding_can_be_named(tmp_path: Path, encoding: str) -> None:
    word = "ハンプ" if encoding == "shift-jis" else "café"
    (tmp_path / "a.txt").write_bytes(word.encode(encoding))
    file = table(tmp_path, "path,label,group", f"a.txt,{word},g", "a.txt,b,g", encoding=encoding)
    found = read_labelled(file, encoding=encoding)
    assert (found.sources, set(found.classes)) == ((word, word), {"b", word})
    lines = read_labelled(table(tmp_path, word, "b", name="lines.txt", encoding=encoding), encoding=encoding)
    assert lines.sources == (word, "b")
    touch(tmp_path, "folder/b/1.txt")
    table(tmp_path / "folder" / "b", word, "c", name="2.txt", encoding=encoding)
    both = read_labelled(tmp_path / "folder", kind="unlabelled", by_line=True, encoding=encoding)
    assert both.sources[-2:] == (word, "c")
    with pytest.raises(UsageError, match="no encoding 'klingon'; for instance utf-8"):
        read_labelled(file, encoding="klingon")


def test_lines_that_cannot_be_read_are_skipped_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_bytes(b"\na\nca\xe9\nb\n\nc\0\nd\n")
    found = read_labelled(file)
    assert found.sources == ("a", "b", "d")
    assert found.documents is not None
    assert found.documents.tolist() == [0, 1, 2], "what a bad line parts are no neighbors"
    assert [Path(skip.path).name for skip in found.skipped] == ["lines.txt:3", "lines.txt:6"]
    touch(tmp_path, "folder/other.txt")
    (tmp_path / "folder" / "lines.txt").write_bytes(file.read_bytes())
    folder = read_labelled(tmp_path / "folder", kind="unlabelled", by_line=True)
    assert [Path(skip.path).name for skip in folder.skipped] == ["lines.txt:3", "lines.txt:6"]
    for source, options in ((file, {}), (tmp_path / "folder", {"kind": "unlabelled", "by_line": True})):
        with pytest.raises(
            TrainingError, match=r"lines\.txt: 2 bad rows; such rows are skipped without --strict"
        ) as caught:
            read_labelled(source, strict=True, **options)  # type: ignore[arg-type]
        assert [note.partition(": ")[2][:9] for note in caught.value.__notes__] == ["not UTF-8", "a NUL cha"]


# -- graded pairs and triplets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score_range", "expected", "told"),
    [
        (None, [0.0, 1.0, 0.25], (1.0, 5.0)),
        ((0, 5), [0.2, 1.0, 0.4], (0.0, 5.0)),
        ((5, 1), [1.0, 0.0, 0.75], (5.0, 1.0)),
    ],
)
def test_scores_are_scaled_by_their_range(
    tmp_path: Path, score_range: tuple[float, float] | None, expected: list[float], told: tuple[float, float]
) -> None:
    found = read_labelled(table(tmp_path, "s1,s2,Score", "a,b,1", "b,c,5", "c,a,2.0"), score_range=score_range)
    assert (found.kind, found.modality, found.score_range) == ("graded", "text", told)
    assert found.scores is not None
    assert found.scores.dtype == np.float32
    np.testing.assert_allclose(found.scores, expected, atol=1e-7)
    assert pairs_of(found) == [("a", "b"), ("b", "c"), ("c", "a")]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (["a,b,score"], {}, r"csv:2: score='score'; must be a number"),
        (["a,b,1", "a,c,nan"], {}, r"csv:3: score='nan'; must be a number"),
        (["a,b,1", "a,c,-inf"], {}, r"csv:3: score='-inf'"),
        (["a,b,1", "a,c,6"], {"score_range": (0, 5)}, r"csv:3: score=6 is outside the given range 0 to 5"),
        (["a,b,1", "a,c,6"], {"score_range": (5, 0)}, r"csv:3: score=6 is outside the given range 5 to 0"),
        (["a,b,1", "a,c,1.0"], {}, "at least 2 distinct scores are needed; 2 pairs have 1"),
        ([], {}, "at least 2 distinct scores are needed; 0 pairs have 0"),
    ],
)
def test_scores_that_are_none_are_refused(
    tmp_path: Path, rows: list[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        read_labelled(table(tmp_path, "left,right,score", *rows), **options)


def test_a_header_taken_for_a_row_is_explained(tmp_path: Path) -> None:
    file = table(tmp_path, "a,b,relatedness", "x,y,1")
    with pytest.raises(TrainingError, match=r"csv:1: score='relatedness'.*if the file has a header.*ROLE=NAME"):
        read_labelled(file, columns="left,right,score")


def test_score_and_answer_leave_a_choice(tmp_path: Path) -> None:
    file = table(tmp_path, "s1,s2,score,same", "a,b,1,0", "b,c,2,1")
    with pytest.raises(TrainingError, match="choose --kind graded or --kind pairs"):
        read_labelled(file)
    assert read_labelled(file, kind="graded").scores is not None
    assert read_labelled(file, kind="pairs").same is not None


def test_triplets_are_positions_of_anchor_positive_and_negative(tmp_path: Path) -> None:
    found = read_labelled(table(tmp_path, "negative,anchor,positive", "n,a,p", "a,b,b"))
    assert (found.kind, found.modality, found.sources) == ("triplets", "text", ("a", "p", "n", "b"))
    assert found.triplets is not None
    assert found.triplets.tolist() == [[0, 1, 2], [3, 3, 0]]
    with pytest.raises(TrainingError, match=r"csv:2: negative='a' is the anchor or the positive as well"):
        read_labelled(table(tmp_path, "negative,anchor,positive", "a,a,p"))
    with pytest.raises(TrainingError, match="no triplets; a row for each is needed"):
        read_labelled(table(tmp_path, "negative,anchor,positive"))


def test_text_files_of_triplets_that_cannot_be_read_take_their_rows_with_them(tmp_path: Path) -> None:
    touch(tmp_path, "a.md", "b.md", "c.md", text="NAME")
    found = read_labelled(table(tmp_path, "anchor,positive,negative", "a.md,b.md,c.md", "a.md,b.md,d.md"))
    assert pairs_of(found) == [("a.md", "b.md", "c.md")]
    assert [Path(skip.path).name for skip in found.skipped] == ["d.md"]
    scored = read_labelled(table(tmp_path, "left,right,score", "a.md,b.md,1", "a.md,d.md,2", "b.md,c.md,3"))
    assert scored.lines is not None
    assert scored.lines.tolist() == [2, 4]


# -- requests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "triples"}, "no kind 'triples'; there are classes, pairs, graded, triplets, unlabelled"),
        ({"convention": "equal"}, "no convention 'equal'; there are same, different"),
        ({"score_range": (2, 2)}, "score range 2,2: must be two different finite numbers"),
        ({"score_range": (0, float("nan"))}, "score range 0,nan"),
        ({"columns": "a,,b"}, "empty name"),
        ({"by_line": True}, "a row of a table is one source; by_line applies to folders of texts"),
        (
            {"convention": "same"},
            r"convention \(--convention; for train --set convention=\) applies to pairs, not classes",
        ),
        ({"score_range": (0, 5)}, r"score_range \(--score-range; .*\) applies to graded, not classes"),
        ({"label_until": "#", "kind": "unlabelled"}, "applies to classes, not unlabelled"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_labelled(table(tmp_path, "text,label", "a,x", "b,y"), **options)


@pytest.mark.parametrize("options", [{"columns": "text,label"}, {"kind": "pairs"}, {"convention": "same"}])
def test_options_of_tables_are_refused_for_folders(tmp_path: Path, options: dict[str, Any]) -> None:
    touch(tmp_path, "a/1.png", "b/1.png")
    with pytest.raises(UsageError, match="is a folder, of classes or unlabelled files"):
        read_labelled(tmp_path, **options)


def test_other_files_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.xlsx")
    with pytest.raises(
        TrainingError, match=r"a\.xlsx: not a \.csv, \.tsv, \.jsonl, \.json or \.txt file, nor a folder"
    ):
        read_labelled(tmp_path / "a.xlsx")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.txt")
        with pytest.raises(TrainingError, match=r"pipe\.txt: not a"):
            read_labelled(tmp_path / "pipe.txt")
    with pytest.raises(TrainingError, match=r"b\.csv does not exist; give a folder"):
        read_labelled(tmp_path / "b.csv")


@pytest.mark.parametrize(
    ("kind", "missing"),
    [("pairs", "left"), ("graded", "left"), ("triplets", "anchor")],
)
def test_a_kind_that_the_columns_do_not_hold_is_refused(tmp_path: Path, kind: Any, missing: str) -> None:
    with pytest.raises(TrainingError, match=f"no column '{missing}', required for {kind}; the columns are text, label"):
        read_labelled(table(tmp_path, "text,label", "a,x", "b,y"), kind=kind)
