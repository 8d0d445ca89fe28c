"""New examples are reviewed before they are enrolled, and all of them on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hash_encoder import HashEncoder
from PIL import Image

from simsearch.collection import Collection
from simsearch.errors import UsageError
from simsearch.types import Text

AXES = np.eye(4, dtype=np.float32)


def near(axis: int, other: int = 3, by: float = 0.1) -> np.ndarray:
    row = AXES[axis] + by * AXES[other]
    return np.asarray(row / np.linalg.norm(row), dtype=np.float32)


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Collection]:
    """Ana along the first axis, Ben along the second."""
    with Collection.create(tmp_path / "people", dim=4) as made:
        made.enroll("Ana", np.stack([AXES[0], near(0)]))
        made.enroll("Ben", np.stack([AXES[1], near(1)]))
        yield made


def test_by_default_what_looks_wrong_is_enrolled_and_reported(people: Collection) -> None:
    report = people.enroll("Ana", np.stack([near(1, 2), near(0, 2), AXES[1]]))
    assert (report.added, report.existing, report.skipped) == (3, 0, ())
    assert [(one.path, one.kind, one.other) for one in report.findings] == [
        ("row 2", "equal", "Ben"),
        ("row 0", "closer", "Ben"),
    ]
    assert report.findings[1].bound is not None
    assert report.findings[1].score is not None
    assert report.findings[1].bound > report.findings[1].score


def test_a_strict_review_refuses_it_and_keeps_the_rest(people: Collection) -> None:
    report = people.enroll("Ana", np.stack([near(1, 2), near(0, 2), AXES[1], AXES[0]]), review="strict")
    assert (report.added, report.existing) == (1, 1)
    assert {skip.path: skip.reason.split(" (")[0] for skip in report.skipped} == {
        "row 0": "refused: closer to Ben",
        "row 2": "refused: equal to an example of Ben",
    }
    assert len(report.findings) == 2
    assert people.labels() == {"Ana": 3, "Ben": 2}
    assert people.review() == ()


def test_without_review_nothing_is_looked_at(people: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(people.store), "examples", None)
    assert people.enroll("Ana", near(1, 2)[None], review="off").findings == ()


def test_all_that_are_enrolled_are_reviewed_on_request(people: Collection) -> None:
    people.enroll("Ana", np.stack([near(1, 2), AXES[1]]), review="off")
    assert [(one.label, one.kind, one.other) for one in people.review()] == [
        ("Ana", "closer", "Ben"),
        ("Ana", "equal", "Ben"),
        ("Ben", "equal", "Ana"),
    ]


def test_a_new_label_that_would_be_recognized_as_another_is_reported(people: Collection) -> None:
    rng = np.random.default_rng(0)
    people.calibrate(0.4, impostors=rng.normal(size=(30, 4)), confidence=0.9)
    (found,) = people.enroll("Anna", near(0, 2, 0.02)[None]).findings
    assert (found.kind, found.other, found.score) == ("closer", "Ana", None)
    assert people.enroll("Cy", AXES[3][None]).findings == ()


def test_examples_of_one_call_are_reviewed_together(tmp_path: Path, tiny: Path, draw: object) -> None:
    folder = tmp_path / "people"
    for name in ("Ana", "Ben"):
        draw(folder / name / "same.png", 1)  # type: ignore[operator]
    draw(folder / "Cy" / "own.png", 2)  # type: ignore[operator]
    with Collection.create(tmp_path / "faces", tiny) as faces:
        report = faces.enroll_folders(folder, review="strict")
        assert faces.labels() == {"Cy": 1}
        assert [Path(skip.path).parent.name for skip in report.skipped] == ["Ana", "Ben"]
        assert [one.reason for one in report.labels["Ana"].findings] == ["equal to an example of Ben"]
        # What is enrolled already is not new.
        assert faces.enroll("Cy", [folder / "Cy" / "own.png"], review="strict").existing == 1


def test_what_is_refused_is_so_in_all_its_copies_and_named_by_its_row(
    tmp_path: Path, tiny: Path, image: Callable[[int], Image.Image]
) -> None:
    with Collection.create(tmp_path / "faces", tiny) as faces:
        faces.enroll("Ben", [image(1)])
        (tmp_path / "bad.png").write_bytes(b"none")
        report = faces.enroll("Ana", [tmp_path / "bad.png", image(2), image(1), image(1)], review="strict")
        assert [finding.path for finding in report.findings] == ["row 2"]
        assert faces.labels() == {"Ana": 1, "Ben": 1}
    with Collection.create(tmp_path / "texts", HashEncoder()) as texts:
        texts.enroll("one", [Text("a text")])
        assert [one.path for one in texts.enroll("two", [Text("other"), Text("a text")]).findings] == ["a text"]


def test_another_word_is_refused(people: Collection) -> None:
    with pytest.raises(UsageError, match=r"review is 'loud' \(str\); give 'off' or 'warn' or 'strict'"):
        people.enroll("Ana", AXES[:1], review="loud")  # type: ignore[arg-type]
