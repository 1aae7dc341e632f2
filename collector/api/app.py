"""
The query API as an ASGI application.

It answers ``/api/v1/*`` and ``/openapi.json``. Handlers block (they wait for the store), so each runs in a bounded pool
of threads; the event loop only parses the request line and writes the answer.
"""

import asyncio
import gzip
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry

from collector.api.context import Context
from collector.api.limits import ApiLimits
from collector.api.metrics import ApiMetrics
from collector.api.negotiation import accepts_gzip, choose_type
from collector.api.openapi import OPENAPI_PATH, openapi_json
from collector.api.parameters import parse_query
from collector.api.posted import ClientGoneError, check_media_type, posted, read_posted
from collector.api.problems import PROBLEM_TYPE, ProblemError
from collector.api.routes import JSON_TYPE, ROUTES, WRITE_ROUTES, Route, WriteRoute
from collector.auth.guard import DeniedError, Guard
from collector.auth.tokens import DEFAULT_TENANT, Role
from collector.cost import Prices
from collector.store.protocol import QueryLimitError, Store, UnreachableStoreError
from pyrometer.api import API_PREFIX

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

logger = logging.getLogger(__name__)

_ROUTES: Final = {route.full_path: route for route in ROUTES}
_WRITE_ROUTES: Final = {route.full_path: route for route in WRITE_ROUTES}
_PATHS: Final = frozenset({OPENAPI_PATH, *_ROUTES, *_WRITE_ROUTES})
_RETRY_AFTER: Final = {"retry-after": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Response:
    status: HTTPStatus
    content_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Api:
    """
    The query API.

    Args:
        store: Where the data of the default tenant is.
        prices: What a core and a GiB cost.
        limits: What one request may ask for and use.
        executor: Threads for handlers. Theirs is the number of queries at a time; the owner shuts it down.
        registry: Where the API's own counters are registered.
        guard: Who may ask.
        tenant_stores: Where the data of the other tenants is, by name.
        now_ns: Wall time, Unix nanoseconds.
    """

    def __init__(
        self,
        store: Store,
        prices: Prices,
        limits: ApiLimits,
        executor: Executor,
        *,
        registry: CollectorRegistry | None = None,
        guard: Guard | None = None,
        tenant_stores: Mapping[str, Store] | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._limits = limits
        self._executor = executor
        self._metrics = ApiMetrics(registry or CollectorRegistry())
        self._context = Context(
            store=store,
            prices=prices,
            limits=limits,
            now_ns=now_ns,
            hit=self._hit,
            observe=lambda query, seconds: self._metrics.query_seconds.labels(query=query).observe(seconds),
        )
        self._guard = guard or Guard()
        self._stores = {**(tenant_stores or {}), DEFAULT_TENANT: store}
        # A request that timed out still holds its thread until the store lets go, so it still counts.
        self._free = threading.BoundedSemaphore(limits.requests_max)
        self._openapi = openapi_json()

    @staticmethod
    def serves(path: str) -> bool:
        """Return whether a path belongs to the query API, known or not."""
        return path in (OPENAPI_PATH, API_PREFIX) or path.startswith(f"{API_PREFIX}/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(f"the query API does not speak {scope['type']}")
        started = time.monotonic()
        label = scope["path"] if scope["path"] in _PATHS else "unknown"
        try:
            response = await self._respond(scope, receive)
        except ClientGoneError:
            return
        except ProblemError as problem:
            response = _problem_response(problem)
        except Exception:
            logger.exception("the query API failed on %s", label)
            response = _problem_response(
                ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "something broke; the collector's log says what")
            )
        self._metrics.requests.labels(route=label, status=str(response.status.value)).inc()
        self._metrics.seconds.labels(route=label).observe(time.monotonic() - started)
        await _send(send, response, with_body=scope["method"] != "HEAD")

    async def _respond(self, scope: Scope, receive: Receive) -> _Response:
        path, method = scope["path"], scope["method"]
        if path not in _PATHS:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no such route; {OPENAPI_PATH} lists all")
        if method == "POST" and path in _WRITE_ROUTES:
            return await self._write(_WRITE_ROUTES[path], scope, receive)
        if method not in ("GET", "HEAD") or path not in {*_ROUTES, OPENAPI_PATH}:
            raise _method_not_allowed(path)
        if path == OPENAPI_PATH:
            return _Response(status=HTTPStatus.OK, content_type=JSON_TYPE, body=self._openapi)
        route = _ROUTES[path]
        context = self._context_of(scope, Role.READ)
        query = parse_query(self._query_string(scope), route.query)
        headers = _headers(scope)
        content_type, encode = _encoding(route, headers.get("accept", ""))
        zipped = accepts_gzip(headers.get("accept-encoding", ""))
        return await self._in_thread(
            lambda: self._answer(lambda: route.handle(context, query), content_type, encode, zipped=zipped)
        )

    async def _write(self, route: WriteRoute, scope: Scope, receive: Receive) -> _Response:
        context = self._context if route.signed else self._context_of(scope, route.role)
        query, headers = parse_query(self._query_string(scope), route.query), _headers(scope)
        check_media_type(headers, route.media_types)
        bytes_max = self._limits.body_bytes_max
        sent = await read_posted(receive, bytes_max=bytes_max, timeout_s=self._limits.body_timeout_s)

        def work() -> Any:
            return route.handle(context, query, posted(sent, headers, route.body, bytes_max=bytes_max))

        return await self._in_thread(lambda: self._answer(work, JSON_TYPE, msgspec.json.encode, zipped=False))

    def _context_of(self, scope: Scope, role: Role) -> Context:
        """Return the context of who asks, with the store of that tenant and no other; before the body is read."""
        try:
            principal = self._guard.authorise(dict(scope.get("headers", ())), role)
        except DeniedError as error:
            raise ProblemError(error.status, str(error), error.headers()) from error
        return replace(self._context, store=self._stores[principal.tenant])

    def _query_string(self, scope: Scope) -> bytes:
        query_string: bytes = scope.get("query_string", b"")
        if len(query_string) > self._limits.query_bytes_max:
            self._hit("query_bytes_max")
            raise ProblemError(
                HTTPStatus.REQUEST_URI_TOO_LONG, f"the query string may be {self._limits.query_bytes_max} bytes at most"
            )
        return query_string

    def _answer(
        self, handle: Callable[[], Any], content_type: str, encode: Callable[[Any], bytes], *, zipped: bool
    ) -> _Response:
        """Answer a request; runs in a worker thread."""
        try:
            answer = handle()
        except QueryLimitError as error:
            self._hit("store.query")
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the query ran into a limit of time, rows or memory; ask for a shorter range",
            ) from error
        except UnreachableStoreError as error:
            logger.warning("the store did not answer the query API: %s", error)
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "the store does not answer now; try again", _RETRY_AFTER
            ) from error
        body = encode(answer)
        headers = {"vary": "accept, accept-encoding"}
        if zipped and len(body) >= self._limits.gzip_bytes_min:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["content-encoding"] = "gzip"
        return _Response(status=HTTPStatus.OK, content_type=content_type, body=body, headers=headers)

    async def _in_thread(self, work: Callable[[], _Response]) -> _Response:
        if not self._free.acquire(blocking=False):
            self._hit("requests_max")
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once; try again in a second", _RETRY_AFTER
            )
        try:
            future: Future[_Response] = self._executor.submit(work)
        except RuntimeError as error:
            self._free.release()
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "the collector is shutting down") from error
        future.add_done_callback(lambda _: self._free.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._limits.timeout_s)
        except TimeoutError as error:
            self._hit("timeout_s")
            raise ProblemError(
                HTTPStatus.GATEWAY_TIMEOUT,
                f"no answer within {self._limits.timeout_s:g} s; ask for a shorter range or fewer rows",
            ) from error

    def _hit(self, limit: str) -> None:
        self._metrics.limits.labels(limit=limit).inc()


