"""The shop: a Starlette application whose handlers run in a pool of threads, as most services in the field do."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import anyio.to_thread
import uvicorn
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pyrometer.demo.catalogue import make_catalogue
from pyrometer.demo.checkout import CardDeclinedError, Checkout
from pyrometer.demo.export import export_catalogue
from pyrometer.demo.orders import Ledger, list_orders
from pyrometer.demo.releases import Release
from pyrometer.demo.search import SearchIndex
from pyrometer.demo.stock import Warehouse
from pyrometer.demo.tracing import ServerSpans, note_worker_thread, tracing
from pyrometer.errors import ConfigError

WORKER_THREADS: Final = 8
_NUMBER_MAX: Final = 1_000_000
_LINES_MAX: Final = 300
_ROWS_MAX: Final = 8_000
_TEXT_MAX: Final = 200
_HEALTH: Final = "/healthz"

Handler = Callable[[Request], Response]


class BadParameterError(Exception):
    """A query parameter is missing or out of bounds."""


class Shop:
    """The handlers of one release."""

    def __init__(self, release: Release, ledger: Ledger) -> None:
        self._release = release
        self._ledger = ledger
        self._catalogue = make_catalogue()
        self._checkout = Checkout(self._catalogue, release)
        self._index = SearchIndex(self._catalogue)
        self._warehouse = Warehouse(self._catalogue)

    def checkout(self, request: Request) -> Response:
        """Price a cart."""
        card = request.query_params.get("card", "")
        cart, lines = whole(request, "cart", _NUMBER_MAX), whole(request, "lines", _LINES_MAX)
        return JSONResponse(self._checkout.price_order(cart, lines, card))

    def search(self, request: Request) -> Response:
        """Find products by name."""
        return JSONResponse(self._index.find(request.query_params.get("q", "")[:_TEXT_MAX] or " ", limit=10))

    def orders(self, request: Request) -> Response:
        """List past orders."""
        return JSONResponse(list_orders(self._ledger.address, whole(request, "customer", _NUMBER_MAX)))

    def stock(self, request: Request) -> Response:
        """Reserve a product."""
        return JSONResponse({"left": self._warehouse.reserve(whole(request, "product", _NUMBER_MAX), 1)})

    def export(self, request: Request) -> Response:
        """Write the catalogue as CSV."""
        return PlainTextResponse(export_catalogue(self._catalogue, whole(request, "rows", _ROWS_MAX)))

    def health(self, request: Request) -> Response:  # noqa: ARG002
        """Say that the shop serves, and which process does."""
        return JSONResponse({"release": self._release.version, "pid": os.getpid()})


def whole(request: Request, name: str, maximum: int) -> int:
    """
    Return a query parameter as a whole number.

    Raises:
        BadParameterError: If it is missing, not a number from 0, or above *maximum*.
    """
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= maximum):
        raise BadParameterError(f"{name} must be a whole number from 0 to {maximum}")
    return int(text)


def build_app(release: Release, ledger: Ledger) -> Starlette:
    """Return the application of *release*."""
    shop = Shop(release, ledger)
    handlers: dict[str, Handler] = {
        "/checkout": shop.checkout,
        "/search": shop.search,
        "/orders": shop.orders,
        "/stock": shop.stock,
        "/export": shop.export,
    }
    routes = [Route(path, _in_worker_thread(handler)) for path, handler in handlers.items()]
    errors: dict[Any, Any] = {CardDeclinedError: _answer_declined, BadParameterError: _answer_bad_parameter}
    return Starlette(
        routes=[*routes, Route(_HEALTH, shop.health)],
        middleware=[Middleware(ServerSpans, untraced=frozenset({_HEALTH}))],
        exception_handlers=errors,
        lifespan=_bounded_threads,
    )


def serve(release: Release, host: str, port: int) -> None:
    """
    Serve *release* until SIGTERM or SIGINT.

    Raises:
        ConfigError: If the port is taken.
    """
    # Uvicorn raises the signal that stopped it once more when it has shut down; by then the work is done.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    listener = _listen(host, port)
    ledger = Ledger(release, seed=port)
    ledger.start()
    with tracing(release.version), listener:
        config = uvicorn.Config(
            build_app(release, ledger), access_log=False, log_level="warning", timeout_graceful_shutdown=1
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen on {host}:{port} (demo service): {error.strerror}; choose --port") from error
    return listener


def _in_worker_thread(handler: Handler) -> Handler:
    """Wrap a handler so that the server span names the thread that Starlette runs it on."""

    def endpoint(request: Request) -> Response:
        note_worker_thread()
        return handler(request)

    return endpoint


@contextlib.asynccontextmanager
async def _bounded_threads(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001
    anyio.to_thread.current_default_thread_limiter().total_tokens = WORKER_THREADS
    yield


async def _answer_declined(request: Request, error: Exception) -> Response:  # noqa: ARG001
    trace.get_current_span().record_exception(error)
    return JSONResponse({"error": str(error)}, status_code=500)


async def _answer_bad_parameter(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return JSONResponse({"error": str(error)}, status_code=400)
