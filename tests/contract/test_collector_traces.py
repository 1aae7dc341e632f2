"""The collector's traces of itself."""

from concurrent.futures import ThreadPoolExecutor

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracer

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.cost import Prices
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from collector.tracing import TracesSettings, own_tracer
from tests.contract.api_client import ask
from tests.contract.collector_process import running_collector


def test_a_request_is_a_span_and_its_queries_lie_in_it(tmp_path):
    """Each request is one span with its route and status, the parent of its queries; a path of nobody is not a name."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    store = EmbeddedStore(tmp_path)
    migrate(store)
    with ThreadPoolExecutor(2) as executor:
        api = Api(store, Prices(), ApiLimits(), executor, tracer=provider.get_tracer("test"))
        ask(api, "/api/v1/services")
        ask(api, "/secret/path")
    store.close()
    by_name = {span.name: span for span in spans.get_finished_spans()}
    request = by_name["GET /api/v1/services"]
    assert (200, "/api/v1/services") == (
        request.attributes["http.response.status_code"],
        request.attributes["http.route"],
    )
    queries = [span for span in by_name.values() if span.name.startswith("query ")]
    assert queries
    assert {request.context.span_id} == {span.parent.span_id for span in queries}
    assert all(request.start_time <= span.end_time <= request.end_time for span in queries)
    assert 404 == by_name["GET unknown"].attributes["http.response.status_code"]


def test_without_an_address_there_are_no_traces():
    """Nothing is recorded and nothing is sent unless it is asked for."""
    with own_tracer(TracesSettings()) as tracer:
        assert isinstance(tracer, NoOpTracer)


def test_a_collector_sends_its_traces_where_it_is_told(tmp_path):
    """What it traced arrives when it stops, as a service of its own."""
    with running_collector(tmp_path / "taker") as taker:
        endpoint = f"{taker.url}/v1/traces"
        with running_collector(tmp_path / "data", PYROMETER_COLLECTOR_TRACES__ENDPOINT=endpoint) as collector:
            assert 200 == collector.request("GET", "/api/v1/services").status
            assert 0 == collector.stop()
        taker.wait_until(
            lambda: b"pyrometer-collector" in taker.request("GET", "/api/v1/services").data, "arrival of the traces"
        )
