"""What is forgotten is in no byte of any file of the collection."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hash_encoder import HashEncoder, direction

from simsearch.collection import Collection
from simsearch.store import Store, database
from simsearch.types import Text

WORD = "Zerubbabel"


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Collection]:
    """Sixty identities, one of which is to be forgotten."""
    with Collection.create(tmp_path / "people", HashEncoder()) as made:
        for number in range(60):
            made.enroll(f"name {number}", [Text(f"{number} {each}") for each in range(3)])
        made.enroll(WORD, [Text(f"secret {each}") for each in range(3)])
        yield made


def found(folder: Path, wanted: bytes) -> list[str]:
    return [path.name for path in folder.iterdir() if wanted in path.read_bytes()]


def secrets() -> list[bytes]:
    vectors = [direction(f"secret {each}").tobytes() for each in range(3)]
    return [WORD.encode(), *vectors, *(f"secret {each}".encode() for each in range(3))]


def test_nothing_is_left_in_any_file(people: Collection) -> None:
    assert all(found(people.folder, wanted) for wanted in secrets())
    assert people.forgotten(WORD).traces == (f"3 examples are of {WORD!r}: simsearch forget",)
    assert people.forget(WORD) == 3
    assert [found(people.folder, wanted) for wanted in secrets()] == [[]] * 7
    report = people.forgotten(WORD)
    assert (report.clean, report.items, people.erasure_pending) == (True, 0, False)
    assert people.check().clean


def test_whole_pages_that_are_freed_are_overwritten(people: Collection) -> None:
    for number in range(60):
        people.forget(f"name {number}")
    assert found(people.folder, b"name 5") == []
    assert people.forgotten("name 5").clean
    assert people.labels() == {WORD: 3}


def test_an_impostor_of_that_name_or_content_goes_too(people: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "strangers"
    (folder / WORD).mkdir(parents=True)
    (folder / WORD / "face.txt").write_text("another picture")
    for number in range(80):
        (folder / f"{number}.txt").write_text(f"stranger {number}")
    people.forget(WORD)
    assert people.calibrate(0.05, impostors=folder).calibration.threshold.impostors == 81
    assert people.forgotten(WORD).traces == (f"1 impostors are of {WORD!r}: simsearch forget",)
    assert people.forget(WORD) == 0
    assert people.forgotten(WORD).clean
    assert found(people.folder, direction("another picture").tobytes()) == []
    assert len(people.decider.tops) == 80


def test_a_reader_makes_it_pending_and_the_next_check_ends_it(
    people: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The connection of a collection that is open has waited for readers since it was made.
    people.close()
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.0)
    with Collection.open(people.folder) as opened:
        with Store.open(opened.store._database.path) as reader, reader.snapshot():
            assert reader.labels()[WORD] == 3
            assert opened.forget(WORD) == 3
            assert opened.erasure_pending
            assert any(trace.startswith("pending: ") for trace in opened.forgotten(WORD).traces)
        assert opened.forgotten(WORD).clean
        assert not opened.erasure_pending


def test_items_that_have_the_word_are_counted_and_stay(people: Collection) -> None:
    people.add_texts([f"faq#{WORD}", "other"], ["one text", "another text"])
    people.forget(WORD)
    report = people.forgotten(WORD)
    assert (report.clean, report.items) == (True, 1)
    assert f"faq#{WORD}" in people


def test_pages_that_an_older_version_freed_are_overwritten(people: Collection) -> None:
    """Without secure_delete, deleted rows stay in free pages."""
    with people.writing() as store, store._database.outside() as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM example WHERE label LIKE 'name %'")
    assert found(people.folder, b"name 5")
    assert not people.forgotten("name 5").traces
    assert found(people.folder, b"name 5") == []


COUNTED = """
import sys
from simsearch.collection import Collection
with Collection.open(sys.argv[1]) as opened:
    print(len(opened))
"""


def test_after_forgetting_other_processes_see_what_is_written(tmp_path):
    """Reading the bytes of the database in this process would drop its locks: the next to close it deletes its log."""
    with Collection.create(tmp_path / "own", dim=3) as own:
        own.enroll("Ana", [[0.0, 1.0, 0.0]])
        own.forget("Ana")
        assert own.forgotten("Ana").clean
        for number in range(3):
            own.add_vectors([f"v{number}"], [[1.0, number, 0.0]])
            command = [sys.executable, "-c", COUNTED, str(own.folder)]
            seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert int(seen) == number + 1
