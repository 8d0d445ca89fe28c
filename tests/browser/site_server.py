"""Makes the collections that the browser tests look at, once, and serves them. Run as: site_server.py FOLDER PORT."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from simsearch import Collection, open_encoder
from simsearch.serving.server import address_of, listen, secured, serve
from simsearch.serving.settings import ServeSettings

if TYPE_CHECKING:
    from simsearch.types import Encoder

SAMPLES = Path(__file__).parents[2] / "examples" / "samples"
KINDS = ("dress", "hat", "shoes")
COPIED = 8
MANY = 5_000
CONTENTS = 40
_NAMES = (
    "<img src=x onerror=document.title='broken'>.png",
    "\"><script>document.title='broken'<∕script>.png",
    "javascript:alert(1).png",
    "Ελληνικά και γλώσσα.png",
    "日本語の写真 名前.png",
    "صورة عربية طويلة.png",
    "עברית \u202e gnp.exe.png",
    "e\u0301 combining — 👩‍👩‍👧 family.png",
    "spaces  and\ttabs.png",
    "per%20cent&amp;#38;.png",
    '=1+1 formula, "quoted".png',
    "a" * 180 + ".png",
)
_REFUSED = '<>:"|?*\t' if sys.platform == "win32" else ""
NAMES = tuple(name for name in _NAMES if not set(name) & set(_REFUSED))
"""Names in many scripts, and hostile ones, as far as the system has them."""


class Held:
    """An encoder that waits before each batch as long as there is a file of this name."""

    def __init__(self, inner: Encoder, held: Path) -> None:
        self._inner, self._held = inner, held
        self.name, self.fingerprint, self.modality, self.dim = inner.name, inner.fingerprint, "image", inner.dim

    def prepare(self, source: Any) -> Any:
        return self._inner.prepare(source)

    def embed(self, prepared: Sequence[Any]) -> Any:
        while self._held.exists():
            threading.Event().wait(0.02)
        return self._inner.embed(prepared)

    def encode(self, sources: Sequence[Any]) -> Any:
        return self._inner.encode(sources)


def make_photos(folder: Path, encoder: Encoder) -> None:
    for kind in KINDS:
        shutil.copytree(SAMPLES / "clothing" / kind, folder / "photos" / kind)
    with Collection.create(folder / "clothing", encoder) as collection:
        collection.add(folder / "photos", labels="folder")


def make_copies(folder: Path, encoder: Encoder) -> None:
    """Photos, with smaller, cropped and turned copies of some."""
    (folder / "gallery").mkdir()
    for number, path in enumerate(sorted(SAMPLES.glob("clothing/*/*.jpg"))[:: 150 // COPIED][:COPIED]):
        photo = Image.open(path).convert("RGB")
        width, height = photo.size
        made = {"": photo, "-small": photo.resize((width * 2 // 3, height * 2 // 3))}
        if number % 2:
            made["-crop"] = photo.crop((width // 10, height // 8, width * 9 // 10, height * 7 // 8))
        if number % 3 == 0:
            made["-turned"] = photo.rotate(7)
        for name, picture in made.items():
            picture.save(folder / "gallery" / f"photo {number}{name}.jpg", quality=90)
    with Collection.create(folder / "copies", encoder) as collection:
        collection.add(folder / "gallery")


def make_characters(folder: Path, encoder: Encoder) -> None:
    with Collection.create(folder / "characters", encoder) as collection:
        collection.add(SAMPLES / "omniglot" / "Korean")
        for character in ("character01", "character02", "character03"):
            drawings = sorted((SAMPLES / "omniglot" / "Korean" / character).glob("*.png"))
            collection.enroll(character, drawings[:2])
        collection.calibrate(0.1, impostors=SAMPLES / "omniglot")


def make_many(folder: Path, encoder: Encoder) -> None:
    """Thousands of names of few pictures."""
    (folder / "many files").mkdir()
    for number in range(CONTENTS):
        shade = (number * 6, 255 - number * 6, (number * 53) % 256)
        Image.new("RGB", (16, 16), shade).save(folder / f"shade-{number}.png")
    for number in range(MANY):
        name = NAMES[number] if number < len(NAMES) else f"picture {number:04}.png"
        os.link(folder / f"shade-{number % CONTENTS}.png", folder / "many files" / name)
    with Collection.create(folder / "many", encoder) as collection:
        collection.add(folder / "many files")


def make_waiting(folder: Path, encoder: Encoder) -> None:
    (folder / "waiting files").mkdir()
    Image.new("RGB", (16, 16), "teal").save(folder / "waiting files" / "first.png")
    with Collection.create(folder / "waiting", encoder) as collection:
        collection.add(folder / "waiting files")


def make_texts(folder: Path, encoder: Encoder) -> None:
    with Collection.create(folder / "resumes", encoder) as collection:
        collection.add(SAMPLES / "jobs" / "resumes.csv")


def announce(ready: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


def main(folder: Path, port: int) -> None:
    photo, tiny = open_encoder("photo"), open_encoder(folder / "tiny")
    makers = {
        "clothing": (make_photos, photo),
        "copies": (make_copies, photo),
        "characters": (make_characters, open_encoder("glyph")),
        "resumes": (make_texts, open_encoder("text")),
        "many": (make_many, tiny),
        "waiting": (make_waiting, tiny),
    }
    for name, (make, encoder) in makers.items():
        if not (folder / name).exists():
            make(folder, encoder)
    encoders = {name: encoder for name, (_, encoder) in makers.items()} | {"waiting": Held(tiny, folder / "held")}
    settings = secured(ServeSettings(port=port, allowed_folders=(folder, SAMPLES)))
    with listen(settings.host, port) as listening:
        settings = replace(settings, port=listening.getsockname()[1])
        ready = {"address": address_of(listening, settings)}
        collections = [(name, folder / name, encoder) for name, encoder in encoders.items()]
        serve(collections, settings, listening, lambda: announce(ready))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
