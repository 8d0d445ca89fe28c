"""The guarantee of a calibrated threshold on simulated identities, beside other ways to choose a threshold.

    python benchmarks/guarantee.py [--calibrations 500]

Identities are a hierarchical Gaussian on the sphere: families, identities within them, pictures of an identity. For
each calibration the gallery, n impostors and 100 n other unknown identities are drawn anew; the true false-accept rate
of a threshold is the share of the latter that it lets in. A calibration fails if its true rate is above the one asked.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np
from measuring import Bar, Report
from numpy.typing import NDArray

from simsearch.recognition.binomial import impostors_needed, largest_exceeding, log_cumulative
from simsearch.recognition.threshold import guaranteed_threshold

DIM, FAMILIES = 32, 40
FAMILY, IDENTITY, PICTURE = 1.0, 0.7, 0.35
"""Standard deviations of the centers of families, of identities in a family, and of pictures of an identity."""
CONFIDENCE = 0.95
CASES = [(rate, gallery) for rate in (0.1, 0.05, 0.01) for gallery in (10, 100, 500)]
WAYS = ("guaranteed", "empirical quantile", "best F1", "fixed 0.5")


@dataclass(frozen=True, slots=True)
class World:
    """A source of identities."""

    rng: np.random.Generator
    families: NDArray[np.float32]

    @classmethod
    def drawn(cls, seed: int) -> World:
        rng = np.random.default_rng(seed)
        return cls(rng, rng.normal(0, FAMILY, (FAMILIES, DIM)).astype(np.float32))

    def identities(self, count: int) -> NDArray[np.float32]:
        """The centers of new identities, shape (count, DIM)."""
        chosen = self.families[self.rng.integers(0, FAMILIES, count)]
        return chosen + IDENTITY * self.rng.standard_normal((count, DIM), dtype=np.float32)

    def pictures(self, centers: NDArray[np.float32]) -> NDArray[np.float32]:
        """One unit vector for each center."""
        rows = centers + PICTURE * self.rng.standard_normal(centers.shape, dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def tops(queries: NDArray[np.float32], gallery: NDArray[np.float32]) -> NDArray[np.float32]:
    block = 50_000
    return np.concatenate([(queries[at : at + block] @ gallery.T).max(axis=1) for at in range(0, len(queries), block)])


def best_f1(known: NDArray[np.float32], unknown: NDArray[np.float32]) -> float:
    """The threshold with the best F1 of accepting known queries, as many of them as of unknown ones."""
    scores = np.sort(np.concatenate([known, unknown]))
    accepted = len(known) - np.searchsorted(np.sort(known), scores)
    let_in = (len(unknown) - np.searchsorted(np.sort(unknown), scores)) * len(known) / len(unknown)
    return float(scores[np.argmax(2 * accepted / (accepted + let_in + len(known)))])


def rates(world: World, size: int, rate: float, impostors: int) -> list[float]:
    """The true false-accept rate of each way for one draw of everything."""
    centers = world.identities(size)
    gallery = world.pictures(centers)
    calibrating = tops(world.pictures(world.identities(impostors)), gallery)
    unknown = np.sort(tops(world.pictures(world.identities(100 * impostors)), gallery))
    known = tops(world.pictures(centers), gallery)
    quantile = float(np.sort(calibrating)[len(calibrating) - 1 - math.floor(len(calibrating) * rate)])
    chosen = [
        guaranteed_threshold(calibrating, rate, CONFIDENCE).score,
        float(np.nextafter(np.float32(quantile), np.float32(2))),
        best_f1(known, calibrating),
        0.5,
    ]
    return [1 - float(np.searchsorted(unknown, threshold)) / len(unknown) for threshold in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calibrations", type=int, default=500)
    options = parser.parse_args()
    rows: list[tuple[str, ...]] = [("rate asked", "gallery", "impostors", "law", *WAYS)]
    worst = 0.0
    for case, (rate, size) in enumerate(CASES):
        impostors = math.ceil(1.7 * impostors_needed(rate, CONFIDENCE))
        world = World.drawn(case)
        found = np.array([rates(world, size, rate, impostors) for _ in range(options.calibrations)])
        failed = (found > rate).mean(axis=0)
        exceeding = largest_exceeding(impostors, rate, CONFIDENCE)
        law = math.exp(log_cumulative(impostors, rate, exceeding or 0)[-1])
        # The bound, and three standard errors of a share of this many calibrations.
        worst = max(worst, float(failed[0]) - 3 * math.sqrt(0.05 * 0.95 / options.calibrations))
        rows.append((f"{rate:g}", f"{size}", f"{impostors}", f"{law:.3f}", *(f"{share:.3f}" for share in failed)))
    Report(
        "guarantee",
        "Share of calibrations whose true false-accept rate is above the rate asked for, at confidence 0.95; law "
        "is the exact share for continuous scores.",
        f"{options.calibrations} calibrations of simulated identities each, {DIM} dimensions",
        rows,
        (
            Bar(
                "largest share of failures of the guaranteed threshold, less three standard errors", worst, at_most=0.05
            ),
        ),
    ).publish()


if __name__ == "__main__":
    main()
