"""Looking around on the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from site_server import MANY
from site_visits import Visit, middle_of_a_point

pytestmark = pytest.mark.slow
DRAWN = """(canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  const colors = new Set();
  for (let i = 0; i < data.length; i += 4) colors.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  return colors.size;
}"""


def test_the_map_is_drawn_and_points_show_their_pictures(visit: Visit) -> None:
    page = visit.open("map?collection=clothing")
    canvas = page.locator("canvas")
    expect(canvas).to_be_visible()
    expect(page.locator(".map-outlier img").first).to_be_visible()
    assert canvas.evaluate(DRAWN) >= 4
    page.mouse.move(*middle_of_a_point(page))
    expect(page.locator(".map-tip img")).to_be_visible()
    expect(page.locator(".map-tip")).to_contain_text(re.compile("dress|hat|shoes"))
    assert visit.shifts < 0.02
    visit.keep("map")
    page.mouse.click(*middle_of_a_point(page))
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Label", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="More like this").click()
    expect(page.get_by_text(re.compile("^45 matches$"))).to_be_visible()


def test_the_map_is_moved_by_keys_wheel_and_legend(visit: Visit) -> None:
    page = visit.open("map?collection=clothing")
    canvas = page.locator("canvas")
    expect(page.locator(".map-outlier img").first).to_be_visible()
    picture = "(canvas) => canvas.toDataURL()"
    whole = canvas.evaluate(picture)
    canvas.focus()
    page.keyboard.press("+")
    expect_changed(page, whole)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".map-tip")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator(".map-label", has_text="hat").click()
    expect(page.locator(".map-label", has_text="hat")).to_have_attribute("aria-pressed", "true")
    assert "label=hat" in page.url
    page.get_by_label("Color by").select_option("outlier")
    expect(page.get_by_text("unusual", exact=True)).to_be_visible()
    expect(page.locator(".ramp")).to_be_visible()
    visit.keep("map-unusual")
    page.get_by_label("Color by").select_option("density")
    expect(page.get_by_text("dense", exact=True)).to_be_visible()
    before = canvas.evaluate(picture)
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -400)
    expect_changed(page, before)


def expect_changed(page: Page, before: str) -> None:
    changed = """(canvas, before) => new Promise((done) => {
      const look = () => (canvas.toDataURL() === before ? requestAnimationFrame(look) : done());
      look();
    })"""
    page.locator("canvas").evaluate(changed, before)


def test_a_map_of_thousands_is_quick_and_outlasts_a_reload(visit: Visit) -> None:
    page = visit.open("map?collection=many")
    expect(page.locator("canvas")).to_be_visible()
    page.reload()
    expect(page.locator("canvas")).to_be_visible()
    expect(page.get_by_text(f"{MANY:,}")).to_be_visible()


def test_a_hundred_thousand_points_are_drawn_and_found(visit: Visit) -> None:
    page = visit.open("map?collection=resumes")
    expect(page.locator("canvas")).to_be_visible()
    drawn, right = page.evaluate(
        """async () => {
          const { Plot } = await import("/page/scripts/map/plot.js");
          const { Cells } = await import("/page/scripts/map/points.js");
          const count = 100000;
          const places = Float32Array.from({ length: 2 * count }, (_, i) => Math.sin(i * 12.9898) * Math.cos(i * 0.37));
          const cells = new Cells({ count, places });
          const plot = new Plot({ name: "many points", hover() {}, pick() {} });
          plot.canvas.style.height = "600px";
          document.querySelector("main").append(plot.canvas);
          plot.load({ count, places }, cells);
          plot.paint(new Uint32Array(count).fill(0xff336699), null);
          plot.drawNow();
          const { width, height } = plot.canvas;
          const { data } = plot.context.getImageData(0, 0, width, height);
          let drawn = 0;
          for (let i = 0; i < data.length; i += 4) drawn += data[i] === 0x99;
          let right = 0;
          for (let i = 0; i < 200; i += 1) {
            const [x, y] = [Math.sin(i * 7.1) * 0.9, Math.cos(i * 3.3) * 0.9];
            const distance = (k) => (places[2 * k] - x) ** 2 + (places[2 * k + 1] - y) ** 2;
            let best = 0;
            for (let k = 1; k < count; k += 1) if (distance(k) < distance(best)) best = k;
            const found = cells.nearest(x, y, 0.2);
            right += found >= 0 ? distance(found) === distance(best) : distance(best) >= 0.04;
          }
          plot.canvas.remove();
          return [drawn, right];
        }"""
    )
    assert drawn > 100_000
    assert right == 200


def test_texts_have_a_map_too(visit: Visit) -> None:
    page = visit.open("map?collection=resumes")
    expect(page.locator("canvas")).to_be_visible()
    expect(page.locator(".map-outlier").first).to_be_visible()
    page.locator(".map-outlier").first.click()
    expect(page.locator("dialog pre")).to_be_visible()
