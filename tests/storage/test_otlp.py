"""Raw OTLP bytes, flattened by the database, give the rows that a plain decoder gives."""

import math
import time

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.store.protocol import StoreError
from tests.storage.plain_decoder import latency_rows, log_rows, metric_rows, span_rows
from tests.storage.requests import RequestMaker

SPANS = (
    "SELECT * EXCEPT ts, toUnixTimestamp64Nano(ts) AS ts FROM spans ORDER BY span_id",
    (
        "SELECT * EXCEPT (ts, events, links), toUnixTimestamp64Nano(ts) AS ts, "
        "arrayMap(e -> toUnixTimestamp64Nano(e.1), events) AS event_times, events.name AS event_names, "
        "events.attributes AS event_attributes, links.trace_id AS link_traces, links.span_id AS link_spans, "
        "links.trace_state AS link_states, links.attributes AS link_attributes FROM span_details ORDER BY span_id"
    ),
)
LATENCY = (
    "SELECT service, version, operation, kind, toUnixTimestamp(bucket) AS bucket, hist_index, sum(count) AS count, "
    "sum(errors) AS errors, sum(duration_ns) AS duration_ns FROM latency GROUP BY ALL"
)


def stored_spans(store):
    narrow, fat = (store.select(statement) for statement in SPANS)
    return [a | b for a, b in zip(narrow, fat, strict=True)]


def expected_spans(request):
    rows = []
    for row in sorted(span_rows(request), key=lambda row: row["span_id"]):
        events, links, dropped = row.pop("events"), row.pop("links"), row.pop("dropped")
        row |= dict(zip(("event_times", "event_names", "event_attributes"), columns(events, 3), strict=True))
        row |= dict(
            zip(("link_traces", "link_spans", "link_states", "link_attributes"), columns(links, 4), strict=True)
        )
        row |= dict(zip(("dropped_attributes", "dropped_events", "dropped_links"), dropped, strict=True))
        rows.append(row)
    return rows


def columns(rows, width):
    return [[row[i] for row in rows] for i in range(width)]


@pytest.mark.parametrize("seed", range(3))
def test_spans_are_those_of_a_plain_decoder(store, seed):
    """Every column of every span, with zero, false and empty values told from absent ones."""
    request = RequestMaker(seed).traces(120)
    store.insert_otlp("traces", request.SerializeToString(), token="t")
    assert stored_spans(store) == expected_spans(request)


def test_the_latency_table_counts_every_span(store):
    """Histogram index, count, errors and exact sum of durations per operation and 10 s."""
    request = RequestMaker(7).traces(300)
    store.insert_otlp("traces", request.SerializeToString(), token="t")
    names = ("service", "version", "operation", "kind", "bucket", "hist_index")
    stored = {
        tuple(row[name] for name in names): (row["count"], row["errors"], row["duration_ns"])
        for row in store.select(LATENCY)
    }
    assert stored == latency_rows(span_rows(request))


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_a_plain_decoder(store, seed):
    """Every point of every kind of metric, with its series."""
    request = RequestMaker(seed).metrics(25)
    store.insert_otlp("metrics", request.SerializeToString(), token="m")
    series = {row["series_id"]: row for row in store.select("SELECT * EXCEPT last_seen FROM metric_series FINAL")}
    stored = []
    for table in ("metric_points", "metric_histograms"):
        rows = store.select(
            "SELECT * EXCEPT (start_ts, ts), toUnixTimestamp64Milli(start_ts) AS start_ts, "  # noqa: S608
            f"toUnixTimestamp64Milli(ts) AS ts FROM {table}"
        )
        stored += [row | series[row["series_id"]] for row in rows]
    for row in stored:
        del row["series_id"]
    assert sorted(map(rounded, stored)) == sorted(map(rounded, metric_rows(request)))


@pytest.mark.parametrize("seed", range(3))
def test_logs_are_those_of_a_plain_decoder(store, seed):
    """Every column of every log record, with bodies of every kind."""
    request = RequestMaker(seed).logs(60)
    store.insert_otlp("logs", request.SerializeToString(), token="l")
    stored = store.select(
        "SELECT * EXCEPT (ts, observed_ts), toUnixTimestamp64Nano(ts) AS ts, "
        "toUnixTimestamp64Nano(observed_ts) AS observed_ts FROM logs ORDER BY span_id"
    )
    assert stored == sorted(log_rows(request), key=lambda row: row["span_id"])


def rounded(row):
    """Comparable, and with bounds equal up to the last digits of a power of two."""
    bounds = [float(f"{bound:.12g}") for bound in row.get("bounds", [])]
    return repr(sorted((row | {"bounds": bounds} if "bounds" in row else row).items(), key=lambda item: item[0]))


def test_series_are_one_however_often_they_are_sent(store):
    """The same metric with the same attributes, in any order, has one series id."""
    for number, keys in enumerate((("a", "b"), ("b", "a"))):
        request = ExportMetricsServiceRequest()
        metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
        point = metric.gauge.data_points.add(as_int=number, time_unix_nano=time.time_ns())
        for key in keys:
            point.attributes.add(key=key).value.int_value = 0
        store.insert_otlp("metrics", request.SerializeToString(), token=f"m{number}")
    assert store.select("SELECT uniqExact(series_id) AS ids, count() AS points FROM metric_points") == [
        {"ids": 1, "points": 2}
    ]


