"""A browser in front of a real dashboard, a real collector and real data."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dashboard_world import free_port, running_collector, running_dashboard, send_shop, services_of, wait_for
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts" / "ui"
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Streamlit looks for its server below the page's own path first when a page is opened by its link.
BASE_PATH_PROBES = ("/_stcore/health", "/_stcore/host-config")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("needs chromium: apt-get install chromium")
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a dashboard over a collector that knows the shop."""
    home = tmp_path_factory.mktemp("shop")
    with running_collector(free_port(), home) as collector, running_dashboard(collector, home) as dashboard:
        send_shop(collector)
        wait_for("the shop's data", lambda: sum(row["requests"] for row in services_of(collector)) >= 2400)
        yield dashboard


class Watched:
    """A page, and what went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("request", self._request)
        page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location.get("url", "").endswith(BASE_PATH_PROBES):
            self.faults.append(f"console: {message.text} {message.location}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            self.faults.append(f"request to the outside: {request.url}")

    def shoot(self, name: str) -> None:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


@pytest.fixture
def open_browser(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Return a function that opens a new window; at the end nothing may have gone wrong in any."""
    opened: list[Watched] = []

    def open_it(scheme: str = "light") -> Watched:
        page = browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme=scheme)
        page.set_default_timeout(30_000)
        opened.append(Watched(page))
        return opened[-1]

    yield open_it
    for watched in opened:
        watched.page.close()
    assert [] == [fault for watched in opened for fault in watched.faults]
