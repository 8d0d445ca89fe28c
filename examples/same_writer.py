"""Trains on pairs of words whether they are by one writer, and verifies pairs of unseen writers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import handwriting
import numpy as np

import simsearch
from simsearch.evaluation.metrics import equal_error_rate, pair_scores, roc_auc
from simsearch.training import Changes


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = handwriting.draw_pairs(folder, words=6)
        # glyph crops to the ink, but the size of the writing distinguishes writers.
        whole = Changes(fit="pad")
        trained = simsearch.train(
            pairs, folder / "hands", start="glyph", freeze="all", split="given", steps=100, changes=whole, report=False
        )
        unseen = sorted(folder.glob("test-*.png"))
        writers = np.array([path.name.split("-")[1] for path in unseen])
        print(f"All pairs of {len(unseen)} words by {len(set(writers))} writers who are not in training:")
        for encoder in map(simsearch.open_encoder, ("glyph", trained.folder)):
            scores, same = pair_scores(encoder.encode(unseen), writers)
            print(f"{encoder.name}: ROC AUC {roc_auc(scores, same):.3f}, EER {equal_error_rate(scores, same):.1%}")
        print(
            f"At the threshold {trained.figures['threshold']:.2f}, chosen on the writers of the validation partition:"
        )
        print(f"{trained.figures['test_pair_accuracy']:.1%} balanced accuracy, genuine against impostor pairs")


if __name__ == "__main__":
    main()
