"""A server over collections of real pictures, and a browser that looks at it: one of each for the whole session."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = "no browser"
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


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(tiny, folder / "tiny")
    started = Site.start(folder)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"{NO_BROWSER}: none of {', '.join(NAMES)} is installed")
    from playwright.sync_api import sync_playwright

    root = hasattr(os, "geteuid") and os.geteuid() == 0
    cameras = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=cameras + (["--no-sandbox"] if root else []))
        yield started
        started.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: $SIMSEARCH_SHOTS, else in the temporary folder of the session."""
    named = os.environ.get("SIMSEARCH_SHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def new_visit(browser: Browser, site: Site, shots: Path) -> Iterator[Callable[..., Visit]]:
    """Opens a window of its own, with settings of the browser; errors in it fail the test at its end."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def opened(at: Site = site, beside: Visit | None = None, **settings: Any) -> Visit:
        if beside is None:
            contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}, **settings))
            contexts[-1].set_default_timeout(20_000)
            contexts[-1].add_init_script(WATCHED)
            contexts[-1].grant_permissions(["clipboard-read", "clipboard-write"], origin=at.address)
        context = contexts[-1] if beside is None else beside.page.context
        visit = Visit(context.new_page(), at, shots)
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        visit.page.on("console", lambda said: _noted(visit, said))
        visits.append(visit)
        return visit

    yield opened
    for context in contexts:
        context.close()
    assert [error for visit in visits for error in visit.errors] == []


def _noted(visit: Visit, said: Any) -> None:
    # A refusal of the API is an answer, which the page shows.
    if said.type in ("error", "warning") and "Failed to load resource" not in said.text:
        visit.errors.append(said.text)


@pytest.fixture
def visit(new_visit: Callable[..., Visit]) -> Visit:
    return new_visit()
