"""The query API over a real store: each route's answer for a small fleet whose numbers are known."""

import asyncio
import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.cost import Prices
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from pyrometer.api import (
    CompareAnswer,
    FlamegraphAnswer,
    FunctionsAnswer,
    HostsAnswer,
    LatencyAnswer,
    Problem,
    ServicesAnswer,
)
from tests.contract.api_client import ask, ask_async
from tests.contract.api_data import HOSTILE, NS_PER_S, Fleet, write_fleet

# One core costs 100 a month, one GiB 10.
PRICES = Prices(currency="EUR", cpu_core_hour=100 / 730, memory_gib_hour=10 / 730, worker_memory_gib=0.5)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = EmbeddedStore(tmp_path_factory.mktemp("api"))
    migrate(store)
    yield store
    store.close()


@pytest.fixture(scope="module")
def fleet(store) -> Fleet:
    return write_fleet(store)


@pytest.fixture(scope="module")
def executor():
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def make_api(store, fleet, executor):
    def make(**limits) -> Api:
        return Api(store, PRICES, ApiLimits(**limits), executor, now_ns=lambda: fleet.now_s * NS_PER_S)

    return make


@pytest.fixture(scope="module")
def get(make_api):
    api = make_api()

    def get(path, answer_type, **parameters):
        response = ask(api, f"/api/v1{path}", **parameters)
        assert response.status == 200, response.body
        assert response.headers["content-type"] == "application/json"
        return response.decode(answer_type)

    return get


def test_services_stand_by_cost_with_their_numbers(get):
    """Both releases together: CPU, cost, traffic, errors and latency of what the fleet sent."""
    answer = get("/services", ServicesAnswer)
    shop, hostile = answer.services
    assert (shop.service, shop.versions, shop.hosts) == ("shop", ["1.0", "2.0"], 2)
    # 40 windows: 605 ms in one release, 705 ms in the other.
    assert shop.cpu_seconds == pytest.approx(40 * (0.605 + 0.705))
    assert shop.cpu_cores == pytest.approx(0.131)
    assert shop.cost_per_month == pytest.approx(13.1)
    assert (shop.samples, shop.requests, shop.errors) == (5200, 800, 8)
    assert shop.requests_per_second == pytest.approx(2.0)
    assert shop.error_rate == pytest.approx(0.01)
    assert shop.p50_ms == pytest.approx(9, rel=0.022)
    assert answer.currency == "EUR"
    # It sent no spans: what cannot be known is null.
    assert hostile.service == HOSTILE
    assert (hostile.requests, hostile.error_rate, hostile.p99_ms) == (0, None, None)


def test_times_of_services_are_those_of_the_data(get, fleet):
    """First sight is the start of the data, last sight its end and never the future."""
    shop = get("/services", ServicesAnswer).services[0]
    seconds = [_unix(moment) for moment in (shop.first_seen, shop.last_seen)]
    assert seconds == [fleet.start_s, fleet.now_s]


def test_a_range_without_data_is_an_empty_answer(get):
    """Nothing is sent before the fleet's time, so there is no service then."""
    assert get("/services", ServicesAnswer, start="-3h", end="-2h").services == []


def test_functions_have_own_and_total_time_share_and_price(get):
    """Cart.price is within render, which is within main; own times add up to the service's CPU."""
    answer = get("/functions", FunctionsAnswer, service="shop", version="2.0")
    rows = {row.function: row for row in answer.functions}
    assert [row.function for row in answer.functions] == ["render", "Cart.price", "[not sampled]", "main"]
    assert rows["render"].self_cpu_seconds == pytest.approx(16)
    assert rows["render"].total_cpu_seconds == pytest.approx(28)
    assert rows["Cart.price"].self_share == pytest.approx(12 / 28.2)
    assert rows["Cart.price"].self_cost_per_month == pytest.approx(100 * 12 / 400)
    assert sum(row.self_share for row in answer.functions) == pytest.approx(1.0)
    assert rows["Cart.price"].samples == 1200


