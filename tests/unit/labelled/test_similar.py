"""Similar pairs alone, as the classes that they link."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsearch.errors import TrainingError
from simsearch.labelled.reading import read_labelled
from simsearch.labelled.similar import linked_classes, only_similar


def table(folder: Path, *rows: str, head: str = "left\tright\tsame") -> Path:
    path = folder / "pairs.tsv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_what_pairs_link_is_a_class(tmp_path: Path) -> None:
    found = read_labelled(table(tmp_path, "a\tb\t1", "c\td\t1", "b\te\t1", "f\tf\t1"))
    assert only_similar(found)
    classes = linked_classes(found)
    assert classes.labels is not None
    of_class: dict[str, set[str]] = {}
    for source, number in zip(classes.sources, classes.labels.tolist(), strict=True):
        of_class.setdefault(classes.classes[number], set()).add(source)
    assert of_class == {"pair 1": {"a", "b", "e"}, "pair 2": {"c", "d"}, "pair 4": {"f"}}
    assert classes.kind == "classes"
    assert classes.groups == classes.classes
    assert classes.rows is None


def test_groups_and_partitions_of_pairs_are_those_of_classes(tmp_path: Path) -> None:
    rows = ("a\tb\t1\tx\ttrain", "b\tc\t1\tx\ttest", "d\te\t1\ty\ttrain")
    classes = linked_classes(read_labelled(table(tmp_path, *rows, head="left\tright\tsame\tgroup\tsplit")))
    assert classes.groups == ("x", "y")
    assert classes.partitions is not None
    assert dict(zip(classes.sources, classes.partitions.tolist(), strict=True)) == dict(
        zip("abcde", [2, 2, 2, 0, 0], strict=True)
    )


def test_dissimilar_pairs_alone_are_refused(tmp_path: Path) -> None:
    assert not only_similar(read_labelled(table(tmp_path, "a\tb\t1", "c\td\t0")))
    with pytest.raises(TrainingError, match="similar pairs are needed; found 1 dissimilar ones only"):
        read_labelled(table(tmp_path, "a\tb\t0"))
