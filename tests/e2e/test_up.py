"""`pyrometer up --demo` as a user runs it: every part real, found through the output and the lock file."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import urllib3
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from pyrometer.up.lock import lock_data_directory

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

# Long enough for a machine that is busy with other things.
READY_S = 150.0
DATA_S = 150.0
# A comparison needs time buckets, and samples: on a machine full of other Python processes it takes minutes.
CHECK_S = 600.0
CHECK_EVERY_S = 5.0
OTHER_PORTS = ("--dashboard-port", "0", "--agent-port", "0")
T = TypeVar("T")


def wait_for(probe: Callable[[], T | None], what: str, deadline_s: float) -> T:
    """Return the first result that is neither None nor empty."""
    end = time.monotonic() + deadline_s
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > end:
            pytest.fail(f"waited {deadline_s} s in vain for {what}")
        time.sleep(0.1)


class Up:
    """A running `pyrometer up`, and every process that comes from it."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self._mark = f"PYROMETER_TEST_MARK={uuid.uuid4().hex}"
        self._output = directory.parent / "up.out"
        name, _, value = self._mark.partition("=")
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                (sys.executable, "-m", "pyrometer", "up", "--data-dir", str(directory), *arguments),
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, name: value},
            )

    @property
    def text(self) -> str:
        """What was printed, and the logs, for the message of a failed test."""
        return self._output.read_text()

    def wait_for_line(self, text: str, deadline_s: float, count: int = 1) -> None:
        def seen() -> bool:
            assert self.process.poll() is None, f"`up` ended with {self.process.returncode}:\n{self.text}"
            return self.text.count(text) >= count

        try:
            wait_for(seen, f"{text!r} {count} times", deadline_s)
        except BaseException:
            sys.stderr.write(f"{self.text}\n{self.logs()}")
            raise

    def logs(self) -> str:
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in self.directory.glob("logs/*.log"))

    def address(self, part: str) -> str:
        return json.loads((self.directory / "up.lock").read_text())["addresses"][part]

    def get(self, path: str, **fields: str) -> dict | None:
        """Return an answer of the query API, or None where there is none now."""
        try:
            answer = urllib3.request(
                "GET", f"{self.address('collector')}/api/v1{path}", fields=fields, retries=False, timeout=5.0
            )
        except urllib3.exceptions.HTTPError:
            return None
        return answer.json() if answer.status == 200 else None

    def alive(self) -> dict[int, str]:
        """Return pid and command line of every process that carries our mark."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (path / "environ").read_bytes().split(b"\0"):
                    found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def pid_of(self, words: str) -> int:
        return next(pid for pid, command in self.alive().items() if words in command)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for pid in self.alive():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Everything, on free ports, with the default of one of them taken so that --auto-ports has something to do."""
    directory = tmp_path_factory.mktemp("up") / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ("--demo", "--auto-ports", "--http-port", port, "--grpc-port", port, *OTHER_PORTS)
        running = Up(directory, *arguments)
        try:
            running.wait_for_line("all ready", READY_S)
            yield running
        finally:
            running.close()


def test_every_part_says_that_it_is_ready_and_where(up):
    """One line for each part with its address, the collector's first; and the dashboard answers there."""
    lines = [line.split() for line in up.text.splitlines() if " ready in " in line]

    assert {line[0] for line in lines} == {"collector", "agent", "dashboard", "demo"}
    assert lines[0][0] == "collector"
    assert {line[0]: line[1] for line in lines} == {part: up.address(part) for part, *_ in lines}
    page = urllib3.request("GET", up.address("dashboard"), retries=False, timeout=5.0)
    assert page.status == 200


