"""The plots of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.evaluation.metrics import cosine_to_distance
from simsearch.evaluation.plots import plot_confusion, plot_curves, plot_embedding, plot_scores
from simsearch.media.images import read_file
from simsearch.media.sheets import SheetRow, Tile, contact_sheet, save_sheet, side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    from simsearch.training.data.dataset import Dataset
    from simsearch.training.measure import Verification
    from simsearch.types import Vectors

EMBEDDING_POINTS = 2_000
PAIRS_SHOWN = 6
PICTURE = 128


def write_report(
    folder: Path,
    data: Dataset,
    vectors: Vectors | None,
    verification: Verification | None,
    history: Sequence[dict[str, float]],
) -> None:
    """Curves and, of the test partition if there is one, embedding, confusion, scores and a sheet of pairs of pictures.

    PNG files in `folder`, each where the data has what it shows.
    """
    folder.mkdir()
    if history:
        plot_curves(folder / "curves.png", history)
    if vectors is not None and data.test.labels is not None:
        chosen = np.random.default_rng(0).permutation(len(vectors))[:EMBEDDING_POINTS]
        names = np.array(data.classes)[data.test.labels[chosen]]
        plot_embedding(folder / "embedding.png", vectors[chosen], names.tolist())
    if verification is not None:
        plot_confusion(folder / "confusion.png", verification.confusion)
        plot_scores(folder / "scores.png", verification.scores, verification.same, verification.threshold)
        if data.modality == "image":
            save_sheet(_pairs_sheet(data, verification), folder / "pairs.png")


def _pairs_sheet(data: Dataset, verification: Verification) -> Image:
    """Test pairs with their distance, wrong ones in red: the worst mistakes first, then right ones at random."""
    predicted_same = verification.scores >= verification.threshold
    wrong = predicted_same != verification.same
    error = np.abs(verification.scores - verification.threshold)
    rng = np.random.default_rng(0)
    rows = []
    for title, kind in (("similar", verification.same), ("not similar", ~verification.same)):
        mistakes = np.flatnonzero(kind & wrong)
        mistakes = mistakes[np.argsort(-error[mistakes], kind="stable")]
        right = rng.permutation(np.flatnonzero(kind & ~wrong))
        for name, chosen in ((f"{title}, correct", right), (f"{title}, wrong", mistakes)):
            if len(chosen):
                rows.append(
                    SheetRow(f"{name}: {len(chosen)}", _tiles(data, verification, chosen[:PAIRS_SHOWN]), ruled=False)
                )
    return contact_sheet(rows, tile=2 * PICTURE)


def _tiles(data: Dataset, verification: Verification, chosen: NDArray[np.int64]) -> tuple[Tile, ...]:
    distances = cosine_to_distance(verification.scores[chosen])
    wrong = (verification.scores[chosen] >= verification.threshold) != verification.same[chosen]
    tiles = []
    for pair, distance, mistaken in zip(verification.pairs[chosen], distances, wrong, strict=True):
        paths = [data.sources[data.test.rows[position]] for position in pair]
        names = " | ".join(Path(path).parent.name for path in paths)
        joined = side_by_side([read_file(path) for path in paths], PICTURE)
        tiles.append(Tile(joined, (names, f"distance {distance:.2f}"), "red" if mistaken else "green"))
    return tuple(tiles)