def test_functions_can_be_searched_in_any_case_and_by_file(get):
    """The text is looked for, never interpreted."""
    for search, expected in (("CART", ["Cart.price"]), ("main.py", ["main"]), ("%", []), ("'", [])):
        found = get("/functions", FunctionsAnswer, service="shop", search=search).functions
        assert [row.function for row in found] == expected, search


def test_the_flame_graph_is_the_merged_tree(get):
    """Pre-order, children largest first, totals conserved, markers included."""
    answer = get("/flamegraph", FlamegraphAnswer, service="shop")
    names = [answer.strings[index] for index in answer.name]
    assert names == ["all", "main", "render", "Cart.price", "[not sampled]"]
    assert answer.depth == [0, 1, 2, 3, 1]
    assert answer.total[0] == answer.total_value == pytest.approx(40 * 1.31e9)
    assert answer.total[3] == pytest.approx(20e9)
    assert sum(answer.self) == pytest.approx(answer.total_value)
    assert (answer.samples, answer.folded, answer.base_total) == (5200, 0, None)


def test_a_flame_graph_can_be_of_one_release_or_one_host(get):
    """Release 2.0 ran on host beta alone, so both filters give the same tree."""
    by_version = get("/flamegraph", FlamegraphAnswer, service="shop", version="2.0")
    by_host = get("/flamegraph", FlamegraphAnswer, service="shop", host="beta")
    assert by_version.total == by_host.total
    assert by_version.total_value == pytest.approx(28.2e9)


def test_a_baseline_fills_the_base_columns(get):
    """Release 1.0 beside 2.0: each node has both values, not normalised."""
    answer = get("/flamegraph", FlamegraphAnswer, service="shop", version="2.0", baseline_version="1.0")
    price = [answer.strings[index] for index in answer.name].index("Cart.price")
    assert answer.total[price] == pytest.approx(12e9)
    assert answer.base_total[price] == pytest.approx(8e9)
    assert answer.base_total_value == pytest.approx(24.2e9)


def test_a_baseline_can_be_an_earlier_time(get, fleet):
    """The first 100 s beside the whole: a quarter of it."""
    answer = get(
        "/flamegraph", FlamegraphAnswer, service="shop", baseline_start=_rfc(fleet.start_s), baseline_end="now-300s"
    )
    assert answer.base_total_value == pytest.approx(answer.total_value / 4)


def test_stacks_beyond_the_limit_stay_in_the_total(make_api):
    """With one stack allowed, the other two show as (other) under the root, and nothing is lost."""
    answer = ask(make_api(stacks_max=1), "/api/v1/flamegraph", service="shop").decode(FlamegraphAnswer)
    names = [answer.strings[index] for index in answer.name]
    assert sorted(names) == ["(other)", "all", "main", "render"]
    assert answer.total_value == pytest.approx(40 * 1.31e9)
    assert answer.folded == 2
    assert answer.samples == 5200


def test_the_flame_graph_comes_as_arrow_too(make_api):
    """The columns and the metadata of the Arrow stream are those of the JSON answer."""
    api = make_api()
    accept = {"accept": "application/vnd.apache.arrow.stream"}
    parameters = {"service": "shop", "version": "2.0", "baseline_version": "1.0"}
    response = ask(api, "/api/v1/flamegraph", headers=accept, **parameters)
    expected = ask(api, "/api/v1/flamegraph", **parameters).decode(FlamegraphAnswer)
    assert response.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(response.body).read_all()
    assert table.column("total").to_pylist() == expected.total
    assert table.column("base_self").to_pylist() == expected.base_self
    assert table.column("parent").to_pylist() == expected.parent
    assert table.column("name").to_pylist() == [expected.strings[index] for index in expected.name]
    assert table.column("file").combine_chunks().dictionary.to_pylist() == expected.strings
    metadata = pa.scalar(table.schema.metadata[b"pyrometer"]).as_py().decode()
    assert '"total_value":28200000000.0' in metadata


