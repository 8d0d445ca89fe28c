"""Identities: enrolled, recognised, forgotten."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from simsearch.collection import Collection
from simsearch.errors import MediaError, UsageError


@pytest.fixture
def collection(tmp_path, counting):
    with Collection.create(tmp_path / "people", counting) as made:
        yield made


def test_the_label_with_the_highest_score_names_it(collection, gallery, tiny, counting):
    assert collection.enroll("Ana", [gallery / "0.png", gallery / "1.png"]).added == 2
    assert collection.enroll("Ben", [gallery / "2.png"]).added == 1
    assert collection.labels() == {"Ana": 2, "Ben": 1}
    vectors = counting.inner.encode([gallery / f"{n}.png" for n in range(8)]).astype(np.float64)
    mean = vectors[:2].sum(axis=0) / np.linalg.norm(vectors[:2].sum(axis=0))
    for number in range(8):
        answer = collection.recognize(gallery / f"{number}.png")
        ana = ((vectors[:2] @ vectors[number]).max() + mean @ vectors[number]) / 2
        ben = vectors[2] @ vectors[number]
        assert answer.label == ("Ana" if ana > ben else "Ben")
        assert answer.score == pytest.approx(max(ana, ben), abs=1e-5)
        assert answer.runner_up.example.label == ("Ben" if ana > ben else "Ana")
        assert answer.runner_up.score == pytest.approx(min(ana, ben), abs=1e-5)
        assert [each.example.label for each in answer.evidence] == [answer.label, answer.runner_up.example.label]


def test_below_the_threshold_it_is_unknown(collection, gallery):
    collection.enroll("Ana", [gallery / "0.png"])
    score = collection.recognize(gallery / "3.png").score
    assert collection.recognize(gallery / "3.png", threshold=score).label == "Ana"
    answer = collection.recognize(gallery / "3.png", threshold=score + 1e-4)
    assert (answer.label, answer.runner_up, answer.evidence[0].example.label) == (None, None, "Ana")


def test_one_example_twice_is_one_and_may_serve_two_labels(collection, gallery):
    shutil.copy(gallery / "0.png", gallery / "copy.png")
    first = collection.enroll("Ana", [gallery / "0.png", gallery / "copy.png"])
    assert (first.added, first.existing) == (1, 1)
    again = collection.enroll("Ana", [gallery / "0.png"])
    assert (again.added, again.existing) == (0, 1)
    assert collection.enroll("Ben", [gallery / "0.png"]).added == 1
    assert collection.labels() == {"Ana": 1, "Ben": 1}
    answer = collection.recognize(gallery / "0.png")
    assert (answer.label, answer.runner_up.example.label, answer.score) == ("Ana", "Ben", answer.runner_up.score)


def test_what_cannot_be_read_is_listed_and_the_rest_enrolled(collection, gallery):
    (gallery / "broken.png").write_bytes(b"no picture")
    report = collection.enroll("Ana", [gallery / "broken.png", gallery / "1.png", gallery / "missing.png"])
    assert (report.added, report.existing) == (1, 0)
    assert [Path(skip.path).name for skip in report.skipped] == ["broken.png", "missing.png"]
    assert report.skipped[1].reason == "no such file"


def test_examples_may_come_from_memory(collection, gallery, image):
    collection.enroll("Ana", [(gallery / "0.png").read_bytes()])
    collection.enroll("Ben", [image(1)])
    collection.enroll("Cy", [np.asarray(image(2))])
    assert collection.labels() == {"Ana": 1, "Ben": 1, "Cy": 1}
    assert [collection.recognize(gallery / f"{n}.png", threshold=0.99).label for n in range(4)] == [
        "Ana",
        "Ben",
        "Cy",
        None,
    ]


def test_recognition_sees_examples_only_and_queries_items_only(collection, gallery, counting):
    collection.add(gallery)
    counting.taken()
    collection.enroll("Ana", [gallery / "0.png"])
    assert counting.taken() == 0
    assert collection.recognize(gallery / "5.png").evidence[0].example.uri == str(gallery / "0.png")
    assert len(collection.query(gallery / "0.png", 100)) == 8
    collection.remove(gallery)
    assert collection.query(gallery / "0.png", 100) == []
    assert collection.recognize(gallery / "0.png", threshold=0.99).label == "Ana"
    assert collection.check().clean


def test_forgetting_removes_all_examples_of_a_label(collection, gallery):
    collection.enroll("Ana", [gallery / "0.png", gallery / "1.png"])
    collection.enroll("Ben", [gallery / "2.png"])
    assert collection.forget("Ana") == 2
    assert collection.forget("Ana") == 0
    assert collection.labels() == {"Ben": 1}
    assert collection.recognize(gallery / "0.png").label == "Ben"


def test_what_makes_no_sense_is_refused(collection, gallery):
    with pytest.raises(UsageError, match="Nobody is enrolled"):
        collection.recognize(gallery / "0.png")
    with pytest.raises(UsageError, match="letter"):
        collection.enroll("  ", [gallery / "0.png"])
    collection.enroll("Ana", [gallery / "0.png"])
    with pytest.raises(MediaError, match=r"missing\.png: no such file"):
        collection.recognize(gallery / "missing.png")
