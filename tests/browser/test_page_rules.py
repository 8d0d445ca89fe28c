"""What holds for every view: names of controls, landmarks, contrast, and the keyboard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
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
CONTROLS = {
    "button", "link", "textbox", "searchbox", "combobox", "slider", "checkbox", "spinbutton", "dialog", "image",
    "navigation", "application", "progressbar", "list",
}  # fmt: skip
NAMELESS_ALLOWED = {"list", "image", "navigation"}
CONTRAST = """() => {
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parts = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = parts(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const bad = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest(":disabled, .unseen, noscript, script, option")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(parts(style.color)), luminance(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) bad.push(`${texts.currentNode.data.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return bad;
}"""
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


def nameless(page: Page) -> list[str]:
    """The controls to which the browser gives no accessible name."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    found = []
    for node in nodes:
        role = node.get("role", {}).get("value")
        named = node.get("name", {}).get("value", "").strip()
        if not node.get("ignored") and role in CONTROLS - NAMELESS_ALLOWED and not named:
            found.append(role)
    return found


@pytest.mark.parametrize("view", VIEWS)
def test_every_control_has_a_name_and_every_text_contrast(visit: Visit, view: str) -> None:
    page = visit.open(view)
    expect(page.locator(VIEWS[view]).first).to_be_visible()
    structure = page.evaluate(STRUCTURE)
    assert structure["repeated"] == []
    assert structure["landmarks"] == [1, 1, 1, 0]
    assert (structure["language"], structure["without"], structure["small"]) == ("en", 0, [])
    assert nameless(page) == []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert page.evaluate(CONTRAST) == [], theme
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
