"""Trains on drawings without labels; the labels are only used to evaluate the nearest neighbors."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import simsearch
from simsearch import Changes, Reading
from simsearch.evaluation.baselines import raw_pixels

DRAWINGS = Path(__file__).parent / "samples" / "omniglot"


def share_of_the_same(vectors: np.ndarray, drawings: list[Path]) -> float:
    """How often the nearest other drawing is of the same character, by the name of its folder (recall@1)."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return np.mean([drawings[near].parent == drawings[row].parent for row, near in enumerate(scores.argmax(axis=1))])


def main() -> None:
    drawings = sorted(DRAWINGS.rglob("*.png"))
    with tempfile.TemporaryDirectory() as folder:
        changes = Changes(augmentation="drawing", batch_classes=8, batch_images=16)
        how = {"recipe": "shapes", "loss": "infonce", "steps": 120, "report": False, "changes": changes}
        trained = simsearch.train(DRAWINGS, Path(folder) / "drawings", reading=Reading(kind="unlabelled"), **how)
        encoder = simsearch.open_encoder(trained.folder)
        pixels = raw_pixels(np.stack([encoder.prepare(path).pixels for path in drawings]))
        print(f"Of {len(drawings)} drawings the nearest other one shows the same character:")
        for name, vectors in (("pixels", pixels), ("learned without labels", encoder.encode(drawings))):
            print(f"{name:24}{share_of_the_same(vectors, drawings):.0%}")


if __name__ == "__main__":
    main()
