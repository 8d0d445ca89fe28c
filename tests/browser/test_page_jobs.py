"""Jobs on the page: they survive a reload, a second tab, and the death of the server."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect
from site_visits import Site, Visit

from simsearch import Collection

pytestmark = pytest.mark.slow


def add_files(site: Site, count: int, first: int = 0) -> Path:
    """New pictures whose indexing waits until the file that is returned is gone."""
    held = site.folder / "held"
    held.touch()
    for number in range(first, first + count):
        Image.new("RGB", (16, 16), (number % 256, number // 256, 90)).save(
            site.folder / "waiting files" / f"{number}.png"
        )
    return held


def test_a_job_survives_a_reload_is_seen_in_a_second_tab_and_cancelled(
    visit: Visit, new_visit: Callable[..., Visit]
) -> None:
    held = add_files(visit.site, 600)
    page = visit.open("jobs?collection=waiting")
    expect(page.get_by_text("This server only reads")).to_have_count(0)
    page.get_by_role("button", name="Index", exact=True).click()
    bar = page.get_by_role("progressbar", name="Indexing")
    expect(bar).to_be_visible()
    page.reload()
    expect(bar).to_be_visible()
    visit.keep("jobs-running")
    second = new_visit(beside=visit)
    other = second.open("jobs?collection=waiting")
    expect(other.get_by_role("progressbar", name="Indexing")).to_be_visible()
    with other.expect_response(lambda answer: answer.request.method == "DELETE"):
        other.get_by_role("button", name="Cancel").click()
    expect(other.get_by_role("button", name="Cancelling…")).to_be_disabled()
    held.unlink()
    for shown in (page, other):
        row = shown.locator(".job-row").first
        expect(row).to_contain_text("Indexing cancelled")
        expect(row).to_contain_text("what was stored is kept")
    other.get_by_role("button", name="Index", exact=True).click()
    expect(other.locator(".job-row").first).to_contain_text("Indexing done")
    expect(page.locator(".job-row").first).to_contain_text("601 items")
    visit.keep("jobs")


def test_a_folder_that_is_not_allowed_is_refused_where_it_was_typed(visit: Visit) -> None:
    page = visit.open("jobs?collection=waiting")
    page.get_by_role("combobox", name="Folder").select_option(label="Another folder…")
    page.get_by_label("Path of the folder").fill("/etc")
    page.get_by_role("button", name="Index", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("--allow-folder")


def test_what_was_interrupted_by_a_kill_is_said_after_the_restart(
    tmp_path: Path, site: Site, new_visit: Callable[..., Visit]
) -> None:
    for name in ("tiny", "clothing", "copies", "characters", "resumes", "many", "waiting", "waiting files"):
        shutil.copytree(site.folder / name, tmp_path / name)
    with Collection.open(tmp_path / "waiting") as collection:
        collection.move(site.folder / "waiting files", tmp_path / "waiting files")
    killed = Site.start(tmp_path)
    visit = new_visit(killed)
    add_files(killed, 3, first=20).touch()
    page = visit.open("jobs?collection=waiting")
    page.get_by_role("button", name="Index", exact=True).click()
    expect(page.get_by_role("progressbar", name="Indexing")).to_be_visible()
    killed.stop(signal.SIGKILL)
    expect(page.get_by_text("The server does not answer.")).to_be_visible()
    with Collection.open(tmp_path / "waiting") as collection:
        assert not collection.check().store_problems
    (tmp_path / "held").unlink()
    again = Site.start(tmp_path, killed.port)
    try:
        expect(page.get_by_text("The server does not answer.")).to_be_hidden(timeout=15_000)
        row = page.locator(".job-row").first
        expect(row).to_contain_text("Indexing interrupted")
        expect(row).to_contain_text("the server was stopped while the job ran")
        visit.keep("jobs-interrupted")
        # The page has a session of the server before; it gets another one by itself.
        page.get_by_role("button", name="Index", exact=True).click()
        expect(page.locator(".job-row").first).to_contain_text("Indexing done")
    finally:
        again.stop()
