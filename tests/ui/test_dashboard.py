"""The dashboard in a real browser, over real data: seen, clicked, searched, in both appearances."""

import re
from collections.abc import Callable

import pytest
from dashboard_world import free_port, running_collector, running_dashboard, send_hostile, services_of, wait_for
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.ui

READY_GRAPH = "[data-flamegraph][data-ready=true]"
ROW_PX = 20
# Of the table of services.
SERVICE_COLUMN_PX = 150
TABLE_ROW_PX = 33

HOSTILE_NAMES = [
    "'; DROP TABLE samples; --",
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "**bold** [link](javascript:alert(1)) :material/home: :red[x] $x^2$ `code`",
    "bell\x07 escape\x1b[31m newline\n delete\x7f",
    "right-to-left \u202egnp.exe",
    "x" * 10_000,
]


def settled(page: Page) -> None:
    """Wait until the page has run and nothing on it is being replaced."""
    expect(page.locator("h1")).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def graph_of(page: Page) -> Locator:
    graph = page.locator(READY_GRAPH)
    expect(graph).to_be_visible()
    return graph


def test_overview_leads_to_a_flame_graph_that_zooms_and_searches(shop, open_browser: Callable):
    """From the overview to the service's graph; a click zooms, a search marks what matches, the link keeps it."""
    window = open_browser()
    page = window.page
    page.goto(shop)
    settled(page)
    expect(page.get_by_test_id("stMetricValue").first).to_contain_text("USD")
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    window.shoot("overview-light")

    page.get_by_test_id("stMain").get_by_role("link", name="Flame graph").click()
    page.wait_for_url(re.compile(r"/flamegraph\?.*service=shop"))
    graph = graph_of(page)
    expect(page.get_by_role("combobox", name="Service")).to_have_value("shop")
    settled(page)
    window.shoot("flamegraph-light")

    canvas = graph.locator("canvas").first
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": box["width"] * 0.1, "y": ROW_PX * 3.5})
    expect(graph).not_to_have_attribute("data-focus", "all")
    focus = graph.get_attribute("data-focus")
    assert focus in {"get_cart", "post_order", "serve"}
    settled(page)
    expect(page.get_by_role("combobox", name="Service")).to_have_value("shop")
    expect(page.get_by_role("combobox", name="Release")).to_have_value("All releases")
    window.shoot("flamegraph-zoomed")

    search = page.get_by_placeholder("Functions and files", exact=True)
    search.fill("price_basket")
    expect(graph).to_have_attribute("data-matches", "1")
    page.wait_for_url(re.compile("search=price_basket"))
    assert "price_basket" == page.evaluate("new URL(location.href).searchParams.get('search')")
    settled(page)
    window.shoot("flamegraph-searched")


def test_link_to_a_comparison_opens_as_it_was(shop, open_browser: Callable):
    """A link with service, release, baseline and search opens exactly that view."""
    window = open_browser("dark")
    window.page.goto(f"{shop}/flamegraph?service=shop&version=2.0.0&compare=1.0.0&search=price")
    graph = graph_of(window.page)
    expect(graph).to_have_attribute("data-matches", "1")
    expect(window.page.get_by_role("combobox", name="Compare with")).to_have_value("1.0.0")
    settled(window.page)
    window.shoot("flamegraph-difference-dark")


def test_link_wins_over_what_a_page_held_before(shop, open_browser: Callable):
    """The way from a comparison to its flame graph shows that comparison, not the release chosen there earlier."""
    page = open_browser().page
    page.goto(f"{shop}/flamegraph?service=shop&version=1.0.0")
    graph_of(page)
    page.get_by_test_id("stMain").get_by_role("link", name="Compare releases").click()
    page.get_by_role("link", name="Show the difference as a flame graph").click()
    graph_of(page)
    expect(page.get_by_role("combobox", name="Release")).to_have_value("2.0.0")
    expect(page.get_by_role("combobox", name="Compare with")).to_have_value("1.0.0")
    assert "2.0.0" == page.evaluate("new URL(location.href).searchParams.get('version')")


def test_button_of_a_row_opens_its_flame_graph_in_the_same_range(shop, open_browser: Callable):
    """The button in the table leads to that row's service and keeps the time range."""
    page = open_browser().page
    page.goto(f"{shop}/?range=6h")
    settled(page)
    table = page.get_by_test_id("stDataFrame").first
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + SERVICE_COLUMN_PX + 50, box["y"] + TABLE_ROW_PX * 2.5)
    page.wait_for_url(re.compile(r"/flamegraph\?.*service=mailer"))
    graph_of(page)
    assert "6h" == page.evaluate("new URL(location.href).searchParams.get('range')")


