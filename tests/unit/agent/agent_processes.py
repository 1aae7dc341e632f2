"""A real HTTP server, real programs to watch, and waiting with a deadline, for the agent's tests."""

import http.server
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.compression import Compression, decompress


def own(name: str) -> str:
    """Return the name of a service of this test process alone: others run beside it and use the same words."""
    return f"{name}-{os.getpid()}"


def wait_until(condition: Callable[[], object], *, timeout_s: float = 30.0) -> None:
    """Poll until a condition holds; fail after a deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


@dataclass
class Answer:
    """What the sink answers to the next request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0


@dataclass
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class HttpSink:
    """A small real HTTP server that keeps what it gets and answers as it is told, then with 200."""

    def __init__(self, port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.answers: list[Answer] = []
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                body = decompress(body, Compression(self.headers.get("content-encoding", "")))
                headers = {key.lower(): value for key, value in self.headers.items()}
                answer = sink.answers.pop(0) if sink.answers else Answer()
                sink.released.wait(answer.delay_s)
                sink.received.append(Received(self.path, headers, body))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *args) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args) -> None:
                """A client that gave up is part of these tests."""

        self.released = threading.Event()
        self._server = Server(("127.0.0.1", port), Handler)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


PYTHON = sys.executable
WAITING = "import sys; print('up', flush=True); sys.stdin.read()"
BUSY = """
import sys, threading
def burn():
    total = 0
    while True:
        for i in range(1000):
            total += i
threading.Thread(target=burn, daemon=True).start()
print('up', flush=True)
sys.stdin.read()
"""
