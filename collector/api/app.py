"""
The query API as an ASGI application.

It answers ``/api/v1/*`` and ``/openapi.json``. Handlers block (they wait for the store), so each runs in a bounded pool
of threads; the event loop only parses the request line and writes the answer.
"""

import asyncio
import contextvars
import gzip
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import Executor, Future
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

import msgspec
from opentelemetry.trace import NoOpTracer, SpanKind, Tracer
from prometheus_client import CollectorRegistry

from collector.api.context import Context
from collector.api.limits import ApiLimits
from collector.api.metrics import ApiMetrics
from collector.api.negotiation import accepts_gzip, choose_type
from collector.api.openapi import OPENAPI_PATH, openapi_json
from collector.api.parameters import parse_query
from collector.api.posted import ClientGoneError, check_media_type, posted, read_posted
from collector.api.problems import ProblemError
from collector.api.responses import Response, Send, problem_response, send_response
from collector.api.routes import JSON_TYPE, ROUTES, WRITE_ROUTES, Route, WriteRoute
from collector.auth.guard import DeniedError, Guard
from collector.auth.tokens import DEFAULT_TENANT, Role
from collector.cost import Prices
from collector.events.webhooks import WebhookSecrets
from collector.store.protocol import QueryLimitError, Store, UnreachableStoreError
from collector.tracing import record_query
from pyrometer.api import API_PREFIX

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

logger = logging.getLogger(__name__)

_ROUTES: Final = {route.full_path: route for route in ROUTES}
_WRITE_ROUTES: Final = {route.full_path: route for route in WRITE_ROUTES}
_PATHS: Final = frozenset({OPENAPI_PATH, *_ROUTES, *_WRITE_ROUTES})
_RETRY_AFTER: Final = {"retry-after": "1"}


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
        tracer: Makes a span for each request and query.
        webhooks: What proves who sends a webhook.
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
        tracer: Tracer | None = None,
        webhooks: WebhookSecrets = WebhookSecrets(),  # noqa: B008 (immutable)
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
            observe=self._observe,
            webhooks=webhooks,
        )
        self._guard = guard or Guard()
        self._tracer = tracer or NoOpTracer()
        self._stores = {**(tenant_stores or {}), DEFAULT_TENANT: store}
        # A request that timed out still holds its thread until the store lets go, so it still counts.
        self._free = threading.BoundedSemaphore(limits.requests_max)
        self._openapi = openapi_json()

    def context_of(self, tenant: str) -> Context:
        """Return what handlers work with, for one tenant."""
        return replace(self._context, store=self._stores[tenant])

    @staticmethod
    def serves(path: str) -> bool:
        """Return whether a path belongs to the query API, known or not."""
        return path in (OPENAPI_PATH, API_PREFIX) or path.startswith(f"{API_PREFIX}/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(f"the query API does not speak {scope['type']}")
        label = scope["path"] if scope["path"] in _PATHS else "unknown"
        with self._tracer.start_as_current_span(f"{scope['method']} {label}"[:100], kind=SpanKind.SERVER) as span:
            response = await self._response(scope, receive, label)
            if response is None:
                return
            span.set_attribute("http.route", label)
            span.set_attribute("http.response.status_code", response.status.value)
        await send_response(send, response, with_body=scope["method"] != "HEAD")

    async def _response(self, scope: Scope, receive: Receive, label: str) -> Response | None:
        """Return the answer, an error's too; None where the client has gone."""
        started = time.monotonic()
        try:
            response = await self._respond(scope, receive)
        except ClientGoneError:
            return None
        except ProblemError as problem:
            response = problem_response(problem)
        except Exception:
            logger.exception("the query API failed on %s", label)
            response = problem_response(
                ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "something broke; the collector's log says what")
            )
        self._metrics.requests.labels(route=label, status=str(response.status.value)).inc()
        self._metrics.seconds.labels(route=label).observe(time.monotonic() - started)
        return response

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        path, method = scope["path"], scope["method"]
        if path not in _PATHS:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no such route; {OPENAPI_PATH} lists all")
        if method == "POST" and path in _WRITE_ROUTES:
            return await self._write(_WRITE_ROUTES[path], scope, receive)
        if method not in ("GET", "HEAD") or path not in {*_ROUTES, OPENAPI_PATH}:
            raise _method_not_allowed(path)
        if path == OPENAPI_PATH:
            return Response(status=HTTPStatus.OK, content_type=JSON_TYPE, body=self._openapi)
        route = _ROUTES[path]
        context = self._authorised_context(scope, route.role)
        query = parse_query(self._query_string(scope), route.query)
        headers = _headers(scope)
        content_type, encode = _encoding(route, headers.get("accept", ""))
        zipped = accepts_gzip(headers.get("accept-encoding", ""))
        return await self._in_thread(
            lambda: self._answer(lambda: route.handle(context, query), content_type, encode, zipped=zipped)
        )

    async def _write(self, route: WriteRoute, scope: Scope, receive: Receive) -> Response:
        context = self._context if route.signed else self._authorised_context(scope, route.role)
        query, headers = parse_query(self._query_string(scope), route.query), _headers(scope)
        check_media_type(headers, route.media_types)
        bytes_max = self._limits.body_bytes_max
        sent = await read_posted(receive, bytes_max=bytes_max, timeout_s=self._limits.body_timeout_s)

        def work() -> Any:
            return route.handle(context, query, posted(sent, headers, route.body, bytes_max=bytes_max))

        return await self._in_thread(lambda: self._answer(work, JSON_TYPE, msgspec.json.encode, zipped=False))

    def _authorised_context(self, scope: Scope, role: Role) -> Context:
        """Return the context of who asks, with the store of that tenant and no other; before the body is read."""
        try:
            principal = self._guard.authorise(dict(scope.get("headers", ())), role)
        except DeniedError as error:
            raise ProblemError(error.status, str(error), error.headers()) from error
        return self.context_of(principal.tenant)

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
    ) -> Response:
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
        return Response(status=HTTPStatus.OK, content_type=content_type, body=body, headers=headers)

    async def _in_thread(self, work: Callable[[], Response]) -> Response:
        if not self._free.acquire(blocking=False):
            self._hit("requests_max")
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once; try again in a second", _RETRY_AFTER
            )
        try:
            future: Future[Response] = self._executor.submit(contextvars.copy_context().run, work)
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

    def _observe(self, query: str, seconds: float) -> None:
        self._metrics.query_seconds.labels(query=query).observe(seconds)
        record_query(self._tracer, query, seconds)

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
