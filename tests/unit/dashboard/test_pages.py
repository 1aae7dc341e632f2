"""The pages, run whole: what they show, ask, and keep in their address."""

from typing import Any

import pytest
from dashboard_answers import (
    HOSTILE_NAMES,
    a_cost,
    a_function,
    a_function_change,
    a_host,
    a_point,
    a_series,
    a_service,
    all_replies,
    an_empty_flamegraph,
    an_operation_change,
    compare_answer,
    cost_answer,
    functions_answer,
    hosts_answer,
    latency_answer,
    services_answer,
)

from pyrometer.api import Problem
from pyrometer.api_cost import BudgetLine

PAGES = ["overview", "flamegraph", "regressions", "hosts", "cost"]


def texts(app: Any) -> str:
    """All text of a page that is not in a table."""
    parts = [
        element.value
        for kind in ("text", "markdown", "subheader", "title", "caption", "code")
        for element in app.get(kind)
    ]
    return "\n".join(str(part) for part in parts)


def test_overview_lists_services_with_the_most_expensive_first(open_page):
    """The overview shows one row per service in the collector's order."""
    app = open_page()
    assert not app.exception
    table = app.dataframe[0].value
    assert ["checkout", "search"] == list(table["service"])
    assert [24.82, 9.5] == list(table["cost"])


def test_overview_sums_up_cost_and_cores(open_page):
    """The headline numbers add up what the rows say."""
    values = {metric.label: metric.value for metric in open_page().metric}
    assert "34.32 USD" == values["Cost per month"]
    assert "2.00" == values["CPU cores busy"]
    assert "0.10%" == values["Worst error rate"]


def test_what_a_host_spent_beside_its_services_is_listed_and_not_chosen_first(open_page, collector):
    """Its cost is in the table and in the sum; a page starts with a real service, though that costs less."""
    host = a_service("host", versions=[""], requests=0, cost_per_month=99.0, p50_ms=None, p95_ms=None, p99_ms=None)
    collector.replies["/services"] = services_answer(host, a_service("batch", requests=0, cost_per_month=1.0))
    app = open_page()

    assert not app.exception
    assert ["host", "batch"] == list(app.dataframe[0].value["service"])
    assert "100.00 USD" in {metric.value for metric in app.metric}
    assert "batch" == app.selectbox(key="service").value


def test_overview_asks_for_the_range_of_its_address(open_page, collector):
    """The time range in the address is the one the collector is asked for."""
    open_page(range="24h")
    assert ("/services", {"start": "-24h"}) in collector.asked


def test_overview_ignores_a_range_that_does_not_exist(open_page, collector):
    """An unknown range in the address means the default."""
    assert not open_page(range="9y").exception
    assert ("/services", {"start": "-1h"}) in collector.asked


def test_overview_puts_the_service_it_shows_into_the_address(open_page):
    """A page that chose a service by itself says so in its link."""
    assert ["checkout"] == open_page().query_params["service"] or "checkout" == open_page().query_params["service"]


def test_overview_shows_the_latency_of_the_service_in_the_address(open_page, collector):
    """A link to a service asks for that service's latency."""
    app = open_page(service="search")
    assert not app.exception
    assert "search" == app.selectbox(key="service").value
    assert ("/latency", {"service": "search", "start": "-1h"}) in collector.asked


def test_overview_keeps_a_service_that_has_gone_quiet(open_page, collector):
    """A link to a service without recent data still says which service it is about."""
    collector.replies["/latency"] = latency_answer(service="gone")
    app = open_page(service="gone")
    assert "gone" == app.selectbox(key="service").value
    assert "no spans" in texts(app)


def test_empty_collector_says_how_to_send_data(open_page, collector):
    """Without services the overview names the commands and the two variables that bring data."""
    collector.replies["/services"] = services_answer()
    shown = texts(open_page())
    assert "No services yet" in shown
    assert "pyrometer up --demo" in shown
    assert f"pyrometer agent run --endpoint {collector.url}" in shown
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT={collector.url}" in shown
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in shown


@pytest.mark.parametrize("page", PAGES)
def test_unreachable_collector_is_named_with_its_address(open_page, collector, page):
    """Without a collector each page says where it looked, and what to do."""
    collector.shutdown()
    collector.server_close()
    app = open_page(page)
    assert not app.exception
    shown = texts(app)
    assert "The collector does not answer" in shown
    assert collector.url in shown
    assert "pyrometer collector run" in shown
    assert "Try again" == app.button(key="retry").label


@pytest.mark.parametrize("page", PAGES)
def test_problem_of_the_collector_is_shown_as_text(open_page, collector, page):
    """An error of the collector reaches the reader word for word, as text."""
    problem = Problem(title="Bad <b>request</b>", status=400, detail="start: **must** be [a time](x)")
    for route in all_replies():
        collector.replies[route] = problem
    app = open_page(page)
    assert not app.exception
    assert "start: **must** be [a time](x)" in [code.value for code in app.code]
    assert "Bad <b>request</b> (status 400)" in [text.value for text in app.text]