def test_the_demo_is_listed_with_both_releases_and_its_traffic(up):
    """Soon after the start the overview has the shop: profiles and spans of two releases."""

    def shop() -> dict | None:
        rows = (up.get("/services") or {"services": []})["services"]
        for row in rows:
            if row["service"] == "shop" and {"1.4.0", "1.5.0"} <= set(row["versions"]) and row["requests"]:
                return row if row["cpu_seconds"] > 0 else None
        return None

    row = wait_for(shop, "the shop in /services", DATA_S)

    assert row["hosts"] == 1
    assert row["p50_ms"] > 0


@pytest.mark.parametrize("version", ["1.4.0", "1.5.0"])
def test_the_flame_graph_shows_the_demos_functions(up, version):
    """The planted function is in the flame graph of each release, below the endpoint's handler that calls it."""

    def tree() -> dict | None:
        answer = up.get("/flamegraph", service="shop", version=version)
        return answer if answer and any("apply_discounts" in text for text in answer["strings"]) else None

    answer = wait_for(tree, "apply_discounts in the flame graph", DATA_S)

    names = [answer["strings"][index] for index in answer["name"]]
    node = next(index for index, name in enumerate(names) if "apply_discounts" in name)
    path = []
    while node >= 0 and len(path) < 200:
        path.append(names[node])
        node = answer["parent"][node] if node else -1
    assert any("price_order" in name for name in path)
    assert path[-1] == "all"


def test_every_endpoint_is_in_the_latency_table(up):
    """The server spans of all five endpoints arrive under their routes."""
    wanted = {f"GET /{name}" for name in ("checkout", "search", "orders", "stock", "export")}

    def operations() -> set[str] | None:
        answer = up.get("/latency", service="shop", version="1.5.0") or {"operations": []}
        seen = {row["operation"] for row in answer["operations"] if row["kind"] == "server"}
        return seen if wanted <= seen else None

    assert wait_for(operations, "all endpoints in /latency", DATA_S) >= wanted