def test_back_leads_to_a_page_with_its_choice_filled_in(shop, open_browser: Callable):
    """The browser's back never leaves a choice empty."""
    page = open_browser().page
    page.goto(shop)
    settled(page)
    page.get_by_test_id("stMain").get_by_role("link", name="Flame graph").click()
    graph_of(page)
    page.go_back()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_role("combobox", name="Service")).to_have_value("shop")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_regressions_compares_the_releases(shop, open_browser: Callable, scheme: str):
    """The page names both releases, gives its verdict in words and draws both tables."""
    window = open_browser(scheme)
    page = window.page
    page.goto(f"{shop}/regressions?service=shop")
    settled(page)
    expect(page.get_by_role("combobox", name="Baseline")).to_have_value("1.0.0")
    expect(page.get_by_role("combobox", name="Candidate")).to_have_value("2.0.0")
    expect(page.get_by_text("▲ Regression").first).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_have_count(2)
    window.shoot(f"regressions-{scheme}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hosts_draws_the_metrics_of_a_host(shop, open_browser: Callable, scheme: str):
    """The host that sent metrics is listed and its series are drawn."""
    window = open_browser(scheme)
    window.page.goto(f"{shop}/hosts?host=web-1")
    settled(window.page)
    expect(window.page.get_by_text("system.cpu.utilization")).to_be_visible()
    expect(window.page.locator("canvas").first).to_be_visible()
    window.shoot(f"hosts-{scheme}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cost_is_divided_as_the_reader_chooses(shop, open_browser: Callable, scheme: str):
    """Total, bars and table of all services; a click divides one of them by function; what it rests on is told."""
    window = open_browser(scheme)
    page = window.page
    page.goto(f"{shop}/cost")
    settled(page)
    expect(page.get_by_test_id("stMetricValue").first).to_contain_text("USD")
    expect(page.get_by_text("a month has 730 hours")).to_be_visible()
    window.shoot(f"cost-{scheme}")
    page.get_by_role("radio", name="Functions").click()
    expect(page.get_by_role("combobox", name="Service")).to_have_value("shop")
    expect(page.get_by_text("memory is not divided among functions")).to_be_visible()
    settled(page)
    window.shoot(f"cost-functions-{scheme}")


def test_overview_in_the_dark(shop, open_browser: Callable):
    """The dark appearance follows the system's setting."""
    window = open_browser("dark")
    window.page.goto(shop)
    settled(window.page)
    background = window.page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert "rgb(20, 19, 18)" == background
    window.shoot("overview-dark")


def test_dashboard_recovers_by_itself_when_the_collector_returns(tmp_path, open_browser: Callable):
    """Empty, unreachable, and back: each state is shown, and the page needs no reload."""
    window = open_browser()
    page = window.page
    port = free_port()
    with running_dashboard(f"http://127.0.0.1:{port}", tmp_path) as dashboard:
        page.goto(f"{dashboard}/regressions")
        expect(page.get_by_text("The collector does not answer")).to_be_visible()
        expect(page.get_by_text(f"127.0.0.1:{port}").first).to_be_visible()
        window.shoot("unreachable")
        with running_collector(port, tmp_path):
            expect(page.get_by_text("No services yet")).to_be_visible()
            settled(page)
            window.shoot("empty")
        page.close()  # before its server goes away


def test_hostile_names_are_text_in_the_browser(tmp_path, open_browser: Callable):
    """Names of SQL, HTML, Markdown, control bytes and 10,000 characters run no script and break no page."""
    window = open_browser()
    page = window.page
    with running_collector(free_port(), tmp_path) as collector, running_dashboard(collector, tmp_path) as dashboard:
        send_hostile(collector, HOSTILE_NAMES)
        wait_for("hostile services", lambda: len(services_of(collector)) >= len(HOSTILE_NAMES))
        for path in ("", "/flamegraph", "/regressions", "/cost", "/hosts"):
            page.goto(f"{dashboard}{path}")
            settled(page)
            expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
            assert not page.get_by_test_id("stException").count()
            assert not page.locator("img[src=x]").count()
            window.shoot(f"hostile-{path.strip('/') or 'overview'}")
        page.goto(f"{dashboard}/flamegraph")
        graph_of(page)
        page.get_by_role("combobox", name="Service").click()
        page.get_by_role("option").filter(has_text="<img src=x").click()
        graph_of(page)
        settled(page)
        assert "<img src=x" in page.evaluate("new URL(location.href).searchParams.get('service')")
        page.close()  # before its server goes away
