"""Answers as a collector gives them, built small, and a small HTTP server that gives them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from pyrometer.api import (
    API_PREFIX,
    Change,
    CompareAnswer,
    FlamegraphAnswer,
    FunctionChange,
    FunctionRow,
    FunctionsAnswer,
    HostRow,
    HostsAnswer,
    LatencyAnswer,
    LatencyPoint,
    MetricPoint,
    MetricSeries,
    OperationChange,
    OperationRow,
    Problem,
    ServiceRow,
    ServicesAnswer,
    TimeRange,
    WindowQuality,
)
from pyrometer.api_cost import BudgetLine, CostAnswer, CostRow

RANGE = TimeRange(start="2026-11-22T10:00:00Z", end="2026-11-22T11:00:00Z")
SEEN = "2026-11-22T10:59:50Z"

# What a hostile program may call itself.
HOSTILE_NAMES = [
    "'; DROP TABLE samples; --",
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "**bold** [link](javascript:alert(1)) :material/home: :red[x] $x^2$ `code` # head",
    "nul\x00 bell\x07 escape\x1b[31m newline\n tab\t delete\x7f",
    "right-to-left \u202egnp.exe",
    "x" * 10_000,
    "x" * 9_999 + "y",
    " leading and trailing ",
    "%2e%2e/?service=other&a=b#c",
    "All releases",
    "(none)",
    "",
]


def a_service(service: str = "checkout", **fields: Any) -> ServiceRow:
    defaults: dict[str, Any] = {
        "versions": ["2.0.0", "1.9.0"],
        "first_seen": "2026-11-22T10:00:10Z",
        "last_seen": SEEN,
        "hosts": 2,
        "cpu_seconds": 3600.0,
        "cpu_cores": 1.0,
        "samples": 68400,
        "cost_per_month": 24.82,
        "requests": 36000,
        "requests_per_second": 10.0,
        "errors": 36,
        "error_rate": 0.001,
        "p50_ms": 12.0,
        "p95_ms": 48.0,
        "p99_ms": 190.0,
    }
    return ServiceRow(service=service, **(defaults | fields))


def services_answer(*services: ServiceRow) -> ServicesAnswer:
    return ServicesAnswer(range=RANGE, currency="USD", services=list(services))


def quality(**fields) -> WindowQuality:
    known = {"rate_hz": 18.96, "coverage": 0.934, "unstable_share": 0.0012, "cut_share": 0.0, "samples": 950}
    return WindowQuality(**{**known, "looks": 5000, "late": 3, "lost": 0, "errors": 0, **fields})


def a_flamegraph(functions: tuple[str, ...] = ("main", "work"), *, baseline: bool = False) -> FlamegraphAnswer:
    """A tree with one path: root, then each function inside the one before."""
    nodes = len(functions) + 1
    total = [1e9 * (nodes - index) for index in range(nodes)]
    own = [1e9] * nodes
    return FlamegraphAnswer(
        range=RANGE,
        service="checkout",
        sample_type="cpu",
        unit="nanoseconds",
        total_value=total[0],
        samples=19 * nodes,
        folded=0,
        strings=["all", "", *functions],
        depth=list(range(nodes)),
        parent=[-1, *range(nodes - 1)],
        name=[0, *range(2, nodes + 1)],
        file=[1] * nodes,
        start=[0.0] * nodes,
        total=total,
        self=own,
        base_total_value=total[0] / 2 if baseline else None,
        base_total=[value / 2 for value in total] if baseline else None,
        base_self=[value / 2 for value in own] if baseline else None,
        quality=quality(),
    )


def an_empty_flamegraph() -> FlamegraphAnswer:
    return msgspec.structs.replace(a_flamegraph(()), total_value=0.0, samples=0, total=[0.0], self=[0.0])


def a_function(function: str = "work", **fields: Any) -> FunctionRow:
    defaults: dict[str, Any] = {
        "file": "/srv/checkout/app.py",
        "samples": 1900,
        "self_cpu_seconds": 100.0,
        "total_cpu_seconds": 250.0,
        "self_share": 0.25,
        "total_share": 0.625,
        "self_cost_per_month": 6.2,
        "total_cost_per_month": 15.5,
    }
    return FunctionRow(function=function, **(defaults | fields))


def functions_answer(*functions: FunctionRow) -> FunctionsAnswer:
    return FunctionsAnswer(
        range=RANGE, service="checkout", currency="USD", functions=list(functions), quality=quality()
    )


def latency_answer(*points: LatencyPoint, service: str = "checkout") -> LatencyAnswer:
    operation = OperationRow(
        operation="GET /cart", kind="server", requests=36000, errors=36, error_rate=0.001, requests_per_second=10.0,
        mean_ms=18.0, p50_ms=12.0, p95_ms=48.0, p99_ms=190.0,
    )  # fmt: skip
    return LatencyAnswer(range=RANGE, service=service, step_s=60, operations=[operation], series=list(points))


def a_point(minute: int, **fields: Any) -> LatencyPoint:
    defaults = {"requests": 600, "errors": 1, "p50_ms": 12.0, "p95_ms": 48.0 + minute, "p99_ms": 190.0 + minute}
    return LatencyPoint(time=f"2026-11-22T10:{minute:02d}:00Z", **(defaults | fields))


def a_host(host: str = "web-1", **fields: Any) -> HostRow:
    defaults: dict[str, Any] = {
        "last_seen": SEEN,
        "os": "linux",
        "arch": "x86_64",
        "logical_cpus": 8,
        "cpu_utilization": 0.42,
        "memory_utilization": 0.61,
        "memory_limit_bytes": 16 * 2**30,
        "load_1m": 3.1,
        "services": ["checkout", "search"],
        "profiled_cpu_cores": 2.4,
        "cost_per_month": 59.6,
    }
    return HostRow(host=host, **(defaults | fields))


def a_series(metric: str = "system.cpu.utilization", unit: str = "1", **attributes: str) -> MetricSeries:
    points = [MetricPoint(time=f"2026-11-22T10:{minute:02d}:00Z", value=minute / 60) for minute in range(60)]
    return MetricSeries(metric=metric, unit=unit, attributes=attributes, points=points)


def hosts_answer(*hosts: HostRow, series: list[MetricSeries] | None = None) -> HostsAnswer:
    return HostsAnswer(range=RANGE, currency="USD", hosts=list(hosts), series=series or [])


def a_change(
    baseline: float = 10.0, candidate: float = 12.3, *, width: float = 0.5, verdict: str = "regression", **fields: Any
) -> Change:
    absolute = candidate - baseline
    return Change(
        baseline=baseline,
        candidate=candidate,
        absolute=absolute,
        low=absolute - width,
        high=absolute + width,
        relative=absolute / baseline if baseline else None,
        p_value=0.0001,
        q_value=0.0004,
        verdict=verdict,
        **fields,
    )


def a_function_change(function: str = "work", **fields: Any) -> FunctionChange:
    defaults: dict[str, Any] = {
        "file": "/srv/checkout/app.py",
        "self_cpu": a_change(),
        "total_cpu": a_change(20.0, 22.4),
        "price_per_month": 12.3,
        "price_low": 9.1,
        "price_high": 15.6,
    }
    return FunctionChange(function=function, **(defaults | fields))


def an_operation_change(operation: str = "GET /cart", **fields: Any) -> OperationChange:
    same = a_change(10.0, 10.0, verdict="no_change")
    defaults: dict[str, Any] = {
        "kind": "server",
        "baseline_requests": 18000,
        "candidate_requests": 18100,
        "mean_ms": same,
        "p50_ms": same,
        "p95_ms": same,
        "p99_ms": a_change(100.0, 180.0, width=12.0),
        "error_rate": a_change(0.001, 0.001, width=0.0005, verdict="no_change"),
        "verdict": "regression",
        "price_per_month": 0.4,
        "price_low": 0.1,
        "price_high": 0.7,
    }
    return OperationChange(operation=operation, **(defaults | fields))


def compare_answer(**fields: Any) -> CompareAnswer:
    defaults: dict[str, Any] = {
        "range": RANGE,
        "service": "checkout",
        "baseline": "1.9.0",
        "candidate": "2.0.0",
        "paired": True,
        "matching": "side_by_side",
        "buckets": 60,
        "bucket_s": 60,
        "confidence": 0.95,
        "denominator": "request",
        "requests_per_second": 20.0,
        "currency": "USD",
        "cpu": a_change(40.0, 44.0),
        "cpu_price_per_month": 17.9,
        "functions": [a_function_change()],
        "operations": [an_operation_change()],
        "notes": [],
        "assumptions": ["a month has 730 hours", "a core hour costs 0.034 USD"],
    }
    return CompareAnswer(**(defaults | fields))


def a_cost(name: str = "checkout", **fields: Any) -> CostRow:
    defaults: dict[str, Any] = {
        "detail": "",
        "cost_per_month": 30.0,
        "cpu_per_month": 24.0,
        "memory_per_month": 6.0,
        "idle_per_month": None,
        "unsampled_per_month": 1.5,
        "cpu_cores": 1.0,
        "memory_bytes": 2.0 * 1024**3,
        "requests_per_second": 10.0,
        "cost_per_1000_requests": 0.0011,
        "kwh_per_month": 3.0,
        "kg_co2e_per_month": 1.4,
        "basis": "a machine that is not in the price list: 0.034 USD a core hour, 0.0045 a GiB hour",
    }
    return CostRow(name=name, **(defaults | fields))


def cost_answer(*rows: CostRow, **fields: Any) -> CostAnswer:
    defaults: dict[str, Any] = {
        "range": RANGE,
        "by": "service",
        "currency": "USD",
        "total": a_cost("", cost_per_month=80.0, idle_per_month=50.0),
        "budgets": [
            BudgetLine(service="checkout", budget_per_month=20.0, cost_per_month=30.0),
            BudgetLine(service="", budget_per_month=100.0, cost_per_month=80.0),
            BudgetLine(service="gone", budget_per_month=5.0, cost_per_month=None),
        ],
        "assumptions": ["a month has 730 hours"],
    }
    return CostAnswer(rows=list(rows), **(defaults | fields))


Reply = msgspec.Struct | tuple[int, bytes]


class AnsweringServer(ThreadingHTTPServer):
    """
    Answers each API route with what ``replies`` holds for it: a Struct, a (status, body), or a function of the query.

    ``asked`` keeps the routes and queries it was asked for.
    """

    daemon_threads = True

    def __init__(self, replies: dict[str, Reply | Callable[[dict[str, str]], Reply]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies = replies
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: AnsweringServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        route = parts.path.removeprefix(API_PREFIX)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.server.asked.append((route, query))
        reply = self.server.replies.get(route, Problem(title="Not Found", status=404, detail=f"no route {route}"))
        if callable(reply):
            reply = reply(query)
        if isinstance(reply, tuple):
            status, body = reply
        else:
            status, body = (reply.status if isinstance(reply, Problem) else 200), msgspec.json.encode(reply)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def all_replies() -> dict[str, Reply | Callable[[dict[str, str]], Reply]]:
    """What a collector with two services and one host answers."""
    return {
        "/services": services_answer(
            a_service(), a_service("search", cost_per_month=9.5, versions=["7"], p50_ms=None, p95_ms=None, p99_ms=None,
                                   requests=0, requests_per_second=0.0, errors=0, error_rate=None),
        ),
        "/flamegraph": lambda query: a_flamegraph(baseline="baseline_version" in query),
        "/functions": functions_answer(a_function(), a_function("parse", file="/srv/checkout/json.py")),
        "/latency": latency_answer(*(a_point(minute) for minute in range(60))),
        "/hosts": lambda query: hosts_answer(
            a_host(), a_host("web-2"),
            series=[a_series(), a_series("system.memory.usage", "By")] if "host" in query else [],
        ),
        "/compare": compare_answer(),
        "/cost": cost_answer(a_cost(), a_cost("search", memory_per_month=None, memory_bytes=None)),
    }  # fmt: skip


@contextmanager
def answering(replies: dict[str, Reply | Callable[[dict[str, str]], Reply]]) -> Iterator[AnsweringServer]:
    """Serve *replies* on a free port."""
    server = AnsweringServer(replies)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
