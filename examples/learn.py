"""Trains an encoder on drawn shapes with their colors as classes, then compares shapes with it."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import shapes

import simsearch


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        labelled = shapes.draw_by_color(Path(folder) / "shapes", per_color=60)
        trained = simsearch.train(labelled, Path(folder) / "by-color", recipe="shapes", report=False)
        print(f"Accuracy on test pairs: {trained.figures['test_pair_accuracy']:.1%}")
        encoder = simsearch.open_encoder(trained.folder)
        rng = random.Random(1)
        asked = [("circle", "red"), ("triangle", "red"), ("circle", "blue")]
        circle, triangle, blue = encoder.encode([shapes.draw(*which, rng) for which in asked])
        print(f"red circle and red triangle: {circle @ triangle:.2f}")
        print(f"red circle and blue circle:  {circle @ blue:.2f}")


if __name__ == "__main__":
    main()
