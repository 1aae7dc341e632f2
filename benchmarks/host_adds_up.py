"""
Is each service's flame graph right, and does the host's CPU time add up?

    python -m benchmarks.host_adds_up [--seconds 300] [--markdown]

Starts a small host's services (a job on NumPy arrays, an asyncio server and a gunicorn tree under load, a web process
that idles), the real collector and `pyrometer agent run` with its defaults. Checks that the functions which do the work
are in each flame graph, with a large share where they should have one. Then sums the CPU time of all stacks of all
services, the host's own among them, from the first window to the last, and sets it beside what /proc/stat says was busy
in that time. Exits with 1 where one of it is wrong. On Linux, as root.
"""

import argparse
import bisect
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3

from benchmarks.agent_process import AgentProcess
from benchmarks.clocks import host_busy_ns
from benchmarks.peers import GUNICORN, NUMPY
from benchmarks.scratch import ROOT, find_interpreters, scratch_python
from benchmarks.tables import keep_table, markdown_table
from collector.store.embedded import EmbeddedStore
from pyrometer.units import NS_PER_MS, NS_PER_S

TOLERANCE: Final = 0.02
_LOOK_S: Final = 0.05
_WARM_UP_S: Final = 3.0
_FLUSH_TIMEOUT_S: Final = 60
_MODULE: Final = "benchmarks.workloads.host_services"
_SUM: Final = (
    "SELECT sum(value) AS value, toUnixTimestamp64Milli(min(ts)) AS first_ms, "
    "max(toUnixTimestamp64Milli(ts) + duration_ms) AS last_ms FROM samples"
)


@dataclass(frozen=True, slots=True)
class Expected:
    """A function that must be in a service's flame graph, with at least this share of the service's CPU time."""

    service: str
    function: str
    share_min: float


EXPECTED: Final = (
    Expected("array-job", "smooth_image", 0.3),
    Expected("array-job", "find_peaks", 0.2),
    Expected("asyncio-server", "answer_search", 0.2),
    Expected("gunicorn", "application", 0.2),
    Expected("gunicorn", "render_report", 0.2),
    Expected("idle-web", "watch_files", 0.0),
)


class BusyLog:
    """What the host had used, again and again, so that it is known for any moment."""

    def __init__(self) -> None:
        """Begin to look, from a thread that ends with the program."""
        self._at: list[int] = []
        self._busy_ns: list[int] = []
        threading.Thread(target=self._look, daemon=True).start()

    def between_ns(self, start_unix_ns: int, end_unix_ns: int) -> int:
        """Return what was used between two moments, as far as this was there to look."""
        return self._until(end_unix_ns) - self._until(start_unix_ns)

    def _until(self, unix_ns: int) -> int:
        return self._busy_ns[min(bisect.bisect_left(self._at, unix_ns), len(self._at) - 1)]

    def _look(self) -> None:
        while True:
            busy_ns = host_busy_ns()
            self._busy_ns.append(busy_ns)
            self._at.append(time.time_ns())
            time.sleep(_LOOK_S)


