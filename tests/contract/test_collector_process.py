"""The collector as a process: how it starts, refuses to start, stops, and what a kill costs."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import urllib3
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.values import Frame, Profile, Sample
from tests.contract.collector_process import CollectorProcess, free_port, running_collector, select

KILLS = 3
KILLS_SOAK = 100
SENDERS = 4


def run_to_end(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "pyrometer", "collector", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(tmp_path, number):
    """Exit 0 within 5 s, what was acknowledged is stored, and no traceback is written."""
    with running_collector(tmp_path) as collector:
        assert collector.post("/v1/traces", spans_body(["aa" * 8])).status == 200
        started = time.monotonic()
        assert collector.stop(number) == 0
        assert time.monotonic() - started < 5
        assert "Traceback" not in collector.log()
    assert select(tmp_path, "SELECT span_id FROM spans") == [[{"span_id": "aa" * 8}]]


def test_a_second_collector_on_the_same_data_is_refused(tmp_path):
    """One line that names the directory, exit 2; the first goes on."""
    with running_collector(tmp_path) as collector:
        done = run_to_end("run", "--http-address", f"127.0.0.1:{free_port()}", "--data-dir", str(tmp_path))
        assert done.returncode == 2
        assert str(tmp_path) in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert collector.request("GET", "/healthz").status == 200


def test_a_taken_port_is_named(tmp_path):
    """One line that names the port, exit 2."""
    with running_collector(tmp_path / "first") as collector:
        address = collector.url.removeprefix("http://")
        done = run_to_end("run", "--http-address", address, "--data-dir", str(tmp_path / "second"))
    assert done.returncode == 2
    assert f"port {address.split(':')[1]}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_query_api_may_have_a_listener_of_its_own(tmp_path):
    """With an address of its own, the API answers there and not beside OTLP; OTLP is not taken there."""
    api_port = free_port()
    with running_collector(tmp_path, PYROMETER_COLLECTOR_HTTP__API_ADDRESS=f"127.0.0.1:{api_port}") as collector:
        beside = CollectorProcess(collector.process, f"http://127.0.0.1:{api_port}", tmp_path, collector.log_path)
        assert beside.request("GET", "/api/v1/services").status == 200
        assert beside.request("GET", "/readyz").status == 200
        assert collector.request("GET", "/api/v1/services").status == 404
        assert collector.post("/v1/traces", b"").status == 200
        assert beside.post("/v1/traces", b"").status == 404
        assert collector.stop() == 0


@pytest.mark.parametrize(
    "address", ["0.0.0.0:0", "192.0.2.1:4318", "example.org:4318", "nonsense", ":1", "127.0.0.1:x"]
)
def test_an_address_that_must_not_be_served_is_refused(tmp_path, address):
    """Not loopback, or no address at all: exit 2 before anything is opened."""
    done = run_to_end("run", "--http-address", address, "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2
    assert "http.address" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_cannot_be_written_is_refused(tmp_path):
    """One line that names it, exit 2."""
    (tmp_path / "file").write_text("")
    done = run_to_end("run", "--http-address", f"127.0.0.1:{free_port()}", "--data-dir", str(tmp_path / "file/data"))
    assert done.returncode == 2
    assert "file/data" in done.stderr


def test_migrating_a_database_that_does_not_answer_names_it(tmp_path):
    """One line with its address and without the password, exit 1."""
    url = f"clickhouse://me:secret@127.0.0.1:{free_port()}/pyrometer"
    done = run_to_end("migrate", "--data-dir", str(tmp_path), PYROMETER_COLLECTOR_STORE__URL=url)
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_migrate_and_its_status(tmp_path):
    """All are pending, then applied; the status and a dry run change nothing."""
    planned = run_to_end("migrate", "--dry-run", "--data-dir", str(tmp_path)).stdout.splitlines()
    before = run_to_end("migrate", "--status", "--data-dir", str(tmp_path)).stdout.splitlines()
    applied = run_to_end("migrate", "--data-dir", str(tmp_path)).stdout.splitlines()
    after = run_to_end("migrate", "--status", "--data-dir", str(tmp_path)).stdout.splitlines()
    again = run_to_end("migrate", "--data-dir", str(tmp_path)).stdout.splitlines()
    assert {line.split()[0] for line in before} == {"pending"}
    assert {line.split()[0] for line in after} == {"applied"}
    assert [line.split()[1] for line in before] == [line.split()[1] for line in applied]
    assert [line.removeprefix("would apply") for line in planned] == [line.removeprefix("applied") for line in applied]
    assert again == ["nothing to apply"]


def test_a_full_log_is_503_and_recovers(tmp_path):
    """Requests that come faster than a segment ages fill a small log: 503, when to come again, and later success."""
    limits = {"PYROMETER_COLLECTOR_LOG__BYTES_MAX": str(1024**2)}
    with running_collector(tmp_path, **limits) as collector:
        body = spans_body([f"{number:016x}" for number in range(2000)], text="x" * 400)
        answers = [collector.post("/v1/traces", body) for _ in range(4)]
        full = [answer for answer in answers if answer.status == 503]
        assert full
        assert all(int(answer.headers["retry-after"]) > 0 for answer in full)
        assert b"full" in full[0].data
        collector.wait_until(lambda: collector.post("/v1/traces", body).status == 200, "taking requests again")


@pytest.mark.parametrize(
    "kills", [KILLS, pytest.param(KILLS_SOAK, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]
)
def test_kills_lose_nothing_acknowledged_and_store_nothing_twice(tmp_path, kills):
    """
    Kill -9 while senders send spans and profiles, a few times over; many times in the soak.

    Every acknowledged span is stored, each once; the CPU time of acknowledged profiles is stored exactly, with at most
    the requests in flight at a kill beside them.
    """
    port = free_port()
    senders = Senders(f"http://127.0.0.1:{port}")
    senders.start()
    try:
        for _ in range(kills):
            with running_collector(tmp_path, port=port) as collector:
                senders.wait_for_more(collector, 60)
                collector.process.kill()
                collector.process.wait()
        with running_collector(tmp_path, port=port) as collector:
            senders.wait_for_more(collector, 60)
            senders.stop()
            collector.wait_until_stored()
            assert collector.stop() == 0
    finally:
        senders.stop()
    spans, profiles, sums = select(
        tmp_path,
        "SELECT span_id, count() AS n FROM spans GROUP BY span_id",
        "SELECT value, count() AS n FROM samples GROUP BY value",
        "SELECT (SELECT sum(cpu_ns) FROM service_cost) AS service, "
        "(SELECT sum(self_ns) FROM function_cost) AS function, "
        "(SELECT sum(value) FROM samples) AS sample, (SELECT sum(count) FROM latency) AS latency, "
        "(SELECT count() FROM spans) AS spans, (SELECT count() FROM span_details) AS details",
    )
    stored = {row["span_id"]: row["n"] for row in spans}
    assert set(stored.values()) == {1}
    assert senders.spans <= set(stored)
    assert len(set(stored) - senders.spans) <= senders.unanswered * 10
    values = {row["value"]: row["n"] for row in profiles}
    assert set(values.values()) == {1}
    assert senders.profile_values <= set(values)
    assert len(set(values) - senders.profile_values) <= senders.unanswered
    [row] = sums
    assert row["service"] == row["function"] == row["sample"] == sum(values)
    assert row["latency"] == row["spans"] == row["details"] == len(stored)


class Senders:
    """Threads that send spans and profiles, each with its own identity, and remember which were acknowledged."""

    def __init__(self, url, *refusals):
        self.url, self.refusals, self.refused = url, refusals, 0
        self.spans, self.profile_values, self.unanswered = set(), set(), 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.numbers = iter(range(1, 10**9))
        self.threads = [threading.Thread(target=self.run, args=(index,)) for index in range(SENDERS)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def wait_for_more(self, collector, count):
        enough = self.acknowledged() + count
        collector.wait_until(lambda: self.acknowledged() >= enough, f"acknowledging {count} requests")

    def acknowledged(self):
        with self.lock:
            return len(self.spans) // 10 + len(self.profile_values)

    def run(self, index):
        with urllib3.PoolManager(retries=False, timeout=10) as pool:
            while not self.stopping.is_set():
                with self.lock:
                    number = next(self.numbers)
                if index == 0:
                    self.send(pool, "/v1development/profiles", profile_body(number), profile=number)
                else:
                    ids = [f"{number * 10 + i:016x}" for i in range(10)]
                    self.send(pool, "/v1/traces", spans_body(ids), ids=ids)

    def send(self, pool, path, body, *, ids=(), profile=None):
        headers = {"content-type": "application/x-protobuf"}
        try:
            status = pool.request("POST", self.url + path, body=body, headers=headers).status
        except urllib3.exceptions.NewConnectionError:
            self.stopping.wait(0.05)  # nothing listens: nothing can have been stored
            return
        except urllib3.exceptions.HTTPError:
            with self.lock:
                self.unanswered += 1
            return
        assert status == 200 or status in self.refusals
        if status != 200:
            with self.lock:
                self.refused += 1
            self.stopping.wait(0.05)
            return
        with self.lock:
            self.spans.update(ids)
            if profile is not None:
                self.profile_values.add(profile)


def spans_body(span_ids, text="op"):
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    now_ns = time.time_ns()
    for span_id in span_ids:
        spans.add(span_id=bytes.fromhex(span_id), name=text, start_time_unix_nano=now_ns, end_time_unix_nano=now_ns + 5)
    return request.SerializeToString()


def profile_body(value):
    sample = Sample(stack=(Frame("main", "app.py", 1), Frame("hot", "app.py", 2)), count=1, value=value)
    profile = Profile(
        samples=(sample,),
        start_unix_ns=time.time_ns(),
        duration_ns=10**10,
        period_ns=5 * 10**7,
        attributes={"service.name": "shop", "host.name": "h", "process.pid": 7},
    )
    return profiles_to_otlp([profile])
