"""Filters, ranges, sums, diverse results and pages, as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def described(command, indexed: Path, place: Path) -> Path:
    """The gallery of eight pictures with metadata: price n for picture n, red for the even ones, a name for one."""
    rows = [f"{number}.png,{number},{('true', 'False')[number % 2]},{'Ana' * (number == 3)}" for number in range(8)]
    (indexed / "about.csv").write_text("\n".join(["path,price,red,owner", *rows, "away.png,1,true,", "x"]))
    done = command("index", indexed, "--metadata", indexed / "about.csv", "--json")
    (report,) = done.records
    assert (report["unchanged"], report["items"]) == (8, 8)
    assert report["notes"] == [
        f"{indexed / 'about.csv'}: metadata of 8 items changed; 1 row names no item: {indexed / 'away.png'}"
    ]
    assert [skip["path"] for skip in report["skipped_files"]] == [f"{indexed / 'about.csv'}:11"]
    return indexed


def names(done) -> list[str]:
    return [Path(record["path"]).name for record in done.records]


def test_a_table_gives_items_metadata_with_types(command, described):
    items = {Path(record["path"]).name: record["metadata"] for record in command("items", "--json").records}
    assert items["3.png"] == {"price": 3, "red": False, "owner": "Ana"}
    assert items["4.png"] == {"price": 4, "red": True}
    (described / "more.jsonl").write_text(
        "\n".join(
            json.dumps(row)
            for row in [{"path": "3.png", "owner": None, "tags": ["a"]}, {"path": "4.png", "price": 9.5}]
        )
    )
    done = command("index", described, "--metadata", described / "more.jsonl")
    assert "metadata of 2 items changed" in done.err
    items = {Path(record["path"]).name: record["metadata"] for record in command("items", "--json").records}
    assert items["3.png"] == {"price": 3, "red": False, "tags": ["a"]}
    assert items["4.png"] == {"price": 9.5, "red": True}


def test_matches_are_those_for_which_the_condition_holds(command, described):
    query = described / "2.png"
    everything = names(command("query", query, "--json"))
    assert len(everything) == 8
    even = names(command("query", query, "--where", "red = true", "--json"))
    assert even == [name for name in everything if int(name[0]) % 2 == 0]
    assert (
        names(command("query", query, "--where", "price between 3 and 5", "--json", "-k", "2"))
        == [name for name in everything if name[0] in "345"][:2]
    )
    assert names(command("query", query, "--where", "name = '7.png'", "--json")) == ["7.png"]
    assert names(command("items", "--where", "owner is not null", "--json")) == ["3.png"]
    assert command("query", query, "--where", "price > 100").out == "no match\n"
    assert names(command("items", "--json", "-k", "2", "--offset", "3")) == ["3.png", "4.png"]
    table = command("items", "--where", "price < 2")
    assert (table.out.splitlines(), table.err) == ([str(described / "0.png"), str(described / "1.png")], "2 items\n")


def test_what_a_condition_cannot_mean_is_wrong_usage(command, described):
    for condition, said in (
        ("prize = 3", "no item has the metadata key prize; did you mean price? Fields are label, path"),
        ("labell = 'x'", "did you mean label?"),
        ('owner = "Ana"', "character 9: a value is needed, not the name Ana"),
        ("price >", "something is missing there"),
    ):
        for words in (["query", described / "1.png"], ["items"], ["remove"]):
            done = command(*words, "--where", condition)
            assert done.code == 2, (words, condition)
            assert said in done.err
    assert len(command("items", "--json").records) == 8


def test_items_are_removed_by_a_condition(command, described):
    assert command("remove", "--where", "price >= 6").out == "2 items removed\n"
    assert (
        command("remove", described / "0.png", described / "1.png", "--where", "red = true").out == "1 item removed\n"
    )
    assert names(command("items", "--json")) == [f"{number}.png" for number in range(1, 6)]
    assert command("remove").code == 2


def test_a_minimum_score_alone_finds_everything_above_it(command, indexed):
    query = indexed / "2.png"
    everything = command("query", query, "-k", "8", "--json").records
    cut = sorted(record["score"] for record in everything)[3]
    above = [record for record in everything if record["score"] >= cut]
    assert command("query", query, "-t", str(cut - 1e-6), "--json").records == above
    assert command("query", query, "-t", str(cut - 1e-6), "-k", "2", "--json").records == above[:2]
    assert command("query", query, "-t", str(cut - 1e-6), "--offset", "1", "--json").records == above[1:]
    assert len(command("query", query, "-t", "-1").out.splitlines()) == 8


def test_pages_fit_together(command, indexed):
    whole = command("query", indexed / "2.png", "-k", "8", "--json").records
    pages = [command("query", indexed / "2.png", "-k", "3", "--offset", start, "--json").records for start in (0, 3, 6)]
    assert [record for page in pages for record in page] == whole


def test_sums_and_examples_are_queries(command, indexed):
    one, two = indexed / "1.png", indexed / "2.png"
    mixed = command("query", "--mix", f"'{one}' + 0.5*'{two}'", "--json")
    assert {record["score_kind"] for record in mixed.records} == {"mix"}
    assert set(names(mixed)[:2]) == {"1.png", "2.png"}
    assert mixed.records[0]["query"] == f"{one} + 0.5*{two}"
    away = names(command("query", "--mix", f"'{one}' - 3*'{two}'", "--json"))
    assert away[-1] == "2.png"
    assert "2.png" not in names(command("query", "--mix", f"'{one}' + '{two}'", "--exclude-self", "--json"))
    like = command("query", one, "--like", two, "--like", indexed / "3.png", "--unlike", indexed / "4.png", "--json")
    assert like.records[0]["query"] == f"{one} + 0.375*{two} + 0.375*{indexed / '3.png'} - 0.25*{indexed / '4.png'}"
    alone = names(command("query", "--like", two, "--json", "-k", "1"))
    assert alone == ["2.png"]
    several = command("query", one, "--mix", f"'{two}'", "-k", "1").out.splitlines()
    assert [several[0], several[2]] == [f"{one}:", f"{two}:"]
    for words, said in (
        (["query", "--unlike", one], "nothing to be like"),
        (["query", "--mix", "a +"], "cannot be read"),
        (["query", "--mix", f"'{one}'", "--like", two], "write examples into the sum"),
        (["query", "--mix", f"'{one}' - '{one}'"], "cancel out"),
        (["query"], "nothing to query by"),
    ):
        done = command(*words)
        assert said in done.err
        assert done.code


def test_diverse_matches_fold_copies(command, indexed, place):
    for copy in ("copy-a.png", "copy-b.png"):
        (indexed / copy).write_bytes((indexed / "2.png").read_bytes())
    command("index", indexed, "--quiet")
    plain = command("query", indexed / "2.png", "-k", "3", "--json").records
    assert [record["score"] for record in plain] == [1.0] * 3
    diverse = command("query", indexed / "2.png", "-k", "3", "--diverse", "--json").records
    assert diverse[0]["copies"] >= 2
    assert len({record["score"] for record in diverse}) == 3
    assert "2 copies" in command("query", indexed / "2.png", "-k", "3", "--diversity", "0.3").out
    assert command("query", indexed / "2.png", "--diversity", "0", "--json", "-k", "3").records == plain
