"""Looking around: pages, facets, maps against exact computations, and what each threshold would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simsearch import Collection
from simsearch.collection.browsing import mapping
from simsearch.collection.browsing.mapping import outliers, principal_plane
from simsearch.errors import MediaError, UsageError
from simsearch.progress import Silent
from simsearch.recognition.decide import top_scores
from simsearch.recognition.gallery import RULE

ROWS = arrays(np.float32, st.tuples(st.integers(2, 30), st.integers(1, 6)), elements=st.integers(-8, 8).map(float))


@pytest.fixture
def indexed(tmp_path: Path, tiny: Path, draw: Callable[..., Path]) -> Iterator[Collection]:
    """Eight pictures in two labelled folders."""
    for seed in range(8):
        draw(tmp_path / "gallery" / ("cats" if seed < 4 else "dogs") / f"{seed}.png", seed)
    with Collection.create(tmp_path / "index", tiny) as collection:
        collection.add(tmp_path / "gallery", labels="folder")
        yield collection


def test_pages_and_facets_are_what_all_items_give(indexed: Collection) -> None:
    every = list(indexed.items())
    assert indexed.page(0, 3) + indexed.page(3, 100) == every
    assert indexed.page(2, 2, where="label = 'dogs'") == [item for item in every if item.label == "dogs"][:2]
    assert indexed.items_with([8, 2, 99]) == [every[1], every[7]]
    assert (indexed.item(2), indexed.item(99)) == (every[1], None)
    facets = indexed.facets()
    assert facets.labels == {"cats": 4, "dogs": 4}
    assert set(facets.folders.values()) == {4}
    assert indexed.facets("label = 'dogs'").labels == {"dogs": 4}
    assert list(indexed.facets("width > 0").folders.values()) == [4, 4]
    with pytest.raises(UsageError, match="limit must be at least 1"):
        indexed.page(0, 0)


def test_the_files_of_items_and_examples_are_read_where_they_belong(indexed: Collection, tmp_path: Path) -> None:
    item = indexed.items_with([1])[0]
    assert indexed.read(item) == Path(item.uri).read_bytes()
    indexed.enroll("Ana", [Path(item.uri), (tmp_path / "gallery/cats/1.png").read_bytes()])
    of_file, given = indexed.examples()
    assert indexed.read(of_file) == Path(item.uri).read_bytes()
    with pytest.raises(MediaError, match="enrolled without a file"):
        indexed.read(given)
    Path(item.uri).write_bytes(b"other")
    with pytest.raises(MediaError, match="changed since it was enrolled"):
        indexed.read(of_file)
    Path(item.uri).unlink()
    with pytest.raises(MediaError, match="no such file"):
        indexed.read(item)


@given(ROWS)
def test_the_plane_is_that_of_the_largest_singular_values(rows: np.ndarray) -> None:
    points = principal_plane(rows).astype(np.float64)
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    values = np.linalg.svd(centred, compute_uv=False)[:2]
    spread = np.sort(np.linalg.norm(points, axis=0))[::-1]
    assert np.abs(points).max() in (0, pytest.approx(1))
    if values[0] > 1e-6:
        scale = values[0] / spread[0]
        wanted = values[1] if len(values) > 1 else 0
        assert spread[1] * scale == pytest.approx(wanted, abs=1e-3 * values[0])


@given(ROWS, st.integers(2, 40))
@settings(max_examples=50)
def test_outliers_are_far_from_their_nearest_in_the_sample(rows: np.ndarray, sample: int) -> None:
    unit = rows + np.float32(0.5)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapping, "SAMPLE", sample)
        patch.setattr(mapping, "BLOCK", 7)
        found = outliers(unit, Silent())
    count = len(unit)
    chosen = (
        np.arange(count) if count <= sample else np.sort(np.random.default_rng(0).choice(count, sample, replace=False))
    )
    nearest = min(10, len(chosen) - 1)
    for row in range(count):
        scores = np.sort([float(unit[row] @ unit[other]) for other in chosen if other != row])[-nearest:]
        assert found[row] == pytest.approx(np.clip(1 - np.mean(scores), 0, 2), abs=1e-5)


def test_a_map_has_a_point_for_each_item_and_outliers_stand_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(size=(40, 8)) * 0.05 + np.eye(8)[0], [np.eye(8)[5]]]).astype(np.float32)
    with Collection.create(tmp_path / "vectors", dim=8) as collection:
        collection.add_vectors([*map(str, range(41)), "again"], np.concatenate([vectors, vectors[:1]]))
        drawn = collection.map()
        assert drawn.ids.tolist() == list(range(1, 43))
        assert drawn.outlier[:41].argmax() == 40
        assert (drawn.points[0] == drawn.points[41]).all()
        assert (drawn.labels == -1).all()
        assert drawn.generation == collection.store.generation()
    with Collection.create(tmp_path / "empty", dim=8) as empty:
        assert len(empty.map().ids) == 0


def test_the_curve_counts_the_impostors_and_examples_themselves(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(6, 12))
    with Collection.create(tmp_path / "vectors", dim=12) as collection:
        assert collection.operating_curve().points == ()
        for number, centre in enumerate(centres):
            collection.enroll(f"label {number}", centre + rng.normal(size=(3, 12)) * 0.4)
        assert collection.operating_curve().points == ()
        impostors = rng.normal(size=(60, 12))
        collection.calibrate(0.2, impostors=impostors)
        curve = collection.operating_curve(0.9)
        unit = (impostors / np.linalg.norm(impostors, axis=1, keepdims=True)).astype(np.float32)
        tops = top_scores(unit, collection.decider.gallery, RULE)
    assert (curve.impostors, curve.known) == (60, 18)
    assert [point.impostors_let_in for point in curve.points] == sorted(
        {point.impostors_let_in for point in curve.points}
    )
    for point in curve.points:
        assert point.impostors_let_in == np.count_nonzero(tops >= point.threshold)
    assert curve.points[0].impostors_let_in == 0
    lost = [point.known_lost for point in curve.points]
    assert lost == sorted(lost, reverse=True)
    assert all(0 < point.promised <= 1 for point in curve.points)
