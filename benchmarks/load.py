"""
How many agents does one collector carry, and does it lose anything under them?

    python -m benchmarks.load [--quick] [--agents 2000] [--minutes 10]

Plays agents at their cadence against a real collector with its embedded database: each has its own connection, host and
four watched processes, and sends one request of profiles (80 stacks of depth 30, zstd, as the agent encodes them) and
one of metrics (200 points) every ten seconds, at a moment of its own. What is told to come again does, as the agent's
spool would. At the end what was acknowledged is compared with what is stored. The generator's CPU is not counted; its
requests are built before, and only their times are made those of the moment.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import urllib3
import zstandard
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from benchmarks.clocks import process_cpu_ns, resident_bytes
from benchmarks.flush_age import wait_until_ready
from benchmarks.ingest.requests import POINTS, a_stack
from benchmarks.tables import markdown_table
from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.units import NS_PER_S
from pyrometer.values import Profile, Sample

CADENCE_S: Final = 10.0
PROCESSES: Final = 4
STACKS: Final = 20
POINTS_EACH: Final = 200
RETRY_S: Final = 2.0
_STORED_TIMEOUT_S: Final = 120
_MIB: Final = 2**20
_WINDOW_NS: Final = int(CADENCE_S * NS_PER_S)
_FIXED64: Final = struct.Struct("<Q")
_COUNT: Final = """
import json, sys
from pathlib import Path
from collector.store.embedded import EmbeddedStore
store = EmbeddedStore(Path(sys.argv[1]))
print(json.dumps([store.select(f"SELECT count() AS n FROM {name}")[0]["n"] for name in sys.argv[2:]]))
store.close()
"""


@dataclass(slots=True)
class Played:
    """
    What happened to requests.

    Attributes:
        answers_s: How long each acknowledgement took.
        samples: Stack samples acknowledged.
        points: Metric points acknowledged.
        told_to_wait: Requests told to come again, each time.
        broken: Connections that broke.
    """

    answers_s: list[float] = field(default_factory=list)
    samples: int = 0
    points: int = 0
    told_to_wait: int = 0
    broken: int = 0


class Template:
    """
    A request that is built once and sent with the times of the moment.

    Args:
        body: Protobuf.
        made_ns: The time in it (fixed64, Unix ns) that is moved.
    """

    def __init__(self, body: bytes, made_ns: int) -> None:
        self._body, self._made = body, _FIXED64.pack(made_ns)

    def at(self, moment_ns: int) -> bytes:
        """Return the request as if it were made at a moment."""
        return self._body.replace(self._made, _FIXED64.pack(moment_ns))


class Agent:
    """One agent: a connection that stays open, and requests that are numbered as the agent's spool numbers them."""

    def __init__(self, number: int, port: int, played: Played) -> None:
        self._number, self._port, self._played = number, port, played
        self._choose = random.Random(number)
        self._spool_id = f"{number:032x}"
        self._sequences = {"/v1/metrics": 0, "/v1development/profiles": 0}
        self.profiles = self._profile_template()
        self.metrics = metrics_template(self._choose)
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def play(self, until_s: float) -> None:
        """Send at the cadence until a moment of the monotonic clock."""
        due_s = time.monotonic() + self._choose.random() * CADENCE_S
        while due_s < until_s:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await self._deliver("/v1development/profiles", self.profiles.at(time.time_ns() - _WINDOW_NS))
            self._played.samples += PROCESSES * STACKS
            await self._deliver("/v1/metrics", self.metrics.at(time.time_ns()))
            self._played.points += POINTS_EACH
            due_s += CADENCE_S
        if self._connection:
            self._connection[1].close()

    def _profile_template(self) -> Template:
        start_ns = time.time_ns() - _WINDOW_NS
        profiles = [self._profile(process, start_ns) for process in range(PROCESSES)]
        return Template(profiles_to_otlp(profiles), start_ns)

    def _profile(self, process: int, start_ns: int) -> Profile:
        first = 1000 * (self._number % 7) + 100 * process
        samples = tuple(
            Sample(
                stack=a_stack(first + int(self._choose.paretovariate(0.7)) % 400), count=1, value=10**7, thread_id=index
            )
            for index in range(STACKS)
        )
        attributes = {
            "service.name": f"service-{(self._number + process) % 40}",
            "service.version": "1.4.2",
            "host.name": f"node-{self._number}",
            "process.pid": 1000 + process,
        }
        return Profile(samples=samples, start_unix_ns=start_ns, duration_ns=_WINDOW_NS, attributes=attributes)

    async def _deliver(self, path: str, raw: bytes) -> None:
        """Send one request until it is acknowledged."""
        body = zstandard.compress(raw)
        self._sequences[path] += 1
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
            f"Content-Encoding: zstd\r\nContent-Length: {len(body)}\r\n"
            f"Pyrometer-Spool-Id: {self._spool_id}\r\nPyrometer-Sequence: {self._sequences[path]}\r\n\r\n"
        ).encode()
        while True:
            started = time.monotonic()
            status = await self._exchange(head + body)
            if status == 200:
                self._played.answers_s.append(time.monotonic() - started)
                return
            if status not in {0, 429, 503}:
                raise RuntimeError(f"{path} was answered with {status}")
            await asyncio.sleep(RETRY_S * (0.5 + self._choose.random()))

    async def _exchange(self, request: bytes) -> int:
        """Return the status of the answer; 0 where the connection broke."""
        try:
            if self._connection is None:
                self._connection = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._connection
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            self._connection = None
            self._played.broken += 1
            return 0
        status = int(head.split(b" ", 2)[1])
        self._played.told_to_wait += status in {429, 503}
        return status


