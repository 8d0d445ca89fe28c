"""Vectors with all that belongs to them, written to files of every form and read back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import faiss
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsearch.collection import Collection
from simsearch.errors import DamagedError, EncoderMismatchError, UsageError, VectorError
from simsearch.vectors.arrays import as_vectors

FORMS = (".npz", ".npy", ".parquet", ".jsonl", ".faiss")
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=3,
)
ROWS = st.dictionaries(
    st.text(min_size=1, max_size=12)
    | st.binary(min_size=1, max_size=6).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.tuples(
        st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3).filter(any),
        st.none() | WORDS.filter(bool),
        st.dictionaries(WORDS, VALUES, max_size=3),
    ),
    min_size=1,
    max_size=5,
)


def storable(uri: str) -> bool:
    try:
        uri.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def held(collection: Collection) -> dict[str, tuple[object, ...]]:
    """All that must come back, by uri."""
    items = list(collection.items())
    vectors = collection.store.vectors_of([item.content_id for item in items]) if items else []
    return {
        item.uri: (item.label, dict(item.metadata), item.text, item.size, item.mtime_ns, vector.tobytes())
        for item, vector in zip(items, vectors, strict=True)
    }


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exchange")


NUMBERS = iter(range(10**9))


@pytest.mark.parametrize("form", [form for form in FORMS if form != ".faiss"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_what_is_exported_comes_back(room, form, rows) -> None:
    come_back(room, form, rows)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_what_is_exported_as_an_index_comes_back(room, rows) -> None:
    """In fewer examples, as each starts a process."""
    come_back(room, ".faiss", rows)


def come_back(room: Path, form: str, given: dict[str, tuple[list[float], str | None, dict[str, object]]]) -> None:
    rows = {uri: row for uri, row in given.items() if storable(uri)}
    place = room / str(next(NUMBERS))
    with Collection.create(place / "a", dim=3) as first, Collection.create(place / "b", dim=3) as second:
        if rows:
            first.add_vectors(list(rows), [row[0] for row in rows.values()], [row[2] for row in rows.values()])
            with first.writing() as store:
                store.set_labels([(item.id, rows[item.uri][1]) for item in first.items()])
        report = first.export(place / f"all{form}")
        assert report.items == len(rows)
        assert second.import_vectors(place / f"all{form}").added == len(rows)
        assert held(second) == held(first)
        assert second.import_vectors(place / f"all{form}").unchanged == len(rows)
        assert second.check().clean


@pytest.fixture
def own(tmp_path: Path):
    """A collection of twenty vectors of eight numbers, some with labels and metadata."""
    with Collection.create(tmp_path / "own", dim=8) as made:
        rng = np.random.default_rng(1)
        made.add_vectors([f"v{n}" for n in range(20)], rng.normal(size=(20, 8)), [{"n": n} for n in range(20)])
        with made.writing() as store:
            store.set_labels([(1, "first"), (2, "second")])
        yield made


@pytest.mark.parametrize("form", FORMS)
def test_many_batches_come_back(own, tmp_path, form, monkeypatch) -> None:
    for module in ("exporting", "forms.arrays", "forms.jsonl", "forms.parquet"):
        monkeypatch.setattr(f"simsearch.collection.exchange.{module}.BATCH", 6)
    files = own.export(tmp_path / f"all{form}").files
    with Collection.create(tmp_path / "back", dim=8) as back:
        assert back.import_vectors(files[0]).added == 20
        assert held(back) == held(own)
        assert own.query(as_vectors(np.ones((1, 8)))[0], 5)[0].item.uri == back.query(np.ones(8), 5)[0].item.uri


@pytest.mark.parametrize("form", FORMS)
def test_only_what_is_asked_for_is_exported(own, tmp_path, form) -> None:
    files = own.export(tmp_path / f"some{form}", where="n < 5 and label is null").files
    with Collection.create(tmp_path / "back", dim=8) as back:
        assert back.import_vectors(files[0]).added == 3
        assert held(back) == {uri: row for uri, row in held(own).items() if uri in ("v2", "v3", "v4")}
    with pytest.raises(UsageError):
        own.export(tmp_path / f"none{form}", where="n <")


@pytest.mark.parametrize("form", FORMS)
def test_images_go_into_a_collection_of_the_same_encoder_and_into_one_of_own_vectors(
    tmp_path, tiny, other, gallery, form, counting
) -> None:
    with Collection.create(tmp_path / "images", tiny) as images:
        images.add(gallery)
        files = images.export(tmp_path / f"all{form}").files
        with Collection.create(tmp_path / "same", counting) as same:
            assert same.import_vectors(files[0]).added == 8
            assert held(same) == held(images)
            assert same.add(gallery).unchanged == 8
            assert counting.taken() == 0
            assert same.check().clean
        with Collection.create(tmp_path / "own", dim=24) as own:
            own.import_vectors(files[0])
            assert held(own) == held(images)
        with (
            Collection.create(tmp_path / "other", other) as another,
            pytest.raises(EncoderMismatchError, match="collection of their own"),
        ):
            another.import_vectors(files[0])


def test_texts_keep_their_texts(tmp_path, tiny_text) -> None:
    with Collection.create(tmp_path / "texts", tiny_text) as texts:
        texts.add_texts(["a", "b"], ["red dress", "hat"])
        texts.export(tmp_path / "all.jsonl")
        for name, arguments in (("same", {"encoder": tiny_text}), ("own", {"dim": texts.dim})):
            with Collection.create(tmp_path / name, **arguments) as back:
                back.import_vectors(tmp_path / "all.jsonl")
                assert held(back) == held(texts)
                assert back.check().clean


# -- files from elsewhere -------------------------------------------------------------------------------------------


def rows_of(seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(9, 8)).astype(np.float32)


def foreign(path: Path) -> Path:
    rows = rows_of()
    if path.suffix == ".npy":
        np.save(path, rows)
    elif path.suffix == ".npz":
        np.savez_compressed(path, vectors=rows, uris=[f"u{n}" for n in range(9)], price=np.arange(9))
    elif path.suffix == ".jsonl":
        lines = [{"id": f"u{n}", "embedding": row.tolist(), "price": n} for n, row in enumerate(rows)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        columns = {"uri": [f"u{n}" for n in range(9)], "vector": rows.tolist(), "price": list(range(9))}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize("form", [".npy", ".npz", ".jsonl", ".parquet"])
def test_files_from_elsewhere_are_read(tmp_path, form) -> None:
    with Collection.create(tmp_path / "own", dim=8) as own:
        assert own.import_vectors(foreign(tmp_path / f"x{form}")).added == 9
        items = list(own.items())
        assert own.store.vectors_of([item.content_id for item in items]) == pytest.approx(as_vectors(rows_of()))
        names = [f"x.npy#{n}" for n in range(9)] if form == ".npy" else [f"u{n}" for n in range(9)]
        assert [item.uri for item in items] == names
        if form != ".npy":
            assert [item.metadata["price"] for item in items] == list(range(9))


def index_of(kind: str) -> faiss.Index:
    rows = rows_of()
    if kind == "ids":
        index = faiss.IndexIDMap(faiss.IndexFlatIP(8))
        index.add_with_ids(rows, np.arange(100, 109))
        return index
    index = faiss.index_factory(8, kind, faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add(rows)
    return index


@pytest.mark.parametrize("kind", ["Flat", "HNSW4,Flat", "IVF2,Flat", "ids"])
def test_the_vectors_of_an_index_of_faiss_are_copied_out(tmp_path, kind) -> None:
    faiss.write_index(index_of(kind), str(tmp_path / "x.faiss"))
    with Collection.create(tmp_path / "own", dim=8) as own:
        assert own.import_vectors(tmp_path / "x.faiss").added == 9
        first = 100 if kind == "ids" else 0
        items = list(own.items())
        assert [item.uri for item in items] == [f"x.faiss#{n}" for n in range(first, first + 9)]
        assert own.store.vectors_of([item.content_id for item in items]) == pytest.approx(as_vectors(rows_of()))


def test_the_index_that_is_written_is_one_of_faiss(own, tmp_path) -> None:
    own.export(tmp_path / "x.faiss")
    index = faiss.read_index(str(tmp_path / "x.faiss"))
    items = list(own.items())
    assert faiss.vector_to_array(index.id_map).tolist() == [item.id for item in items]
    scores, found = index.search(own.store.vectors_of([item.content_id for item in items]), 1)
    assert found[:, 0].tolist() == [item.id for item in items]
    assert scores[:, 0] == pytest.approx(np.ones(20), abs=1e-6)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"IxFI" + b"\xff" * 200, b"IwFl" + bytes(300)])
def test_a_hostile_index_is_refused(tmp_path, content) -> None:
    (tmp_path / "x.faiss").write_bytes(content)
    with Collection.create(tmp_path / "own", dim=8) as own, pytest.raises(DamagedError, match="not an index of FAISS"):
        own.import_vectors(tmp_path / "x.faiss")


def test_an_index_that_asks_for_more_memory_than_its_size_warrants_is_refused(tmp_path) -> None:
    faiss.write_index(index_of("Flat"), str(tmp_path / "x.faiss"))
    content = bytearray((tmp_path / "x.faiss").read_bytes())
    place = content.index((9 * 8 * 4 // 4).to_bytes(8, "little"))
    content[place : place + 8] = (2**31).to_bytes(8, "little")
    (tmp_path / "x.faiss").write_bytes(content)
    with Collection.create(tmp_path / "own", dim=8) as own, pytest.raises(DamagedError):
        own.import_vectors(tmp_path / "x.faiss")


# -- what is refused ------------------------------------------------------------------------------------------------


def test_a_bad_row_is_named_with_its_number(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("simsearch.collection.exchange.forms.arrays.BATCH", 4)
    rows = rows_of()
    rows[6] = 0
    np.save(tmp_path / "x.npy", rows)
    with Collection.create(tmp_path / "own", dim=8) as own:
        with pytest.raises(VectorError, match="row 6: the vector is zero"):
            own.import_vectors(tmp_path / "x.npy")
        assert len(own) == 4
        with pytest.raises(UsageError, match="vectors of 5 numbers"):
            np.save(tmp_path / "y.npy", np.ones((2, 5)))
            own.import_vectors(tmp_path / "y.npy")
        with pytest.raises(UsageError, match="can be imported"):
            own.import_vectors(tmp_path / "x.csv")


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_export_is_refused(own, tmp_path, form) -> None:
    (*_, last) = own.export(tmp_path / f"all{form}").files
    content = last.read_bytes()
    last.write_bytes(content[: len(content) // 2])
    with Collection.create(tmp_path / "back", dim=8) as back, pytest.raises(DamagedError):
        back.import_vectors(tmp_path / f"all{form}")


def test_files_that_were_not_written_together_are_refused(own, tmp_path) -> None:
    own.export(tmp_path / "all.npy")
    np.save(tmp_path / "all.npy", rows_of())
    with Collection.create(tmp_path / "back", dim=8) as back, pytest.raises(DamagedError, match="together"):
        back.import_vectors(tmp_path / "all.npy")


@pytest.mark.parametrize("form", FORMS)
def test_an_export_replaces_exports_only(own, tmp_path, form) -> None:
    path = tmp_path / f"all{form}"
    first = [hashlib.sha256(file.read_bytes()).digest() for file in own.export(path).files]
    assert [hashlib.sha256(file.read_bytes()).digest() for file in own.export(path).files] == first or form == ".npz"
    path.with_name(f"mine{form}").write_bytes(b"mine")
    with pytest.raises(UsageError, match="--force"):
        own.export(tmp_path / f"mine{form}")
    assert (tmp_path / f"mine{form}").read_bytes() == b"mine"
    own.export(tmp_path / f"mine{form}", force=True)
    assert sorted(p.name for p in tmp_path.glob(".*")) == []
