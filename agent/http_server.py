"""The agent's own small HTTP server: /metrics, /healthz, /readyz and /version."""

import errno
import json
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from pyrometer import __version__
from pyrometer.errors import ConfigError

# Name of a check -> empty where it holds, else what is wrong.
Checks = Callable[[], Mapping[str, str]]
_CLIENT_TIMEOUT_S = 5.0


class AgentHttpServer:
    """Answers GET and HEAD in threads of its own."""

    def __init__(self, host: str, port: int, *, registry: CollectorRegistry, healthy: Checks, ready: Checks) -> None:
        """
        Take the address; nothing is answered before `start`.

        Raises:
            ConfigError: If the address is taken or not ours.
        """
        handler = type("Handler", (_Handler,), {"registry": registry, "healthy": healthy, "ready": ready})
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            raise ConfigError(_cannot_listen(host, port, error)) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="http", daemon=True
        )

    @property
    def port(self) -> int:
        """The port it got, where it was told to take any."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering and give the address back."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without the reverse name look-up of the standard library, which may wait for DNS."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no event."""


class _Handler(BaseHTTPRequestHandler):
    registry: CollectorRegistry
    healthy: Checks
    ready: Checks

    server_version = f"pyrometer-agent/{__version__}"
    sys_version = ""
    timeout = _CLIENT_TIMEOUT_S

    def do_GET(self) -> None:
        """Answer a request."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("accept", ""))
            self._send(HTTPStatus.OK, encode(self.registry), content_type)
        elif path == "/healthz":
            self._send_checks(type(self).healthy())
        elif path == "/readyz":
            self._send_checks(type(self).ready())
        elif path == "/version":
            self._send_json(HTTPStatus.OK, {"name": "pyrometer-agent", "version": __version__})
        else:
            self._send_json(HTTPStatus.NOT_FOUND, {"error": "unknown path: /metrics, /healthz, /readyz, /version"})

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self.do_GET()

    def _send_checks(self, checks: Mapping[str, str]) -> None:
        failed = any(checks.values())
        status = HTTPStatus.SERVICE_UNAVAILABLE if failed else HTTPStatus.OK
        body = {"ok": not failed, "checks": {name: text or "ok" for name, text in checks.items()}}
        self._send_json(status, body)

    def _send_json(self, status: HTTPStatus, body: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(body).encode() + b"\n", "application/json")

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are not logged."""


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"http.address = {host}:{port}: port {port} is taken; stop what uses it or choose another --http-address"
    return f"http.address = {host}:{port}: cannot listen there: {error.strerror or error}"
