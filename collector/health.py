"""What the collector says about itself: alive, ready, version, metrics."""

import asyncio
import json
import platform
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

from collector.auth.guard import DeniedError, Guard
from collector.auth.tokens import Role
from collector.metrics import CollectorMetrics
from collector.receive.http_request import Receive, Scope, Send
from pyrometer import __version__
from pyrometer.errors import PyrometerError

PATHS: Final = frozenset({"/healthz", "/readyz", "/version", "/metrics"})
_CHECK_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of being ready: ``run`` returns a detail, or raises PyrometerError with the reason against it."""

    name: str
    run: Callable[[], str]


class Health:
    """Answers the paths in PATHS. Where tokens are asked for, the metrics need one that may read; the rest is open."""

    def __init__(self, checks: tuple[Check, ...], metrics: CollectorMetrics, executor: Executor, guard: Guard) -> None:
        self._guard = guard
        self._checks = checks
        self._metrics = metrics
        self._executor = executor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer one request."""
        if scope["method"] not in {"GET", "HEAD"}:
            await _send(send, 405, b"only GET is taken here\n", "text/plain", ((b"allow", b"GET, HEAD"),))
        elif scope["path"] == "/healthz":
            await _send_json(send, 200, {"alive": True})
        elif scope["path"] == "/version":
            await _send_json(send, 200, {"version": __version__, "python": platform.python_version()})
        elif scope["path"] == "/metrics":
            await self._send_metrics(scope, send)
        else:
            results = await asyncio.gather(*map(self._result, self._checks))
            ready = all(result["ok"] for result in results)
            checks = {check.name: result for check, result in zip(self._checks, results, strict=True)}
            await _send_json(send, 200 if ready else 503, {"ready": ready, "checks": checks})

    async def _send_metrics(self, scope: Scope, send: Send) -> None:
        try:
            self._guard.authorise(dict(scope["headers"]), Role.READ)
        except DeniedError as error:
            more = tuple((name.encode(), value.encode()) for name, value in error.headers().items())
            await _send(send, error.status, f"{error}\n".encode(), "text/plain", more)
        else:
            await _send(send, 200, self._metrics.exposition(), "text/plain; version=0.0.4; charset=utf-8")

    async def _result(self, check: Check) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT_S):
                detail = await loop.run_in_executor(self._executor, check.run)
        except PyrometerError as error:
            return {"ok": False, "detail": str(error)}
        except TimeoutError:
            return {"ok": False, "detail": f"no answer within {_CHECK_TIMEOUT_S:.0f} s"}
        return {"ok": True, "detail": detail}


async def _send_json(send: Send, status: int, tree: Mapping[str, Any]) -> None:
    await _send(send, status, json.dumps(tree).encode() + b"\n", "application/json")


async def _send(
    send: Send, status: int, body: bytes, content_type: str, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    fixed = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})
