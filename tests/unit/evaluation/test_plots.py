"""The images hold what they should, whatever the classes are called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from sklearn.decomposition import PCA

from simsearch.errors import MissingExtraError, VectorError
from simsearch.evaluation import plots
from simsearch.evaluation.metrics import Confusion

HISTORY = [{"step": 10.0 * i, "loss": 1 / i, "validation": value} for i, value in enumerate([0.5, 0.9, 0.7], 1)]
CONFUSION = Confusion(tp=30, fp=5, tn=95, fn=10)


def cloud(count: int, classes: int) -> tuple[np.ndarray, list[str]]:
    vectors = np.random.default_rng(0).normal(size=(count, 6)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), [f"class {i % classes:02d}" for i in range(count)]


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures as they are saved."""
    figures: list[Figure] = []
    real = Figure.savefig

    def savefig(self: Figure, *arguments: Any, **options: Any) -> None:
        figures.append(self)
        real(self, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures


def assert_picture(path: Path) -> None:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(maxcolors=1 << 24)) > 10
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_projection_is_that_of_scikit_learn_up_to_sign(k: int) -> None:
    vectors, _ = cloud(40, 4)
    points, explained = plots.project(vectors, k)
    model = PCA(n_components=k, svd_solver="full").fit(vectors.astype(np.float64))
    expected = model.transform(vectors.astype(np.float64))
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-6)
    np.testing.assert_allclose(explained, model.explained_variance_ratio_, atol=1e-6)


def test_projection_does_not_mirror() -> None:
    vectors, _ = cloud(40, 4)
    turned = np.random.default_rng(1).permutation(40)
    np.testing.assert_allclose(plots.project(vectors, 3)[0][turned], plots.project(vectors[turned], 3)[0], atol=1e-6)


@pytest.mark.parametrize("vectors", [np.ones((1, 4)), np.ones((5, 4)), np.array([[0.0, 1.0], [1.0, 0.0]])])
def test_projection_of_too_little_is_padded_with_zeros(vectors: np.ndarray) -> None:
    points, explained = plots.project(vectors, 3)
    assert points.shape == (len(vectors), 3) and explained.shape == (3,)
    distinct = len(np.unique(vectors, axis=0)) > 1
    np.testing.assert_allclose(explained, [float(distinct), 0, 0], atol=1e-12)
    np.testing.assert_allclose(points[:, 1:], 0, atol=1e-12)


def test_projection_of_nothing_is_refused() -> None:
    for vectors, k in ((np.ones((0, 4)), 2), (np.ones(4), 2), (np.ones((3, 4)), 0)):
        with pytest.raises(VectorError, match="at least one row"):
            plots.project(vectors, k)


def test_curves_show_each_series_and_the_best_figure(tmp_path: Path, saved: list[Figure]) -> None:
    plots.plot_curves(tmp_path / "curves.png", HISTORY)
    assert_picture(tmp_path / "curves.png")
    loss, validation = saved[0].axes
    assert (loss.get_ylabel(), validation.get_ylabel()) == ("loss", "validation")
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [(10, 1), (20, 1 / 2), (30, 1 / 3)])
    np.testing.assert_allclose(validation.lines[1].get_xydata(), [(20, 0.9)])
    assert validation.get_title(loc="right") == "best 0.900 at step 20 (ringed)"


def test_curves_of_one_step_and_of_none(tmp_path: Path) -> None:
    plots.plot_curves(tmp_path / "curves.png", HISTORY[:1])
    assert_picture(tmp_path / "curves.png")
    with pytest.raises(VectorError, match="empty"):
        plots.plot_curves(tmp_path / "other.png", [])


def test_embedding_has_two_panels_and_a_class_each(tmp_path: Path, saved: list[Figure]) -> None:
    vectors, labels = cloud(90, 3)
    plots.plot_embedding(tmp_path / "embedding.png", vectors, labels)
    assert_picture(tmp_path / "embedding.png")
    flat, deep = saved[0].axes
    points, explained = plots.project(vectors, 3)
    assert [len(scatter.get_offsets()) for scatter in flat.collections] == [30, 30, 30]
    np.testing.assert_allclose(flat.collections[1].get_offsets(), points[1::3, :2])
    assert flat.get_xlabel() == f"component 1 ({explained[0]:.0%} of variance)"
    assert deep.name == "3d" and deep.get_zlabel() == f"component 3 ({explained[2]:.0%} of variance)"
    assert legend_of(saved[0]) == ["class 00", "class 01", "class 02"]


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_embedding_names_the_twelve_largest_classes(tmp_path: Path, saved: list[Figure]) -> None:
    vectors, labels = cloud(60, 15)
    labels[:3] = ["class 03"] * 3
    plots.plot_embedding(tmp_path / "embedding.png", vectors, labels)
    # Classes 00, 01 and 02 have lost a vector each.
    assert legend_of(saved[0]) == [*(f"class {i:02d}" for i in range(3, 15)), "3 other classes"]
    scatters = saved[0].axes[0].collections
    assert [len(scatter.get_offsets()) for scatter in scatters] == [7, *[4] * 11, 9]
    looks = {(tuple(scatter.get_facecolor()[0]), len(scatter.get_paths()[0].vertices)) for scatter in scatters}
    assert len(looks) == 13


