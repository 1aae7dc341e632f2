"""A small fleet written to a real store the way the collector writes it: profile rows, and OTLP spans and metrics."""

import time
from dataclasses import dataclass

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from collector.profile_rows import KnownContent, profiles_to_rows
from collector.store.protocol import Store
from pyrometer import semconv
from pyrometer.values import Frame, Profile, Sample

NS_PER_S = 10**9
MS = 1_000_000
BUCKETS = 40
# Hostile on purpose: quotes, markup, control bytes, an escape at the end.
HOSTILE = "<script>alert('x')</script>\"; DROP TABLE samples; --\t\n\x01é\\"

MAIN = Frame("main", "/app/main.py", 3)
RENDER = Frame("render", "/app/shop.py", 10)
PRICE = Frame("Cart.price", "/app/cart.py", 20)
MARKER = Frame("[not sampled]")


@dataclass(frozen=True)
class Fleet:
    """When the data starts, and the moment that the API calls now: the end of the data."""

    start_s: int
    now_s: int


def write_fleet(store: Store) -> Fleet:
    """
    Write two releases of ``shop`` side by side for 400 s: the second uses 50% more CPU in Cart.price.

    Each release: one process, 10 requests in each 10 s. A request costs 40 ms of CPU in render and 20 ms in Cart.price
    (30 ms in 2.0). GET /cart takes 8 ms, POST /pay 64 ms; in 2.0 one of its ten requests fails.
    """
    now_s = int(time.time()) // 10 * 10
    start_s = now_s - BUCKETS * 10
    profiles, spans = [], ExportTraceServiceRequest()
    for release, price_ms, host in (("1.0", 20, "alpha"), ("2.0", 30, "beta")):
        for bucket in range(BUCKETS):
            at_s = start_s + bucket * 10
            profiles.append(a_profile(release, host, at_s, render_ms=400, price_ms=10 * price_ms))
        add_spans(spans, "shop", release, [(start_s + i, *_request(i, release)) for i in range(BUCKETS * 10)])
    profiles.append(a_profile("9", "alpha", now_s - 100, render_ms=10, price_ms=0, service=HOSTILE))
    write_profiles(store, profiles)
    store.insert_otlp("traces", spans.SerializeToString(), token="spans")
    store.insert_otlp("metrics", host_metrics("alpha", start_s).SerializeToString(), token="metrics")
    return Fleet(start_s=start_s, now_s=now_s)


def _request(number: int, release: str) -> tuple[str, int, bool]:
    # Bursts of a varying number of slow requests would be noise; these are the same in both releases.
    if number % 5 == 0:
        return "POST /pay", (64 + number % 7) * MS, release == "2.0" and number % 50 == 0
    return "GET /cart", (8 + number % 3) * MS, False


def a_profile(release, host, start_s, *, render_ms, price_ms, service="shop") -> Profile:
    """A 10 s window sampled at 100 Hz; the marker carries 5 ms of accounted time without samples."""
    return Profile(
        samples=(
            Sample(stack=(MAIN, RENDER), count=render_ms // 10, value=render_ms * MS, thread_id=1),
            Sample(stack=(MAIN, RENDER, PRICE), count=price_ms // 10, value=price_ms * MS, thread_id=1),
            Sample(stack=(MARKER,), count=0, value=5 * MS),
        ),
        start_unix_ns=start_s * NS_PER_S,
        duration_ns=10 * NS_PER_S,
        period_ns=10 * MS,
        attributes={
            "service.name": service,
            "service.version": release,
            "host.name": host,
            "process.pid": 100,
        },
        # Looked at 950 times in 5 s; one sample of each window is unstable.
        quality={
            semconv.WINDOW_LOOKS: 950,
            semconv.WINDOW_SAMPLED_NS: 5 * NS_PER_S,
            semconv.WINDOW_LOST: 2,
            semconv.WINDOW_UNSTABLE: 1,
        },
    )


def write_profiles(store: Store, profiles: list[Profile]) -> None:
    rows = profiles_to_rows(profiles, KnownContent())
    for table, columns in rows.tables.items():
        store.insert(table, columns, token=f"profiles-{table}-{id(profiles)}")


def add_spans(request, service, release, spans) -> None:
    """Each span: start in Unix seconds, name, duration in ns, whether it failed."""
    resource_spans = request.resource_spans.add(
        resource=Resource(attributes=[text("service.name", service), text("service.version", release)])
    )
    scope = resource_spans.scope_spans.add()
    for number, (start_s, name, duration_ns, failed) in enumerate(spans):
        span = scope.spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=(number + 1).to_bytes(8, "big"),
            name=name,
            kind=2,
            start_time_unix_nano=start_s * NS_PER_S,
            end_time_unix_nano=start_s * NS_PER_S + duration_ns,
        )
        span.status.code = 2 if failed else 0


def host_metrics(host: str, start_s: int) -> ExportMetricsServiceRequest:
    """Four logical CPUs, half busy; 8 GiB, a quarter used; a disk that reads 1000 bytes a second."""
    request = ExportMetricsServiceRequest()
    resource = Resource(
        attributes=[
            text("service.name", "pyrometer-agent"),
            text("host.name", host),
            text("os.type", "linux"),
            text("host.arch", "amd64"),
        ]
    )
    metrics = request.resource_metrics.add(resource=resource).scope_metrics.add().metrics

    def gauge(name, unit, value, *labels):
        point = metrics.add(name=name, unit=unit).gauge.data_points
        for step in range(BUCKETS):
            point.add(time_unix_nano=(start_s + step * 10) * NS_PER_S, as_double=value, attributes=labels)

    def counter(name, unit, per_s, *labels):
        metric = metrics.add(name=name, unit=unit)
        metric.sum.is_monotonic = True
        metric.sum.aggregation_temporality = 2
        for step in range(BUCKETS):
            metric.sum.data_points.add(
                time_unix_nano=(start_s + step * 10) * NS_PER_S, as_double=5000 + step * 10 * per_s, attributes=labels
            )

    gauge("system.cpu.logical.count", "{cpu}", 4.0)
    gauge("system.memory.limit", "By", 8.0 * 2**30)
    gauge("system.memory.utilization", "1", 0.25, text("system.memory.state", "used"))
    gauge("system.memory.utilization", "1", 0.75, text("system.memory.state", "free"))
    gauge("system.cpu.load_average.1m", "{thread}", 2.5)
    counter("system.cpu.time", "s", 1.5, text("cpu.mode", "user"))
    counter("system.cpu.time", "s", 0.5, text("cpu.mode", "system"))
    counter("system.cpu.time", "s", 1.9, text("cpu.mode", "idle"))
    counter("system.cpu.time", "s", 0.1, text("cpu.mode", "iowait"))
    counter("linux.cgroup.cpu.throttled_time", "s", 0.2, text("process.linux.cgroup", "/system.slice/shop.service"))
    counter("system.disk.io", "By", 1000.0, text("system.device", HOSTILE), text("disk.io.direction", "read"))
    return request


def text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
