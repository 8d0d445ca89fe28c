"""Stores vectors from elsewhere and searches them, without an encoder."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import simsearch

CITIES = {"Lisbon": (38.7, -9.1), "Madrid": (40.4, -3.7), "Oslo": (59.9, 10.8), "Lima": (-12.0, -77.0)}


def on_the_globe(degrees: tuple[float, float]) -> np.ndarray:
    """The direction from the center of the earth to a latitude and longitude."""
    north, east = np.radians(degrees)
    return np.array([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        simsearch.Collection.create(Path(folder) / "cities", dim=3) as collection,
    ):
        collection.add_vectors(
            list(CITIES),
            np.stack([on_the_globe(place) for place in CITIES.values()]),
            metadata=[{"latitude": north} for north, _ in CITIES.values()],
        )
        for match in collection.query(on_the_globe((48.9, 2.4)), k=3):
            print(f"{match.rank}  {match.score:.3f}  {match.item.uri}, latitude {match.item.metadata['latitude']}")


if __name__ == "__main__":
    main()
