"""Real clients, unchanged, send to a real collector over HTTP and gRPC: what they sent is what is stored."""

import pytest
from opentelemetry.sdk.metrics import Counter, Histogram
from opentelemetry.sdk.metrics.export import AggregationTemporality

from tests.contract.collector_process import free_port, running_collector, select
from tests.contract.otlp_sdk import SPANS, grpc_exporters, http_exporters, send_all

DELTA = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
SERVICES = ("http", "http-delta", "grpc", "grpc-delta")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """What a collector has stored of SDKs that sent one of everything by each road."""
    folder, grpc_address = tmp_path_factory.mktemp("collector"), f"127.0.0.1:{free_port()}"
    with running_collector(folder, "--grpc-address", grpc_address) as collector:
        send_all(http_exporters(collector.url), "http")
        send_all(http_exporters(collector.url, preferred_temporality=DELTA), "http-delta")
        send_all(grpc_exporters(grpc_address), "grpc")
        send_all(grpc_exporters(grpc_address, compression=None, preferred_temporality=DELTA), "grpc-delta")
        received = {
            transport: collector.metric("pyrometer_collector_received_total", signal="logs", transport=transport)
            for transport in ("http", "grpc")
        }
        collector.wait_until_stored()
        assert collector.stop() == 0
    spans, metrics, logs = select(
        folder,
        "SELECT service, count() AS spans, uniqExact(span_id) AS ids FROM spans GROUP BY service ORDER BY service",
        (
            "SELECT service, metric, type, temporality, coalesce(any(p.value), 0) AS value, sum(h.count) AS count, "
            "sum(arraySum(h.bucket_counts)) AS in_buckets FROM metric_series AS s FINAL "
            "LEFT JOIN metric_points AS p USING series_id LEFT JOIN metric_histograms AS h USING series_id "
            "GROUP BY ALL ORDER BY service, metric"
        ),
        "SELECT service, severity, event_name, body, attributes FROM logs ORDER BY service, severity",
    )
    return {"received": received, "spans": spans, "metrics": metrics, "logs": logs}


def test_spans_of_the_sdk_are_stored_once(stored):
    """Compressed and not, over both protocols."""
    assert stored["spans"] == [{"service": name, "spans": SPANS, "ids": SPANS} for name in sorted(SERVICES)]


@pytest.mark.parametrize("service", SERVICES)
def test_metrics_of_the_sdk_are_stored(stored, service):
    """A gauge, a counter and an exponential histogram, of the temporality that the SDK was told."""
    temporality = "delta" if service.endswith("delta") else "cumulative"
    mine = [row for row in stored["metrics"] if row["service"] == service]
    common = {"service": service, "in_buckets": 0, "count": 0}
    assert mine == [
        common | {"metric": "requests", "type": "sum", "temporality": temporality, "value": 3.0},
        common
        | {"metric": "seconds", "type": "histogram", "temporality": temporality, "value": 0.0}
        | {"count": 1, "in_buckets": 1},
        common | {"metric": "temperature", "type": "gauge", "temporality": "", "value": -1.5},
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_logs_of_the_sdk_are_stored(stored, service):
    """A text and a tree as bodies, the attribute 0, and the name of an event."""
    mine = [{key: value for key, value in row.items() if key != "service"} for row in stored["logs"]]
    texts = [row["service"] for row in stored["logs"]]
    rows = [row for row, name in zip(mine, texts, strict=True) if name == service]
    assert rows[0] == {"severity": 9, "event_name": "", "body": "paid", "attributes": {"amount": "0"}}
    assert (rows[1]["severity"], rows[1]["event_name"]) == (17, "checkout")
    assert rows[1]["body"].startswith('{"cart":')


def test_each_road_is_counted(stored):
    """Requests by transport."""
    assert stored["received"] == {"http": 2, "grpc": 2}
