"""What a run learns from: decoded once, split without leaks, and sampled from the training side only."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from simsearch.errors import TrainingError
from simsearch.labelled.reading import Labelled, read_labelled
from simsearch.media.images import PixelSpec, decode
from simsearch.progress import Silent
from simsearch.training.data.dataset import Dataset, _neighbours, load_dataset
from simsearch.training.data.images import load_pictures
from simsearch.training.data.inputs import Arrays
from simsearch.training.data.partition import Partition
from simsearch.training.data.sampling import make_sampler
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.presets import preset
from simsearch.training.recipes import Recipe

DrawShape = Callable[..., Path]
SPEC = PixelSpec(10, 8, 3, "squash")
RECIPE = replace(
    preset("shapes"), model=ModelSpec("shapes", 12, 12, 3, 4), counts=(0.6, 0.2, 0.2), batch_classes=2, batch_images=2
)


def loaded(source: Path, cache: Path, recipe: Recipe = RECIPE, test: tuple[str, ...] = ()) -> Dataset:
    return load_dataset(read_labelled(source), recipe, test=test, tokenizer=b"", cache=cache, progress=Silent())


def pixels(dataset: Dataset) -> NDArray[np.uint8]:
    assert isinstance(dataset.inputs, Arrays)
    return np.asarray(dataset.inputs.rows, dtype=np.uint8)


def sides(dataset: Dataset) -> tuple[Partition, Partition, Partition]:
    return dataset.train, dataset.validation, dataset.test


def contents(dataset: Dataset, side: Partition) -> set[bytes]:
    return {pixels(dataset)[row].tobytes() for row in side.rows}


def assert_no_leak(dataset: Dataset) -> None:
    for one, other in itertools.combinations(sides(dataset), 2):
        assert not contents(dataset, one) & contents(dataset, other)


@pytest.fixture
def classes(tmp_path: Path, draw_shape: DrawShape) -> Path:
    """Four classes of ten pictures in two groups."""
    for label, number in itertools.product(range(4), range(10)):
        folder = tmp_path / "in" / f"group {label // 2}" / f"class {label}"
        draw_shape(folder / f"{number}.png", "circle", "red", 100 * label + number)
    return tmp_path / "in"


def test_pictures_are_decoded_in_order_and_bad_ones_left_out(tmp_path: Path, draw_shape: DrawShape) -> None:
    paths = [str(draw_shape(tmp_path / f"{number}.png", "square", "blue", number)) for number in range(5)]
    Path(paths[0]).write_bytes(b"broken")
    Path(paths[3]).unlink()
    Image.open(paths[1]).save(tmp_path / "copy.bmp")
    paths.append(str(tmp_path / "copy.bmp"))
    pictures = load_pictures(paths, SPEC, tmp_path / "pixels.npy", Silent())
    assert pictures.positions.tolist() == [1, 2, 4, 5]
    assert [skip.path for skip in pictures.skipped] == [paths[0], paths[3]]
    assert all(skip.reason for skip in pictures.skipped)
    expected = [decode(Path(paths[position]).read_bytes(), SPEC).pixels for position in (1, 2, 4, 5)]
    np.testing.assert_array_equal(pictures.pixels, np.stack(expected))
    # The same picture in another format is the same content.
    assert pictures.contents[0] == pictures.contents[3]
    assert len(set(pictures.contents)) == 3


def test_no_readable_picture_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"broken")
    paths = [str(tmp_path / "1.png"), str(tmp_path / "missing.png")]
    with pytest.raises(TrainingError, match=r"none of the 2 files can be read; the first: ."):
        load_pictures(paths, SPEC, tmp_path / "pixels.npy", Silent())


def test_class_folders_are_split_by_content(classes: Path, tmp_path: Path) -> None:
    dataset = loaded(classes, tmp_path / "pixels.npy")
    assert [len(side.rows) for side in sides(dataset)] == [24, 8, 8]
    assert dataset.training_classes == 4
    assert_no_leak(dataset)
    for side in sides(dataset):
        assert side.labels is not None
        for row, label in zip(side.rows, side.labels, strict=True):
            path = Path(dataset.sources[row])
            assert path.parent.relative_to(classes).as_posix() == dataset.classes[label]
            np.testing.assert_array_equal(
                pixels(dataset)[row], decode(path.read_bytes(), PixelSpec(12, 12, 3, "squash")).pixels
            )


def test_batches_come_from_the_training_side_with_their_labels(classes: Path, tmp_path: Path) -> None:
    for recipe in (RECIPE, replace(RECIPE, batch_classes=4, batch_images=6)):
        dataset = loaded(classes, tmp_path / "pixels.npy", recipe)
        assert dataset.train.labels is not None
        label_of = dict(zip(dataset.train.rows.tolist(), dataset.train.labels.tolist(), strict=True))
        for step in range(20):
            batch = make_sampler(dataset.train, recipe).batch(step)
            assert batch.labels is not None
            assert [label_of[row] for row in batch.rows.tolist()] == batch.labels.tolist()


def test_the_digest_follows_contents_and_split(classes: Path, tmp_path: Path) -> None:
    first = loaded(classes, tmp_path / "pixels.npy").digest
    assert loaded(classes, tmp_path / "pixels.npy").digest == first
    assert loaded(classes, tmp_path / "pixels.npy", replace(RECIPE, seed=1)).digest != first
    next(classes.rglob("9.png")).write_bytes(next(classes.rglob("8.png")).read_bytes())
    assert loaded(classes, tmp_path / "pixels.npy").digest != first


def test_labels_of_a_batch_are_dense_when_classes_are_held_out(tmp_path: Path, draw_shape: DrawShape) -> None:
    for label, number in itertools.product(range(12), range(4)):
        draw_shape(tmp_path / "in" / f"class {label:02}" / f"{number}.png", "circle", "red", 100 * label + number)
    dataset = loaded(
        tmp_path / "in", tmp_path / "pixels.npy", replace(RECIPE, split="class"), test=("class 00", "class 05")
    )
    seen = {
        label
        for step in range(60)
        for label in np.asarray(make_sampler(dataset.train, RECIPE).batch(step).labels).tolist()
    }
    assert seen == set(range(dataset.training_classes))
    assert_no_leak(dataset)


def pairs_file(folder: Path, draw_shape: DrawShape, similar: int, count: int = 30) -> Path:
    """All pairs of `count` pictures; the first `similar` of them, evenly spread, are the similar ones."""
    for number in range(count):
        draw_shape(folder / f"{number}.png", "circle", "red", number)
    pairs = list(itertools.combinations(range(count), 2))
    spread = set(np.linspace(0, len(pairs) - 1, similar).astype(int).tolist())
    rows = [f"{left}.png,{right}.png,{int(index in spread)}" for index, (left, right) in enumerate(pairs)]
    file = folder / "pairs.csv"
    file.write_text("\n".join(["left,right,same", *rows]))
    return file


def test_given_pairs_keep_their_truth_and_their_contents_apart(tmp_path: Path, draw_shape: DrawShape) -> None:
    file = pairs_file(tmp_path, draw_shape, similar=200)
    truth = {}
    for line in file.read_text().splitlines()[1:]:
        left, right, same = line.split(",")
        truth[left, right] = same == "1"
    dataset = loaded(file, tmp_path / "pixels.npy")
    assert_no_leak(dataset)
    assert dataset.classes == ()
    for side in sides(dataset):
        assert side.pairs is not None
        assert side.same is not None
        names = [[Path(dataset.sources[side.rows[position]]).name for position in pair] for pair in side.pairs]
        assert [truth[left, right] for left, right in names] == side.same.tolist()
        assert set(side.same.tolist()) == {True, False}


def test_a_test_side_of_one_kind_of_pairs_is_left_out(tmp_path: Path, draw_shape: DrawShape) -> None:
    file = pairs_file(tmp_path, draw_shape, similar=40)
    kinds = []
    for seed in range(12):
        try:
            dataset = loaded(file, tmp_path / "pixels.npy", replace(RECIPE, seed=seed))
        except TrainingError as error:
            assert "435 pairs are too few" in str(error)
            continue
        assert dataset.test.same is not None
        kinds.append(len(set(dataset.test.same.tolist())))
        assert len(dataset.test.rows) == 0 or kinds[-1] == 2
    assert set(kinds) == {0, 2}


def test_too_few_pairs_are_refused(tmp_path: Path, draw_shape: DrawShape) -> None:
    with pytest.raises(TrainingError, match="3 pairs are too few"):
        loaded(pairs_file(tmp_path, draw_shape, similar=1, count=3), tmp_path / "pixels.npy")


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=5), chosen=st.data())
def test_the_neighbour_of_a_text_follows_it_in_its_document(lengths: list[int], chosen: st.DataObject) -> None:
    documents = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.array(sorted(chosen.draw(st.sets(st.integers(0, len(documents) - 1), min_size=1))))
    labelled = Labelled("text", "unlabelled", tuple(map(str, range(len(documents)))), documents=documents)
    found = _neighbours(labelled, positions)
    expected = []
    for position in positions.tolist():
        follows = [place for place, other in enumerate(positions.tolist()) if other == position + 1]
        within = position + 1 < len(documents) and documents[position] == documents[position + 1]
        expected.append(follows[0] if follows and within else -1)
    assert found is not None
    assert found.tolist() == expected
    assert _neighbours(replace(labelled, documents=None), positions) is None
