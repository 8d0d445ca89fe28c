"""The same table in every form gives the same rows to index, train, evaluate and --labels."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.collection.adding.labels import labeller
from simsearch.errors import SimsearchError, UsageError
from simsearch.labelled.reading import read_labelled
from simsearch.media.rows import BadRow
from simsearch.media.tables import TABLE_SUFFIXES
from simsearch.media.text_rows import Reading, TextRow, read_rows

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be", "cp1252", "latin-1"]
"""Those with a byte order mark are told by it, the others are named."""
MARKED = ("utf-8", "utf-8-sig", "utf-16", "utf-32")
ENDS = ["\n", "\r\n", "\r"]
CELL = st.text(st.sampled_from("abé ÿ\"'|#;,0"), max_size=6)
LABEL = st.sampled_from(["x", "y", " z ", "1.0", "true", ""])
TABLE = st.lists(st.tuples(CELL, LABEL, CELL), max_size=6)
NAMES = ("text", "label", "note")


def delimited(rows: Sequence[Sequence[str]], separator: str, end: str, *, said: bool) -> str:
    stream = io.StringIO(newline="")
    stream.write(f"sep={separator}{end}" if said else "")
    csv.writer(stream, delimiter=separator, lineterminator=end).writerows([NAMES, *rows])
    return stream.getvalue()


def tabs(rows: Sequence[Sequence[str]], end: str) -> str:
    return "".join("\t".join(row) + end for row in [NAMES, *rows])


def objects(rows: Sequence[Sequence[str]]) -> list[dict[str, str | None]]:
    return [{name: cell or None for name, cell in zip(NAMES, row, strict=True)} for row in rows]


def forms(rows: Sequence[Sequence[str]], end: str) -> dict[str, str]:
    """The content of a file of each name."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + end for row in objects(rows))
    files = {
        f"{sign}{said}.csv": delimited(rows, separator, end, said=said)
        for (sign, separator), said in product({"comma": ",", "semicolon": ";", "tab": "\t"}.items(), (False, True))
    }
    files["bar.csv"] = delimited(rows, "|", end, said=True)
    files |= {f"a{suffix}": tabs(rows, end) for suffix in (".tsv", ".tab")}
    files |= {"a.jsonl": lines, "a.ndjson": lines}
    files["a.json"] = json.dumps(objects(rows), ensure_ascii=False, indent=1).replace("\n", end)
    return files


def index(file: Path, encoding: str | None) -> list[tuple[str, str | None, object]]:
    found = read_rows(str(file), Reading(label="label", encoding=encoding))
    return [
        (row.text, row.label, row.metadata) if isinstance(row, TextRow) else ("", row.reason, None) for row in found
    ]


def train(file: Path, encoding: str | None, *, strict: bool) -> object:
    try:
        found = read_labelled(file, encoding=encoding, strict=strict)
    except SimsearchError as error:
        return type(error), str(error).count("missing"), len(getattr(error, "__notes__", ()))
    assert found.labels is not None
    return (
        found.sources,
        tuple(found.classes[label] for label in found.labels),
        tuple((skip.reason, skip.count) for skip in found.skipped),
    )


@settings(max_examples=80, deadline=None)
@given(rows=TABLE, encoding=st.sampled_from(ENCODINGS), end=st.sampled_from(ENDS), strict=st.booleans())
def test_every_form_of_a_table_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], encoding: str, end: str, strict: bool
) -> None:
    folder = tmp_path_factory.getbasetemp()
    named = None if encoding in MARKED else encoding
    indexed, trained = {}, {}
    for name, content in forms(rows, end).items():
        file = folder / name
        file.write_bytes(content.encode(encoding))
        indexed[name], trained[name] = index(file, named), train(file, named, strict=strict)
    expected = [
        (text, label.strip() or None, {"note": note} if note.strip() else {}) if text.strip() else ("", "no text", None)
        for text, label, note in rows
    ]
    assert indexed == dict.fromkeys(indexed, expected)
    if rows:
        assert set(map(str, trained.values())) == {str(trained["a.tsv"])}
    sound = [(text, label.strip()) for text, label, _ in rows if text.strip() and label.strip()]
    found = trained["a.tsv"]
    if isinstance(found, tuple) and len(found) == 3 and isinstance(found[0], tuple):
        assert list(zip(found[0], found[1], strict=True)) == sound
    else:
        assert strict or len({label for _, label in sound}) < 2


