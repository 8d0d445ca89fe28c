"""A server over collections of real pictures, and a browser that looks at it: one of each for the whole session."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from site_visits import WATCHED, Site, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

NAMES = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = "no browser"


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
            contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | settings))
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
