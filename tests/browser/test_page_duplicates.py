"""Judging and removing duplicates on the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from site_visits import Visit

from simsearch import Collection

pytestmark = pytest.mark.slow


def test_copies_are_found_judged_removed_and_put_back(visit: Visit) -> None:
    gallery = visit.site.folder / "gallery"
    before = sorted(path.name for path in gallery.iterdir())
    page = visit.open("duplicates?collection=copies")
    expect(page.get_by_text("No duplicates are known yet")).to_be_visible()
    visit.keep("duplicates-empty")
    page.get_by_role("button", name="Find duplicates").click()
    expect(page.get_by_role("heading", name=re.compile(r"Group 1 of \d+"))).to_be_visible(timeout=60_000)
    expect(page.locator(".viewer-outline polygon")).to_be_visible()
    page.wait_for_load_state("networkidle")
    visit.keep("duplicates")
    page.keyboard.press("3")
    expect(page.get_by_label("Border between the pictures")).to_be_visible()
    visit.keep("duplicates-slider")
    page.keyboard.press("2")
    expect(page.locator(".viewer-layer")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next and previous group")
    visit.keep("duplicates-keys")
    page.keyboard.press("Escape")
    summary = page.locator(".review-foot").get_by_role("status")
    planned = summary.inner_text()
    page.keyboard.press("l")
    expect(page.locator(".file-card[data-now='leave']")).to_have_count(1)
    expect(summary).not_to_have_text(planned)
    page.keyboard.press("u")
    expect(summary).to_have_text(planned)
    chosen = page.locator(".file-card[data-chosen='true'] .file-main").inner_text()
    page.keyboard.press("k")
    expect(page.locator(".file-card[data-now='keep']")).to_contain_text(chosen.splitlines()[-2])
    page.reload()
    expect(page.get_by_role("heading", name=re.compile(r"Group 2 of \d+"))).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".file-card[data-now='keep']")).to_contain_text(chosen.splitlines()[-2])
    groups = page.locator(".group-link").count()
    page.locator(".group-link").first.click()
    for _ in range(groups):
        page.keyboard.press("Enter")
    expect(summary).to_contain_text(f"{groups} of {groups} looked at")
    page.get_by_role("button", name="Remove…").click()
    title = page.get_by_role("dialog").get_by_role("heading").inner_text()
    page.get_by_role("dialog").get_by_role("button", name="Move into quarantine").click()
    expect(page.get_by_text("moved into quarantine", exact=False).first).to_be_visible(timeout=30_000)
    removed = int(re.findall(r"\d+", title)[0])
    assert len(before) - len([one for one in gallery.iterdir() if one.is_file()]) == removed
    visit.keep("duplicates-removed")
    page.get_by_role("button", name="Undo the last removal").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo the last removal").click()
    expect(page.get_by_text(f"{removed} files were put back")).to_be_visible(timeout=30_000)
    assert sorted(path.name for path in gallery.iterdir() if path.is_file()) == before
    with Collection.open(visit.site.folder / "copies") as collection:
        assert len(collection) == len(before)
