"""Every file of a collection in turn deleted, emptied, cut, overwritten, or replaced by that of another collection."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from simsearch.collection import Collection
from simsearch.collection.places import STORE_NAME
from simsearch.errors import SimsearchError
from simsearch.vectors.arrays import as_vectors

DIM, COUNT = 6, 40


def make(folder: Path, seed: int) -> Path:
    """A collection of which another seed gives one of the same size, names, ids and generation."""
    rng = np.random.default_rng(seed)
    with Collection.create(folder, dim=DIM) as made:
        made.add_vectors([f"v{n}" for n in range(COUNT)], rng.normal(size=(COUNT, DIM)), [{"of": seed}] * COUNT)
        made.enroll("Ana", [rng.normal(size=DIM)])
        made.search(as_vectors(rng.normal(size=(1, DIM))), 3)
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two collections; their files are copied, never changed."""
    place = tmp_path_factory.mktemp("pair")
    return make(place / "one", 1), make(place / "other", 2)


def kind_of(path: Path) -> str:
    """The name of a file without what differs from one collection to another."""
    return path.name.rstrip("0123456789") if path.suffix == "" else f"{path.stem.split('-')[0]}{path.suffix}"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "deleted": lambda path, other: path.unlink(),
    "emptied": lambda path, other: path.write_bytes(b""),
    "cut": lambda path, other: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "random": lambda path, other: path.write_bytes(np.random.default_rng(3).bytes(max(64, path.stat().st_size))),
    "another's": lambda path, other: shutil.copy2(other, path),
}


def answers(collection: Collection) -> Iterator[tuple[str, float]]:
    for match in collection.query(np.ones(DIM), COUNT):
        yield match.item.uri, round(match.score, 5)


def exact(collection: Collection) -> list[tuple[str, float]]:
    """What exact search over what the store holds gives."""
    ids, vectors = (np.concatenate(part) for part in zip(*collection.store.vectors(), strict=True))
    scores = vectors.astype(np.float64) @ as_vectors(np.ones((1, DIM)))[0].astype(np.float64)
    items = collection.store.items_of(ids.tolist())
    found = [(items[one][0].uri, round(float(score), 5)) for one, score in zip(ids.tolist(), scores, strict=True)]
    return sorted(found, key=lambda row: -row[1])


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_damage_of_a_file_gives_wrong_answers(pair, tmp_path, damage) -> None:
    one, other = pair
    counterparts = {kind_of(other / name): other / name for name in names(other)}
    for name in names(one):
        folder = shutil.copytree(one, tmp_path / f"{damage}-{name}".replace("'", ""))
        DAMAGES[damage](folder / name, counterparts[kind_of(one / name)])
        try:
            with Collection.open(folder) as opened:
                found = list(answers(opened))
                assert sorted(score for _, score in found) == sorted(score for _, score in exact(opened)), name
                assert dict(found) == dict(exact(opened)), name
                repaired = opened.check(repair=True)
                assert repaired.clean, (name, repaired)
                opened.add_vectors(["new"], [np.ones(DIM)])
                assert next(answers(opened)) == ("new", 1.0)
        except SimsearchError as error:
            # Only the database cannot be made again: then it is refused, in one line.
            assert name == STORE_NAME, (name, error)
            assert "\n" not in str(error)


def test_the_whole_index_of_another_collection_gives_no_wrong_answers(pair, tmp_path) -> None:
    """Also where both have the same generation, count and ids."""
    one, other = pair
    folder = shutil.copytree(one, tmp_path / "mixed")
    for path in folder.iterdir():
        if path.name != STORE_NAME:
            path.unlink() if path.is_file() else shutil.rmtree(path)
    for path in other.iterdir():
        if path.name != STORE_NAME:
            (shutil.copy2 if path.is_file() else shutil.copytree)(path, folder / path.name)
    with Collection.open(folder) as opened:
        assert dict(answers(opened)) == dict(exact(opened))
        assert opened.check(repair=True).clean


def test_a_reader_of_the_old_state_leaves_the_log_of_the_new_alone(tmp_path, tiny, other, gallery) -> None:
    """Closing the last connection to a database deletes its log, by a name that is now that of another one's."""
    folder = tmp_path / "index"
    with Collection.create(folder, tiny) as made:
        made.add(gallery)
    reader = Collection.open(folder)
    with Collection.open(folder) as writer:
        writer.reindex(other)
        writer.remove(gallery / "0.png")
        log = folder / f"{STORE_NAME}-wal"
        assert log.stat().st_size
        reader.close()
        assert log.stat().st_size
        with Collection.open(folder) as after:
            assert len(after) == 7
            assert after.check().clean
