"""The real agent in a process of its own, and a place that takes what it sends and forgets it."""

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import urllib3

from benchmarks.clocks import resident_bytes, tree_cpu_ns
from benchmarks.fleet import SERVICE_PREFIX
from benchmarks.scratch import ROOT

_READY_TIMEOUT_S: Final = 60
_POOL: Final = urllib3.PoolManager(retries=False, timeout=5.0)


class Sink:
    """An HTTP server that answers everything with 200 and nothing, on a free port of loopback."""

    def __init__(self) -> None:
        """Listen; served from a thread that ends with the program."""
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Forget)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Forget(http.server.BaseHTTPRequestHandler):
    """Takes a body, whole or in chunks, and answers."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_POST  # noqa: N815 (the base class names them so)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class AgentProcess:
    """``pyrometer agent run`` with settings of its own, watching the services of a `Fleet` alone."""

    def __init__(self, settings: dict[str, Any], *, endpoint: str, watch: str = f"^{SERVICE_PREFIX}") -> None:
        """
        Start nothing yet.

        Args:
            settings: On top of the defaults.
            endpoint: Of the collector, or of a `Sink`.
            watch: Pattern of the services to watch.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="pyrometer-agent-")
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._settings: dict[str, Any] = {
            "export": {"endpoint": endpoint, "spool": {"directory": f"{self._folder.name}/spool"}},
            "http": {"address": self.url.removeprefix("http://")},
            "targets": {"allow": [{"service": watch}]},
        }
        for section, values in settings.items():
            self._settings[section] = self._settings.get(section, {}) | values
        self._log = Path(self._folder.name) / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        path = Path(self._folder.name) / "agent.yaml"
        path.write_text(json.dumps(self._settings), encoding="utf-8")  # JSON is YAML
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "PYROMETER_"))}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pyrometer", "agent", "run", "--config", str(path)],
                env=environment | {"XDG_STATE_HOME": self._folder.name, "STATE_DIRECTORY": self._folder.name},
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )
        self._wait_until_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """Its pid."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Tell it to end, and wait; kill it where it does not."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def cpu_ns(self) -> int:
        """Return the CPU time of the agent and all its children so far."""
        return tree_cpu_ns(self.pid)

    def resident_bytes(self) -> int:
        """Return the resident memory of the agent and its children."""
        return resident_bytes(self.pid)

    def metric(self, pattern: str) -> float:
        """Return the sum of the series of its ``/metrics`` whose name and labels match a pattern from the start."""
        text = _POOL.request("GET", f"{self.url}/metrics").data.decode()
        series = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return sum(float(value) for name, _, value in series if re.match(pattern, name))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                if _POOL.request("GET", f"{self.url}/readyz").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                pass
            time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"the agent did not become ready:\n{self._log.read_text(errors='replace')}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
