"""One error shape on every route: RFC 9457 problems that name what to do, and never a traceback."""

import logging
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.api.routes import ROUTES, WRITE_ROUTES
from collector.cost import Prices
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from collector.store.protocol import QueryLimits
from pyrometer.api import Problem
from tests.contract.api_client import ask, ask_raw
from tests.contract.api_data import write_fleet

PATHS = [route.full_path for route in ROUTES]
WRITE_PATHS = [route.full_path for route in WRITE_ROUTES]
REQUIRED = {"service": "shop", "baseline": "1.0", "candidate": "2.0"}


def required_of(path: str) -> dict[str, str]:
    route = next(route for route in ROUTES if route.full_path == path)
    required = {field.name for field in msgspec.structs.fields(route.query) if field.required}
    return {name: value for name, value in REQUIRED.items() if name in required}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def store(folder):
    store = EmbeddedStore(folder)
    migrate(store)
    yield store
    store.close()


@pytest.fixture(scope="module")
def executor():
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def api(store, executor) -> Api:
    return Api(store, Prices(), ApiLimits(), executor)


def problem_of(response, status: int) -> Problem:
    assert response.status == status, response.body
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    problem = response.decode(Problem)
    assert problem.status == status
    assert problem.title
    assert problem.detail
    return problem


@pytest.mark.parametrize("path", PATHS)
def test_every_route_answers_with_required_parameters_alone(api, path):
    """All other parameters have defaults."""
    response = ask(api, path, **required_of(path))
    assert response.status == 200, response.body
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "parameter", "value", "rule"),
    [
        (route.full_path, parameter, value, rule)
        for route in ROUTES
        for parameter, value, rule in (
            ("start", "soon", "RFC 3339"),
            ("end", "2026-01-01", "offset"),
            ("start", "-400d", "92 days"),
            ("colour", "red", "not known"),
        )
        if parameter in route.query.__struct_fields__ or rule == "not known"
    ],
)
def test_a_bad_parameter_is_named_with_its_rule(api, path, parameter, value, rule):
    """400, the parameter's name and the rule, on every route alike."""
    problem = problem_of(ask(api, path, **{**required_of(path), parameter: value}), 400)
    assert parameter in problem.detail
    assert rule in problem.detail


@pytest.mark.parametrize(("path", "name"), [(path, name) for path in PATHS for name in required_of(path)])
def test_a_missing_parameter_is_named(api, path, name):
    """Every required parameter is asked for by name."""
    parameters = {key: value for key, value in required_of(path).items() if key != name}
    assert problem_of(ask(api, path, **parameters), 400).detail == f"parameter {name}: is required"


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/api/v1/nope", "/api/v2/services", "/", "/api/v1/services/"])
def test_an_unknown_route_is_not_found(api, path):
    """404 in the one shape; the detail says where all routes are listed."""
    assert "/openapi.json" in problem_of(ask(api, path), 404).detail


@pytest.mark.parametrize("path", [*PATHS, "/openapi.json"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "X"])
def test_other_methods_are_refused(api, path, method):
    """405 with the methods that are allowed."""
    response = ask(api, path, method=method)
    problem_of(response, 405)
    assert response.headers["allow"] in {"GET, HEAD", "GET, HEAD, POST"}


@pytest.mark.parametrize("path", sorted({*PATHS, "/openapi.json"} - set(WRITE_PATHS)))
def test_what_only_reads_refuses_to_be_written(api, path):
    """405 with the methods that are allowed."""
    response = ask(api, path, method="POST")
    problem_of(response, 405)
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", [*PATHS, "/openapi.json"])
def test_head_is_get_without_the_body(api, path):
    """The same headers, the length included."""
    parameters = required_of(path) if path in PATHS else {}
    head, whole = (ask(api, path, method=method, **parameters) for method in ("HEAD", "GET"))
    assert head.body == b""
    assert head.status == whole.status == 200
    # The range of now moves on between the two, its length does not.
    assert head.headers == whole.headers


@pytest.mark.parametrize("path", PATHS)
def test_an_accept_header_that_fits_nothing_is_refused(api, path):
    """406 names what is written here."""
    response = ask(api, path, headers={"accept": "text/html"}, **required_of(path))
    assert "application/json" in problem_of(response, 406).detail


def test_a_query_string_too_long_is_refused(api):
    """414 names the limit."""
    response = ask_raw(api, "/api/v1/services", b"start=" + b"x" * 70_000)
    assert "65536" in problem_of(response, 414).detail


def test_the_same_release_twice_is_refused(api):
    """There is nothing to compare."""
    response = ask(api, "/api/v1/compare", service="shop", baseline="1.0", candidate="1.0")
    assert "candidate" in problem_of(response, 400).detail


def test_a_series_of_too_many_points_is_refused(api):
    """The parameter that would mend it is named."""
    response = ask(api, "/api/v1/latency", service="shop", start="-7d", step=10)
    assert "step" in problem_of(response, 400).detail


class BrokenStore:
    """Stands for a fault of our own: the real store does not raise this."""

    def query(self, name, _parameters):
        raise KeyError(f"secret detail of {name}")


def test_what_nobody_expected_is_logged_and_hidden(executor, caplog):
    """500 in the one shape, the traceback in the log and not in the body; the next request is served."""
    api = Api(BrokenStore(), Prices(), ApiLimits(), executor)
    with caplog.at_level(logging.ERROR):
        response = ask(api, "/api/v1/services")
    assert problem_of(response, 500).detail == "something broke; the collector's log says what"
    assert b"secret" not in response.body
    assert "secret detail of services_cpu" in caplog.text
    assert ask(api, "/openapi.json").status == 200


def test_limits_and_requests_are_counted(store, executor):
    """What was asked for and which limit was hit can be seen in the metrics, without anything a client wrote."""
    registry = CollectorRegistry()
    api = Api(store, Prices(), ApiLimits(query_bytes_max=10), executor, registry=registry)
    ask(api, "/api/v1/services")
    ask(api, "/api/v1/services", start="-15m", end="now")
    ask(api, "/<script>")
    name = "pyrometer_collector_api_requests_total"
    assert registry.get_sample_value(name, {"route": "/api/v1/services", "status": "200"}) == 1
    assert registry.get_sample_value(name, {"route": "/api/v1/services", "status": "414"}) == 1
    assert registry.get_sample_value(name, {"route": "unknown", "status": "404"}) == 1
    assert registry.get_sample_value("pyrometer_collector_api_limited_total", {"limit": "query_bytes_max"}) == 1
    seconds = "pyrometer_collector_query_seconds_count"
    assert registry.get_sample_value(seconds, {"query": "services_cpu"}) == 1


def test_a_query_that_runs_into_its_limits_is_unavailable(folder, store, executor):
    """Too many rows for the store's limit: 503, and what to do."""
    write_fleet(store)
    narrow = EmbeddedStore(folder, limits=QueryLimits(rows_max=1))
    try:
        response = ask(Api(narrow, Prices(), ApiLimits(), executor), "/api/v1/functions", service="shop")
    finally:
        narrow.close()
    assert "shorter range" in problem_of(response, 503).detail


def test_after_the_pool_is_shut_down_requests_are_unavailable(store):
    """A request that comes in while the collector stops gets 503 and no traceback."""
    with ThreadPoolExecutor(1) as closed:
        pass
    problem_of(ask(Api(store, Prices(), ApiLimits(), closed), "/api/v1/services"), 503)
