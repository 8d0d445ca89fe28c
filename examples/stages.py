"""Trains on graded pairs of stages of a rash, then estimates the stage of images from their nearest neighbors."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
import rashes

import simsearch
from simsearch import Reading
from simsearch.evaluation.metrics import all_pairs, pair_scores, spearman


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, reading = rashes.draw_stages(folder, per_stage=24, pairs=600), Reading(score_range=(4, 0))
        how = {"start": "photo", "freeze": "all", "loss": "cosent", "split": "given", "steps": 100, "report": False}
        trained = simsearch.train(table, folder / "rash", reading=reading, **how)
        unseen = sorted((folder / "test").glob("*/*.png"))
        stages, pairs = np.array([int(path.parent.name) for path in unseen]), all_pairs(len(unseen))
        for encoder in map(simsearch.open_encoder, ("photo", trained.folder)):
            scores, _ = pair_scores(encoder.encode(unseen), stages, pairs=pairs)
            agreement = spearman(scores, -abs(stages[pairs[:, 0]] - stages[pairs[:, 1]]))
            print(f"{encoder.name}: scores and stages agree with a rank correlation of {agreement:.2f}")
        with simsearch.Collection.create(folder / "seen", encoder=trained.folder) as collection:
            collection.add(folder / "train", labels="folder")
            for severity in (0.0, 0.5, 1.5, 2.5, 3.5, 4.0):
                near = collection.query_many([rashes.draw(severity, random.Random(seed)) for seed in range(5)], k=9)
                placed = [int(match.item.label) for matches in near for match in matches]
                print(f"drawn at {severity}, placed at {np.mean(placed):.1f}")


if __name__ == "__main__":
    main()
