"""Drawn skin with a rash of any severity from clear (0) to severe (4)."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

SIDE = 64
STAGES = 5
SKIN = ((242, 210, 188), (222, 178, 148), (186, 136, 104), (128, 86, 64))


def draw(severity: float, rng: random.Random) -> Image.Image:
    """A patch of skin; with the severity the spots become more, larger and redder. Skin, light and moles vary."""
    light = rng.uniform(0.8, 1.05)
    skin = tuple(min(255, int(level * light) + rng.randint(-8, 8)) for level in rng.choice(SKIN))
    picture = Image.new("RGB", (SIDE, SIDE), skin)
    canvas = ImageDraw.Draw(picture)
    for _ in range(rng.randint(0, 6)):
        spot(canvas, rng, rng.uniform(1, 3), tuple(level // 2 for level in skin))
    red, green, blue = skin
    redness = (0.10 + 0.10 * severity) * rng.uniform(0.85, 1.15)
    sore = (int(red + (200 - red) * redness), int(green * (1 - redness)), int(blue * (1 - redness)))
    for _ in range(round(6 * severity * rng.uniform(0.75, 1.25))):
        spot(canvas, rng, (1.5 + 0.5 * severity) * rng.uniform(0.6, 1.4), sore)
    return picture.filter(ImageFilter.GaussianBlur(0.7))


def spot(canvas: ImageDraw.ImageDraw, rng: random.Random, radius: float, color: tuple[int, ...]) -> None:
    x, y = rng.uniform(0, SIDE), rng.uniform(0, SIDE)
    wide, high = radius * rng.uniform(0.8, 1.25), radius * rng.uniform(0.8, 1.25)
    canvas.ellipse((x - wide, y - high, x + wide, y + high), fill=color)


def draw_stages(folder: Path, per_stage: int, pairs: int, seed: int = 0) -> Path:
    """Fills `folder`/PARTITION/STAGE with images of every stage and returns a table of pairs with their distance.

    The partitions are train, validation and test; the latter two have a third as many images and pairs.
    """
    rng = random.Random(seed)
    with (folder / "stages.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("path1", "path2", "score", "split"))
        for side, share in (("train", 1), ("validation", 3), ("test", 3)):
            drawn = []
            for stage in range(STAGES):
                (folder / side / str(stage)).mkdir(parents=True)
                for number in range(per_stage // share):
                    drawn.append((stage, f"{side}/{stage}/{number:02}.png"))
                    draw(stage, rng).save(folder / drawn[-1][1])
            for _ in range(pairs // share):
                (one, left), (other, right) = rng.sample(drawn, 2)
                table.writerow((left, right, abs(one - other), side))
    return folder / "stages.csv"
