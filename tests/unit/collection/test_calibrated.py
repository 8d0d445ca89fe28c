"""Calibration in a collection: impostors read once, kept, followed through every change, and never enrolled ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hash_encoder import HashEncoder, direction

from simsearch.collection import Collection
from simsearch.collection.identities.following import following
from simsearch.errors import UsageError
from simsearch.store import NewExample
from simsearch.types import Text


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Collection]:
    """Ten identities with two examples each, of texts with random directions."""
    with Collection.create(tmp_path / "people", HashEncoder()) as made:
        for number in range(10):
            made.enroll(f"name {number}", [Text(f"{number} first"), Text(f"{number} second")])
        yield made


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """A hundred impostors: a folder of files."""
    folder = tmp_path / "strangers"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number}.txt").write_text(f"stranger {number}")
    return folder


def tops(people: Collection, texts: list[str]) -> np.ndarray:
    examples, vectors = people.store.examples()
    assert examples
    queries = np.stack([direction(text) for text in texts])
    labels = np.array([example.label for example in examples])
    scores = []
    for label in np.unique(labels):
        own = vectors[labels == label]
        mean = own.sum(axis=0) / np.linalg.norm(own.sum(axis=0))
        scores.append(((queries @ own.T).max(axis=1) + queries @ mean) / 2)
    return np.max(scores, axis=0)


def test_the_threshold_is_that_of_the_impostors_and_decides(people: Collection, strangers: Path) -> None:
    report = people.calibrate(0.05, impostors=strangers)
    scores = np.sort(tops(people, [f"stranger {number}" for number in range(100)]))
    held = report.calibration.threshold
    assert (held.impostors, held.exceeding, report.left_out) == (100, 1, ())
    assert scores[-2] < held.score < scores[-2] + 1e-4
    answers = people.recognize_many([Text(f"stranger {number}") for number in range(100)])
    assert sum(answer.label is not None for answer in answers) == 1
    assert all(answer.threshold == held.score and not answer.stale for answer in answers)
    known = people.recognize(Text("3 first"))
    assert (known.label, known.impostor_p_value) == ("name 3", pytest.approx(1 / 101))
    # Examples of one identity have nothing in common here, so that no decision is ever right.
    assert known.probability is None
    assert people.recognize(Text("3 first"), threshold=1.1).label is None


def test_a_folder_is_one_identity_and_one_draw(people: Collection, strangers: Path) -> None:
    for number in range(5):
        inner = strangers / f"family {number}"
        inner.mkdir()
        for each in range(3):
            (inner / f"{each}.txt").write_text(f"family {number} {each}")
    assert people.calibrate(0.05, impostors=strangers).calibration.threshold.impostors == 105
    identities = {one.identity for one in people.store.impostors()[0]}
    assert {f"family {number}" for number in range(5)} <= identities


def test_rows_of_a_table_are_impostors(people: Collection, tmp_path: Path) -> None:
    table = tmp_path / "strangers.csv"
    table.write_text("text,label\n" + "".join(f"row {number},{number // 2}\n" for number in range(200)))
    assert people.calibrate(0.05, impostors=table).calibration.threshold.impostors == 100


@pytest.mark.parametrize("name", ["strangers.csv", "strangers.txt", "strangers.jsonl"])
def test_texts_without_labels_are_an_impostor_each(people: Collection, tmp_path: Path, name: str) -> None:
    table, rows = tmp_path / name, [f"row {number}" for number in range(70)]
    forms = {
        "strangers.csv": "\n".join(["text", *rows]),
        "strangers.txt": "\n".join(rows),
        "strangers.jsonl": "\n".join(f'{{"text": "{row}"}}' for row in rows),
    }
    table.write_text(forms[name] + "\n")
    assert people.calibrate(0.05, impostors=table).calibration.threshold.impostors == 70


def test_enrolled_ones_are_named_and_left_out(people: Collection, strangers: Path) -> None:
    (strangers / "known.txt").write_text("7 second")
    (strangers / "name 2").mkdir()
    (strangers / "name 2" / "new.txt").write_text("never seen")
    (strangers / "twice.txt").write_text("stranger 4")
    report = people.calibrate(0.05, impostors=strangers)
    assert report.calibration.threshold.impostors == 100
    assert {(Path(skip.path).name, skip.reason.partition(",")[0]) for skip in report.left_out} == {
        ("known.txt", "enrolled as name 7"),
        ("name 2", "enrolled as name 2"),
        ("twice.txt", "equal to another impostor"),
    }


def test_it_is_stale_as_soon_as_an_impostor_is_too_close(people: Collection, strangers: Path, tmp_path: Path) -> None:
    people.calibrate(0.05, impostors=strangers)
    people.forget("name 9")
    assert not people.recognize(Text("a query")).stale
    for number in range(3):
        # Close to three impostors, but not they themselves.
        with people.writing() as store, following(store, [f"new {number}"]):
            near = direction(f"stranger {number}") + 0.05 * direction("other")
            near = (near / np.linalg.norm(near)).astype(np.float32)
            store.add_examples([(f"new {number}", NewExample("", bytes([number]) * 32, near))])
    assert people.recognize(Text("a query")).stale
    with Collection.open(people.folder, HashEncoder()) as other:
        assert other.recognize(Text("a query")).stale
    again = people.calibrate(0.05)
    assert again.calibration.threshold.impostors == 100
    assert not people.recognize(Text("a query")).stale


def test_an_impostor_that_is_enrolled_leaves_the_sample(people: Collection, strangers: Path) -> None:
    people.calibrate(0.05, impostors=strangers)
    people.enroll("stranger", [strangers / f"{number}.txt" for number in range(50)])
    assert len(people.decider.tops) == 50
    assert people.decider.stale == "too few impostors are left, 50 of 100"
    with pytest.raises(UsageError, match="needs at least 59 impostors, there are 50"):
        people.calibrate(0.05)


def test_scores_that_were_not_brought_up_to_date_are_computed(people: Collection, strangers: Path) -> None:
    """As after a kill between enrolling and the update."""
    people.calibrate(0.05, impostors=strangers)
    people.enroll("late", [Text("late")])
    expected = people.decider.tops
    stored = people.store.calibration()
    assert stored is not None
    with people.writing() as store:
        store.set_tops(np.zeros(100, np.float32), None, stored.gallery - 1)
    people._decider = None
    assert people.decider.tops == pytest.approx(expected, abs=1e-6)


def test_without_impostors_it_is_an_estimate(people: Collection) -> None:
    made = people.calibrate(0.1).calibration
    assert (made.threshold.guaranteed, made.threshold.impostors) == (False, 10)
    assert people.recognize(Text("a query")).impostor_p_value is None


def test_what_cannot_be_calibrated_is_refused_and_changes_nothing(
    people: Collection, strangers: Path, tmp_path: Path
) -> None:
    before = people.calibrate(0.05, impostors=strangers).calibration
    with pytest.raises(UsageError, match="needs at least 299 impostors, there are 100"):
        people.calibrate(0.01, impostors=strangers)
    with pytest.raises(UsageError, match="does not exist"):
        people.calibrate(0.1, impostors=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="has no text"):
        people.calibrate(0.1, impostors=tmp_path / "empty")
    with pytest.raises(UsageError, match="rate is 1"):
        people.calibrate(1)
    assert people.calibration() == before
    with Collection.create(tmp_path / "new", HashEncoder()) as empty, pytest.raises(UsageError, match="Nobody"):
        empty.calibrate(0.1)


def test_labels_are_renamed_and_merged(people: Collection) -> None:
    people.enroll("name 2", [Text("1 first")])
    assert people.rename("name 0", "zero") == 2
    assert people.merge("name 1", "name 2") == 1
    assert people.labels()["zero"] == 2
    assert people.labels()["name 2"] == 4
    assert "name 1" not in people.labels()
    assert people.recognize(Text("1 second")).label == "name 2"
    for wrong in (lambda: people.rename("nobody", "x"), lambda: people.merge("zero", "nobody")):
        with pytest.raises(UsageError, match="enrolled as 'nobody'"):
            wrong()
    with pytest.raises(UsageError, match="enrolled already; to join the two: simsearch merge zero 'name 2'"):
        people.rename("zero", "name 2")
    with pytest.raises(UsageError, match="at least one letter"):
        people.rename("zero", " ")


def test_one_example_is_forgotten_by_its_file(people: Collection, strangers: Path) -> None:
    people.enroll("name 0", [strangers / "1.txt"])
    assert people.forget_example(strangers / "1.txt") == 1
    assert people.labels()["name 0"] == 2
    assert people.forget_example(strangers / "1.txt") == 0


def test_queries_that_are_all_different_get_different_labels(people: Collection) -> None:
    near = direction("3 first") + 0.1 * direction("3 second")
    queries = [near, direction("3 first"), direction("5 second")]
    single = people.recognize_many(queries)
    assert [answer.label for answer in single] == ["name 3", "name 3", "name 5"]
    joint = people.recognize_many(queries, distinct=True)
    assert len({answer.label for answer in joint}) == 3
    assert {"name 3", "name 5"} < {answer.label for answer in joint}
    at = people.recognize_many(queries, distinct=True, threshold=0.8)
    assert sorted(str(answer.label) for answer in at) == ["None", "name 3", "name 5"]


def test_a_rebuild_keeps_the_calibration(people: Collection, strangers: Path) -> None:
    made = people.calibrate(0.05, impostors=strangers).calibration
    people.reindex(HashEncoder())
    assert people.calibration() == made


def test_two_inputs_are_compared(people: Collection) -> None:
    with pytest.raises(UsageError, match="no curve of its own"):
        people.compare(Text("a"), Text("b"))
    found = people.compare(Text("a"), Text("a"), threshold=0.9)
    assert (found.same, found.probability, found.score) == (True, None, pytest.approx(1))
    assert not people.compare(Text("a"), Text("b"), threshold=0.9).same
