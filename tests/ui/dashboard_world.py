"""A real collector with real data in it, and a real dashboard in front, as child processes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from pyrometer import semconv
from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.units import NS_PER_MS, NS_PER_S
from pyrometer.values import Frame, Profile, Sample, Stack

DEADLINE_S = 60.0
WINDOW_NS = 10 * NS_PER_S
PERIOD_NS = NS_PER_S // 19
HOST = "web-1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what: str, ready: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Poll until *ready* is true."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.1)
    raise AssertionError(f"no {what} within {deadline_s} s")


def answers_200(url: str) -> bool:
    try:
        return urllib3.request("GET", url, retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False


@contextmanager
def running(name: str, arguments: list[str], ready_url: str, home: Path) -> Iterator[subprocess.Popen]:
    """Run ``python -m pyrometer ARGUMENTS`` until the block ends; its output goes to a file beside *home*."""
    log = home / f"{name}.log"
    environment = {**os.environ, "HOME": str(home)}
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [sys.executable, "-m", "pyrometer", *arguments], env=environment, stdout=output, stderr=subprocess.STDOUT
        ) as child,
    ):
        try:
            wait_for(f"{name} ({log.read_text()})", lambda: child.poll() is not None or answers_200(ready_url))
            assert child.poll() is None, log.read_text()
            yield child
        finally:
            child.terminate()
            try:
                child.wait(10)
            finally:
                child.kill()


@contextmanager
def running_collector(port: int, home: Path) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    arguments = ["collector", "run", "--http-address", f"127.0.0.1:{port}", "--data-dir", str(home / "data")]
    with running("collector", arguments, f"{url}/readyz", home):
        yield url


@contextmanager
def running_dashboard(collector_url: str, home: Path) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["dashboard", "run", "--collector", collector_url, "--address", f"127.0.0.1:{port}"]
    with running("dashboard", arguments, f"{url}/_stcore/health", home):
        yield url


def post(url: str, body: bytes) -> None:
    response = urllib3.request(
        "POST", url, body=body, headers={"Content-Type": "application/x-protobuf"}, retries=False, timeout=30
    )
    assert response.status == 200, response.data


def a_stack(*functions: str, file: str = "/srv/app.py") -> Stack:
    return tuple(Frame(function, file, 10 + index) for index, function in enumerate(functions))


def a_profile(service: str, version: str, start_unix_ns: int, counts: dict[Stack, int], pid: int) -> Profile:
    return Profile(
        samples=tuple(
            Sample(stack=stack, count=count, value=count * PERIOD_NS, thread_id=pid) for stack, count in counts.items()
        ),
        start_unix_ns=start_unix_ns,
        duration_ns=WINDOW_NS,
        period_ns=PERIOD_NS,
        attributes={
            semconv.SERVICE_NAME: service,
            semconv.SERVICE_VERSION: version,
            semconv.HOST_NAME: HOST,
            semconv.PROCESS_PID: pid,
        },
    )


def send_profiles(url: str, profiles: list[Profile]) -> None:
    post(f"{url}/v1development/profiles", profiles_to_otlp(profiles))


def send_spans(url: str, service: str, version: str, spans: list[tuple[str, int, int, bool]]) -> None:
    """Send server spans (name, start, duration, failed) through the SDK's own exporter."""
    resource = Resource.create(
        {semconv.SERVICE_NAME: service, semconv.SERVICE_VERSION: version, semconv.HOST_NAME: HOST}
    )
    provider = TracerProvider(resource=resource)
    processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces"), max_queue_size=100_000)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("test")
    for name, start_unix_ns, duration_ns, failed in spans:
        span = tracer.start_span(name, kind=SpanKind.SERVER, start_time=start_unix_ns)
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_time=start_unix_ns + duration_ns)
    assert processor.force_flush(30_000)
    provider.shutdown()


