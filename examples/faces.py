"""Drawn faces, in photographs of one or several people: no face of a person ships with simsearch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

SIDE = 200
"""Width and height of one face with its surroundings, in pixels."""
SKINS = ((244, 208, 177), (224, 172, 130), (190, 135, 95), (235, 190, 160))


@dataclass(frozen=True, slots=True)
class Face:
    """What stays the same of a person; lengths are relative to SIDE."""

    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    shirt: tuple[int, int, int]
    width: float
    eyes: float
    mouth: float
    fringe: float
    long_hair: bool
    glasses: bool
    beard: bool


def some_face(rng: random.Random) -> Face:
    return Face(
        skin=rng.choice(SKINS),
        hair=_color(rng, 20, 170),
        shirt=_color(rng, 30, 230),
        width=rng.uniform(0.24, 0.3),
        eyes=rng.uniform(0.105, 0.13),
        mouth=rng.uniform(0.06, 0.1),
        fringe=rng.uniform(0.2, 0.27),
        long_hair=rng.random() < 0.5,
        glasses=rng.random() < 0.4,
        beard=rng.random() < 0.3,
    )


def _color(rng: random.Random, least: int, most: int) -> tuple[int, int, int]:
    return rng.randint(least, most), rng.randint(least, most), rng.randint(least, most)


def photograph(people: Sequence[Face], rng: random.Random) -> Image.Image:
    """The people side by side before a wall, each a little moved, in a light that varies."""
    wall = rng.randint(165, 200)
    picture = Image.new("RGB", (SIDE * len(people), SIDE), (wall, wall, wall + 10))
    for number, face in enumerate(people):
        left, top = number * SIDE + rng.randint(-5, 5), rng.randint(-4, 4)
        _draw(ImageDraw.Draw(picture), face, left, top, SIDE * rng.uniform(0.96, 1.04), rng)
    light = rng.uniform(0.85, 1.12)
    return picture.filter(ImageFilter.GaussianBlur(1.6)).point(lambda level: min(255, round(level * light)))


def _draw(canvas: ImageDraw.ImageDraw, face: Face, left: float, top: float, side: float, rng: random.Random) -> None:
    smile, look = rng.uniform(0.0, 0.04), rng.uniform(-0.006, 0.006)
    dark = tuple(round(level * 0.72) for level in face.skin)

    def oval(x: float, y: float, across: float, down: float, color: tuple[int, ...]) -> None:
        box = (x - across, y - down, x + across, y + down)
        corners = [at * side + start for at, start in zip(box, (left, top, left, top), strict=True)]
        canvas.ellipse(corners, color)

    oval(0.5, 1.12, 0.42, 0.26, face.shirt)
    oval(0.5, 0.42, face.width + 0.05, 0.38, face.hair)
    if face.long_hair:
        oval(0.5, 0.6, face.width + 0.07, 0.36, face.hair)
    oval(0.5, 0.8, 0.11, 0.14, dark)
    oval(0.5, 0.5, face.width, 0.36, face.skin)
    if face.beard:
        oval(0.5, 0.74, face.width * 0.75, 0.13, face.hair)
        oval(0.5, 0.64, face.width * 0.7, 0.1, face.skin)
    oval(0.5, face.fringe - 0.1, face.width, 0.12, face.hair)
    for way in (-1, 1):
        x = 0.5 + way * face.eyes
        oval(x, 0.45, 0.066, 0.046, dark)
        oval(x, 0.395, 0.065, 0.016, face.hair)
        oval(x, 0.455, 0.045, 0.024, (245, 245, 245))
        oval(x + look, 0.455, 0.022, 0.024, (30, 25, 25))
        oval(0.5 + way * 0.03, 0.585, 0.018, 0.012, dark)
        if face.glasses:
            box = [(x - 0.085) * side + left, 0.405 * side + top, (x + 0.085) * side + left, 0.51 * side + top]
            canvas.ellipse(box, outline=(20, 20, 20), width=3)
    oval(0.5, 0.52, 0.02, 0.06, tuple(min(255, level + 12) for level in face.skin))
    oval(0.5, 0.7, face.mouth, 0.018 + smile / 3, (150, 50, 55))


NAMES = ("Ana", "Bela", "Chidi", "Dora", "Emil")
DOOR = {
    "2026-03-02 08:05": "Ana",
    "2026-03-02 08:20": "Bela Chidi",
    "2026-03-02 12:10": "stranger",
    "2026-03-02 17:30": "Chidi Ana",
    "2026-03-03 09:00": "Dora stranger",
    "2026-03-03 16:45": "Dora",
}
"""Who is in the photographs at the door."""


def draw_all(folder: Path, strangers: int = 50, seed: int = 1) -> None:
    """Fills folder/people/NAME, folder/strangers and folder/door with photographs, those with the time in EXIF."""
    rng = random.Random(seed)
    people = {name: some_face(rng) for name in NAMES}
    people["stranger"] = some_face(rng)
    for name in NAMES:
        (folder / "people" / name).mkdir(parents=True)
        for number in range(4):
            photograph([people[name]], rng).save(folder / "people" / name / f"{number}.png")
    for place in ("strangers", "door"):
        (folder / place).mkdir()
    for number in range(strangers):
        photograph([some_face(rng)], rng).save(folder / "strangers" / f"{number}.png")
    for stamp, shown in DOOR.items():
        picture, taken = photograph([people[name] for name in shown.split()], rng), datetime.fromisoformat(stamp)
        exif = Image.Exif()
        exif[0x0132] = f"{taken:%Y:%m:%d %H:%M:%S}"
        picture.save(folder / "door" / f"{taken:%d-%H%M}.jpg", quality=92, exif=exif)
