"""A real collector in a process of its own, and what it stored."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from pyrometer.up.ports import free_ports

START_TIMEOUT_S = 60
_SELECT = """
import json, sys
from pathlib import Path
from collector.store.embedded import EmbeddedStore
store = EmbeddedStore(Path(sys.argv[1]))
print(json.dumps([store.select(statement) for statement in sys.argv[2:]]))
store.close()
"""


def free_port() -> int:
    """A port that no connection of another test takes before the collector does: below those of connections."""
    return free_ports(1)


@dataclass
class CollectorProcess:
    process: subprocess.Popen
    url: str
    data_dir: Path
    log_path: Path
    pool: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)

    def request(self, method: str, path: str, body: bytes = b"", **headers: str):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.pool.request(method, self.url + path, body=body, headers=named, timeout=20, retries=False)

    def post(self, path: str, body: bytes, content_type: str = "application/x-protobuf", **headers: str):
        return self.request("POST", path, body, content_type=content_type, **headers)

    def metric(self, name: str, **labels: str) -> float:
        """The value of a counter or gauge of its /metrics; 0 where it has not been counted."""
        expected = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        for line in self.request("GET", "/metrics").data.decode().splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and series.partition("{")[2].removesuffix("}") == expected:
                return float(value)
        return 0.0

    def wait_until(self, condition, what: str, timeout_s: float = 30) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen: {self.log()}"
            time.sleep(0.05)

    def wait_until_stored(self) -> None:
        signals = ("traces", "metrics", "logs", "profiles")
        self.wait_until(
            lambda: all(self.metric("pyrometer_collector_wal_bytes", signal=name) == 0 for name in signals),
            "emptying the log",
        )

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=15)


@contextlib.contextmanager
def running_collector(
    data_dir: Path,
    *arguments: str,
    port: int = 0,
    scheme: str = "http",
    pool: urllib3.PoolManager | None = None,
    path: str = "/readyz",
    **environment: str,
) -> Iterator[CollectorProcess]:
    port = port or free_port()
    data_dir.mkdir(parents=True, exist_ok=True)
    log_path = data_dir / "stderr.txt"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pyrometer", "collector", "run"),
                *("--http-address", f"127.0.0.1:{port}", "--data-dir", str(data_dir), *arguments),
            ],
            stderr=log,
            stdout=log,
            env=os.environ | environment,
        )
    pool = pool or urllib3.PoolManager()
    collector = CollectorProcess(process, f"{scheme}://127.0.0.1:{port}", data_dir, log_path, pool)
    try:
        _wait_until_ready(collector, path)
        yield collector
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        pool.clear()


def _wait_until_ready(collector: CollectorProcess, path: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert collector.process.poll() is None, collector.log()
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if collector.request("GET", path).status == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"not ready within {START_TIMEOUT_S} s: {collector.log()}")


def select(data_dir: Path, *statements: str) -> list[list[dict]]:
    """Rows of a stopped collector's database; read in another process, because one can open only one database."""
    done = subprocess.run(
        [sys.executable, "-c", _SELECT, str(data_dir), *statements], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
