"""What varies within classes counts for less: the matrix, and the layer that a training puts behind its network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from simsearch.encoders import open_encoder
from simsearch.errors import UsageError
from simsearch.labelled.reading import Reading
from simsearch.labelled.splits import Split
from simsearch.training import Changes, train
from simsearch.training.data.dataset import Dataset
from simsearch.training.data.inputs import Arrays
from simsearch.training.data.partition import Partition
from simsearch.training.finetuning.initial import load_initial_encoder
from simsearch.training.finetuning.wccn import FLOOR, MOST_INPUTS, append_wccn, sample_by_class, wccn_matrix
from simsearch.training.measure import embed_rows
from simsearch.training.networks.building import build
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.presets import preset

RECIPE = replace(
    preset("glyph"),
    model=ModelSpec("residual", 32, 32, 3, 16, widths=(8, 16), stem_stride=2),
    fit="crop",
    poses=1,
    augmentation="photo",
    scale=None,
    contrast_weight=0.0,
    within_power=0.0,
    learning_rate=0.1,
    batch_classes=2,
    batch_images=3,
    steps=4,
    evaluate_every=2,
    split="content",
    counts=(0.6, 0.2, 0.2),
    threads=1,
)


def naive(vectors: NDArray[np.float64], labels: NDArray[np.int64], power: float) -> NDArray[np.float64]:
    """By loops, and by the powers of the eigenvalues of a matrix that is not scaled."""
    dim = vectors.shape[1]
    covariance = np.zeros((dim, dim))
    for label in set(labels.tolist()):
        of_class = vectors[labels == label]
        for vector in of_class:
            covariance += np.outer(vector - of_class.mean(axis=0), vector - of_class.mean(axis=0))
    covariance /= len(vectors)
    covariance += FLOOR * np.trace(covariance) / dim * np.eye(dim)
    values, directions = np.linalg.eig(covariance)
    powered = np.real(directions @ np.diag(values.astype(complex) ** -power) @ np.linalg.inv(directions))
    matrix: NDArray[np.float64] = powered / np.sqrt(np.mean(np.real(values) ** (-2 * power)))
    return matrix


@pytest.mark.parametrize("power", [0.15, 0.3, 0.5])
@pytest.mark.parametrize("count", [40, 9_000])
def test_the_matrix_is_that_of_naive_loops(power: float, count: int) -> None:
    generator = np.random.default_rng(3)
    labels = generator.choice([3, 7, 7_000_000, 11], size=count)
    vectors = generator.normal(size=(count, 5)) * [3.0, 1.0, 0.5, 0.1, 0.0] + labels[:, None] % 5
    found = wccn_matrix(vectors, labels, power)
    np.testing.assert_allclose(found, naive(vectors, labels, power), rtol=1e-4, atol=1e-5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, found.T, atol=1e-6)


def test_what_varies_within_classes_counts_for_less_than_what_does_not() -> None:
    # The first number is noise, the second the class.
    vectors = np.array([[-2.0, 1.0], [2.0, 1.0], [-2.0, -1.0], [2.0, -1.0]])
    weighed = vectors @ wccn_matrix(vectors, np.array([0, 0, 1, 1]), 0.5)
    assert abs(weighed[0, 1]) > abs(weighed[0, 0])
    assert np.dot(weighed[0], weighed[1]) > 0 > np.dot(weighed[0], weighed[2])


def test_with_power_0_or_with_one_input_of_each_class_it_changes_nothing() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 4))
    np.testing.assert_allclose(wccn_matrix(vectors, np.arange(30) // 3, 0.0), np.eye(4), atol=1e-6)
    np.testing.assert_array_equal(wccn_matrix(vectors, np.arange(30), 0.3), np.eye(4))


@pytest.mark.parametrize(
    ("classes", "each"), [(5, 10), (3, MOST_INPUTS), (7, 9_001), (30_000, 2), (2_000, 33), (200, 1_000)]
)
def test_of_many_inputs_some_of_most_classes_are_looked_at(classes: int, each: int) -> None:
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(classes), each))
    some = sample_by_class(labels)
    assert len(np.unique(some)) == len(some)
    assert min(len(labels), MOST_INPUTS / 2) <= len(some) <= MOST_INPUTS + 16
    sizes = np.unique(labels[some], return_counts=True)[1]
    # In nine of ten, inputs can be compared with others of their class.
    assert (sizes >= 2).sum() > 0.9 * len(sizes)
    assert len(sizes) > min(classes, MOST_INPUTS / 33) * 0.5


@pytest.mark.parametrize("head", [False, True])
def test_embeddings_are_those_of_before_times_the_matrix(head: bool) -> None:
    spec = ModelSpec("residual", 12, 12, 3, 5, widths=(4, 6), head=head)
    torch.manual_seed(0)
    encoder = build(spec, mean=(0.4,) * 3, std=(0.3,) * 3).eval()
    pixels = np.random.default_rng(0).integers(0, 256, size=(60, 12, 12, 3), dtype=np.uint8)
    rows, classes = np.arange(60), np.random.default_rng(1).integers(0, 4, size=60)
    sides = [Partition(part, classes[part]) for part in (rows[:40], rows[40:], rows[:0])]
    split = Split(rows[:40], rows[40:], rows[:0], "content")
    data = Dataset("classes", "image", Arrays(pixels), (), *sides, ("a", "b", "c", "d"), split, "", 0, ())
    recipe = replace(RECIPE, model=spec, within_power=0.4)
    before = embed_rows(encoder, data.inputs, rows)
    assert append_wccn(encoder, data, replace(recipe, within_power=0.0)) == replace(recipe, within_power=0.0)
    np.testing.assert_array_equal(embed_rows(encoder, data.inputs, rows), before)
    weighed = append_wccn(encoder, data, recipe)
    assert weighed == replace(recipe, model=replace(spec, head=True))
    # Of the training side alone.
    expected = before @ wccn_matrix(before[:40], classes[:40], 0.4)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(expected - before).max() > 0.01
    np.testing.assert_allclose(embed_rows(encoder, data.inputs, rows), expected, atol=1e-5)


def test_a_training_puts_the_matrix_behind_its_network(shapes: Path, tmp_path: Path) -> None:
    made = {
        power: train(shapes, tmp_path / f"{power}", recipe=RECIPE, changes=Changes(within_power=power), report=False)
        for power in (0.0, 0.4)
    }
    plain, weighed = (load_initial_encoder(str(trained.folder)) for trained in made.values())
    assert (plain.spec.head, weighed.spec.head) == (False, True)
    for name, tensor in plain.encoder.state_dict().items():
        torch.testing.assert_close(weighed.encoder.state_dict()[name], tensor, rtol=0, atol=0)
    pictures = sorted(shapes.glob("*/1*.png"))
    assert not np.allclose(*(open_encoder(trained.folder).encode(pictures) for trained in made.values()), atol=1e-3)
    assert made[0.4].config.training["within_power"] == 0.4


def test_what_was_weighed_is_not_weighed_again_unless_asked_for(shapes: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "first"
    train(shapes, encoder, recipe=RECIPE, changes=Changes(within_power=0.2), report=False)
    powers = {
        wanted: train(
            shapes,
            tmp_path / f"again-{wanted}",
            start=encoder,
            steps=2,
            changes=Changes(within_power=wanted),
            report=False,
        ).config.training["within_power"]
        for wanted in (None, 0.3)
    }
    assert powers == {None: 0.0, 0.3: 0.3}
    fresh = tmp_path / "fresh"
    train(shapes, fresh, recipe=RECIPE, report=False)
    onward = train(shapes, tmp_path / "onward", start=fresh, steps=2, report=False)
    assert onward.config.training["within_power"] == 0.2


def test_only_classes_have_something_within(tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("text1,text2,same\n" + "a cat,a dog,0\nred,crimson,1\n" * 20, encoding="utf-8")
    with pytest.raises(UsageError, match=r"within_power 0\.3 applies to classes, not pairs"):
        train(table, tmp_path / "out", changes=Changes(within_power=0.3), reading=Reading(), report=False)
    with pytest.raises(UsageError, match=r"within power must be from 0 to below 1, not 1\.5"):
        train(table, tmp_path / "out", changes=Changes(within_power=1.5), report=False)
