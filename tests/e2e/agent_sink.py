"""A small HTTP server in place of a collector, that keeps the profiles it is sent."""

import contextlib
import http.server
import threading
from collections.abc import Iterator

from agent.compression import Compression, decompress
from pyrometer import semconv
from pyrometer.formats.otlp import otlp_to_profiles
from pyrometer.values import Profile


class Sink:
    def __init__(self) -> None:
        self.profiles: list[Profile] = []
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                body = decompress(body, Compression(self.headers.get("content-encoding", "")))
                if self.path.endswith("/profiles"):
                    sink.profiles += otlp_to_profiles(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def of(self, service: str) -> list[Profile]:
        """Return the profiles of a service, in the order of their time."""
        found = [profile for profile in self.profiles if profile.attributes.get(semconv.SERVICE_NAME) == service]
        return sorted(found, key=lambda profile: profile.start_unix_ns)

    def cpu_ns(self, service: str) -> int:
        return sum(sample.value for profile in self.of(service) for sample in profile.samples)

    @contextlib.contextmanager
    def serving(self) -> Iterator["Sink"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
