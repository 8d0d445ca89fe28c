"""Embeddings of distorted drawings and digits, made once and kept in a .npy file: real ones, as many as are wanted.

The bundled `glyph` encoder crops a drawing to its ink, so a shift or a change of size would give the same embedding
again. Each picture is therefore rotated, sheared, stretched and drawn with a thinner or thicker pen.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

BATCH = 512
SUFFIXES = (".png", ".jpg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "pictures", type=Path, nargs="+", help="folders with drawings (dark on light, or light on dark)"
    )
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--out", type=Path, required=True, help="the .npy file to write")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make(options.pictures, options.rows, options.out, options.seed)


def make(folders: Sequence[Path], rows: int, out: Path, seed: int = 0) -> None:
    """Writes `rows` unit vectors; goes on where an interrupted run stopped."""
    import simsearch

    encoder = simsearch.open_encoder("glyph")
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if not paths:
        raise SystemExit(f"no {' or '.join(SUFFIXES)} files in {', '.join(map(str, folders))}")
    done = out.with_suffix(".rows")
    first = int(done.read_text()) if done.exists() and out.exists() else 0
    shape = (rows, encoder.dim)
    vectors = np.lib.format.open_memmap(
        out, "r+" if first else "w+", dtype=np.float32, shape=shape if not first else None
    )
    if vectors.shape != shape:
        raise SystemExit(f"{out} has the shape {vectors.shape}, not {shape}; name another file")
    for start in range(first, rows, BATCH):
        count = min(BATCH, rows - start)
        vectors[start : start + count] = encoder.encode(list(_pictures(paths, start, count, seed)))
        vectors.flush()
        done.write_text(str(start + count))
        print(f"\r{start + count:,} of {rows:,}", end="", file=sys.stderr)
    print(file=sys.stderr)


def _pictures(paths: Sequence[Path], start: int, count: int, seed: int) -> Iterator[Image.Image]:
    for number in range(start, start + count):
        # In an order that mixes the folders: a part of the rows is a sample of all.
        chance = random.Random(f"{seed} {number}")
        path = paths[(number * 40_503) % len(paths)] if number < len(paths) else chance.choice(paths)
        picture = Image.open(io.BytesIO(path.read_bytes())).convert("L")
        yield picture if number < len(paths) else _distorted(picture, chance)


def _distorted(picture: Image.Image, chance: random.Random) -> Image.Image:
    paper = picture.getpixel((0, 0))
    if chance.random() < 0.5:
        picture = picture.filter(chance.choice([ImageFilter.MinFilter(3), ImageFilter.MaxFilter(3)]))
    turned = picture.rotate(chance.gauss(0, 9), Image.Resampling.BILINEAR, expand=True, fillcolor=paper)
    shear, tall = chance.gauss(0, 0.15), chance.uniform(0.75, 1.33)
    width, height = turned.size
    size = (width + int(abs(shear) * height), max(8, int(height * tall)))
    matrix = (1, shear / tall, -shear * height if shear > 0 else 0, 0, 1 / tall, 0)
    return turned.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=paper)


if __name__ == "__main__":
    main()
