from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simsearch.labelled.forgeries import writers_of
from simsearch.labelled.reading import read_labelled


@pytest.mark.parametrize("word", ["forged", "forgery", "forgeries", "fake", "Forged"])
def test_a_forged_class_beside_a_genuine_one_is_its_writers(word: str) -> None:
    writers = writers_of((f"b/{word}", "b/genuine", "set/a/genuine", "set/a/draft", "other"))
    assert writers is not None
    assert writers.names == ("b", "b", "set/a/genuine", "set/a/draft", "other")
    assert writers.forged.tolist() == [True, False, False, False, False]
    assert writers.numbers[0] == writers.numbers[1]
    assert len(np.unique(writers.numbers)) == 4


@pytest.mark.parametrize("classes", [("fake", "real"), ("a/fake", "b/genuine"), ("a/genuine", "a/other")])
def test_without_a_genuine_one_beside_it_there_is_no_forgery(classes: tuple[str, ...]) -> None:
    assert writers_of(classes) is None


def test_writers_are_groups_however_deep_and_in_a_manifest(tmp_path: Path) -> None:
    rows = []
    for writer in ("ana", "ben"):
        for kind in ("genuine", "forged"):
            place = tmp_path / "in" / "set" / writer / kind
            place.mkdir(parents=True)
            (place / "1.txt").write_text(f"{writer} {kind}", encoding="utf-8")
            rows.append(f"set/{writer}/{kind}/1.txt,{writer}/{kind}")
    folders = read_labelled(tmp_path / "in", modality="text")
    assert folders.groups == ("set/ana", "set/ana", "set/ben", "set/ben")
    manifest = tmp_path / "in" / "list.csv"
    manifest.write_text("path,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert read_labelled(manifest).groups == ("ana", "ana", "ben", "ben")
    manifest.write_text(
        "path,label,group\n" + "\n".join(f"{row},{place}" for place, row in enumerate(rows)), encoding="utf-8"
    )
    assert len(set(read_labelled(manifest).groups)) == 4
