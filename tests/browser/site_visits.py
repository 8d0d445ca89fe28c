"""The site of the browser tests as a process, and visits of its pages."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

SERVER = Path(__file__).with_name("site_server.py")
DRAWN = """
async () => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  await frame();
  const pictures = [...document.images].filter((one) => one.src && one.loading !== "lazy");
  await Promise.all(pictures.map((one) => one.decode().catch(() => {})));
  await frame();
}
"""
"""Waits until what is laid out anew is drawn, and its pictures are there."""
WATCHED = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective}`));
"""


@dataclass
class Site:
    """A running server over the collections of a folder."""

    folder: Path
    process: subprocess.Popen[str]
    address: str

    @classmethod
    def start(cls, folder: Path, port: int = 0) -> Site:
        process = subprocess.Popen(
            [sys.executable, str(SERVER), str(folder), str(port)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.wait()
            process.stdout.close()
            pytest.fail("the server of the browser tests has not started")
        return cls(folder, process, json.loads(line)["address"].rstrip("/"))

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()


@dataclass
class Visit:
    """A page of the browser on the site, and what went wrong in it."""

    page: Page
    site: Site
    shots: Path
    errors: list[str] = field(default_factory=list)

    def open(self, view: str) -> Page:
        """Goes to a view, as `search?collection=clothing`."""
        self.page.goto(f"{self.site.address}/#/{view}")
        return self.page

    def keep(self, name: str) -> None:
        """Screenshots in three widths and both themes."""
        before = self.page.viewport_size
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme)
            for width, height in ((390, 844), (820, 1180), (1280, 900)):
                self.page.set_viewport_size({"width": width, "height": height})
                self.page.evaluate(DRAWN)
                wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, f"{name} is {wide} pixels wider than a window of {width}"
                self.page.screenshot(path=self.shots / f"{name}-{width}-{theme}.png")
        self.page.emulate_media(color_scheme="light")
        assert before is not None
        self.page.set_viewport_size(before)

    @property
    def shifts(self) -> float:
        return float(self.page.evaluate("window.shifts"))


def middle_of_a_point(page: Page) -> tuple[float, float]:
    """Where on the screen a point of the map is drawn."""
    x, y = page.locator("canvas").evaluate(
        """(canvas) => {
          const { width, height } = canvas;
          const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
          copy.drawImage(canvas, 0, 0);
          const { data } = copy.getImageData(0, 0, width, height);
          const at = (x, y) => data.subarray(4 * (y * width + x), 4 * (y * width + x) + 3).join();
          const ground = at(0, 0);
          for (let y = 8; y < height - 8; y += 1) {
            for (let x = 8; x < width - 8; x += 1) {
              if ([[0, 0], [4, 0], [0, 4], [4, 4]].every(([a, b]) => at(x + a, y + b) !== ground)) {
                return [x + 2, y + 2].map((value) => (value * canvas.clientWidth) / width);
              }
            }
          }
        }"""
    )
    box = page.locator("canvas").bounding_box()
    assert box is not None
    return box["x"] + x, box["y"] + y