def test_a_second_up_on_the_same_data_says_who_is_there(up):
    """The second names the first's pid and dashboard, and leaves with 2 at once."""
    result = subprocess.run(
        (sys.executable, "-m", "pyrometer", "up", "--auto-ports", "--data-dir", str(up.directory)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert result.returncode == 2
    assert f"pid {up.process.pid}" in result.stderr
    assert up.address("dashboard") in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_taken_port_is_reported_with_its_holder(up, tmp_path):
    """Another `up` on other data is told which port is taken, for which part, and by whom."""
    port = up.address("collector").rpartition(":")[2]
    result = subprocess.run(
        (
            *(sys.executable, "-m", "pyrometer", "up", "--data-dir", str(tmp_path)),
            *("--http-port", port, "--grpc-port", "0", *OTHER_PORTS),
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert result.returncode == 2
    assert f"port {port} (collector) is taken by pid {up.pid_of('collector run')} " in result.stderr
    assert not (tmp_path / "logs").exists()


def a_trace_request(service: str) -> bytes:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    attribute = resource_spans.resource.attributes.add(key="service.name")
    attribute.value.string_value = service
    now = time.time_ns()
    resource_spans.scope_spans.add().spans.append(
        Span(
            name="GET /kept",
            kind=Span.SPAN_KIND_SERVER,
            trace_id=uuid.uuid4().bytes,
            span_id=uuid.uuid4().bytes[:8],
            start_time_unix_nano=now - 5_000_000,
            end_time_unix_nano=now,
        )
    )
    return request.SerializeToString()


class Sender(threading.Thread):
    """Sends one span after the other, and counts those that were acknowledged."""

    def __init__(self, url: str, service: str) -> None:
        super().__init__()
        self.sent = 0
        self.acknowledged = 0
        self.enough = threading.Event()
        self._url = f"{url}/v1/traces"
        self._service = service

    def run(self) -> None:
        while not self.enough.wait(0.002):
            self.sent += 1
            try:
                answer = urllib3.request(
                    "POST",
                    self._url,
                    body=a_trace_request(self._service),
                    headers={"Content-Type": "application/x-protobuf"},
                    retries=False,
                    timeout=5.0,
                )
                self.acknowledged += answer.status == 200
            except urllib3.exceptions.HTTPError:
                self.enough.wait(0.1)


def test_a_killed_collector_comes_back_with_all_it_acknowledged(up):
    """SIGKILL in the middle of traffic: it is started again, and every acknowledged span is stored, once."""
    service = f"kept-{uuid.uuid4().hex[:8]}"
    sender = Sender(up.address("collector"), service)
    sender.start()
    try:
        before = up.pid_of("collector run")
        wait_for(lambda: sender.acknowledged >= 200, "200 acknowledged spans", DATA_S)

        os.kill(before, signal.SIGKILL)
        up.wait_for_line("collector   ", READY_S, count=2)
        back_with = sender.acknowledged
        wait_for(lambda: sender.acknowledged >= back_with + 50, "50 more after the restart", DATA_S)
    finally:
        sender.enough.set()
        sender.join()

    def stored() -> int:
        rows = (up.get("/services") or {"services": []})["services"]
        return sum(row["requests"] for row in rows if row["service"] == service)

    wait_for(lambda: stored() >= sender.acknowledged, f"{sender.acknowledged} spans, not {stored()}", DATA_S)
    assert stored() <= sender.sent
    assert up.pid_of("collector run") != before
    assert "collector was killed by SIGKILL; starting it again in" in up.text


@pytest.mark.timeout(CHECK_S + 60)
def test_check_names_the_planted_function_and_its_price(up):
    """A check of the demo's releases ends with 5 and names apply_discounts, its price, and what that assumes."""

    def check() -> dict | None:
        done = subprocess.run(
            (
                *(
                    sys.executable,
                    "-m",
                    "pyrometer",
                    "check",
                    "--service",
                    "shop",
                    "--collector",
                    up.address("collector"),
                ),
                *("--baseline", "1.4.0", "--candidate", "1.5.0", "--format", "json"),
            ),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        report = json.loads(done.stdout) if done.returncode == 5 else {"items": []}
        planted = (
            item
            for item in report["items"]
            if item["verdict"] == "regression" and item["subject"].endswith("apply_discounts")
        )
        time.sleep(CHECK_EVERY_S)
        return next(({**report, "planted": item} for item in planted), None)

    report = wait_for(check, "apply_discounts in a check of the releases", CHECK_S)

    planted = report["planted"]
    assert planted["file"].endswith("pyrometer/demo/checkout.py")
    assert 0 < planted["low"] < planted["absolute"] < planted["high"]
    assert 0 < planted["price_low"] < planted["price_per_month"] < planted["price_high"]
    assert any("a core hour costs" in line for line in report["assumptions"])
    assert report["items"][0]["verdict"] == "regression"


def test_sigterm_stops_everything_within_ten_seconds(up):
    """All parts stop, the collector last, nothing is left behind, and the exit code is 0. The last of this `up`."""
    assert up.alive()
    began = time.monotonic()
    up.process.send_signal(signal.SIGTERM)

    assert up.process.wait(60) == 0

    assert time.monotonic() - began < 10.0
    assert up.alive() == {}
    stopped = [line.split()[0] for line in up.text.splitlines() if " stopped in " in line]
    assert sorted(stopped) == ["agent", "collector", "dashboard", "demo"]
    assert stopped[-1] == "collector"


def test_nothing_outlives_a_killed_up(tmp_path):
    """SIGKILL of `up` itself: parts, demo services and samplers are gone within seconds, the data are free again."""
    running = Up(tmp_path / "data", "--demo", "--http-port", "0", "--grpc-port", "0", *OTHER_PORTS)
    try:
        running.wait_for_line("all ready", READY_S)
        running.process.kill()
        running.process.wait()

        wait_for(lambda: running.alive() == {}, f"the end of {running.alive()}", 15.0)

        with lock_data_directory(running.directory):
            pass
    finally:
        running.close()
