"""Drawn handwriting: scribbled words of writers that differ in slant, pen, size, roundness and steadiness."""

from __future__ import annotations

import csv
import itertools
import math
import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 84
STEPS = 28
"""Points of a letter's curve."""
WRITERS = {"train": 30, "validation": 10, "test": 15}


@dataclass(frozen=True, slots=True)
class Writer:
    """A style of handwriting: `slant` in pixels across per pixel up, the others in pixels or relative to the height."""

    slant: float
    pen: int
    height: float
    width: float
    loop: float
    wobble: float
    rise: float


def some_writer(rng: random.Random) -> Writer:
    return Writer(
        slant=rng.uniform(-0.5, 0.9),
        pen=rng.randint(1, 4),
        height=rng.uniform(10, 22),
        width=rng.uniform(0.5, 1.1),
        loop=rng.uniform(0.0, 0.6),
        wobble=rng.uniform(0.0, 0.8),
        rise=rng.uniform(-0.25, 0.25),
    )


def write(hand: Writer, rng: random.Random) -> Image.Image:
    """A word of letters chosen by chance in this hand, gray on white; no two are the same word."""
    picture = Image.new("L", (SIDE, SIDE), "white")
    canvas = ImageDraw.Draw(picture)
    advance = hand.height * hand.width
    across, points = rng.uniform(2, 8), []
    down = SIDE / 2 + rng.uniform(-6, 6)
    while across < SIDE - advance:
        reach = rng.choice((0.5, 0.5, 1.0, 1.3, -0.8))
        for step in range(STEPS):
            turn = 2 * math.pi * step / STEPS
            up = hand.height * reach * (1 - math.cos(turn)) / 2
            along = advance * step / STEPS - hand.loop * hand.height * math.sin(turn)
            x = across + along + hand.slant * up + rng.gauss(0, hand.wobble / 2)
            points.append((x, down - up - hand.rise * (across + along - SIDE / 2) + rng.gauss(0, hand.wobble / 2)))
        across += advance * rng.uniform(0.9, 1.1)
    canvas.line(points, fill=rng.randint(20, 60), width=hand.pen, joint="curve")
    return picture


def draw_pairs(folder: Path, words: int, seed: int = 0) -> Path:
    """Fills `folder` with `words` words of each writer, and returns a table of pairs: by the same writer or not.

    No writer is in two partitions. Half of the pairs of a partition are by one writer.
    """
    rng = random.Random(seed)
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("left", "right", "same", "split"))
        for side, count in WRITERS.items():
            drawn = []
            for writer in range(count):
                hand = some_writer(rng)
                for word in range(words):
                    drawn.append((writer, f"{side}-{writer:02}-{word}.png"))
                    write(hand, rng).save(folder / drawn[-1][1])
            pairs = list(itertools.combinations(drawn, 2))
            alike = [pair for pair in pairs if pair[0][0] == pair[1][0]]
            others = rng.sample([pair for pair in pairs if pair[0][0] != pair[1][0]], len(alike))
            for (one, left), (other, right) in alike + others:
                table.writerow((left, right, int(one == other), side))
    return folder / "pairs.csv"
