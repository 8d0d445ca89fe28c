"""The page in a browser: from a drop to its first result, memory while 10,000 results are scrolled, and a large map.

Needs Chromium. The server is warm: it has answered the same kinds of calls before.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring import Bar, Report

import simsearch

SAMPLES = Path(__file__).parent.parent / "examples" / "samples"
MANY = 10_000
POINTS = 100_000
DROPPED = """(name) => new Promise((done) => {
  const start = performance.now();
  const look = () => {
    const chip = document.querySelector(".chip")?.textContent.includes(name);
    const first = document.querySelector(".cell-picture img");
    if (chip && first?.complete && first.naturalWidth) requestAnimationFrame(() => done(performance.now() - start));
    else requestAnimationFrame(look);
  };
  look();
})"""
MAP = """async (count) => {
  const { Plot } = await import("/page/scripts/map/plot.js");
  const { Cells } = await import("/page/scripts/map/points.js");
  const places = Float32Array.from({ length: 2 * count }, () => Math.random() * 2 - 1);
  const plot = new Plot({ name: "points", hover() {}, pick() {} });
  plot.canvas.style.height = "800px";
  document.querySelector("main").append(plot.canvas);
  const cells = new Cells({ count, places });
  plot.load({ count, places }, cells);
  plot.paint(new Uint32Array(count).fill(0xff336699), null);
  const timed = (act) => {
    const start = performance.now();
    act();
    return performance.now() - start;
  };
  const frames = Array.from({ length: 60 }, () => timed(() => plot.drawNow()));
  const looks = Array.from({ length: 60 }, (_, i) => timed(() => cells.nearest(Math.sin(i), Math.cos(i), 0.02)));
  plot.canvas.remove();
  return [frames, looks];
}"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drops", type=int, default=15)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        parser.error("no browser: install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        encoding = make_collections(Path(folder))
        sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=sandbox)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        with served(Path(folder)) as address:
            drop(page, address, dropped(1)[0])
            seen = statistics.median(drop(page, address, path) for path in dropped(options.drops))
            heaps, cells = scrolled(page, address)
            frames, looks = page.evaluate(MAP, POINTS)
        browser.close()
    rows = [
        ["", "median"],
        ["from the drop to the first result, encoding included", f"{seen:.0f} ms"],
        ["encoding alone", f"{encoding * 1000:.0f} ms"],
        *([f"memory of the script behind {count:,} results", f"{heap:.1f} MiB"] for count, heap in heaps.items()),
        [f"elements of results in the page behind {MANY:,}", f"{cells}"],
        [f"drawing {POINTS:,} points", f"{statistics.median(frames):.1f} ms"],
        ["the point under the pointer", f"{statistics.median(looks):.2f} ms"],
    ]
    bars = (
        Bar("ms from the drop to the first result beside the encoding", seen - encoding * 1000, at_most=300),
        Bar(f"elements of results in the page behind {MANY:,}", cells, at_most=200),
        Bar(f"MiB more behind {MANY:,} results than behind 1,000", heaps[MANY] - heaps[1_000], at_most=32),
        Bar(f"ms to draw {POINTS:,} points", statistics.median(frames), at_most=16),
    )
    claim = "The page answers a drop at once, stays small while results are scrolled, and draws large maps."
    report = Report("page", claim, f"{SAMPLES.name}, {MANY:,} links to them, {POINTS:,} random points", rows, bars)
    report.publish()
    return 0 if all(bar.met for bar in bars) else 1


def dropped(count: int) -> Sequence[Path]:
    queries = sorted((SAMPLES / "clothing-queries").glob("*/*.jpg"))
    return [queries[place % len(queries)] for place in range(count)]


def make_collections(folder: Path) -> float:
    """Makes the collections; the seconds that one query takes to be encoded."""
    photo = simsearch.open_encoder("photo")
    with simsearch.Collection.create(folder / "clothing", photo) as collection:
        collection.add(SAMPLES / "clothing", labels="folder")
    samples = sorted((SAMPLES / "clothing").glob("*/*.jpg"))
    (folder / "files").mkdir()
    for number in range(MANY):
        source = samples[number % len(samples)]
        link = folder / "files" / f"{number:05}.jpg"
        first = folder / "files" / f"{number % len(samples):05}.jpg"
        if link == first:
            shutil.copy(source, link)
        else:
            os.link(first, link)
    with simsearch.Collection.create(folder / "many", photo) as collection:
        collection.add(folder / "files")
    content = dropped(1)[0].read_bytes()
    times = []
    for _ in range(12):
        start = time.perf_counter()
        photo.encode([content])
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    indexes = [word for name in ("clothing", "many") for word in ("--index", str(folder / name))]
    command = [sys.executable, "-m", "simsearch", "serve", "--port", "0", "--json", *indexes]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["address"]
        process.terminate()


def drop(page: Any, address: str, path: Path) -> float:
    """Milliseconds until the first result is seen; the first call warms the server up."""
    page.goto("about:blank")
    page.goto(f"{address}#/search?collection=clothing")
    page.locator(".cell img").first.wait_for()
    handle = page.evaluate_handle(
        """([name, bytes]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
          return transfer;
        }""",
        [path.name, list(path.read_bytes())],
    )
    waiting = page.evaluate_handle(f"(name) => ({{ seen: ({DROPPED})(name) }})", path.name)
    page.dispatch_event("main", "drop", {"dataTransfer": handle})
    return float(waiting.evaluate("(one) => one.seen"))


def scrolled(page: Any, address: str) -> tuple[dict[int, float], int]:
    """MiB of the script's memory behind 1,000 and behind 10,000 thumbnails, and the cells in the page then."""
    page.goto("about:blank")
    page.goto(f"{address}#/search?collection=many&item=1")
    session = page.context.new_cdp_session(page)
    tally = page.locator(".results-head [role=status]")
    page.locator(".cell img").first.wait_for()
    heaps = {}
    for wanted in (1_000, MANY):
        while int("".join(filter(str.isdigit, tally.inner_text())) or 0) < wanted:
            page.mouse.wheel(0, 4000)
            page.wait_for_timeout(30)
        session.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in measured(session)}
        heaps[wanted] = metrics["JSHeapUsedSize"] / 2**20
    return heaps, page.locator(".place").count()


def measured(session: Any) -> Any:
    session.send("Performance.enable")
    return session.send("Performance.getMetrics")["metrics"]


if __name__ == "__main__":
    raise SystemExit(main())