def metrics_template(choose: random.Random) -> Template:
    """Return a request of metrics."""
    body = POINTS.make(POINTS_EACH, choose)
    metric = ExportMetricsServiceRequest.FromString(body).resource_metrics[0].scope_metrics[0].metrics[0]
    return Template(body, metric.gauge.data_points[0].time_unix_nano)


def main() -> None:
    """Play, compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200 agents for a minute")
    parser.add_argument("--agents", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    if options.quick:
        options.agents, options.minutes = 200, 1.0
    seconds, played = 60 * options.minutes, Played()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory(prefix="pyrometer-load-") as folder:
        port = free_port()
        players = [Agent(number, port, played) for number in range(1, options.agents + 1)]
        process = start_collector(Path(folder), port, options.agents)
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/readyz")
            cpu_ns = process_cpu_ns(process.pid)
            memory = asyncio.run(play(players, process.pid, seconds))
            wait_until_stored(port)
            cores = (process_cpu_ns(process.pid) - cpu_ns) / NS_PER_S / seconds
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        stored = stored_rows(Path(folder), "samples", "metric_points")
    print(report(options.agents, played, memory, cores, stored))


def start_collector(folder: Path, port: int, agents: int) -> "subprocess.Popen[bytes]":
    """Start a collector that takes as many connections as there are agents."""
    environment = os.environ | {
        "PYROMETER_COLLECTOR_HTTP__CONNECTIONS_MAX": str(agents + 100),
        "PYROMETER_COLLECTOR_GRPC__ADDRESS": '""',
    }
    command = [sys.executable, "-m", "pyrometer", "collector", "run", "--http-address", f"127.0.0.1:{port}"]
    return subprocess.Popen([*command, "--data-dir", str(folder), "--log-level", "error"], env=environment)


async def play(players: list[Agent], pid: int, seconds: float) -> list[int]:
    """Play all agents; return the collector's memory every two seconds, bytes."""
    memory: list[int] = []
    until_s = time.monotonic() + seconds

    async def watch() -> None:
        while True:
            memory.append(resident_bytes(pid))
            await asyncio.sleep(2.0)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(player.play(until_s) for player in players))
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    return memory


def wait_until_stored(port: int) -> None:
    """Return once nothing waits in the collector's log."""
    deadline = time.monotonic() + _STORED_TIMEOUT_S
    while time.monotonic() < deadline:
        text = urllib3.request("GET", f"http://127.0.0.1:{port}/metrics", timeout=30).data.decode()
        waiting = [line for line in text.splitlines() if line.startswith("pyrometer_collector_wal_bytes{")]
        if all(line.endswith(" 0.0") for line in waiting):
            return
        time.sleep(0.2)
    raise TimeoutError(f"the log was not empty after {_STORED_TIMEOUT_S} s")


def stored_rows(folder: Path, *tables: str) -> list[int]:
    """Return how many rows tables of a stopped collector have; another process may open its database once."""
    command = [sys.executable, "-c", _COUNT, str(folder), *tables]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [int(count) for count in json.loads(done.stdout)]


def report(agents: int, played: Played, memory: list[int], cores: float, stored: list[int]) -> str:
    """Return the table."""
    answers_ms = sorted(1000 * answer for answer in played.answers_s)
    quarter = max(1, len(memory) // 4)
    early, late = statistics.median(memory[quarter : 2 * quarter]), statistics.median(memory[-quarter:])
    rows = [
        ("agents", agents),
        ("requests acknowledged", len(answers_ms)),
        ("told to come again; connections broken", f"{played.told_to_wait}; {played.broken}"),
        ("stack samples acknowledged, stored", f"{played.samples}, {stored[0]}"),
        ("metric points acknowledged, stored", f"{played.points}, {stored[1]}"),
        ("acknowledgement, p50 and p99, ms", f"{_at(answers_ms, 0.5):.1f}, {_at(answers_ms, 0.99):.1f}"),
        ("memory of the collector, second and last quarter, MiB", f"{early / _MIB:.0f}, {late / _MIB:.0f}"),
        ("CPU of the collector with its database, cores", f"{cores:.2f}"),
        ("agents per core", f"{agents / cores:.0f}"),
        ("lost; stored twice", f"{_short(played, stored)}; {_short(played, stored, sign=-1)}"),
    ]
    return markdown_table(("", "measured"), rows)


def _short(played: Played, stored: list[int], sign: int = 1) -> int:
    """Return how many rows are missing, or with the other sign too many."""
    differences = (played.samples - stored[0], played.points - stored[1])
    return sum(max(0, sign * difference) for difference in differences)


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
