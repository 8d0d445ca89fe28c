"""Plans are written as JSON that people can edit, and every mistake in one is named in one line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.duplicates.removal.plan import (
    Companion,
    FileState,
    Group,
    Header,
    Plan,
    PlannedFile,
    TakenOver,
    Totals,
    totals,
)
from simsearch.duplicates.removal.plan_file import fingerprint, read_plan, write_plan
from simsearch.errors import PlanError

ROOT = "C:\\photos\\" if sys.platform == "win32" else "/photos/"
Edit = Callable[[dict[str, Any]], object]


def seen(name: str, **values: Any) -> FileState:
    return FileState(
        **({"path": ROOT + name, "size": 10, "sha256": "ab" * 32, "mtime_ns": 5, "device": 1, "inode": 7} | values)
    )


def example() -> Plan:
    moved = ((0.5, 0.0, -3.0), (0.0, 0.5, 2.25))
    files = (
        PlannedFile(seen("a.jpg"), "keep", "the largest of 3", companions=(Companion(seen("a.cr2"), "raw"),)),
        PlannedFile(
            seen("b.jpg", size=7),
            "remove",
            "a crop of it",
            "cropped",
            0.97,
            moved,
            (Companion(seen("b.xmp", size=3), "sidecar"),),
        ),
        PlannedFile(seen("c.jpg", links=2), "remove", "the same bytes", "exact", 1.0),
        PlannedFile(seen("d.jpg", symlink=True), "leave"),
    )
    taken = (
        TakenOver(ROOT + "b.jpg", "label", "Ana"),
        TakenOver(ROOT + "c.jpg", "metadata", [1, {"x": None}], "place"),
    )
    header = Header((ROOT[:-1],), (ROOT + "archive",), ("resolution", "age"), ROOT + "collection", 12)
    return Plan(header, (Group(3, files, taken), Group(4, (PlannedFile(seen("e.jpg"), "keep"),))))


def written(folder: Path, plan: Plan) -> Path:
    write_plan(folder / "plan.json", plan.header, iter(plan.groups))
    return folder / "plan.json"


def test_a_plan_comes_back_as_it_was_written(tmp_path: Path) -> None:
    plan = example()
    assert write_plan(tmp_path / "plan.json", plan.header, iter(plan.groups)) == Totals(1, 3, 10)
    assert read_plan(tmp_path / "plan.json") == plan
    document = json.loads((tmp_path / "plan.json").read_bytes())
    assert document["totals"] == {"groups": 1, "files": 3, "bytes": 10}
    assert [file["action"] for file in document["groups"][0]["files"]] == ["keep", "remove", "remove", "leave"]


def test_an_empty_plan_and_one_that_was_formatted_anew_are_read(tmp_path: Path) -> None:
    empty = Plan(Header((ROOT,)), ())
    assert read_plan(written(tmp_path, empty)) == empty
    path = written(tmp_path, example())
    path.write_text("\ufeff" + json.dumps(json.loads(path.read_bytes()), indent="\t"), encoding="utf-8")
    assert read_plan(path) == example()
    path.write_text(json.dumps(json.loads(path.read_text("utf-8-sig")), separators=(",", ":")))
    assert read_plan(path) == example()


def test_equal_plans_are_equal_files_and_have_one_fingerprint(tmp_path: Path) -> None:
    path = written(tmp_path, example())
    first = path.read_bytes()
    assert written(tmp_path, example()).read_bytes() == first
    assert fingerprint(read_plan(path)) == fingerprint(example())
    path.write_bytes(first.replace(b'"leave"', b'"remove"'))
    assert fingerprint(read_plan(path)) != fingerprint(example())


def test_a_long_plan_is_read_in_parts(tmp_path: Path) -> None:
    def groups() -> Any:
        for number in range(3000):
            name = f"{number}-{'é' * 30}"
            files = (PlannedFile(seen(f"{name}a"), "keep"), PlannedFile(seen(f"{name}b"), "remove", "x" * number))
            yield Group(number, files)

    path = tmp_path / "plan.json"
    found = write_plan(path, Header((ROOT,)), groups())
    assert path.stat().st_size > 4_000_000
    plan = read_plan(path)
    assert plan.groups == tuple(groups())
    assert found == plan.totals == totals(groups()) == Totals(3000, 3000, 30_000)


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0/\\"), min_size=1))
def test_any_name_and_any_words_come_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("plan")
    name = f"x{text}x"
    files = (PlannedFile(seen("kept"), "keep", text), PlannedFile(seen(name), "remove", text, text, 0.5))
    plan = Plan(Header((ROOT,), (), (text,)), (Group(1, files),))
    assert read_plan(written(folder, plan)) == plan


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
def test_names_that_are_no_text_come_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe caf\xe9")
    plan = Plan(Header((ROOT,)), (Group(1, (PlannedFile(seen(name), "keep"),)),))
    path = written(tmp_path, plan)
    path.read_text(encoding="utf-8")
    assert read_plan(path) == plan


def test_bytes_are_freed_by_files_of_one_name_only() -> None:
    files = [seen("a", size=100), seen("b", size=50, links=2), seen("c", size=20, symlink=True)]
    group = Group(1, (PlannedFile(seen("k"), "keep"), *(PlannedFile(one, "remove") for one in files)))
    assert totals([group]) == Totals(1, 3, 100)


def test_the_state_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    found = FileState.of(path, "00" * 32)
    status = path.stat()
    assert (found.size, found.mtime_ns, found.device, found.inode) == (
        5,
        status.st_mtime_ns,
        status.st_dev,
        status.st_ino,
    )
    assert (found.path, found.links, found.symlink, found.freed) == (str(path), 1, False, 5)
    (tmp_path / "b").hardlink_to(path)
    assert (FileState.of(path, "").links, FileState.of(path, "").freed) == (2, 0)
    (tmp_path / "c").symlink_to(path)
    assert (FileState.of(tmp_path / "c", "").symlink, FileState.of(tmp_path / "c", "").freed) == (True, 0)


# -- mistakes ------------------------------------------------------------------------------------------------------


def group(document: dict[str, Any]) -> dict[str, Any]:
    return document["groups"][0]


def file(document: dict[str, Any], number: int = 1) -> dict[str, Any]:
    return group(document)["files"][number]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(version=2), "version 2 of plans is unknown, this simsearch reads 1"),
        (
            lambda d: d.update(format="x"),
            "not a plan of duplicates: 'format' is 'x' instead of 'simsearch dedupe plan'",
        ),
        (lambda d: d.pop("format"), "the plan: the key 'format' is missing"),
        (lambda d: d.pop("version"), "the plan: the key 'version' is missing"),
        (lambda d: d.pop("groups"), "the plan: the key 'groups' is missing"),
        (lambda d: d.update(grups=[]), "the plan: the key 'grups' is unknown"),
        (lambda d: d.update(groups={}), "the plan: 'groups' is not a list"),
        (lambda d: d.update(groups=[7]), "group 1: int instead of an object"),
        (lambda d: d.update(searched=[]), "the plan: 'searched' names no folder"),
        (lambda d: d.update(searched="/photos"), "the plan: 'searched' is not a list of strings"),
        (lambda d: d.update(searched=["photos"]), "the plan: 'photos' in 'searched' is not an absolute path"),
        (lambda d: d.update(generation=-1), "the plan: 'generation' is -1, less than 0"),
        (lambda d: group(d).pop("files"), "group 1: the key 'files' is missing"),
        (lambda d: group(d).update(files=3), "group 3: 'files' is not a list"),
        (lambda d: group(d).update(group="3"), "group 1: 'group' is '3', not a whole number"),
        (lambda d: d["groups"].append(group(d)), "group 3: there are two groups of this number"),
        (lambda d: file(d).pop("action"), "group 3, file 2: the key 'action' is missing"),
        (lambda d: file(d).pop("sha256"), "group 3, file 2: the key 'sha256' is missing"),
        (lambda d: file(d).update(acton="keep"), "group 3, file 2: the key 'acton' is unknown"),
        (
            lambda d: file(d).update(action="delete"),
            "group 3, file 2: 'action' is 'delete'; it can be keep, remove, leave",
        ),
        (
            lambda d: file(d).update(action="keep"),
            "group 3: 2 files have the action 'keep', and one must; use 'leave' for others that stay",
        ),
        (
            lambda d: file(d, 0).update(action="leave"),
            "group 3: 0 files have the action 'keep', and one must; use 'leave' for others that stay",
        ),
        (lambda d: file(d).update(path="b.jpg"), "group 3, file 2: 'b.jpg' is not an absolute path"),
        (lambda d: file(d).update(path=7), "group 3, file 2: 'path' is 7, which is not of type str"),
        (
            lambda d: file(d).update(path=ROOT + "a\0"),
            f"group 3, file 2: {ROOT + 'a' + chr(0)!r} is not an absolute path",
        ),
        (
            lambda d: file(d).update(path=ROOT + "x/../a.jpg"),
            f"group 3, file 2: {ROOT + 'x/../a.jpg'!r} stands in the plan already, in group 3",
        ),
        (
            lambda d: d["groups"][1]["files"][0].update(path=ROOT + "b.xmp"),
            f"group 4, file 1: {ROOT + 'b.xmp'!r} stands in the plan already, in group 3",
        ),
        (
            lambda d: file(d, 3).update(path=ROOT + "archive/b.jpg", action="remove"),
            f"group 3: {ROOT + 'archive/b.jpg'!r} is to be removed, but lies in the reference",
        ),
        (
            lambda d: file(d)["companions"][0].update(role="friend"),
            "group 3, file 2, companion 1: 'role' is 'friend'; it can be sidecar, raw, film",
        ),
        (lambda d: file(d).update(companions=[[]]), "group 3, file 2, companion 1: list instead of an object"),
        (lambda d: file(d).update(size=-1), "group 3, file 2: 'size' is -1, less than 0"),
        (lambda d: file(d).update(size=True), "group 3, file 2: 'size' is True, not a whole number"),
        (lambda d: file(d).update(size=1.5), "group 3, file 2: 'size' is 1.5, not a whole number"),
        (lambda d: file(d).update(sha256="AB"), "group 3, file 2: 'sha256' is 'AB', not 64 hexadecimal digits"),
        (lambda d: file(d).update(score="high"), "group 3, file 2: 'score' is 'high', not a number"),
        (
            lambda d: file(d).update(transformation=[[1, 2], [3, 4]]),
            "group 3, file 2: 'transformation' is not a matrix of 2x3 or 3x3 numbers",
        ),
        (lambda d: file(d, 2).update(links="2"), "group 3, file 3: 'links' is '2', not a whole number"),
        (lambda d: file(d, 3).update(symlink=1), "group 3, file 4: 'symlink' is 1, which is not of type bool"),
        (
            lambda d: group(d)["takes_over"][0].update(what="name"),
            "group 3: 'what' is 'name'; it can be label, metadata, example",
        ),
        (
            lambda d: group(d)["takes_over"][0].update(source=ROOT + "none.jpg"),
            f"group 3: takes over from {ROOT + 'none.jpg'!r}, which is not another file of the group",
        ),
    ],
)
def test_what_was_edited_wrongly_is_named(tmp_path: Path, edit: Edit, message: str) -> None:
    path = written(tmp_path, example())
    document = json.loads(path.read_bytes())
    edit(document)
    path.write_text(json.dumps(document))
    with pytest.raises(PlanError) as raised:
        read_plan(path)
    assert str(raised.value) == f"{path}: {message}"


HEAD = '{"format": "simsearch dedupe plan", "version": 1,\n"searched": ["/"]'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expecting value"),
        ("[]", "the plan: list instead of an object"),
        ("{}", "the plan: the key 'format' is missing"),
        (HEAD, "line 2: expecting ',' delimiter"),
        (HEAD + ",}", "line 2: expecting property name"),
        (HEAD + ',\n"groups": [],\n}', "line 4: expecting property name"),
        (HEAD + ',\n"groups": [{"group": 1, "files": [}]}', "line 3: expecting value"),
        (HEAD + ',\n"groups": [{"group": 1', "line 3: expecting ',' delimiter"),
        (HEAD + ',\n"groups": [} ', "line 3: expecting value"),
        (HEAD + ',\n"groups": []} x', "line 3: extra data"),
        (HEAD + ',\n"groups": [], "groups": []}', "the key 'groups' appears twice"),
        (HEAD + ",\n7: []}", "line 3: expecting property name"),
        (HEAD + ',\n"groups": [{"group": 1, "group": 1}]}', "the key 'group' appears twice in one object"),
        (HEAD + ',\n"generation": NaN}', "NaN is not a number of JSON"),
        (HEAD + ',\n"generation": ' + "9" * 5000 + "}", "Exceeds the limit"),
        (HEAD + ',\n"groups": ' + "[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_json_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(PlanError) as raised:
        read_plan(path)
    assert message in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no such file or directory"):
        read_plan(tmp_path / "none.json")
    with pytest.raises(PlanError, match=r": "):
        read_plan(tmp_path)
    (tmp_path / "bytes").write_bytes(b'{"format": "\xff"}')
    with pytest.raises(PlanError, match=r"not a plan \(not UTF-8\)"):
        read_plan(tmp_path / "bytes")


@settings(deadline=None)
@given(st.data())
def test_no_damage_is_anything_but_a_plan_or_an_error(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = written(tmp_path_factory.mktemp("plan"), example())
    text = path.read_text(encoding="utf-8")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    path.write_text(text[:start] + data.draw(st.text('{}[]",:0 nul\n\\', max_size=5)) + text[end:], encoding="utf-8")
    try:
        read_plan(path)
    except PlanError as error:
        assert str(error).startswith(f"{path}: ")
