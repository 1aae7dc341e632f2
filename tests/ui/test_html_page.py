"""The self-contained page of a recording, opened from a file in a real browser that is offline."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pyrometer.formats.html import profile_to_html
from pyrometer.values import Frame, Sample
from tests.builders import a_profile

pytestmark = pytest.mark.ui

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e<b>"
STACKS = {"main;work;read": 30, "main;work": 50, "main;idle": 20}


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path, scheme: str):
    """Return a function that opens a profile's page; at the end nothing was loaded and nothing went wrong."""
    faults: list[str] = []
    context = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": 1200, "height": 800})

    def open_it(profile) -> Page:
        file = tmp_path / "page.html"
        file.write_text(profile_to_html(profile, f"page {HOSTILE}"), encoding="utf-8")
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.on("request", lambda request: faults.append(request.url) if request.url != file.as_uri() else None)
        page.goto(file.as_uri())
        return page

    yield open_it
    context.close()
    assert faults == []


def graph_of(page: Page):
    graph = page.locator("#flamegraph")
    expect(graph).to_have_attribute("data-ready", "true")
    return graph


def click_row(page: Page, row: int, part: float) -> None:
    """Click into a row of the drawing, at a part of its width."""
    canvas = page.locator("canvas")
    width = canvas.bounding_box()["width"]
    canvas.click(position={"x": width * part, "y": row * 20 + 10})


def colours_drawn(page: Page) -> int:
    return page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas");
          const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return new Set(new Uint32Array(image.data.buffer)).size;
        }"""
    )


def test_the_page_draws_and_tells_what_it_shows(open_page, scheme):
    """Title, facts, a drawing with an accessible name, and the functions, in both colour schemes."""
    page = open_page(a_profile(STACKS))
    graph = graph_of(page)
    expect(graph).to_have_attribute("data-nodes", "5")
    expect(page.get_by_role("img", name="Flame graph, 5 nodes, total 1.00 s")).to_be_visible()
    expect(page.locator("h1")).to_have_text(f"page {HOSTILE}")
    expect(page.locator("#facts")).to_contain_text("100 Hz")
    expect(page.locator("tbody tr").first).to_contain_text("work")
    expect(page.locator("tbody tr").first).to_contain_text("50.0%")
    assert colours_drawn(page) > 5
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(253, 251, 248)") == (scheme == "light")


def test_a_click_zooms_and_escape_shows_everything(open_page):
    """The focused function and its share stand on the status line."""
    page = open_page(a_profile(STACKS))
    graph = graph_of(page)
    click_row(page, 2, 0.4)
    expect(graph).to_have_attribute("data-focus", "work")
    expect(graph.get_by_role("status")).to_contain_text("work: 800 ms (80.0%)")
    click_row(page, 3, 0.1)
    expect(graph).to_have_attribute("data-focus", "read")
    click_row(page, 1, 0.9)
    expect(graph).to_have_attribute("data-focus", "main")
    page.keyboard.press("Escape")
    expect(graph).to_have_attribute("data-focus", "all")


def test_a_search_marks_and_measures_its_matches(open_page):
    """The matched share counts a match once, and the table follows."""
    page = open_page(a_profile(STACKS))
    graph = graph_of(page)
    page.keyboard.press("/")
    page.keyboard.type("READ")
    expect(graph).to_have_attribute("data-matches", "1")
    expect(graph).to_have_attribute("data-matched-share", "0.3000")
    expect(graph.get_by_role("status")).to_contain_text("1 frame matches, 30.0% of the total")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(graph).to_have_attribute("data-matches", "0")
    page.get_by_role("button", name="idle").click()
    expect(graph).to_have_attribute("data-matched-share", "0.2000")


def test_the_keyboard_alone_is_enough(open_page):
    """Arrows walk, Enter zooms, and what is selected is told in words."""
    page = open_page(a_profile(STACKS))
    graph = graph_of(page)
    page.locator("canvas").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    expect(graph.get_by_role("status")).to_contain_text("selected idle")
    page.keyboard.press("Enter")
    expect(graph).to_have_attribute("data-focus", "idle")


def test_the_root_can_stand_at_the_bottom(open_page):
    """The flame toggle turns the drawing over; clicks follow."""
    page = open_page(a_profile(STACKS))
    graph = graph_of(page)
    page.get_by_role("button", name="Root at the bottom").click()
    click_row(page, 0, 0.1)
    expect(graph).to_have_attribute("data-focus", "read")


def test_hostile_names_are_shown_as_text(open_page):
    """A name that would be markup is text in graph, tooltip, table and attributes; direction is not turned."""
    stack = (Frame(HOSTILE, HOSTILE, 1),)
    page = open_page(a_profile(samples=(Sample(stack=stack, count=1, value=1_000),)))
    graph = graph_of(page)
    page.locator("canvas").hover(position={"x": 50, "y": 30})
    shown = HOSTILE.replace("\u202e", "\ufffd")
    expect(page.locator(".fg-tip-name")).to_have_text(shown)
    click_row(page, 1, 0.5)
    expect(graph).to_have_attribute("data-focus", HOSTILE)
    expect(page.locator("tbody button")).to_have_text(shown)
    expect(page.locator("img, b")).to_have_count(0)


def test_an_empty_recording_says_so(open_page):
    """No samples: a sentence instead of an empty drawing."""
    page = open_page(a_profile({}))
    expect(page.locator("#empty")).to_be_visible()
    expect(page.locator("#recorded")).to_be_hidden()


def test_a_deep_tree_scrolls_inside_a_window_of_its_own_size(open_page):
    """A stack of 500 frames draws no canvas that is too large for a browser; its leaf is reached by scrolling."""
    deep = tuple(Frame(f"f{level}", "deep.py", 1) for level in range(500))
    page = open_page(a_profile(samples=(Sample(stack=deep, count=1, value=1_000),)))
    graph = graph_of(page)
    canvas = page.locator("canvas")
    height = canvas.bounding_box()["height"]
    assert height == 2_000
    page.locator(".fg-scroller").evaluate("scroller => { scroller.scrollTop = scroller.scrollHeight; }")
    canvas.click(position={"x": 50, "y": height - 10})
    expect(graph).to_have_attribute("data-focus", "f499")
