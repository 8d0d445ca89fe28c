"""Indexes the sample photos of clothes, then queries with a photo that is not among them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import simsearch

SAMPLES = Path(__file__).parent / "samples"


def main() -> None:
    photo = sorted((SAMPLES / "clothing-queries" / "shoes").glob("*.jpg"))[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        simsearch.Collection.create(Path(folder) / "clothing", encoder="photo") as collection,
    ):
        report = collection.add(SAMPLES / "clothing", labels="folder")
        print(f"{report.added} photos indexed, {report.reused} of them copies, {len(report.skipped)} skipped")
        print(f"Nearest to {photo.parent.name}/{photo.name}:")
        for match in collection.query(photo, k=5):
            print(f"{match.rank}  {match.score:.3f}  {match.item.label}  {Path(match.item.uri).name}")


if __name__ == "__main__":
    main()