def test_the_same_token_stores_once_in_every_table(store):
    """A repeated insert adds nothing, neither to rows nor to sums, through the whole cascade of views."""
    traces, metrics, logs = RequestMaker(1).traces(60), RequestMaker(1).metrics(10), RequestMaker(1).logs(20)
    for _ in range(3):
        store.insert_otlp("traces", traces.SerializeToString(), token="t")
        store.insert_otlp("metrics", metrics.SerializeToString(), token="m")
        store.insert_otlp("logs", logs.SerializeToString(), token="l")
    counts = store.select(
        "SELECT (SELECT count() FROM spans) AS spans, (SELECT count() FROM span_details) AS details, "
        "(SELECT sum(count) FROM latency) AS latency, (SELECT count() FROM logs) AS logs, "
        "(SELECT count() FROM metric_points) + (SELECT count() FROM metric_histograms) AS points"
    )
    assert counts == [{"spans": 60, "details": 60, "latency": 60, "logs": 20, "points": len(metric_rows(metrics))}]


def test_joined_requests_are_one_request(store):
    """The bytes of many requests one after the other give the rows of all of them."""
    requests = [RequestMaker(seed).traces(30) for seed in range(3)]
    store.insert_otlp("traces", b"".join(request.SerializeToString() for request in requests), token="t")
    joined = ExportTraceServiceRequest()
    for request in requests:
        joined.MergeFrom(request)
    assert stored_spans(store) == expected_spans(joined)


def test_a_large_request_is_stored_whole(store):
    """More rows than one block of the engine."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    now_ns = time.time_ns()
    for number in range(150_000):
        spans.add(span_id=number.to_bytes(8, "big"), start_time_unix_nano=now_ns, end_time_unix_nano=now_ns + number)
    body = request.SerializeToString()
    for _ in range(2):
        store.insert_otlp("traces", body, token="t")
    answer = store.select("SELECT count() AS n, uniqExact(span_id) AS ids, sum(duration_ns) AS total FROM spans")
    assert answer == [{"n": 150_000, "ids": 150_000, "total": sum(range(150_000))}]


@pytest.mark.parametrize("cut", [1, 5, 100])
def test_a_cut_request_stores_nothing(store, cut):
    """Truncated bytes are an error, and no row of them is stored."""
    body = RequestMaker(1).traces(60).SerializeToString()
    with pytest.raises(StoreError):
        store.insert_otlp("traces", body[:-cut], token="t")
    assert store.select("SELECT count() AS n FROM spans") == [{"n": 0}]


def test_times_that_the_tables_do_not_keep_are_counted(store):
    """Spans and points of 1970 or next year are not stored but counted in rejected_rows."""
    now_ns = time.time_ns()
    traces = ExportTraceServiceRequest()
    spans = traces.resource_spans.add().scope_spans.add().spans
    for start in (0, 5, now_ns, now_ns + 400 * 86400 * 10**9, 2**64 - 1):
        spans.add(start_time_unix_nano=start)
    metrics = ExportMetricsServiceRequest()
    points = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="m").gauge.data_points
    for moment in (0, now_ns, 2**63):
        points.add(time_unix_nano=moment, as_int=1)
    store.insert_otlp("traces", traces.SerializeToString(), token="t")
    store.insert_otlp("metrics", metrics.SerializeToString(), token="m")
    assert store.select("SELECT count() AS n FROM spans") == [{"n": 1}]
    assert store.select("SELECT count() AS n FROM metric_points") == [{"n": 1}]
    rejected = store.select("SELECT signal, reason, sum(rows) AS n FROM rejected_rows GROUP BY ALL ORDER BY signal")
    assert rejected == [
        {"signal": "metrics", "reason": "time_out_of_range", "n": 2},
        {"signal": "traces", "reason": "time_out_of_range", "n": 4},
    ]


def test_long_names_are_cut_at_ten_thousand_characters(store):
    """10,000 characters are stored whole; what is beyond is cut at a character."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "é" * 10_001
    for length in (10_000, 10_001):
        resource.scope_spans.add().spans.add(name="日" * length, start_time_unix_nano=time.time_ns())
    store.insert_otlp("traces", request.SerializeToString(), token="t")
    assert (
        store.select("SELECT service, operation FROM spans")
        == [{"service": "é" * 10_000, "operation": "日" * 10_000}] * 2
    )


def test_the_histogram_middle_is_within_its_bound(store):
    """The middle of a latency bucket is at most 2.2 % from any duration in it."""
    assert max(2 ** (0.5 / 16) - 1, 1 - 2 ** (-0.5 / 16)) < 0.022
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    now_ns = time.time_ns()
    durations = [int(1.37**power) for power in range(1, 80)]
    for number, duration in enumerate(durations):
        spans.add(name=f"{number:03}", start_time_unix_nano=now_ns, end_time_unix_nano=now_ns + duration)
    store.insert_otlp("traces", request.SerializeToString(), token="t")
    for row in store.select("SELECT hist_index, duration_ns FROM latency"):
        middle = 2 ** ((row["hist_index"] + 0.5) / 16)
        assert math.isclose(middle, row["duration_ns"], rel_tol=0.0225)
