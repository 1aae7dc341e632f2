"""Requests as services send them: realistic, different from one another, compressed with gzip."""

import gzip
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.values import Frame, Profile, Sample, Stack

# As SDKs compress.
_GZIP_LEVEL: Final = 6
_ROUTES: Final = [f"/api/{noun}/{{id}}" for noun in ("items", "carts", "users", "orders", "prices", "stock", "reviews")]
_SERVICES: Final = ("checkout", "catalogue", "accounts", "search", "payments")
_METHODS: Final = ("GET", "GET", "GET", "POST", "PUT")
_AGENTS: Final = [f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.{number}" for number in range(20)]
_METRICS: Final = [f"process.metric.{number}" for number in range(40)]
STACK_DEPTH: Final = 30
_LEAVES: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    A kind of request.

    Attributes:
        signal: Of OTLP.
        path: Where it is sent.
        unit: What one row stands for.
        make: Makes the body, not compressed, of so many rows, with the randomness given.
    """

    signal: str
    path: str
    unit: str
    make: Callable[[int, random.Random], bytes]


def compressed(kind: Kind, rows: int, count: int) -> list[bytes]:
    """Return different requests of so many rows each."""
    return [gzip.compress(kind.make(rows, random.Random(seed)), _GZIP_LEVEL) for seed in range(count)]


def _traces(rows: int, choose: random.Random) -> bytes:
    """Return spans with ten attributes each, of one process."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    _name(resource_spans.resource, choose)
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = "opentelemetry.instrumentation.asgi", "0.66b2"
    now_ns = time.time_ns()
    trace_id = root_id = b""
    for number in range(rows):
        if number % 8 == 0:
            trace_id, root_id = choose.randbytes(16), b""
        route = choose.choice(_ROUTES)
        span = scope_spans.spans.add(trace_id=trace_id, span_id=choose.randbytes(8), parent_span_id=root_id, kind=2)
        root_id = root_id or span.span_id
        span.name, span.flags = f"GET {route}", 1
        span.start_time_unix_nano = now_ns - choose.randrange(10**10)
        span.end_time_unix_nano = span.start_time_unix_nano + int(choose.lognormvariate(16, 1.5))
        span.status.code = choose.choice((0, 0, 0, 0, 2))
        texts = {
            "http.request.method": choose.choice(_METHODS),
            "http.route": route,
            "url.path": route.replace("{id}", str(choose.randrange(100_000))),
            "server.address": "shop.internal",
            "network.peer.address": f"10.0.{choose.randrange(32)}.{choose.randrange(256)}",
            "user_agent.original": choose.choice(_AGENTS),
        }
        for key, text in texts.items():
            span.attributes.add(key=key).value.string_value = text
        numbers = {
            "http.response.status_code": choose.choice((200, 200, 200, 404, 500)),
            "server.port": 8080,
            "thread.id": 140_000_000_000 + choose.randrange(8),
            "http.response.body.size": choose.randrange(50_000),
        }
        for key, value in numbers.items():
            span.attributes.add(key=key).value.int_value = value
    return request.SerializeToString()


def _metrics(rows: int, choose: random.Random) -> bytes:
    """Return numbers of forty metrics, each point with two attributes."""
    request = ExportMetricsServiceRequest()
    resource_metrics = request.resource_metrics.add()
    _name(resource_metrics.resource, choose)
    scope_metrics = resource_metrics.scope_metrics.add()
    now_ns = time.time_ns()
    for index, name in enumerate(_METRICS):
        metric = scope_metrics.metrics.add(name=name, unit="1")
        if index % 2:
            metric.sum.is_monotonic, metric.sum.aggregation_temporality = True, 2
        points = metric.sum.data_points if index % 2 else metric.gauge.data_points
        for number in range(len(range(index, rows, len(_METRICS)))):
            point = points.add(start_time_unix_nano=now_ns - 10**12, time_unix_nano=now_ns, as_double=choose.random())
            point.attributes.add(key="http.route").value.string_value = _ROUTES[number % len(_ROUTES)]
            point.attributes.add(key="worker").value.int_value = number // len(_ROUTES)
    return request.SerializeToString()


def _profiles(rows: int, choose: random.Random) -> bytes:
    """Return one window of a process: so many different stacks of depth 30."""
    profile = Profile(
        sample_type="cpu",
        start_unix_ns=time.time_ns() - 10**10,
        duration_ns=10**10,
        samples=tuple(
            Sample(
                stack=a_stack(index), count=1 + choose.randrange(20), value=choose.randrange(10**9), thread_id=index % 8
            )
            for index in range(rows)
        ),
        attributes={"service.name": choose.choice(_SERVICES), "service.version": "1.4.2", "host.name": _host(choose)},
    )
    return profiles_to_otlp([profile])


def a_stack(number: int) -> Stack:
    """Return a stack of a web service; the same number gives the same. Neighbours share all but their leaves."""
    shared = [_frame("framework", depth, 0) for depth in range(STACK_DEPTH // 2)]
    own = [_frame("shop", depth, number // _LEAVES) for depth in range(STACK_DEPTH // 2, STACK_DEPTH - 1)]
    return (*shared, *own, _frame("leaf", number % _LEAVES, 0))


def _frame(module: str, depth: int, branch: int) -> Frame:
    return Frame(function=f"{module}.step_{depth}_{branch}", file=f"/srv/app/{module}/part_{depth}.py", line=10 + depth)


def _name(resource: Resource, choose: random.Random) -> None:
    texts = {"service.name": choose.choice(_SERVICES), "service.version": "1.4.2", "host.name": _host(choose)}
    for key, text in texts.items():
        resource.attributes.add(key=key).value.string_value = text
    resource.attributes.add(key="process.pid").value.int_value = 1000 + choose.randrange(100)


def _host(choose: random.Random) -> str:
    return f"node-{choose.randrange(20)}"


SPANS: Final = Kind(signal="traces", path="/v1/traces", unit="span", make=_traces)
POINTS: Final = Kind(signal="metrics", path="/v1/metrics", unit="metric point", make=_metrics)
SAMPLES: Final = Kind(signal="profiles", path="/v1development/profiles", unit="stack sample", make=_profiles)
