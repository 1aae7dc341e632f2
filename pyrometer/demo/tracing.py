"""Spans of the shop through the OpenTelemetry SDK, exported by OTLP/HTTP."""

import os
import platform
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SERVICE_NAME: Final = "shop"
_FLUSH_AT_EXIT_S: Final = 0.8
# Asks for the provider when a span starts, so it may be made before the provider is.
_TRACER: Final = trace.get_tracer("pyrometer.demo")


@contextmanager
def tracing(version: str) -> Iterator[None]:
    """
    Export spans while the block runs, and what is left of them at its end.

    The endpoint comes from ``OTEL_EXPORTER_OTLP_ENDPOINT``, as the SDK reads it.
    """
    exporter = OTLPSpanExporter()
    provider = TracerProvider(resource=Resource.create(resource_attributes(version)))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        # The exporter would retry an unreachable collector for longer than a program that was asked to end has.
        deadline = threading.Timer(_FLUSH_AT_EXIT_S, exporter.shutdown)
        deadline.start()
        provider.shutdown()
        deadline.cancel()


def resource_attributes(version: str) -> dict[str, str | int]:
    """Return who this process is, under the names of the semantic conventions."""
    return {
        "service.name": SERVICE_NAME,
        "service.version": version,
        "service.instance.id": str(uuid.uuid4()),
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
        "process.runtime.name": platform.python_implementation().lower(),
        "process.runtime.version": platform.python_version(),
    }


@contextmanager
def inner_span(name: str) -> Iterator[Span]:
    """Record a step of the request that this thread serves."""
    with _TRACER.start_as_current_span(name, attributes={"thread.id": threading.get_native_id()}) as span:
        yield span


def note_worker_thread() -> None:
    """Write the thread that does the work on the server span, which the event loop's thread began."""
    trace.get_current_span().set_attribute("thread.id", threading.get_native_id())


class ServerSpans:
    """ASGI middleware: one server span for each request, but for those of *untraced* paths."""

    def __init__(self, app: ASGIApp, untraced: frozenset[str]) -> None:
        self._app = app
        self._untraced = untraced

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request within a span named after its route."""
        if scope["type"] != "http" or scope["path"] in self._untraced:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"]
        with _TRACER.start_as_current_span(
            method,
            context=propagate.extract(headers),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "url.path": scope["path"], "url.scheme": scope["scheme"]},
        ) as span:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _note_answer(span, scope, message["status"])
                await send(message)

            await self._app(scope, receive, send_and_note)


def _note_answer(span: Span, scope: Scope, status: int) -> None:
    # A path that matched no route stays out of the name: whoever asks could make up any number of them.
    route = scope.get("route")
    if isinstance(route, Route):
        span.update_name(f"{scope['method']} {route.path}")
        span.set_attribute("http.route", route.path)
    span.set_attribute("http.response.status_code", status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))
