"""Trains on pairs of questions to a bank whether they mean the same, and verifies pairs of unseen questions."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np

import simsearch
from simsearch.evaluation.metrics import equal_error_rate, roc_auc
from simsearch.evaluation.tfidf import tfidf

PAIRS = Path(__file__).parent / "samples" / "questions" / "pairs.csv"


def main() -> None:
    with PAIRS.open(newline="", encoding="utf-8") as file:
        unseen = [row for row in csv.DictReader(file) if row["split"] == "test"]
    same = np.array([row["same"] == "1" for row in unseen])
    asked = [row[side] for side in ("question1", "question2") for row in unseen]
    with tempfile.TemporaryDirectory() as folder:
        trained = simsearch.train(
            PAIRS, Path(folder) / "bank", start="text", freeze="all", split="given", steps=100, report=False
        )
        encoders = map(simsearch.open_encoder, ("text", trained.folder))
        vectors = {"TF-IDF": tfidf(asked)} | {encoder.name: encoder.encode(asked) for encoder in encoders}
    print(f"{len(unseen)} pairs of questions that are not in training:")
    for name, both in vectors.items():
        scores = np.sum(both[: len(unseen)] * both[len(unseen) :], axis=1)
        print(f"{name:8}ROC AUC {roc_auc(scores, same):.3f}, EER {equal_error_rate(scores, same):.1%}")


if __name__ == "__main__":
    main()