def test_the_forms_are_all_there_are() -> None:
    assert {Path(name).suffix for name in forms([], "\n")} == TABLE_SUFFIXES


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_labels_of_items_are_read_from_every_form(tmp_path: Path, encoding: str) -> None:
    rows = [("a.png", " é", ""), ("", "x", ""), ("sub/b.png", "", "b"), ("c.png", "true", "")]
    for name, content in forms(rows, "\r\n").items():
        (tmp_path / name).write_bytes(content.replace("text", "path", 1).replace('"text"', '"path"').encode(encoding))
        label = labeller(str(tmp_path / name), str(tmp_path), None if encoding in MARKED else encoding)
        given = [label(str(tmp_path / path), "") for path in ("a.png", "sub/b.png", "c.png")]
        assert given == ["é", None, "true"], name


def test_bad_rows_of_labels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,label\na.png\nb.png,b\nc.png,c,c\n")
    with pytest.raises(UsageError) as caught:
        labeller(str(tmp_path / "labels.csv"), str(tmp_path))
    assert str(caught.value) == f"{tmp_path / 'labels.csv'}: 2 bad rows; correct or remove them"
    assert caught.value.__notes__ == [
        f"{tmp_path / 'labels.csv'}:2: 1 cell, but the header has 2",
        f"{tmp_path / 'labels.csv'}:4: 3 cells, but the header has 2",
    ]
    (tmp_path / "labels.jsonl").write_text('{"path": "a.png", "label": "a"}\n[]\n')
    with pytest.raises(UsageError, match=r"labels\.jsonl:2: not a JSON object but \[\]; correct or remove them"):
        labeller(str(tmp_path / "labels.jsonl"), str(tmp_path))
    with pytest.raises(UsageError, match="no columns path and label; the columns are a, b"):
        (tmp_path / "other.csv").write_text("a,b\n")
        labeller(str(tmp_path / "other.csv"), str(tmp_path))


STARTS = st.sampled_from(
    [
        b"",
        b"text,label\n",
        b"left,right,same\n",
        b"s1,s2,score\n",
        b"anchor\tpositive\tnegative\n",
        b"text\n",
        b'"a\nb",c\n',
        b"sep=;\n",
        b'[{"text": "a", "label": "b"},',
        b"\xff\xfe",
        b'{"text": "a", "label": "b"}\n',
        b'"text","label"\r\n',
        b"\xef\xbb\xbfpath;label\n",
    ]
)
DAMAGE = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([bytes([byte]) for byte in b'",\t\n\r\0a10{}[]\xff ']), max_size=40).map(b"".join),
)


@settings(max_examples=200, deadline=None)
@given(
    start=STARTS,
    damage=DAMAGE,
    suffix=st.sampled_from([*sorted(TABLE_SUFFIXES), ".txt"]),
    kind=st.sampled_from([None, "unlabelled", "pairs"]),
    encoding=st.sampled_from([None, "utf-16-le", "cp1252", "utf-7"]),
)
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    start: bytes,
    damage: bytes,
    suffix: str,
    kind: object,
    encoding: str | None,
) -> None:
    file = tmp_path_factory.getbasetemp() / f"any{suffix}"
    file.write_bytes(start + damage)
    try:
        for row in read_rows(str(file), Reading(by="line", encoding=encoding)):
            if isinstance(row, BadRow):
                assert row.reason.isprintable() and row.line >= 1
            else:
                assert row.text.strip() and row.text.encode() and row.key
    except SimsearchError as error:
        assert str(error).isprintable()
    try:
        found = read_labelled(file, kind=kind, encoding=encoding)  # type: ignore[arg-type]
    except SimsearchError as error:
        assert len(str(error).splitlines()) == 1
        assert str(error).startswith(str(file))
    else:
        assert len(found.sources) >= 2
        assert found.lines is not None
        for array in (found.labels, found.pairs, found.scores, found.triplets):
            assert array is None or len(array) == len(found.lines)
