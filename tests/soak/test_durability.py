"""
What is acknowledged is stored exactly once: through kills of collector, database and both, and through a full disk.

Each test ends with a line such as ``lost 0, duplicated 0``. PYROMETER_SOAK_KILLS says how many kills there are.
"""

import contextlib
import os
import subprocess
from pathlib import Path

import clickhouse_driver
import pytest

from tests.clickhouse_server import server_url, start_server, stop_server
from tests.contract.collector_process import CollectorProcess, free_port, running_collector
from tests.contract.test_collector_process import Senders

KILLS = int(os.environ.get("PYROMETER_SOAK_KILLS", "60"))
FULL_ROUNDS = max(2, KILLS // 10)
pytestmark = [pytest.mark.soak, pytest.mark.timeout(300 + 20 * KILLS)]

_REQUESTS_BETWEEN = 150
_DISK_BYTES = 4 * 2**20


class Database:
    """A ClickHouse server that can be killed and started again on the same files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.ports = folder, (free_port(), free_port())
        self.process = None
        self.start()

    def start(self) -> None:
        self.process = start_server(self.folder, self.ports)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def stop(self) -> None:
        stop_server(self.process)

    def counts(self, statement: str) -> dict:
        with clickhouse_driver.Client("127.0.0.1", port=self.ports[0], database="pyrometer") as client:
            return dict(client.execute(statement))


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "server")
    try:
        yield database
    finally:
        with contextlib.suppress(ValueError):  # its stdin is closed: it was killed
            database.stop()


def a_collector(data_dir, database, port=0, **settings: str):
    names = {f"PYROMETER_COLLECTOR_{name}": value for name, value in settings.items()}
    return running_collector(
        data_dir, port=port, path="/healthz", PYROMETER_COLLECTOR_STORE__URL=server_url(database.ports), **names
    )


def judge(senders: Senders, database: Database) -> tuple[int, int]:
    """How many acknowledged spans and profiles are missing, and how many rows stand twice."""
    spans = database.counts("SELECT span_id, count() FROM spans GROUP BY span_id")
    details = database.counts("SELECT span_id, count() FROM span_details GROUP BY span_id")
    values = database.counts("SELECT value, count() FROM samples GROUP BY value")
    latency = database.counts("SELECT 0, sum(count) FROM latency")[0]
    lost = len(senders.spans - set(spans)) + len(senders.spans - set(details))
    lost += len(senders.profile_values - set(values)) + max(0, len(spans) - latency)
    twice = sum(count - 1 for counts in (spans, details, values) for count in counts.values())
    return lost, twice + max(0, latency - len(spans))


def report(what: str, senders: Senders, database: Database) -> None:
    lost, twice = judge(senders, database)
    print(f"\n{what}, {senders.acknowledged()} requests acknowledged: lost {lost}, duplicated {twice}")  # noqa: T201
    assert (lost, twice) == (0, 0)


def inserted(collector: CollectorProcess) -> float:
    name = "pyrometer_collector_insert_requests_total"
    return sum(collector.metric(name, signal=signal) for signal in ("traces", "profiles"))


@pytest.fixture
def senders():
    senders = Senders(f"http://127.0.0.1:{free_port()}", 503)
    senders.start()
    try:
        yield senders
    finally:
        senders.stop()


def port_of(senders: Senders) -> int:
    return int(senders.url.rpartition(":")[2])


def finish(collector: CollectorProcess, senders: Senders) -> None:
    senders.stop()
    collector.wait_until_stored()
    assert collector.stop() == 0


@pytest.mark.parametrize("with_database", [False, True], ids=["collector", "both"])
def test_kills_of_the_collector_lose_nothing_and_store_nothing_twice(tmp_path, database, senders, with_database):
    """Killed at any moment, again and again, while requests come; alone, or the database with it."""
    for _ in range(KILLS):
        with a_collector(tmp_path / "collector", database, port_of(senders)) as collector:
            senders.wait_for_more(collector, _REQUESTS_BETWEEN)
            if with_database:
                database.kill()
            collector.process.kill()
            collector.process.wait()
        if with_database:
            database.start()
    with a_collector(tmp_path / "collector", database, port_of(senders)) as collector:
        finish(collector, senders)
    report(f"{KILLS} kills of the collector{' and the database' * with_database}", senders, database)


def test_kills_of_the_database_lose_nothing_and_store_nothing_twice(tmp_path, database, senders):
    """Killed at any moment, again and again, while requests come and while what waited is inserted."""
    with a_collector(tmp_path / "collector", database, port_of(senders)) as collector:
        for _ in range(KILLS):
            senders.wait_for_more(collector, _REQUESTS_BETWEEN)
            database.kill()
            senders.wait_for_more(collector, _REQUESTS_BETWEEN)
            before = inserted(collector)
            database.start()
            collector.wait_until(lambda before=before: inserted(collector) > before, "inserting")
        finish(collector, senders)
    report(f"{KILLS} kills of the database", senders, database)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of four MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES},mode=700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system needs the right to mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [({}, "No space left on device"), ({"LOG__BYTES_MAX": str(2**20)}, "is full (1048576 bytes wait")],
    ids=["disk", "log"],
)
def test_a_full_disk_or_log_refuses_and_loses_nothing(small_disk, database, senders, limit, reason):
    """While the database is away the log grows to its end, then senders are told to come again; no hand is needed."""
    for number in range(FULL_ROUNDS):
        with a_collector(small_disk / "data", database, port_of(senders), **limit) as collector:
            senders.wait_for_more(collector, _REQUESTS_BETWEEN)
            database.kill()
            refused = senders.refused
            collector.wait_until(lambda refused=refused: senders.refused > refused + 50, "refusing", 120)
            assert reason in collector.log()
            assert collector.request("GET", "/healthz").status == 200
            if number % 2:
                collector.process.kill()
                collector.process.wait()
            database.start()
            if not number % 2:
                senders.wait_for_more(collector, _REQUESTS_BETWEEN)
                collector.process.kill()
                collector.process.wait()
    with a_collector(small_disk / "data", database, port_of(senders), **limit) as collector:
        senders.wait_for_more(collector, _REQUESTS_BETWEEN)
        finish(collector, senders)
    report(f"{FULL_ROUNDS} times full, {senders.refused} requests refused", senders, database)
