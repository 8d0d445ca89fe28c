"""Recognizing and enrolling on the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from site_server import SAMPLES
from site_visits import Visit

from simsearch import Collection

pytestmark = pytest.mark.slow
KOREAN = SAMPLES / "omniglot" / "Korean"


def drawings(character: str) -> list[str]:
    return [str(path) for path in sorted((KOREAN / character).glob("*.png"))]


def test_pictures_are_recognized_and_unknown_ones_enrolled_by_group(visit: Visit) -> None:
    page = visit.open("recognize?collection=characters")
    expect(page.locator(".identity")).to_have_count(3)
    asked = [drawings("character01")[2], *drawings("character05")[:3], *drawings("character09")[:3]]
    page.locator(".drop-zone input[multiple]").set_input_files(asked)
    expect(page.locator(".answer")).to_have_count(len(asked))
    known = page.locator(".answer[data-known='true']")
    expect(known.get_by_role("heading", name="character01")).to_be_visible()
    expect(known.first.get_by_text(re.compile("% probable"))).to_be_visible()
    expect(known.first.locator(".evidence img").first).to_be_visible()
    slider = page.get_by_label("How alike a group is")
    slider.fill("0.4")
    groups = page.locator(".tray-pictures")
    expect(groups).not_to_have_count(0)
    visit.keep("recognize")
    before = page.locator(".tray-member").count()
    group = page.locator("li.card", has=groups.first).first
    members = group.locator(".tray-member").count()
    group.get_by_label("Label").fill("a new one")
    group.get_by_role("button", name="Enroll").click()
    expect(page.get_by_role("heading", name="a new one")).to_be_visible()
    expect(page.locator(".tray-member")).to_have_count(before - members)
    with Collection.open(visit.site.folder / "characters") as collection:
        assert collection.labels()["a new one"] == members
    expect(page.get_by_text("its promise no longer holds")).to_be_visible()
    assert visit.shifts < 0.1


def test_identities_are_renamed_merged_and_forgotten(visit: Visit) -> None:
    hostile = '<b>two</b> / "three"'
    with Collection.open(visit.site.folder / "characters") as collection:
        collection.enroll("one", [drawings("character06")[0]])
        collection.enroll("two", [drawings("character07")[0]])
    page = visit.open("recognize?collection=characters")
    page.get_by_role("button", name="Rename: two").click()
    page.get_by_role("dialog").get_by_label("New name").fill("one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("one")
    page.get_by_role("dialog").get_by_label("New name").fill(hostile)
    visit.keep("recognize-rename")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=hostile)).to_be_visible()
    page.get_by_role("button", name="Merge: one").click()
    page.get_by_role("dialog").get_by_role("combobox").select_option(hostile)
    page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    expect(page.get_by_role("heading", name="one", exact=True)).to_have_count(0)
    page.get_by_role("button", name=f"2 examples: {hostile}").click()
    page.get_by_role("button", name="Remove this example").first.click()
    expect(page.get_by_role("button", name="Remove this example")).to_have_count(1)
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("button", name=f"Forget: {hostile}").click()
    expect(page.get_by_role("dialog")).to_contain_text("cannot be undone")
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.get_by_role("heading", name=hostile)).to_have_count(0)
    with Collection.open(visit.site.folder / "characters") as collection:
        assert not {"one", "two", hostile} & set(collection.labels())


def test_the_threshold_shows_what_each_rate_costs_and_is_calibrated(visit: Visit) -> None:
    page = visit.open("recognize?collection=characters")
    rate = page.get_by_label("Highest rate of false accepts")
    rate.fill("-1")
    facts = page.locator("dl.facts")
    expect(facts).to_contain_text(re.compile(r"Impostors let in\s*\d+ of \d+"))
    rate.fill("-4")
    expect(facts).to_contain_text("too few impostors")
    page.get_by_role("button", name="Calibrate").click()
    expect(page.get_by_role("alert")).to_contain_text("impostors")
    rate.fill("-1")
    page.get_by_role("button", name="Calibrate").click()
    expect(page.get_by_text("At most 10 % of unknown ones get a label")).to_be_visible()
    expect(page.get_by_text("its promise no longer holds")).to_be_hidden()
    visit.keep("recognize-threshold")


def test_nobody_is_enrolled_yet(visit: Visit) -> None:
    page = visit.open("recognize?collection=clothing")
    expect(page.get_by_text("Nobody is enrolled yet")).to_be_visible()
    visit.keep("recognize-empty")
    page.locator(".drop-zone input[multiple]").set_input_files(drawings("character01")[:1])
    dialog = page.get_by_role("dialog", name="Enroll examples")
    dialog.get_by_label("Label").fill("somebody")
    dialog.get_by_role("button", name="Enroll").click()
    expect(page.get_by_role("heading", name="somebody")).to_be_visible()
    page.get_by_role("button", name="Forget: somebody").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.get_by_text("Nobody is enrolled yet")).to_be_visible()
