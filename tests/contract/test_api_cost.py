"""``/cost`` over a real store: what is known to have been used, at prices that make a core and a GiB cost 1 a month."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.cost import Prices
from collector.cost.prices import Budget, Machine
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from pyrometer.api import CompareAnswer, FunctionsAnswer, HostsAnswer, Problem, ServicesAnswer
from pyrometer.api_cost import CostAnswer
from tests.contract.api_client import ask
from tests.contract.api_data import BUCKETS, HOSTILE, NS_PER_S, text, write_fleet

GIB = 2**30
PRICES = Prices(
    cpu_core_hour=1 / 730,
    memory_gib_hour=1 / 730,
    machines=(Machine(type="small", vcpus=2, memory_gib=4, hour=6 / 730, memory_share=2 / 3),),
    budgets=(Budget(service="shop", per_month=0.1), Budget(per_month=100.0), Budget(service="gone", per_month=1.0)),
)
# CPU of a 10 s window over its length: 400 ms in render, 200 or 300 in Cart.price, 5 that nobody saw.
OLD, NEW = 0.0605, 0.0705


def metrics_of(release, host, start_s, used, *, kind="") -> bytes:
    request = ExportMetricsServiceRequest()
    attributes = {"service.name": "shop", "service.version": release, "host.name": host, "host.type": kind}
    resource = Resource(attributes=[text(name, value) for name, value in attributes.items()])
    metrics = request.resource_metrics.add(resource=resource).scope_metrics.add().metrics
    for name, value in used.items():
        points = metrics.add(name=name, unit="By").gauge.data_points
        for step in range(BUCKETS):
            points.add(time_unix_nano=(start_s + step * 10) * NS_PER_S, as_double=value)
    return request.SerializeToString()


@pytest.fixture(scope="module")
def get(tmp_path_factory):
    store = EmbeddedStore(tmp_path_factory.mktemp("cost"))
    migrate(store)
    fleet = write_fleet(store)
    memory = {"process.memory.usage": 0.5 * GIB}
    store.insert_otlp("metrics", metrics_of("1.0", "alpha", fleet.start_s, memory), token="old")
    sizes = {"system.cpu.logical.count": 2.0, "system.memory.limit": 4.0 * GIB, "process.memory.usage": 1.0 * GIB}
    store.insert_otlp("metrics", metrics_of("2.0", "beta", fleet.start_s, sizes, kind="small"), token="new")
    with ThreadPoolExecutor(2) as executor:

        def get(path, answer_type, *, prices=PRICES, status=200, **parameters):
            api = Api(store, prices, ApiLimits(), executor, now_ns=lambda: fleet.now_s * NS_PER_S)
            response = ask(api, f"/api/v1{path}", **parameters)
            assert response.status == status, response.body
            return response.decode(answer_type)

        yield get
    store.close()


@pytest.fixture
def cost(get):
    return lambda **parameters: get("/cost", CostAnswer, **parameters)


def test_services_are_priced_by_cpu_and_memory(cost):
    """The shop: 0.131 cores and 1.5 GiB; the part nobody sampled, and the price of 1,000 requests, beside it."""
    shop, other = cost().rows
    assert (shop.name, other.name) == ("shop", HOSTILE)
    assert (shop.cpu_per_month, shop.cpu_cores) == pytest.approx((OLD + NEW, OLD + NEW))
    assert (shop.memory_per_month, shop.memory_bytes) == pytest.approx((1.5, 1.5 * GIB))
    assert shop.cost_per_month == pytest.approx(OLD + NEW + 1.5)
    assert shop.unsampled_per_month == pytest.approx(0.001)
    assert shop.requests_per_second == pytest.approx(2.0)
    assert shop.cost_per_1000_requests == pytest.approx((OLD + NEW + 1.5) / (2 * 730 * 3600) * 1000)
    assert (other.requests_per_second, other.cost_per_1000_requests) == (None, None)
    assert shop.kwh_per_month == pytest.approx((0.131 * 2.8 + 1.5 * 0.4) * 1.2 * 0.73)
    assert shop.kg_co2e_per_month == pytest.approx(shop.kwh_per_month * 0.48)


@pytest.mark.parametrize("by", ["service", "release", "host"])
def test_the_bill_adds_up_whatever_it_is_grouped_by(cost, by):
    """Rows sum to the total; the total of everything is what both machines cost, 4 + 8 and 2 + 4, and no more."""
    answer = cost(by=by)
    idle = answer.total.idle_per_month
    assert idle == pytest.approx(18 - (OLD + NEW) - 1.5 - 0.0000375)
    assert answer.total.cost_per_month == pytest.approx(18)
    of_rows = sum(row.cost_per_month for row in answer.rows)
    assert of_rows == pytest.approx(18 if by == "host" else 18 - idle)


def test_a_host_is_priced_as_the_machine_it_is(cost):
    """The one whose type is listed says so; what it costs idle stands apart."""
    alpha, beta = cost(by="host").rows
    assert (alpha.name, beta.name) == ("alpha", "beta")
    assert (alpha.cost_per_month, beta.cost_per_month) == pytest.approx((12, 6))
    assert beta.idle_per_month == pytest.approx(6 - NEW - 1)
    assert beta.basis.startswith("small: ")
    assert "not in the price list" in alpha.basis


def test_releases_stand_side_by_side(cost):
    """Each with its own memory, and its own traffic."""
    new, old = cost(by="release", service="shop").rows
    assert (new.detail, old.detail) == ("2.0", "1.0")
    assert (new.cost_per_month, old.cost_per_month) == pytest.approx((NEW + 1, OLD + 0.5))
    assert new.requests_per_second == pytest.approx(1.0)


def test_functions_share_the_cpu_of_their_service(cost):
    """Own time alone, so that they sum to it; and no memory."""
    answer = cost(by="function", service="shop")
    by_name = {row.name: row for row in answer.rows}
    assert by_name["Cart.price"].cost_per_month == pytest.approx(0.05)
    assert sum(row.cost_per_month for row in answer.rows) == pytest.approx(OLD + NEW)
    assert {row.memory_per_month for row in answer.rows} == {None}


def test_operations_share_the_bill_by_time(cost):
    """Together they are the service; the longer one has the larger part, and the assumption is told."""
    answer = cost(by="operation", service="shop")
    assert [row.name for row in answer.rows] == ["POST /pay", "GET /cart"]
    assert sum(row.cost_per_month for row in answer.rows) == pytest.approx(OLD + NEW + 1.5)
    assert any("by the time their requests took" in line for line in answer.assumptions)


def test_budgets_stand_beside_what_is_spent(cost):
    """A service over its budget, everything, and a service that was not seen."""
    lines = {line.service: line.cost_per_month for line in cost().budgets}
    assert lines["shop"] == pytest.approx(OLD + NEW + 1.5)
    assert lines[""] == pytest.approx(18)
    assert lines["gone"] is None
    assert [line.service for line in cost(by="function", service="shop").budgets] == ["shop"]


def test_what_it_rests_on_is_told(cost):
    """The month, both kinds of machine, memory, idle and energy."""
    words = "\n".join(cost().assumptions)
    for part in ("730 hours", "400 s", "small: ", "a core hour", "resident", "idle is", "CO2e"):
        assert part in words


def test_nothing_seen_costs_nothing(cost):
    """A service that nobody knows, and a range before anything: no rows, no division by zero."""
    for parameters in ({"service": "nobody"}, {"start": "-2d", "end": "-1d"}):
        answer = cost(**parameters)
        assert answer.rows == []
        assert answer.total.cost_per_month == 0
        assert math.isfinite(answer.total.kwh_per_month)


def test_parts_of_a_service_need_its_name(get):
    """Operations and functions of everything are not a list anybody reads."""
    for by in ("function", "operation"):
        assert "service" in get("/cost", Problem, by=by, status=400).detail
    assert "by" in get("/cost", Problem, by="colour", status=400).detail


def test_every_route_prices_a_service_by_the_machines_it_runs_on(get):
    """A core of the listed machine costs 10 a month, one of another 1: services, functions, hosts, changes say so."""
    ten = Prices(
        cpu_core_hour=1 / 730,
        memory_gib_hour=1 / 730,
        machines=(Machine(type="small", vcpus=2, memory_gib=4, hour=24 / 730, memory_share=1 / 6),),
    )
    a_core = (OLD + 10 * NEW) / (OLD + NEW)
    shop = get("/services", ServicesAnswer, prices=ten).services[0]
    assert shop.cost_per_month == pytest.approx(shop.cpu_cores * a_core)
    functions = get("/functions", FunctionsAnswer, prices=ten, service="shop").functions
    assert functions[0].self_cost_per_month == pytest.approx(functions[0].self_cpu_seconds / 400 * a_core)
    hosts = get("/hosts", HostsAnswer, prices=ten).hosts
    assert [row.cost_per_month for row in hosts] == pytest.approx([12, 24])
    changes = [
        get("/compare", CompareAnswer, prices=prices, service="shop", baseline="1.0", candidate="2.0")
        for prices in (ten, PRICES)
    ]
    assert changes[0].cpu_price_per_month == pytest.approx(changes[1].cpu_price_per_month * a_core)
    assert any("small" in line or "kinds of machine" in line for line in changes[0].assumptions)
