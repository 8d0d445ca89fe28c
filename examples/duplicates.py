"""Finds edited copies of the sample photos of clothes, removes them, and puts them back."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

import simsearch

SAMPLES = Path(__file__).parent / "samples"


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(shutil.copytree(SAMPLES / "clothing" / "hat", Path(place) / "hats"))
        original = sorted(folder.glob("*.jpg"))[0]
        with Image.open(original) as photo:
            photo.crop((30, 30, photo.width - 40, photo.height - 50)).save(folder / "cropped.jpg", quality=60)
            ImageOps.mirror(photo).resize((photo.width // 2, photo.height // 2)).save(folder / "mirrored.png")
        with simsearch.Collection.create(Path(place) / "index", encoder="photo") as collection:
            collection.add(folder)
            for group in collection.find_duplicates().groups:
                print(f"keep {'the original' if group.kept.item.uri == str(original) else group.kept.item.uri}")
                for copy in sorted(group.copies, key=lambda copy: copy.item.uri):
                    print(f"  {Path(copy.item.uri).name}: {copy.kind}, {copy.score:.2f}")
            collection.plan_duplicates(Path(place) / "plan.json")
            removed = collection.apply_duplicates(Path(place) / "plan.json").files.applied
            restored = collection.undo_duplicates().files.restored
            print(f"{removed} files removed, {restored} put back")


if __name__ == "__main__":
    main()