def main() -> None:
    """Run the host, print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--markdown", action="store_true", help="write the tables into the page")
    options = parser.parse_args()
    log = BusyLog()
    with tempfile.TemporaryDirectory(prefix="pyrometer-host-") as folder:
        with services(), collector(Path(folder)) as url:
            time.sleep(_WARM_UP_S)
            with AgentProcess({}, endpoint=url, watch="") as agent:
                print(f"watching for {options.seconds:g} s", flush=True)
                time.sleep(options.seconds)
                agent.stop()
            wait_until_stored(url)
            shown = [look_at(url, expected) for expected in EXPECTED]
        accounted_ns, first_ms, last_ms = sum_of_all_stacks(Path(folder))
    busy_ns = log.between_ns(first_ms * NS_PER_MS, last_ms * NS_PER_MS)
    error = accounted_ns / busy_ns - 1
    text = "\n\n".join((functions_table(shown), host_table(accounted_ns, busy_ns, last_ms - first_ms)))
    print(f"\n{text}")
    if options.markdown:
        keep_table("host", text)
    right = all(ok for *_, ok in shown) and abs(error) <= TOLERANCE
    sys.exit(0 if right else 1)


@contextlib.contextmanager
def services() -> Iterator[None]:
    """Run the services, each with a name of its own."""
    python = scratch_python(find_interpreters()[0], NUMPY, GUNICORN)
    asyncio_port, gunicorn_port, idle_port = (free_port() for _ in range(3))
    plain = [str(python), "-m", _MODULE]
    gunicorn = [str(python.with_name("gunicorn")), "--workers", "2", "--bind", f"127.0.0.1:{gunicorn_port}"]
    commands = {
        "array-job": [*plain, "array-job"],
        "asyncio-server": [*plain, "asyncio-server", str(asyncio_port)],
        "gunicorn": [*gunicorn, "--log-level", "error", f"{_MODULE}:application"],
        "idle-web": [*plain, "idle-web", str(idle_port)],
        "load": [*plain, "load", str(asyncio_port), str(gunicorn_port), str(gunicorn_port)],
    }
    with contextlib.ExitStack() as stack:
        for name, command in commands.items():
            environment = os.environ | {"OTEL_SERVICE_NAME": name, "OPENBLAS_NUM_THREADS": "1"}
            stack.enter_context(child(command, environment))
        yield


@contextlib.contextmanager
def collector(folder: Path) -> Iterator[str]:
    """Run the real collector with an empty database; its address."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "pyrometer", "collector", "run", "--http-address", address, "--grpc-address", ""]
    with child([*command, "--data-dir", str(folder), "--log-level", "error"], dict(os.environ)):
        deadline = time.monotonic() + _FLUSH_TIMEOUT_S
        while get(f"http://{address}/readyz") is None:
            if time.monotonic() > deadline:
                raise TimeoutError("the collector did not become ready")
            time.sleep(0.1)
        yield f"http://{address}"


@contextlib.contextmanager
def child(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """Run a program, and end it as a supervisor would."""
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_stored(url: str) -> None:
    """Return when the collector's log is empty: all that was acknowledged is in the database."""
    deadline = time.monotonic() + _FLUSH_TIMEOUT_S
    while time.monotonic() < deadline:
        metrics = (get(f"{url}/metrics") or b"").decode().splitlines()
        waiting = [float(line.split()[-1]) for line in metrics if line.startswith("pyrometer_collector_wal_bytes")]
        if waiting and not any(waiting):
            return
        time.sleep(0.2)
    raise TimeoutError("the collector did not empty its log")


def look_at(url: str, expected: Expected) -> tuple[Expected, float, float, bool]:
    """Return a service's CPU seconds, a function's share of them, and whether that is as expected."""
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    query = f"service={expected.service}&start={start}&limit=1000"
    rows: list[dict[str, Any]] = json.loads(get(f"{url}/api/v1/functions?{query}") or b'{"functions": []}')["functions"]
    cpu_s = sum(row["self_cpu_seconds"] for row in rows)
    share = max((row["total_share"] for row in rows if row["function"] == expected.function), default=-1.0)
    return expected, cpu_s, share, share >= expected.share_min


def sum_of_all_stacks(folder: Path) -> tuple[int, int, int]:
    """Return CPU nanoseconds of all stacks, and the first and last moment they cover, in Unix milliseconds."""
    store = EmbeddedStore(folder)
    try:
        row = store.select(_SUM)[0]
    finally:
        store.close()
    value, first_ms, last_ms = row.values() if isinstance(row, dict) else row
    return int(value), int(first_ms), int(last_ms)


def functions_table(shown: list[tuple[Expected, float, float, bool]]) -> str:
    """Return the table of what was expected and what is shown."""
    rows = [
        (e.service, f"{cpu_s:.2f}", e.function, f"{share:.0%}" if share >= 0 else "absent", "yes" if ok else "NO")
        for e, cpu_s, share, ok in shown
    ]
    return markdown_table(("service", "CPU, s", "function", "share of it", "as expected"), rows)


def host_table(accounted_ns: int, busy_ns: int, covered_ms: int) -> str:
    """Return the table of the two sums."""
    difference = 100 * (accounted_ns / busy_ns - 1)
    cells = (f"{covered_ms / 1000:.1f}", f"{accounted_ns / NS_PER_S:.2f}", f"{busy_ns / NS_PER_S:.2f}")
    head = ("seconds", "all stacks, CPU s", "/proc/stat, CPU s", "difference, %")
    return markdown_table(head, [(*cells, f"{difference:+.2f}")])


def get(url: str) -> bytes | None:
    """Return an answer's body, or None where it is none."""
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        answer = urllib3.request("GET", url, retries=False, timeout=10)
        if answer.status == 200:
            return answer.data
    return None


def free_port() -> int:
    """Return a port of loopback that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    main()