@pytest.mark.parametrize("page", PAGES)
def test_answer_that_is_no_collectors_is_explained(open_page, collector, page):
    """Another program at the collector's address gives a clear message, no traceback."""
    for route in all_replies():
        collector.replies[route] = (200, b"<html>hello</html>")
    app = open_page(page)
    assert not app.exception
    assert "does not answer like a collector" in texts(app)


def test_regressions_compares_the_two_newest_releases(open_page, collector):
    """Without a choice, the newest release is compared with the one before."""
    app = open_page("regressions")
    assert not app.exception
    asked = next(query for route, query in collector.asked if route == "/compare")
    assert ("1.9.0", "2.0.0") == (asked["baseline"], asked["candidate"])


def test_regressions_says_change_interval_price_and_verdict_in_words(open_page):
    """A regression reads as words and numbers, not only as a colour."""
    app = open_page("regressions")
    functions, operations = (frame.value for frame in app.dataframe)
    assert "+23% (+18 to +28)" == functions["change"][0]
    assert "+9.10 to +15.60" == functions["price_interval"][0]
    assert ["▲ Regression"] == list(functions["verdict"][0])
    assert "+80% (+68 to +92)" == operations["p99"][0]
    assert "100 ms → 180 ms" == operations["p99_values"][0]


def test_regressions_takes_releases_from_the_address(open_page, collector):
    """A link names the releases it compares."""
    open_page("regressions", baseline="2.0.0", candidate="1.9.0")
    asked = next(query for route, query in collector.asked if route == "/compare")
    assert ("2.0.0", "1.9.0") == (asked["baseline"], asked["candidate"])


def test_regressions_forgets_releases_of_another_service(open_page, collector):
    """Choosing another service compares that service's own releases."""
    collector.replies["/services"] = services_answer(a_service(), a_service("search", versions=["9", "8"]))
    app = open_page("regressions")
    app.selectbox(key="service").set_value("search").run()
    assert not app.exception
    route, asked = collector.asked[-1]
    assert ("/compare", "8", "9") == (route, asked["baseline"], asked["candidate"])


def test_regressions_needs_two_releases(open_page, collector):
    """A service with one release has nothing to compare, and the page says so."""
    collector.replies["/services"] = services_answer(a_service(versions=["1"]))
    assert "only one release" in texts(open_page("regressions"))


def test_regressions_shows_the_notes_of_the_answer_as_text(open_page, collector):
    """Remarks of the comparison are shown, and not as Markdown."""
    collector.replies["/compare"] = compare_answer(notes=["only **5** windows"])
    assert "• only **5** windows" in [text.value for text in open_page("regressions").text]


def test_hosts_shows_each_host_and_the_metrics_of_one(open_page, collector):
    """The host in the address is the one whose metrics are asked for."""
    app = open_page("hosts", host="web-2")
    assert not app.exception
    assert ["web-1", "web-2"] == list(app.dataframe[0].value["host"])
    assert ("/hosts", {"start": "-1h", "host": "web-2"}) in collector.asked
    assert ["system.cpu.utilization", "system.memory.usage"] == [text.value for text in app.text]


def test_hosts_says_what_to_run_where_there_are_none(open_page, collector):
    """Without hosts the page names the command that brings one."""
    collector.replies["/hosts"] = hosts_answer()
    assert "pyrometer agent run" in texts(open_page("hosts"))


def test_pages_ask_only_for_what_they_show(open_page, collector):
    """Opening a page asks each route at most once; nothing is loaded for other pages."""
    open_page("overview")
    assert ["/services", "/latency"] == [route for route, _ in collector.asked]


@pytest.mark.parametrize("page", PAGES)
def test_hostile_names_break_no_page(open_page, collector, page):
    """Names of SQL, HTML, Markdown, control bytes or 10,000 characters are shown as text on every page."""
    names = HOSTILE_NAMES
    collector.replies |= {
        "/services": services_answer(*(a_service(name, versions=names) for name in names)),
        "/functions": functions_answer(*(a_function(name, file=name) for name in names)),
        "/latency": latency_answer(a_point(1)),
        "/hosts": hosts_answer(
            *(a_host(name, services=names, os=name) for name in names),
            series=[a_series(name, name, attribute=name) for name in names],
        ),
        "/compare": compare_answer(
            functions=[a_function_change(name, file=name) for name in names],
            operations=[an_operation_change(name) for name in names],
            notes=names,
        ),
    }
    app = open_page(page)
    assert not app.exception
    assert app.dataframe
    shown = "\n".join(
        str(element.value) for kind in ("markdown", "caption", "subheader", "title") for element in app.get(kind)
    )
    assert not [name for name in names if len(name) > 20 and name in shown]


