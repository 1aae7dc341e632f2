"""What the routes answer about the small fleet, whichever engine holds it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.api.routes import ROUTES
from collector.cost import Prices
from collector.store.protocol import Store
from pyrometer.api import CompareAnswer, FlamegraphAnswer, FunctionsAnswer, HostsAnswer, ServicesAnswer, WindowQuality
from pyrometer.api_cost import CostAnswer
from tests.contract.api_client import ask
from tests.contract.api_data import BUCKETS, HOSTILE, NS_PER_S, Fleet


def check_answers(store: Store, fleet: Fleet) -> None:
    """Ask every route, and compare with what `write_fleet` says it wrote."""
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
            assert sum(row.cpu_per_month for row in bill.rows) == pytest.approx(0.131 * 730 * Prices().cpu_core_hour)
        for route in ROUTES:
            required = {"service": HOSTILE, "baseline": "9", "candidate": HOSTILE}
            parameters = {name: value for name, value in required.items() if name in route.query.__struct_fields__}
            get(route.path, route.answer, **parameters)
