"""Learns from pairs whether two words are by one hand, and is asked about writers that it has never seen."""

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
        # glyph cuts out what is written; how large somebody writes tells hands apart.
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
        print(f"By one hand from a score of {trained.figures['threshold']:.2f} on, as chosen on other writers again:")
        print(f"{trained.figures['test_pair_accuracy']:.1%} of as many pairs of one hand as of two are judged right")


if __name__ == "__main__":
    main()
