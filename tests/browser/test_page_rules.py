"""What holds for every view: names of controls, landmarks, contrast, and the keyboard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from site_visits import Visit, middle_of_a_point

pytestmark = pytest.mark.slow
VIEWS = {
    "search?collection=clothing&q=hat": ".cell",
    "search?collection=resumes": ".cell-row",
    "map?collection=clothing": ".map-outlier img",
    "recognize?collection=characters": ".identity",
    "duplicates?collection=clothing": ".empty",
    "jobs?collection=clothing": ".health article",
}
STRUCTURE = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  const many = (selector) => document.querySelectorAll(selector).length;
  return {
    repeated: ids.filter((id, place) => ids.indexOf(id) !== place),
    landmarks: [many("main"), many("header"), many("main h1"), many("nav:not([aria-label])")],
    language: document.documentElement.lang,
    without: [...document.querySelectorAll("img:not([alt])")].length,
    small: [...document.querySelectorAll("button, a[href], select, input:not([type=checkbox])")]
      .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 24)
      .map((one) => one.outerHTML.slice(0, 80)),
  };
}"""


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is seen."""
    found = Axe().run(page).response
    assert {"button-name", "color-contrast"} <= {rule["id"] for rule in found["passes"]}
    return [f"{rule['id']}: {node['html'][:100]}" for rule in found["violations"] for node in rule["nodes"]]


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_no_violation(visit: Visit, view: str) -> None:
    page = visit.open(view)
    expect(page.locator(VIEWS[view]).first).to_be_visible()
    structure = page.evaluate(STRUCTURE)
    assert structure["repeated"] == []
    assert structure["landmarks"] == [1, 1, 1, 0]
    assert (structure["language"], structure["without"], structure["small"]) == ("en", 0, [])
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert violations(page) == [], theme
    assert visit.shifts < 0.05


def test_the_keyboard_reaches_everything_and_shows_where_it_is(visit: Visit) -> None:
    page = visit.open("search?collection=clothing&q=hat")
    expect(page.locator(".cell").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    seen = []
    for _ in range(18):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "() => [document.activeElement.ariaLabel ?? document.activeElement.textContent,"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        seen.append(name)
        assert outline != "none", name
    assert "Search" in seen
    assert any(name.startswith("Details of") for name in seen)
    page.locator(".cell-main").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-place='1'] .cell-main")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-place='1'] .cell-main")).to_be_focused()


def test_movement_is_left_out_where_it_is_not_wanted(visit: Visit) -> None:
    page = visit.page
    page.emulate_media(reduced_motion="reduce")
    visit.open("duplicates?collection=clothing")
    expect(page.locator(".empty")).to_be_visible()
    running = "document.getAnimations().filter((one) => one.playState === 'running').length"
    assert page.evaluate(running) == 0


def test_a_telephone_needs_no_pointer_that_hovers(new_visit: Callable[..., Visit]) -> None:
    visit = new_visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = visit.open("search?collection=clothing&q=hat")
    first = page.locator(".cell").first
    less = first.get_by_role("button", name="Not like this")
    expect(less).to_be_visible()
    assert less.evaluate("(one) => getComputedStyle(one.parentElement).opacity") == "1"
    less.tap()
    expect(page.locator(".chip.less")).to_be_visible()
    page.get_by_role("link", name="Look around").tap()
    expect(page.locator(".map-outlier img").first).to_be_visible()
    page.touchscreen.tap(*middle_of_a_point(page))
    tip = page.locator(".map-tip")
    expect(tip.locator("img")).to_be_visible()
    visit.page.screenshot(path=visit.shots / "map-touched.png")
    tip.get_by_role("button").tap()
    expect(page.get_by_role("dialog")).to_be_visible()