def test_latency_has_operations_and_a_series(get):
    """Operations by requests with exact means; the series covers all requests."""
    answer = get("/latency", LatencyAnswer, service="shop", step=100)
    cart, pay = answer.operations
    assert (cart.operation, cart.kind, cart.requests, cart.errors) == ("GET /cart", "server", 640, 0)
    assert cart.mean_ms == pytest.approx(8.996875)
    assert cart.requests_per_second == pytest.approx(1.6)
    assert (pay.operation, pay.requests, pay.error_rate) == ("POST /pay", 160, 0.05)
    assert pay.p99_ms == pytest.approx(70, rel=0.0222)
    assert sum(point.requests for point in answer.series) == 800
    assert sum(point.errors for point in answer.series) == 8
    assert all(_unix(point.time) % 100 == 0 for point in answer.series)


def test_latency_can_be_of_one_operation_and_release(get):
    """The filters hold for the list and for the series."""
    answer = get("/latency", LatencyAnswer, service="shop", operation="POST /pay", version="1.0")
    assert [(row.operation, row.requests, row.errors) for row in answer.operations] == [("POST /pay", 80, 0)]
    assert sum(point.requests for point in answer.series) == 80


def test_hosts_have_their_latest_metrics_and_price(get):
    """CPU use from the clocks (idle and waiting for disks are not busy), memory in use, the machine's price."""
    alpha, beta = get("/hosts", HostsAnswer).hosts
    assert (alpha.host, alpha.os, alpha.arch, alpha.logical_cpus) == ("alpha", "linux", "amd64", 4)
    assert alpha.cpu_utilization == pytest.approx(0.5)
    assert (alpha.memory_utilization, alpha.memory_limit_bytes, alpha.load_1m) == (0.25, 8 * 2**30, 2.5)
    assert alpha.services == sorted([HOSTILE, "shop"])
    assert alpha.cost_per_month == pytest.approx(4 * 100 + 8 * 10)
    # Profiled, but without an agent's metrics: what is not known is null.
    assert (beta.host, beta.logical_cpus, beta.cpu_utilization, beta.cost_per_month) == ("beta", None, None, None)
    assert beta.profiled_cpu_cores == pytest.approx(0.0705)


def test_one_host_has_its_metrics_over_time(get):
    """Gauges as they were, counters as rates per second, hostile label values as text."""
    answer = get("/hosts", HostsAnswer, host="alpha")
    assert [row.host for row in answer.hosts] == ["alpha"]
    series = {row.metric: row for row in answer.series}
    disk = series["system.disk.io"]
    assert disk.unit == "By/s"
    assert disk.attributes["system.device"] == HOSTILE
    assert [point.value for point in disk.points] == pytest.approx([1000.0] * len(disk.points))
    assert len(disk.points) >= 19
    assert {point.value for point in series["system.cpu.load_average.1m"].points} == {2.5}
    # Units and containers come after the whole machine, so that a limit cuts those.
    assert answer.series[-1].metric == "linux.cgroup.cpu.throttled_time"
    assert answer.series[-1].attributes == {"process.linux.cgroup": "/system.slice/shop.service"}


