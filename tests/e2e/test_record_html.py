"""The page that pyrometer record writes, in a real browser without a network."""

import shutil
import sys

import pytest
from playwright.sync_api import sync_playwright
from record_support import WORKLOAD, pyrometer

pytestmark = [pytest.mark.e2e, pytest.mark.ui]

CHROMIUM = shutil.which("chromium")


@pytest.fixture
def page():
    assert CHROMIUM is not None, "chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(offline=True)
        yield context.new_page()
        browser.close()


def test_the_page_opens_from_the_disk_and_asks_nobody(tmp_path, page):
    """The flame graph is drawn, the hot function is in the page, and nothing but the file itself is requested."""
    output = tmp_path / "out.html"
    finished = pyrometer("record", "-d", "1.5", "-o", str(output), "--", sys.executable, "-c", WORKLOAD)
    assert 0 == finished.returncode, finished.stderr
    requests: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(output.as_uri())
    page.wait_for_selector("[data-ready]", timeout=15_000)
    assert [output.as_uri()] == requests
    assert [] == problems
    assert "hot" in page.content()
    assert page.locator("canvas").count() >= 1


def test_a_program_whose_name_is_html_cannot_write_into_the_page(tmp_path, page):
    """A script called like a tag stands in the page as text."""
    script = tmp_path / "<img src=x onerror=document.body.dataset.owned=1>.py"
    script.write_text(WORKLOAD, encoding="utf-8")
    output = tmp_path / "out.html"
    finished = pyrometer("record", "-d", "1.5", "-o", str(output), "--", sys.executable, str(script))
    assert 0 == finished.returncode, finished.stderr
    page.goto(output.as_uri())
    page.wait_for_selector("[data-ready]", timeout=15_000)
    assert page.evaluate("document.body.dataset.owned") is None
    assert "<img src=x" in page.evaluate("document.body.innerText + document.title")