def send_host_metrics(url: str, now_unix_ns: int, gauges: dict[str, tuple[str, list[float]]], host: str = HOST) -> None:
    """Send gauges, name to (unit, values), one value every ten seconds up to now."""
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    attributes = {
        semconv.SERVICE_NAME: "pyrometer-agent",
        semconv.HOST_NAME: host,
        semconv.HOST_ARCH: "amd64",
        semconv.OS_TYPE: "linux",
    }
    for key, value in attributes.items():
        attribute = group.resource.attributes.add()
        attribute.key = key
        attribute.value.string_value = value
    scope = group.scope_metrics.add()
    for name, (unit, values) in gauges.items():
        metric = scope.metrics.add(name=name, unit=unit)
        for age, value in enumerate(reversed(values)):
            point = metric.gauge.data_points.add()
            point.time_unix_nano = now_unix_ns - age * WINDOW_NS
            point.as_double = value
    post(f"{url}/v1/metrics", request.SerializeToString())


def send_shop(url: str, minutes: int = 5) -> None:
    """
    Fill a collector with a service in two releases that run side by side.

    Release 2.0.0 spends twice the CPU in ``price_basket``, and its ``GET /cart`` has a longer tail.
    """
    now = time.time_ns() // WINDOW_NS * WINDOW_NS
    windows = [now - index * WINDOW_NS for index in range(1, minutes * 6 + 1)]
    for number, (version, factor) in enumerate({"1.0.0": 1, "2.0.0": 2}.items()):
        counts = {
            a_stack("main", "serve", "get_cart", "price_basket"): 20 * factor,
            a_stack("main", "serve", "get_cart", "render_page"): 25,
            a_stack("main", "serve", "post_order", "check_stock", "read_rows"): 30,
            a_stack("main", "serve", "post_order", "json_dumps"): 12,
            a_stack("main", "serve", "select"): 6,
        }
        send_profiles(
            url,
            [
                a_profile(
                    "shop", version, start, {stack: count + index % 3 for stack, count in counts.items()}, 100 + number
                )
                for index, start in enumerate(windows)
            ],
        )
        spans = []
        for start in windows:
            for index in range(20):
                tail = 180 * factor if index == 19 else 0
                spans.append(("GET /cart", start + index * 400 * NS_PER_MS, (10 + index + tail) * NS_PER_MS, False))
                spans.append(("POST /orders", start + index * 400 * NS_PER_MS, (30 + index) * NS_PER_MS, index == 7))
        send_spans(url, "shop", version, spans)
    send_profiles(
        url, [a_profile("mailer", "7", start, {a_stack("main", "send_mail", "smtp"): 9}, 300) for start in windows]
    )
    waves = [0.35 + 0.1 * (index % 6) / 6 for index in range(len(windows))]
    send_host_metrics(
        url,
        now,
        {
            semconv.SYSTEM_CPU_UTILIZATION: ("1", waves),
            semconv.SYSTEM_MEMORY_UTILIZATION: ("1", [0.61 for _ in waves]),
            semconv.SYSTEM_MEMORY_LIMIT: ("By", [16.0 * 2**30 for _ in waves]),
            semconv.SYSTEM_LOAD_AVERAGE_1M: ("{thread}", [2.5 + wave for wave in waves]),
            semconv.SYSTEM_CPU_LOGICAL_COUNT: ("{cpu}", [8.0 for _ in waves]),
        },
    )


def send_hostile(url: str, names: list[str]) -> None:
    """Fill a collector with services, functions, files, operations and hosts of hostile names."""
    now = time.time_ns() // WINDOW_NS * WINDOW_NS
    stack = tuple(Frame(name, name) for name in names)
    for index, name in enumerate(names):
        for version in names[:2]:
            send_profiles(url, [a_profile(name, version, now - 3 * WINDOW_NS, {stack: 50, stack[:3]: 9}, 1000 + index)])
            send_spans(url, name, version, [(name, now - 25 * NS_PER_S, 5 * NS_PER_MS, False)])
    send_host_metrics(url, now, {semconv.SYSTEM_CPU_UTILIZATION: ("1", [0.5])}, host=names[0])


def services_of(url: str) -> list[dict[str, Any]]:
    return urllib3.request("GET", f"{url}/api/v1/services", retries=False, timeout=10).json()["services"]
