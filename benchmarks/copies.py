"""How often an edited copy of a photo finds the photo it was made from, for each kind of edit."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from measuring import Bar, Report
from PIL import Image, ImageDraw, ImageFont, ImageOps

import simsearch
from simsearch.evaluation.baselines import colour_histogram, raw_pixels
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.images import PixelSpec, from_image
from simsearch.media.scan import scan
from simsearch.types import Skip

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]
SIDE = 64
"""Pixels of a side that vectors without learning see."""


def crop(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A window of 70 to 90 % of each side, anywhere."""
    share = rng.uniform(0.7, 0.9)
    width, height = round(photo.width * share), round(photo.height * share)
    left, top = (int(rng.integers(0, room + 1)) for room in (photo.width - width, photo.height - height))
    return photo.crop((left, top, left + width, top + height))


def mirror(photo: Image.Image, _: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(photo)


def rotation(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Turned by 5 to 15 degrees either way, the corners black."""
    angle = rng.uniform(5, 15) * rng.choice([-1, 1])
    return photo.rotate(angle, Image.Resampling.BILINEAR)


def quarter_turn(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    return photo.transpose((Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)[int(rng.integers(2))])


def text(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Two lines of letters over the photo, white with a black edge, a sixth of the height each."""
    photo, size = photo.copy(), max(6, photo.height // 6)
    pen, font = ImageDraw.Draw(photo), ImageFont.load_default(size)
    for top in (0.05, 0.75):
        words = "".join(chr(int(letter)) for letter in rng.integers(65, 91, size=9))
        place = (photo.width * 0.04, photo.height * top)
        pen.text(place, words, fill="white", font=font, stroke_width=max(1, size // 12), stroke_fill="black")
    return photo


def compression(photo: Image.Image, _: np.random.Generator) -> Image.Image:
    """JPEG of quality 10."""
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=10)
    return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")


def border(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A frame of one colour, an eighth of the width on each side."""
    colour = tuple(int(level) for level in rng.integers(0, 256, size=3))
    return ImageOps.expand(photo, max(1, photo.width // 8), colour)


def smaller(photo: Image.Image, _: np.random.Generator) -> Image.Image:
    """A third of the sides, and back."""
    small = photo.resize((max(1, photo.width // 3), max(1, photo.height // 3)), Image.Resampling.BOX)
    return small.resize(photo.size, Image.Resampling.BILINEAR)


def colours(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Each channel brighter or darker by up to 30 %, by itself."""
    gains = rng.uniform(0.7, 1.3, size=3)
    return Image.fromarray(np.clip(np.asarray(photo) * gains, 0, 255).astype(np.uint8))


def grey(photo: Image.Image, _: np.random.Generator) -> Image.Image:
    return ImageOps.grayscale(photo).convert("RGB")


EDITS: dict[str, Edit] = {
    "crop": crop, "mirror": mirror, "rotation": rotation, "quarter turn": quarter_turn, "text over it": text,
    "compression": compression, "border": border, "fewer pixels": smaller, "colours": colours, "grey": grey,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder", help="photo, or an encoder folder for pictures in colour")
    parser.add_argument("folder", type=Path, help="photos that it was not trained on, at any depth")
    parser.add_argument("--classes", nargs="+", metavar="NAME", help="take only these folders, as held-out classes")
    parser.add_argument("--photos", type=int, default=1_500, help="at most so many, drawn at random")
    options = parser.parse_args()
    encoder = simsearch.open_encoder(options.encoder)
    photos = drawn(options.folder, options.classes, options.photos)
    systems = {
        f"encoder {encoder.name}": encoder.encode,
        "histogram of colours": lambda pictures: colour_histogram(small(pictures)),
        "raw pixels": lambda pictures: raw_pixels(small(pictures)),
    }
    rows: list[Sequence[str]] = [("edit", *systems)]
    gallery = {name: encode(photos) for name, encode in systems.items()}
    means = dict.fromkeys(systems, 0.0)
    for kind, edit in EDITS.items():
        rng = np.random.default_rng(0)
        copies = [edit(photo, rng) for photo in photos]
        found = {name: recall(encode(copies), gallery[name]) for name, encode in systems.items()}
        rows.append((kind, *[f"{share:.3f}" for share in found.values()]))
        means = {name: mean + found[name] / len(EDITS) for name, mean in means.items()}
    rows.append(("mean", *[f"{mean:.3f}" for mean in means.values()]))
    Report(
        f"copies-{encoder.name}",
        "An edited copy finds the photo that it was made from: share of copies whose nearest vector is the original's.",
        f"{len(photos):,} photos of {options.folder.name}, one copy of each for every kind of edit",
        rows,
        [Bar(f"mean recall@1 of {encoder.name}", means[f"encoder {encoder.name}"])],
    ).publish()


def drawn(folder: Path, classes: Sequence[str] | None, count: int) -> list[Image.Image]:
    """Photos of the folder, or of some folders in it, as RGB."""
    paths = [entry.path for entry in scan(folder, IMAGE_SUFFIXES) if not isinstance(entry, Skip)]
    if classes:
        paths = [path for path in paths if Path(path).parent.name in classes]
    chosen = sorted(np.random.default_rng(0).permutation(len(paths))[:count].tolist())
    return [ImageOps.exif_transpose(Image.open(paths[number])).convert("RGB") for number in chosen]


def small(pictures: Sequence[Image.Image]) -> np.ndarray:
    spec = PixelSpec(SIDE, SIDE, 3, "crop")
    return np.stack([from_image(picture, spec).pixels for picture in pictures])


def recall(copies: np.ndarray, originals: np.ndarray) -> float:
    """The share of rows whose nearest row among the originals is their own."""
    return float(np.mean((copies @ originals.T).argmax(axis=1) == np.arange(len(copies))))


if __name__ == "__main__":
    main()