def test_a_planted_regression_is_found_and_priced(get):
    """Cart.price costs 10 ms more per request; render itself does not; the price is that of 0.02 cores."""
    answer = get("/compare", CompareAnswer, service="shop", baseline="1.0", candidate="2.0")
    assert (answer.paired, answer.buckets, answer.bucket_s, answer.denominator) == (True, 38, 10, "request")
    assert answer.requests_per_second == pytest.approx(2.0)
    first = answer.functions[0]
    assert (first.function, first.self_cpu.verdict) == ("Cart.price", "regression")
    assert first.self_cpu.absolute == pytest.approx(10.0)
    assert first.self_cpu.relative == pytest.approx(0.5)
    assert first.self_cpu.low < 10.0 < first.self_cpu.high
    # 10 ms x 2 requests per second = 0.02 cores at 100 a month.
    assert first.price_per_month == pytest.approx(2.0)
    assert first.price_low < 2.0 < first.price_high
    rows = {row.function: row for row in answer.functions}
    assert rows["render"].self_cpu.verdict == "no_change"
    assert rows["render"].total_cpu.verdict == "regression"
    assert rows["[not sampled]"].self_cpu.verdict == "no_change"
    assert answer.cpu.verdict == "regression"
    assert answer.cpu_price_per_month == pytest.approx(2.0)
    assert {row.operation: row.mean_ms.verdict for row in answer.operations} == {
        "GET /cart": "no_change",
        "POST /pay": "no_change",
    }


@pytest.mark.parametrize(
    ("path", "answer_type", "lists"),
    [
        ("/flamegraph", FlamegraphAnswer, {"total": [0.0]}),
        ("/functions", FunctionsAnswer, {"functions": []}),
        ("/latency", LatencyAnswer, {"operations": [], "series": []}),
        ("/compare", CompareAnswer, {"functions": [], "operations": []}),
    ],
)
@pytest.mark.parametrize("service", ["nobody", HOSTILE + "?", "x" * 10_000])
def test_an_unknown_service_has_an_empty_answer(get, path, answer_type, lists, service):
    """Not knowing a service is no error, however it is called."""
    releases = {"baseline": "1", "candidate": "2"} if path == "/compare" else {}
    answer = get(path, answer_type, service=service, **releases)
    assert answer.service == service
    assert {name: getattr(answer, name) for name in lists} == lists


def test_hostile_names_come_back_as_they_were(get):
    """A service named like an attack has its flame graph and functions like any other."""
    assert get("/flamegraph", FlamegraphAnswer, service=HOSTILE).total_value == pytest.approx(15e6)
    first = get("/functions", FunctionsAnswer, service=HOSTILE).functions[0]
    assert (first.function, first.self_cpu_seconds) == ("render", pytest.approx(0.01))


def test_large_answers_are_compressed_for_who_takes_it(make_api):
    """Compressed when accepted and worth it, and the same content."""
    api = make_api(gzip_bytes_min=100)
    plain = ask(api, "/api/v1/services")
    zipped = ask(api, "/api/v1/services", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body
    assert zipped.headers["content-length"] == str(len(zipped.body))


def test_a_request_too_many_is_refused_and_the_next_one_served(store, fleet):
    """With one request allowed and its thread held, the next gets 503; when the thread is free all is well again."""
    held, release = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as executor:
        api = Api(store, PRICES, ApiLimits(requests_max=1), executor, now_ns=lambda: fleet.now_s * NS_PER_S)

        def hold():
            held.set()
            release.wait(30)

        executor.submit(hold)
        assert held.wait(30)

        async def two_at_once():
            first = asyncio.ensure_future(ask_async(api, "/api/v1/services"))
            await asyncio.sleep(0)
            second = await ask_async(api, "/api/v1/services")
            release.set()
            return await first, second

        first, second = asyncio.run(two_at_once())
    assert first.status == 200
    assert (second.status, second.headers["retry-after"]) == (503, "1")
    assert second.decode(Problem).status == 503


def test_an_answer_that_takes_too_long_is_given_up(store, fleet):
    """While no thread is free for the time allowed, the client is told so."""
    release = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(release.wait, 30)
        limits = ApiLimits(timeout_s=0.05)
        api = Api(store, PRICES, limits, executor, now_ns=lambda: fleet.now_s * NS_PER_S)
        response = ask(api, "/api/v1/services")
        release.set()
    assert response.status == 504
    assert "0.05 s" in response.decode(Problem).detail


def _unix(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _rfc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
