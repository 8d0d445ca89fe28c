"""Drawn signatures and fingerprints: splines of a pen in the hand of a writer, and ridges around a core."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPE = (400, 200)
"""Width and height of a signature in pixels."""
SIDE = 192
"""Width and height of a fingerprint in pixels."""


@dataclass(frozen=True, slots=True)
class Writer:
    """The knots of a signature, shape (n, 2) in pixels; `pen` is its width in pixels."""

    knots: np.ndarray
    pen: float


def some_writer(rng: np.random.Generator) -> Writer:
    """A signature of loops that lean, with a flourish at the end."""
    letters = int(rng.integers(4, 8))
    lean, height = rng.uniform(-0.3, 0.8), rng.uniform(20, 45)
    knots = []
    for at in np.linspace(60, 300, letters):
        reach = height * rng.choice([0.5, 0.7, 1.0, 1.6, -1.2])
        for along, up in ((0, 0), (0.3, 0.9), (0.0, 1.0), (-0.3, 0.4), (0.2, 0.0)):
            across = at + lean * up * reach + along * height
            knots.append((across + rng.normal(0, 4), 115 - up * reach + rng.normal(0, 5)))
    flourish = [(rng.uniform(260, 370), rng.uniform(110, 165)), (rng.uniform(40, 150), rng.uniform(125, 175))]
    return Writer(np.array([*knots, *flourish]), rng.uniform(2, 4))


def sign(writer: Writer, rng: np.random.Generator, *, tremor: float = 0.0, error: float = 2.0) -> Image.Image:
    """A signature, black on white: its knots are hit with a standard error in pixels, on a tilted base line.

    A forger hits them worse and slower: `tremor` is the standard deviation of each point of the line.
    """
    turn, scale = rng.normal(0, 0.03), rng.normal(1, 0.03, 2)
    knots = writer.knots + rng.normal(0, error, writer.knots.shape)
    line = spline(knots) + rng.normal(0, tremor, (1 + 12 * (len(knots) - 1), 2)) if tremor else spline(knots)
    middle = np.array(SHAPE) / 2
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    line = (line - middle) * scale @ rotation.T + middle + rng.normal(0, 3, 2)
    # Drawn in four times the size, as lines of PIL have no soft edges.
    picture = Image.new("L", (4 * SHAPE[0], 4 * SHAPE[1]), "white")
    width = max(1, round(4 * writer.pen * rng.normal(1, 0.1)))
    ImageDraw.Draw(picture).line([(x, y) for x, y in 4 * line], fill=30, width=width, joint="curve")
    return picture.resize(SHAPE, Image.Resampling.LANCZOS)


def spline(knots: np.ndarray, steps: int = 12) -> np.ndarray:
    """Points of the curve through the knots (Catmull and Rom 1974), `steps` from knot to knot."""
    ends = np.concatenate([knots[:1], knots, knots[-1:]])
    before, start, stop, after = ends[:-3, None], ends[1:-2, None], ends[2:-1, None], ends[3:, None]
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    cubic = 3 * start - 3 * stop + after - before
    square = 2 * before - 5 * start + 4 * stop - after
    points = start + 0.5 * t * (stop - before + t * (square + t * cubic))
    return np.concatenate([points.reshape(-1, 2), knots[-1:]])


@dataclass(frozen=True, slots=True)
class Finger:
    """Waves whose sum is the field that the ridges follow, and the distance of ridges in pixels."""

    core: np.ndarray
    waves: np.ndarray
    spacing: float
    stretch: float


def some_finger(rng: np.random.Generator) -> Finger:
    waves = np.column_stack([rng.normal(0, 0.007, (6, 2)), rng.uniform(0, 2 * np.pi, 6), rng.uniform(4, 12, 6)])
    return Finger(np.array([SIDE / 2, SIDE / 2]) + rng.normal(0, 14, 2), waves, rng.uniform(8, 11), rng.uniform(1, 1.8))


def press(finger: Finger, rng: np.random.Generator) -> Image.Image:
    """A print: ridges around the core, bent by the waves; turned, moved, pressed and smudged a little each time."""
    across, down = np.meshgrid(np.arange(SIDE, dtype=float), np.arange(SIDE, dtype=float))
    turn = rng.normal(0, 0.05)
    x, y = across - SIDE / 2 + rng.normal(0, 4), down - SIDE / 2 + rng.normal(0, 4)
    x, y = np.cos(turn) * x - np.sin(turn) * y + SIDE / 2, np.sin(turn) * x + np.cos(turn) * y + SIDE / 2
    bent = sum(size * np.sin(2 * np.pi * (fx * x + fy * y) + phase) for fx, fy, phase, size in finger.waves)
    radius = np.hypot((x - finger.core[0]) * finger.stretch, y - finger.core[1]) + bent
    ridges = np.cos(2 * np.pi * radius / finger.spacing) + rng.normal(0, 0.25, x.shape) + rng.normal(0, 0.12)
    oval = np.hypot((x - SIDE / 2) / 78, (y - SIDE / 2) / 92) < 1
    light = np.where(oval & (ridges > 0), 40, 255).astype(np.uint8)
    return Image.fromarray(light).resize((2 * SIDE, 2 * SIDE), Image.Resampling.BILINEAR)


def draw_all(folder: Path, kind: str, people: int, each: int, seed: int, forged: int = 0) -> Path:
    """Fills `folder` with PERSON/genuine and, for the `kind` signatures, PERSON/forged; the other is fingerprints."""
    rng = np.random.default_rng(seed)
    for person in range(people):
        owner = some_writer(rng) if kind == "signatures" else some_finger(rng)
        for kept, count in (("genuine", each), ("forged", forged)):
            for number in range(count):
                path = folder / f"person{person:03}" / kept / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(owner, Finger):
                    press(owner, rng).save(path)
                elif kept == "genuine":
                    sign(owner, rng).save(path)
                else:
                    sign(owner, rng, tremor=0.4, error=6.0).save(path)
    return folder
