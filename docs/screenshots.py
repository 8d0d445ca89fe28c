"""Takes the screenshots of the page that the README shows, with the sample images, into docs/images.

Needs Chromium: python docs/screenshots.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from simsearch import Collection, open_encoder

DOCS = Path(__file__).parent
SAMPLES = DOCS.parent / "examples" / "samples"
SIZE = {"width": 1100, "height": 720}
QUALITY = 84


def main() -> None:
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        sys.exit("no browser: install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        make_collections(Path(folder))
        sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=sandbox)
        page = browser.new_page(viewport=SIZE)
        with served(Path(folder)) as address:
            page.goto(f"{address}#/search?collection=clothing")
            page.locator(".search-bar input[type=file]").first.set_input_files(SAMPLES / QUERY)
            page.locator(".chip img").wait_for()
            save(page, "page-search")
            page.goto(f"{address}#/duplicates?collection=copies")
            page.get_by_role("button", name="Find duplicates").click()
            page.locator(".viewer-outline").wait_for()
            page.keyboard.press("ArrowRight")
            save(page, "page-duplicates")
        browser.close()


QUERY = Path("clothing-queries/shoes") / sorted(path.name for path in (SAMPLES / "clothing-queries/shoes").iterdir())[0]


def make_collections(folder: Path) -> None:
    photo = open_encoder("photo")
    with Collection.create(folder / "clothing", photo) as collection:
        collection.add(SAMPLES / "clothing", labels="folder")
    (folder / "photos").mkdir()
    for number, path in enumerate(sorted(SAMPLES.glob("clothing/*/*.jpg"))[::20]):
        picture = Image.open(path)
        width, height = picture.size
        picture.save(folder / "photos" / f"IMG_{2040 + 7 * number}.jpg", quality=92)
        turned = picture.rotate(9, fillcolor="white").crop((width // 9, height // 8, width * 8 // 9, height * 7 // 8))
        turned.save(folder / "photos" / f"IMG_{2040 + 7 * number} edited.jpg", quality=88)
    with Collection.create(folder / "copies", photo) as collection:
        collection.add(folder / "photos")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server over the two collections."""
    indexes = [word for name in ("clothing", "copies") for word in ("--index", str(folder / name))]
    command = [sys.executable, "-m", "simsearch", "serve", "--port", "0", "--json", *indexes]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["address"]
        process.terminate()


def save(page: Any, name: str) -> None:
    """Saves what is seen as a JPEG of about 100 kB: a README is read over slow lines too."""
    page.evaluate("Promise.all([...document.images].map((one) => one.decode().catch(() => {})))")
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    picture.save(DOCS / "images" / f"{name}.jpg", quality=QUALITY, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
