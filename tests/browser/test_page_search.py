"""Searching on the page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from site_server import MANY, NAMES, SAMPLES
from site_visits import Visit

pytestmark = pytest.mark.slow
QUERY = sorted((SAMPLES / "clothing-queries" / "shoes").glob("*.jpg"))[0]


def cells(page: Page) -> list[str]:
    return page.locator(".cell-main").evaluate_all("all => all.map((one) => one.title)")


def choose(page: Page, path: Path) -> None:
    page.locator(".search-bar input[type=file]").first.set_input_files(path)


def test_a_picture_finds_its_like_and_examples_lead_on(visit: Visit) -> None:
    page = visit.open("search?collection=clothing")
    expect(page.get_by_text("45 items")).to_be_visible()
    choose(page, QUERY)
    expect(page.get_by_text(re.compile(r"^45 matches$"))).to_be_visible()
    assert "/shoes/" in cells(page)[0]
    assert visit.shifts < 0.02
    visit.keep("search-picture")
    hat = page.locator(".cell", has=page.locator("[title*='/hat/']")).first
    hat.hover()
    hat.get_by_role("button", name="Not like this").click()
    expect(page.locator(".chip.less")).to_be_visible()
    first = page.locator(".cell-main").first
    first.focus()
    page.keyboard.press("m")
    expect(page.locator(".chip:not(.less)")).to_have_count(2)
    page.locator(".chip").first.get_by_role("button").click()
    expect(page.locator(".chip:not(.less)")).to_have_count(1)
    page.reload()
    expect(page.locator(".chip")).to_have_count(2)
    expect(page.locator(".cell").first).to_be_visible()


def test_words_find_pictures_and_the_query_is_a_link_and_a_command(visit: Visit) -> None:
    page = visit.open("search?collection=clothing")
    page.get_by_role("searchbox", name="Search for").fill("hat")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("^45 matches$"))).to_be_visible()
    page.get_by_role("button", name=re.compile("^Filters")).click()
    page.get_by_label("Label", exact=True).select_option("dress")
    expect(page.get_by_text(re.compile("^15 matches$"))).to_be_visible()
    assert all("/dress/" in path for path in cells(page))
    page.get_by_label("Condition").fill("size > 8000")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("button", name="Filters (2)")).to_be_visible()
    visit.keep("search-filters")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Command line").click()
    command = page.locator("dialog pre").inner_text()
    assert command.startswith("simsearch query --index clothing -k ")
    assert command.endswith("""--where 'label = '"'"'dress'"'"' and (size > 8000)' --text hat""")
    page.keyboard.press("Escape")
    shown = cells(page)
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator(".cell").first).to_be_visible()
    assert cells(page) == shown


def test_a_wrong_filter_is_said_where_it_belongs(visit: Visit) -> None:
    page = visit.open("search?collection=clothing&q=hat&where=lable%20%3D%201")
    expect(page.locator("form.filters").get_by_role("alert")).to_contain_text("did you mean label?")
    expect(page.get_by_label("Condition")).to_have_attribute("aria-invalid", "true")
    visit.keep("search-refused")
    choose(page, Path(__file__))
    expect(page.locator(".notice.bad")).to_contain_text("upload")


def test_dropped_pasted_and_filmed_pictures_are_searched(visit: Visit) -> None:
    page = visit.open("search?collection=clothing")
    expect(page.get_by_text("45 items")).to_be_visible()
    transfer = page.evaluate_handle(
        """async (bytes) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", { type: "image/jpeg" }));
          return transfer;
        }""",
        list(QUERY.read_bytes()),
    )
    page.dispatch_event("main", "dragenter", {"dataTransfer": transfer})
    expect(page.get_by_text("Drop the picture to use it")).to_be_visible()
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})
    expect(page.locator(".chip")).to_contain_text("dropped.jpg")
    page.evaluate("(transfer) => dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer }))", transfer)
    expect(page.locator(".chip")).to_contain_text("dropped.jpg")
    page.get_by_role("button", name="Use the camera").click()
    page.locator("video").evaluate("(video) => video.videoWidth || new Promise((seen) => (video.onplaying = seen))")
    page.get_by_role("button", name="Take picture").click()
    expect(page.locator(".chip")).to_contain_text("camera-")


def test_an_item_is_shown_with_what_is_known_of_it(visit: Visit) -> None:
    page = visit.open("search?collection=clothing&q=hat")
    page.locator(".cell-main").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Path", exact=True)).to_be_visible()
    first = dialog.get_by_role("heading").inner_text()
    visit.keep("search-details")
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading")).not_to_have_text(first)
    with page.expect_popup() as opened:
        dialog.get_by_role("link", name="Open file").click()
    assert opened.value.evaluate("document.contentType") == "image/jpeg"
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_five_thousand_results_stay_few_elements(visit: Visit) -> None:
    page = visit.open("search?collection=many&item=20")
    expect(page.locator(".cell").first).to_be_visible()
    tally, end = page.locator(".results-head").get_by_role("status"), page.get_by_text("That is all")
    while not end.is_visible():
        before = tally.inner_text()
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        expect(tally).not_to_have_text(before)
    expect(tally).to_have_text(f"{MANY:,} matches")
    assert page.locator(".place").count() < 200
    assert page.locator("img").count() < 200
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator("[data-place='0']")).to_be_visible()
    page.locator(".cell-main").first.focus()
    page.keyboard.press("End")
    expect(page.locator(f"[data-place='{MANY - 1}'] .cell-main")).to_be_focused()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Export CSV").click()
    rows = list(csv.DictReader(io.StringIO(saved.value.path().read_text(encoding="utf-8"), newline="")))
    assert len(rows) == MANY
    assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, MANY + 1)]


def test_names_are_text_whatever_they_hold(visit: Visit) -> None:
    page = visit.open("search?collection=many&where=name%20not%20like%20'picture%20%25'")
    expect(page.get_by_text(f"{len(NAMES)} matches")).to_be_visible()
    shown = page.locator(".cell-line").all_inner_texts()
    for name in NAMES:
        assert any(name.replace("\t", " ").replace("  ", " ") in " ".join(one.split()) for one in shown), name
    visit.keep("search-names")
    page.locator(".cell-main", has_text=NAMES[0]).click()
    expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text(NAMES[0])
    page.keyboard.press("Escape")
    page.locator(".cell-main", has_text=NAMES[0]).focus()
    page.keyboard.press("m")
    expect(page.locator(".chip")).to_contain_text(NAMES[0])
    assert "simsearch" in page.title()
    assert page.evaluate("document.querySelectorAll('main script, main img[onerror]').length") == 0


def test_texts_are_rows(visit: Visit) -> None:
    page = visit.open("search?collection=resumes")
    page.get_by_role("searchbox").fill("somebody who looks after sick people")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("^24 matches$"))).to_be_visible()
    expect(page.get_by_role("button", name="Choose a picture")).to_have_count(0)
    visit.keep("search-texts")


def test_a_collection_that_changes_underneath(visit: Visit) -> None:
    from PIL import Image

    from simsearch import Collection

    page = visit.open("search?collection=many&where=name%20%3D%20'new.png'")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    Image.new("RGB", (16, 16), "gold").save(visit.site.folder / "new.png")
    with Collection.open(visit.site.folder / "many", visit.site.folder / "tiny") as collection:
        collection.add(visit.site.folder / "new.png")
    expect(page.get_by_text("The collection has changed.")).to_be_visible()
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator(".cell")).to_have_count(1)
    with Collection.open(visit.site.folder / "many", visit.site.folder / "tiny") as collection:
        collection.remove([visit.site.folder / "new.png"])
    page.locator(".cell-main").first.focus()
    page.keyboard.press("m")
    expect(page.get_by_role("alert")).to_contain_text("there is no item")


def test_the_theme_is_chosen_and_remembered(visit: Visit, new_visit: Callable[..., Visit]) -> None:
    page = visit.open("search?collection=clothing")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Switch to dark colors").click()
    assert page.evaluate(ground) != light
    page.reload()
    assert page.evaluate(ground) != light
    other = new_visit(color_scheme="dark").open("search?collection=clothing")
    expect(other.get_by_role("button", name="Switch to light colors")).to_be_visible()
