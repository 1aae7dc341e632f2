"""The listener: one socket, one uvicorn server, one raw ASGI application that hands each path to its part."""

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import uvicorn

from collector import health
from collector.receive import http as otlp
from collector.receive import profiles_http
from collector.receive.http_request import Receive, Scope, Send
from collector.receive.otlp_grpc import OtlpGrpcServer
from pyrometer.addresses import bind, taken_error

_log = logging.getLogger("pyrometer.collector")
_BACKLOG: Final = 1024
# Requests that run when the collector is told to stop may take this long to end.
_GRACE_S: Final = 1

Application = Callable[[Scope, Receive, Send], Any]


def listen(host: str, port: int) -> socket.socket:
    """
    Return a listening socket.

    Raises:
        ConfigError: If the address is taken or is not ours.
    """
    listener = bind(host, port, flag="--http-address")
    try:
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise taken_error(host, port, error, flag="--http-address") from error
    listener.setblocking(False)  # noqa: FBT003
    return listener


class Router:
    """
    Hands OTLP and profile paths to the receivers, health paths to Health, and everything else to the query API.

    A listener that serves only one of the two gives it both places, so that it answers what it does not know.
    """

    def __init__(
        self, receiver: Application, profile_receiver: Application, health_app: Application, api: Application
    ) -> None:
        self._receiver = receiver
        self._profile_receiver = profile_receiver
        self._health = health_app
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(f"scope type {scope['type']} is not served")
        if otlp.handles(scope["path"]):
            await self._receiver(scope, receive, send)
        elif scope["path"] in profiles_http.PATHS:
            await self._profile_receiver(scope, receive, send)
        elif scope["path"] in health.PATHS:
            await self._health(scope, receive, send)
        else:
            await self._api(scope, receive, send)


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again after its end, and the process would not exit 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


def serve(
    applications: Sequence[tuple[Application, socket.socket]],
    *,
    connections_max: int,
    tls: ssl.SSLContext | None = None,
    grpc_server: OtlpGrpcServer | None = None,
) -> None:
    """Serve each application on its listener, and gRPC, until SIGTERM or SIGINT; then end the requests that run."""
    servers = [(_server(application, connections_max, tls), listener) for application, listener in applications]
    asyncio.run(_serve(servers, grpc_server))


async def _serve(servers: Sequence[tuple[_Server, socket.socket]], grpc_server: OtlpGrpcServer | None) -> None:

    def stop(number: signal.Signals) -> None:
        _log.info("%s: stopping", number.name)
        for server, _ in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    if grpc_server:
        await grpc_server.start()
    try:
        await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in servers))
    finally:
        if grpc_server:
            await grpc_server.stop(_GRACE_S)


def _server(application: Application, connections_max: int, tls: ssl.SSLContext | None) -> _Server:
    config = uvicorn.Config(
        application,
        http="h11",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=connections_max,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=30,
    )
    config.load()
    config.ssl = tls  # ours, so that HTTP and gRPC are encrypted by one rule
    return _Server(config)
