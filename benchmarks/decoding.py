"""Speed and accuracy of decoding a large JPEG at a reduced scale."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from io import BytesIO

import numpy as np
from measuring import Bar, Report, interleaved, timed_rows
from PIL import Image, ImageDraw, ImageFilter

from simsearch.media.images import Picture, PixelSpec, decode, from_image

WIDTH, HEIGHT = 4000, 3000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=64, help="width and height that the encoder wants")
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args()
    content = photo_like(0)
    spec = PixelSpec(options.side, options.side, 3, "crop")
    taken = interleaved(
        {
            "full decoding": lambda: seconds(in_full, content, spec),
            "reduced scale": lambda: seconds(decode, content, spec),
        },
        options.repetitions,
    )
    full, reduced = taken.values()
    difference = np.abs(decode(content, spec).pixels.astype(int) - in_full(content, spec).pixels.astype(int))
    Report(
        "decoding",
        "Large photos are decoded at a reduced scale, which saves most of the time and changes hardly a pixel.",
        f"a drawn JPEG of {WIDTH}x{HEIGHT} ({len(content) / 1e6:.1f} MB) as {options.side}x{options.side}, "
        f"one thread, {options.repetitions} turns",
        [("milliseconds", "median", "fastest", "slowest"), *timed_rows(taken, 1000)],
        [
            Bar.ratio("reduced / full", reduced, full),
            Bar("mean difference of a pixel, of 255 levels", float(difference.mean())),
        ],
        [f"The largest difference of any pixel is {difference.max()} levels."],
    ).publish()


def photo_like(seed: int) -> bytes:
    """A JPEG of 12 million pixels with smooth shading, edges and grain."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    picture = coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    canvas = ImageDraw.Draw(picture)
    for _ in range(200):
        left, top, size = rng.integers(0, (WIDTH, HEIGHT, 580)).tolist()
        canvas.ellipse((left, top, left + size + 20, top + size + 20), fill=tuple(rng.integers(0, 256, 3).tolist()))
    picture = picture.filter(ImageFilter.GaussianBlur(1.5))
    grain = rng.normal(0, 6, (HEIGHT, WIDTH, 1))
    grained = Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))
    stream = BytesIO()
    grained.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def in_full(content: bytes, spec: PixelSpec) -> Picture:
    """The same through Pillow without a reduced scale."""
    return from_image(Image.open(BytesIO(content)), spec)


def seconds(function: Callable[[bytes, PixelSpec], Picture], content: bytes, spec: PixelSpec) -> float:
    started = time.perf_counter()
    function(content, spec)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
