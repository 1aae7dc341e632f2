"""Every query of the API runs on both engines, and both give the same answers."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.api.routes import ROUTES
from collector.cost import Prices
from collector.store.statements import query_names, query_text
from pyrometer.api import CompareAnswer, FlamegraphAnswer, FunctionsAnswer, HostsAnswer, ServicesAnswer, WindowQuality
from pyrometer.api_cost import CostAnswer
from tests.contract.api_client import ask
from tests.contract.api_data import BUCKETS, HOSTILE, NS_PER_S, write_fleet

_PLACEHOLDER = re.compile(r"\{(\w+):([A-Za-z0-9()]+)\}")
# Hostile on purpose, and every array empty in one round and full in the other.
_VALUES = {
    "String": HOSTILE,
    "Array(String)": [HOSTILE, "", "'"],
    "Array(UInt64)": [0, 2**64 - 1],
    "UInt32": 10,
    "Int64": 1000,
}
_EMPTY = {"Array(String)": [], "Array(UInt64)": []}


@pytest.mark.parametrize("values", [_VALUES, {**_VALUES, **_EMPTY}], ids=["full", "empty"])
def test_every_query_runs_on_an_empty_store(store, values):
    """No query refuses hostile text or empty lists, and none invents rows."""
    for name in query_names():
        parameters = {parameter: values[kind] for parameter, kind in _PLACEHOLDER.findall(query_text(name))}
        rows = store.query(name, parameters)
        assert name in {"service_cpu", "window_quality", "scan_size", "scan_service"} or rows == [], name


@pytest.mark.parametrize("name", query_names())
def test_every_query_says_what_it_takes_and_gives(name):
    """The header names purpose, each parameter, and the columns."""
    text = query_text(name)
    header = "\n".join(line for line in text.splitlines() if line.startswith("--"))
    assert "Parameters:" in header
    assert "Columns:" in header
    for parameter, _ in _PLACEHOLDER.findall(text):
        assert re.search(rf"\b{parameter}\b", header), parameter


def test_every_route_answers_alike_on_both_engines(store):
    """The fleet's known numbers come out of every route, whichever engine holds them."""
    fleet = write_fleet(store)
    with ThreadPoolExecutor(2) as executor:
        api = Api(store, Prices(), ApiLimits(), executor, now_ns=lambda: fleet.now_s * NS_PER_S)

        def get(path, answer_type, **parameters):
            response = ask(api, f"/api/v1{path}", **parameters)
            assert response.status == 200, response.body
            return response.decode(answer_type)

        services = get("/services", ServicesAnswer).services
        assert [row.service for row in services] == ["shop", HOSTILE]
        assert services[0].requests == 800
        tree = get("/flamegraph", FlamegraphAnswer, service="shop", version="2.0", host="beta", baseline_version="1.0")
        assert (tree.total_value, len(tree.total)) == (pytest.approx(28.2e9), 5)
        # Windows of 40 + 30 samples, of 700 ms, and 5 ms that nobody saw.
        functions = get("/functions", FunctionsAnswer, service="shop", version="2.0")
        assert functions.quality == tree.quality
        assert (tree.quality.rate_hz, tree.quality.coverage) == (pytest.approx(190), pytest.approx(700 / 705))
        assert tree.quality.unstable_share == pytest.approx(1 / 70)
        assert (tree.quality.looks, tree.quality.lost) == (BUCKETS * 950, BUCKETS * 2)
        elsewhere = get("/flamegraph", FlamegraphAnswer, service="shop", version="2.0", host="alpha")
        assert elsewhere.quality == WindowQuality()
        alpha = get("/hosts", HostsAnswer, host="alpha")
        assert alpha.hosts[0].cpu_utilization == pytest.approx(0.5)
        assert len(alpha.series) == 11
        compared = get("/compare", CompareAnswer, service="shop", baseline="1.0", candidate="2.0")
        assert compared.functions[0].function == "Cart.price"
        assert [len(compared.functions), len(compared.operations)] == [4, 2]
        for by in ("service", "release", "host", "operation", "function"):
            bill = get("/cost", CostAnswer, by=by, service="shop")
            assert sum(row.cpu_per_month for row in bill.rows) == pytest.approx(Prices().cpu_per_month(0.131))
        for route in ROUTES:
            required = {"service": HOSTILE, "baseline": "9", "candidate": HOSTILE}
            parameters = {name: value for name, value in required.items() if name in route.query.__struct_fields__}
            get(route.path, route.answer, **parameters)