@pytest.mark.parametrize("name", [name for name in HOSTILE_NAMES if name])
def test_every_hostile_service_can_be_opened_by_its_link(open_page, collector, name):
    """The link of a service opens that service, whatever it is called."""
    from dashboard.links import query  # noqa: PLC0415

    collector.replies["/services"] = services_answer(*(a_service(one) for one in HOSTILE_NAMES))
    open_page(**query(service=name))
    assert ("/latency", {"service": name, "start": "-1h"}) in collector.asked


def component_of(app: Any) -> Any:
    """The flame graph component as it was sent to the browser."""
    (element,) = app.get("bidi_component")
    return element.proto


def test_flamegraph_shows_the_graph_and_the_functions(open_page):
    """The page draws the component and lists functions with their own and total time and cost."""
    app = open_page("flamegraph")
    assert not app.exception
    assert component_of(app)
    table = app.dataframe[0].value
    assert ["work", "parse"] == list(table["function"])
    assert [25.0, 25.0] == list(table["self"])


def test_flamegraph_asks_for_the_release_and_comparison_of_its_address(open_page, collector):
    """A link names release and baseline; the graph is asked for both, the table for the release."""
    open_page("flamegraph", version="2.0.0", compare="1.9.0", range="6h")
    asked = dict(collector.asked)
    assert ("2.0.0", "1.9.0", "-6h") == tuple(
        asked["/flamegraph"][name] for name in ("version", "baseline_version", "start")
    )
    assert "2.0.0" == asked["/functions"]["version"]


def test_flamegraph_of_all_releases_names_none(open_page, collector):
    """Without a choice the graph merges all releases."""
    open_page("flamegraph")
    asked = dict(collector.asked)["/flamegraph"]
    assert not {"version", "baseline_version"} & set(asked)


def test_flamegraph_search_of_the_address_is_asked_for(open_page, collector):
    """A link carries its search, and the collector searches all functions, not only those shown."""
    app = open_page("flamegraph", search="JSON")
    assert "JSON" == app.text_input(key="search").value
    assert "JSON" == dict(collector.asked)["/functions"]["search"]


def test_flamegraph_without_profiles_says_what_to_do(open_page, collector):
    """A service that only sends traces has an explained empty state instead of an empty canvas."""
    collector.replies["/flamegraph"] = an_empty_flamegraph()
    app = open_page("flamegraph")
    assert not app.exception
    assert "No profiles" in texts(app)
    assert not app.get("bidi_component")


def test_cost_shows_total_rows_budgets_and_assumptions(open_page, collector):
    """Idle and unsampled cost stand beside CPU and memory; a budget that is exceeded says so."""
    app = open_page("cost")
    assert not app.exception
    values = {metric.label: metric.value for metric in app.metric}
    assert (values["Cost per month"], values["Idle"], values["Not sampled"]) == ("80.00 USD", "50.00 USD", "1.50 USD")
    costs, budgets = (frame.value for frame in app.dataframe)
    assert ["checkout", "search"] == list(costs["name"])
    assert ["over budget", "within budget", "not seen"] == list(budgets["verdict"])
    assert ["checkout", "Everything", "gone"] == list(budgets["service"])
    assert "• a month has 730 hours" in texts(app)
    assert ("/cost", {"start": "-1h", "by": "service", "limit": "200"}) in collector.asked


def test_cost_of_functions_asks_for_one_service(open_page, collector):
    """A link to the functions of a service asks for them, and shows which service it is."""
    app = open_page("cost", by="Functions", service="search")
    assert not app.exception
    assert "search" == app.selectbox(key="service").value
    assert ("/cost", {"start": "-1h", "by": "function", "service": "search", "limit": "200"}) in collector.asked


def test_cost_of_nothing_says_where_cost_comes_from(open_page, collector):
    """A service without spans has no operations to price."""
    collector.replies["/cost"] = cost_answer(by="operation")
    app = open_page("cost", by="Operations")
    assert not app.exception
    assert "Nothing to price" in texts(app)


def test_hostile_names_and_missing_figures_do_not_break_the_cost(open_page, collector):
    """Names of every kind, prices of nothing, budgets of 0."""
    rows = [a_cost(name, detail=name, basis=name, requests_per_second=None, cost_per_1000_requests=None,
                   unsampled_per_month=None) for name in HOSTILE_NAMES]  # fmt: skip
    zero = BudgetLine(service=HOSTILE_NAMES[1], budget_per_month=0.0, cost_per_month=0.0)
    collector.replies["/cost"] = cost_answer(*rows, budgets=[zero], assumptions=HOSTILE_NAMES)
    app = open_page("cost")
    assert not app.exception
    assert len(HOSTILE_NAMES) == len(app.dataframe[0].value)