def _method_not_allowed(path: str) -> ProblemError:
    reading = ["GET", "HEAD"] if path in _ROUTES or path == OPENAPI_PATH else []
    methods = [*reading, "POST"] if path in _WRITE_ROUTES else reading
    return ProblemError(
        HTTPStatus.METHOD_NOT_ALLOWED, f"only {' and '.join(methods)} are answered here", {"allow": ", ".join(methods)}
    )


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}


def _encoding(route: Route, accept: str) -> tuple[str, Callable[[Any], bytes]]:
    writers: dict[str, Callable[[Any], bytes]] = {JSON_TYPE: msgspec.json.encode, **dict(route.encodings)}
    chosen = choose_type(accept, list(writers))
    if chosen is None:
        raise ProblemError(HTTPStatus.NOT_ACCEPTABLE, f"this route writes {' and '.join(writers)}")
    return chosen, writers[chosen]


def _problem_response(problem: ProblemError) -> _Response:
    return _Response(
        status=problem.status, content_type=PROBLEM_TYPE, body=problem.body(), headers=dict(problem.headers)
    )


async def _send(send: Send, response: _Response, *, with_body: bool) -> None:
    headers = {
        "content-type": response.content_type,
        "content-length": str(len(response.body)),
        "x-content-type-options": "nosniff",
        # Names in an answer are untrusted: should a browser open one, it may run and load nothing.
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "cache-control": "no-store",
        **response.headers,
    }
    await send(
        {
            "type": "http.response.start",
            "status": response.status.value,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": response.body if with_body else b""})
