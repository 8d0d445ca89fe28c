"""The scores of the impostors follow every change of the examples, as if they were computed from nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from simsearch.collection import Collection
from simsearch.collection.identities.deciding import load_decider
from simsearch.recognition.decide import top_scores
from simsearch.recognition.gallery import RULE, Gallery

DIM, LABELS = 3, 4
ROUNDING = 1e-6


def row(number: int) -> np.ndarray:
    """One of a few directions, of which some are close to each other."""
    return np.random.default_rng(number).normal(size=DIM).astype(np.float32)


IMPOSTORS = np.stack([row(100 + number) for number in range(40)])
CHANGES = st.one_of(
    st.tuples(st.just("enroll"), st.integers(0, LABELS - 1), st.integers(0, 12)),
    st.tuples(st.just("forget"), st.integers(0, LABELS - 1), st.just(0)),
    st.tuples(st.just("rename"), st.integers(0, LABELS - 1), st.integers(0, LABELS - 1)),
    st.tuples(st.just("merge"), st.integers(0, LABELS - 1), st.integers(0, LABELS - 1)),
    st.tuples(st.just("enroll impostor"), st.integers(0, LABELS - 1), st.integers(0, len(IMPOSTORS) - 1)),
)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    with Collection.create(tmp_path_factory.mktemp("tops") / "people", dim=DIM) as made:
        yield made


def start(people: Collection) -> None:
    for label in people.labels():
        people.forget(label)
    people.enroll("label 0", [row(0), row(1)])
    people.enroll("label 1", [row(2)])
    people.calibrate(0.2, impostors=IMPOSTORS)


def change(people: Collection, kind: str, one: int, other: int) -> None:
    label, target, known = f"label {one}", f"label {other}", people.labels()
    if kind == "enroll":
        people.enroll(label, [row(other)])
    elif kind == "enroll impostor":
        people.enroll(label, IMPOSTORS[[other]])
    elif kind == "forget":
        people.forget(label)
    elif kind == "rename" and label in known and target not in known:
        people.rename(label, target)
    elif kind == "merge" and {label, target} <= set(known) and label != target:
        people.merge(label, target)


def assert_loaded_as_from_nothing(people: Collection) -> None:
    """What is kept in memory and brought up to date is what a new process would load."""
    kept, fresh = people.decider, load_decider(people.store)
    assert kept.gallery.examples == fresh.gallery.examples
    np.testing.assert_array_equal(kept.gallery.vectors, fresh.gallery.vectors)
    np.testing.assert_array_equal(kept.tops, fresh.tops)
    assert (kept.generation, kept.stale) == (fresh.generation, fresh.stale)


def assert_as_from_nothing(people: Collection) -> None:
    assert_loaded_as_from_nothing(people)
    stored, calibration = people.store.tops(), people.store.calibration()
    assert stored is not None
    assert calibration is not None
    gallery = Gallery.of(*people.store.examples())
    if not gallery.examples:
        return
    assert stored.gallery == people.store.gallery_generation()
    assert len(stored.ids) == len(stored.scores) == len(stored.vectors)
    np.testing.assert_allclose(stored.scores, top_scores(stored.vectors, gallery, RULE), atol=ROUNDING, rtol=0)
    assert stored.owners is not None
    # The label of the recorded example has that score.
    scores, _ = gallery.scores(stored.vectors, RULE)
    number = {example.id: int(owner) for example, owner in zip(gallery.examples, gallery.owners, strict=True)}
    owners = [number[each] for each in stored.owners.tolist()]
    np.testing.assert_allclose(stored.scores, scores[np.arange(len(owners)), owners], atol=ROUNDING, rtol=0)


@settings(max_examples=20, deadline=None)
@given(st.lists(CHANGES, min_size=1, max_size=10))
def test_any_changes_leave_the_scores_that_would_be_computed_from_nothing(
    people: Collection, changes: list[tuple[str, int, int]]
) -> None:
    start(people)
    for each in changes:
        change(people, *each)
        assert_as_from_nothing(people)


def test_examples_of_other_labels_are_read_only_where_a_best_score_falls(
    people: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(people)
    assert people.decider.tops.shape
    read: list[int] = []
    examples = type(people.store).examples

    def counting(store: object) -> object:
        read.append(1)
        return examples(store)  # type: ignore[arg-type]

    monkeypatch.setattr(type(people.store), "examples", counting)
    people.enroll("new", [row(50)], review="off")
    people.rename("new", "newer")
    people.enroll("newer", [row(50)], review="off")
    assert not read
    people.forget("newer")
    assert read, "its own impostors need the others' scores"
    monkeypatch.undo()
    assert_as_from_nothing(people)


def test_scores_without_owners_are_computed_anew(people: Collection) -> None:
    """As in a collection that an older version calibrated."""
    start(people)
    with people.writing() as store:
        stored = store.tops()
        assert stored is not None
        store.set_tops(np.zeros(len(stored.ids), np.float32), None, stored.gallery)
    people.enroll("label 2", [row(7)])
    assert_as_from_nothing(people)


@pytest.mark.parametrize("step", ["move_label", "set_tops"])
def test_a_failure_within_a_change_undoes_all_of_it(
    people: Collection, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    start(people)
    before, generation = people.labels(), people.store.gallery_generation()
    original: Callable[..., object] = getattr(type(people.store), step)

    def failing(*words: object) -> object:
        original(*words)
        raise OSError("no disk")

    monkeypatch.setattr(type(people.store), step, failing)
    with pytest.raises(Exception, match="no disk"):
        people.merge("label 0", "label 1")
    monkeypatch.undo()
    assert (people.labels(), people.store.gallery_generation()) == (before, generation)
    assert_as_from_nothing(people)
    assert people.merge("label 0", "label 1") == 2
    assert_as_from_nothing(people)


def test_two_that_change_in_turn_see_each_other(people: Collection) -> None:
    start(people)
    with Collection.open(people.folder) as other:
        for number in range(3):
            people.enroll(f"label {number}", [row(20 + number)])
            other.enroll(f"label {number + 1}", [row(30 + number)], review="strict")
            assert_as_from_nothing(people)
            assert_as_from_nothing(other)
        other.merge("label 0", "label 1")
        assert_as_from_nothing(people)
        people.rename("label 1", "label 0")
        assert_as_from_nothing(other)
        assert other.recognize(row(20), threshold=-1).label == "label 0"
        other.forget("label 0")
        assert_as_from_nothing(people)
        assert people.labels() == other.labels()


def test_another_database_in_its_place_is_written_to(people: Collection, tmp_path: Path) -> None:
    """The connection for writing is kept; a collection that was replaced meanwhile gets a new one."""
    with Collection.create(tmp_path / "one", dim=DIM) as one:
        one.enroll("first", [row(1)])
        with Collection.create(tmp_path / "two", dim=DIM) as two:
            two.enroll("second", [row(2)])
        (tmp_path / "two" / "collection.sqlite").replace(tmp_path / "one" / "collection.sqlite")
        for rest in (tmp_path / "one").glob("collection.sqlite-*"):
            rest.unlink()
        one.enroll("third", [row(3)])
    with Collection.open(tmp_path / "one") as one:
        assert set(one.labels()) == {"second", "third"}