def test_strange_class_names_are_shown_as_they_are(tmp_path: Path, saved: list[Figure]) -> None:
    labels = ["_hidden", "$broken{math$", "三角", "two\nlines", "x" * 60, ""]
    plots.plot_embedding(tmp_path / "embedding.png", cloud(6, 6)[0], labels)
    assert_picture(tmp_path / "embedding.png")
    assert set(legend_of(saved[0])) == {"_hidden", "$broken{math$", "三角", "two lines", "x" * 27 + "…", ""}


@pytest.mark.parametrize("vectors", [np.ones((1, 4)), np.ones((5, 4)), np.eye(2)], ids=["one", "equal", "two"])
def test_embedding_of_too_little_is_still_a_picture(tmp_path: Path, vectors: np.ndarray) -> None:
    plots.plot_embedding(tmp_path / "embedding.png", vectors.astype(np.float32), ["a"] * len(vectors))
    assert_picture(tmp_path / "embedding.png")


def test_embedding_needs_a_label_for_each_vector(tmp_path: Path) -> None:
    with pytest.raises(VectorError, match="3 vectors but 2 labels"):
        plots.plot_embedding(tmp_path / "embedding.png", np.eye(3, dtype=np.float32), ["a", "b"])


def test_confusion_shows_counts_and_shares_of_the_truth(tmp_path: Path, saved: list[Figure]) -> None:
    plots.plot_confusion(tmp_path / "confusion.png", CONFUSION)
    assert_picture(tmp_path / "confusion.png")
    axes = saved[0].axes[0]
    cells = {(round(t.get_position()[1]), t.get_position()[0]): [] for t in axes.texts}
    for text in axes.texts:
        cells[round(text.get_position()[1]), text.get_position()[0]].append(text.get_text())
    assert cells == {
        (0, 0): ["30", "75.0%"],
        (0, 1): ["10", "25.0%"],
        (1, 0): ["5", "5.0%"],
        (1, 1): ["95", "95.0%"],
    }
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["same\n(40)", "different\n(100)"]
    assert axes.get_title() == "89.3% of 140 pairs classified correctly"


def test_confusion_of_one_kind_is_still_a_picture(tmp_path: Path) -> None:
    plots.plot_confusion(tmp_path / "confusion.png", Confusion(tp=3, fp=0, tn=0, fn=1))
    assert_picture(tmp_path / "confusion.png")


def test_scores_show_both_kinds_and_the_threshold(tmp_path: Path, saved: list[Figure]) -> None:
    scores = np.array([0.9, 0.8, 0.3, 0.6, 0.1, 0.2, -0.5], dtype=np.float32)
    same = np.array([True, True, True, False, False, False, False])
    plots.plot_scores(tmp_path / "scores.png", scores, same, 0.5)
    assert_picture(tmp_path / "scores.png")
    axes = saved[0].axes[0]
    assert legend_of(saved[0]) == [
        "different: 4 pairs, 75.0% classified correctly",
        "same: 3 pairs, 66.7% classified correctly",
        "threshold 0.500",
    ]
    for patch in axes.patches:
        assert patch.get_data().values.sum() == pytest.approx(1)
    assert axes.lines[0].get_xdata()[0] == 0.5


@pytest.mark.parametrize("scores", [np.array([0.5]), np.array([1.0, 1.0])])
def test_scores_of_one_kind_or_one_value_are_still_a_picture(tmp_path: Path, scores: np.ndarray) -> None:
    plots.plot_scores(tmp_path / "scores.png", scores, np.ones(len(scores), dtype=bool), 0.5)
    assert_picture(tmp_path / "scores.png")


def test_no_scores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VectorError, match="0 scores"):
        plots.plot_scores(tmp_path / "scores.png", np.array([]), np.array([], dtype=bool), 0.5)


def test_a_failed_picture_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "confusion.png"
    path.write_bytes(b"old")

    def fail(self: Figure, target: Path, **options: Any) -> None:
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plots.plot_confusion(path, CONFUSION)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r'pip install "simsearch\[plots\]"'):
        plots.plot_confusion(tmp_path / "confusion.png", CONFUSION)
    assert list(tmp_path.iterdir()) == []
