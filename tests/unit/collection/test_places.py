"""Which collection a command means."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsearch.collection import Collection
from simsearch.collection.places import default_name, existing, home, named, the_one
from simsearch.errors import CollectionNotFoundError, UsageError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIMSEARCH_HOME", raising=False)
    return tmp_path


def make(folder: str | Path) -> None:
    Collection.create(folder, dim=2).close()


def test_the_only_one_is_meant(here):
    make("indexes/one")
    assert the_one(None) == Path("indexes/one")
    assert the_one("one") == Path("indexes/one")
    assert the_one("indexes/one") == Path("indexes/one")
    assert the_one(str(here / "indexes" / "one")) == here / "indexes" / "one"


def test_with_several_one_must_be_named(here):
    make("indexes/one")
    make("indexes/two")
    with pytest.raises(UsageError, match="There are 2 collections in indexes: one, two"):
        the_one(None)
    assert the_one("two") == Path("indexes/two")
    with pytest.raises(CollectionNotFoundError, match=r"No collection at .*three\. There are in indexes: one, two"):
        the_one("three")


def test_with_none_it_says_how_to_make_one(here):
    with pytest.raises(CollectionNotFoundError, match="simsearch index FOLDER"):
        the_one(None)
    with pytest.raises(CollectionNotFoundError, match="simsearch index FOLDER"):
        the_one("any")


def test_home_is_set_by_the_environment(here, monkeypatch):
    make("elsewhere/one")
    make("indexes/two")
    monkeypatch.setenv("SIMSEARCH_HOME", str(here / "elsewhere"))
    assert home() == here / "elsewhere"
    assert the_one(None) == here / "elsewhere" / "one"
    monkeypatch.setenv("SIMSEARCH_HOME", "")
    assert home() == Path("indexes")


def test_a_folder_that_is_a_collection_is_meant_before_a_name(here):
    make("mine")
    assert named("mine") == Path("mine")
    assert named("other") == Path("indexes/other")
    assert named("./other") == Path("other")


def test_what_a_rebuild_left_is_no_collection_of_its_own(here):
    make("indexes/one")
    make("indexes/one.rebuilding")
    make("indexes/one.previous")
    (here / "indexes" / "README.md").write_text("not a collection")
    assert existing() == [Path("indexes/one")]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("photos", "photos"),
        ("my photos/", "my-photos"),
        ("a/../b", "b"),
        ("/", "collection"),
        ("äöü.x", "äöü.x"),
        ("...", "collection"),
        ("a\nb", "a-b"),
        ("-x", "x"),
    ],
)
def test_the_name_of_a_collection_is_that_of_its_folder(here, folder, name):
    assert default_name(folder) == name


def test_the_current_folder_gives_its_name(here):
    assert default_name(".") == default_name(str(here))
