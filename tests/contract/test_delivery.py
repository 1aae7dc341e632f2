"""From the agent's sender to the collector's tables: nothing is lost or counted twice, whatever is killed."""

import contextlib
import math
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.contract.answer_eater import AnswerEater
from tests.contract.collector_process import CollectorProcess, free_port, running_collector, select
from tests.contract.delivery_sender import numbered_profile, offer_both, open_sender

ROOT = Path(__file__).resolve().parent.parent.parent
SIGNALS = ("profiles", "metrics")
STALLED_S = 60
# Few segments, as in the real collector: hundreds of small ones would keep the database busy long after the last kill.
SEGMENT_AGE = {"PYROMETER_COLLECTOR_LOG__SEGMENT_AGE_MAX_S": "5"}
ROUNDS, ROUNDS_SOAK = 2, 40
AN_HOUR_OF_BATCHES = 360  # one of each signal every ten seconds


class SenderProcess:
    """The sender in a process of its own, and the numbers it said are safe."""

    def __init__(self, url: str, spool: Path, *first: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.delivery_sender", url, str(spool), *map(str, first)],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def read(self, count: int) -> list[int]:
        return [int(self.process.stdout.readline()) for _ in range(count)]

    def kill(self) -> list[int]:
        """Kill -9; return the numbers it had printed and nobody had read."""
        self.process.kill()
        left = [int(line) for line in self.process.stdout if line.endswith("\n")]
        self.process.wait()
        self.process.stdout.close()
        return left


def finish(url: str, spool: Path) -> None:
    """Send what is left, in a process that ends by itself."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.delivery_sender", url, str(spool)],
        capture_output=True, text=True, cwd=ROOT, timeout=1200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def store_all(collector: CollectorProcess) -> None:
    """Wait until the log is empty, as long as it gets emptier, and stop."""
    least, deadline = math.inf, time.monotonic() + STALLED_S
    while waiting := sum(collector.metric("pyrometer_collector_wal_bytes", signal=name) for name in SIGNALS):
        if waiting < least:
            least, deadline = waiting, time.monotonic() + STALLED_S
        assert time.monotonic() < deadline, f"{waiting} bytes stay in the log: {collector.log()}"
        time.sleep(0.2)
    assert collector.stop() == 0


def stored(data_dir: Path) -> tuple[dict[int, int], dict[int, int]]:
    """How often each number is in the tables of a stopped collector: as a profile, and as a metric."""
    profiles, metrics, sums = select(
        data_dir,
        "SELECT value, count() AS n FROM samples GROUP BY value",
        "SELECT toInt64(value) AS value, count() AS n FROM metric_points GROUP BY value",
        "SELECT (SELECT sum(cpu_ns) FROM service_cost) AS service, "
        "(SELECT sum(self_ns) FROM function_cost) AS function",
    )
    as_profiles = {row["value"]: row["n"] for row in profiles}
    assert sums[0]["service"] == sums[0]["function"] == sum(value * n for value, n in as_profiles.items())
    return as_profiles, {row["value"]: row["n"] for row in metrics}


def test_an_answer_that_vanishes_stores_nothing_twice(tmp_path):
    """Half of all answers never arrive: every batch is sent until one does, and is stored once."""
    eats = random.Random(3)
    with running_collector(tmp_path / "data") as collector, contextlib.ExitStack() as stack:
        eater = AnswerEater(int(collector.url.rpartition(":")[2]), lambda: eats.random() < 0.5)
        stack.callback(eater.close)
        sender, spool = open_sender(eater.url, tmp_path / "spool")
        for number in range(1, 31):
            offer_both(sender, number)
        sender.start()
        stack.callback(sender.close, 0.0)
        collector.wait_until(lambda: spool.waiting == 0, "sending all batches")
        repeated = sum(collector.metric("pyrometer_collector_repeated_total", signal=signal) for signal in SIGNALS)
        store_all(collector)
    assert repeated >= 5
    assert stored(tmp_path / "data") == (dict.fromkeys(range(1, 31), 1),) * 2


@pytest.mark.parametrize(
    "rounds", [ROUNDS, pytest.param(ROUNDS_SOAK, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_kills_lose_nothing_and_store_nothing_twice(tmp_path, rounds):
    """
    Kill -9 of the collector just after it has stored and before its answer arrives, of the sender at any moment, and
    of the collector while the sender waits: every batch that the sender had taken is stored, each once.
    """
    chance = random.Random(5)
    port, safe, kills = free_port(), [], 0
    collectors = []

    def eats() -> bool:
        """Lose one answer in ten, and the collector with it."""
        if chance.random() < 0.1 and collectors:
            collectors.pop().process.kill()
            return True
        return not collectors

    eater = AnswerEater(port, eats)
    try:
        for _ in range(rounds):
            with running_collector(tmp_path / "data", port=port, **SEGMENT_AGE) as collector:
                collectors.append(collector)
                sender = SenderProcess(eater.url, tmp_path / "spool", 1 + max(safe, default=0) + kills)
                safe += sender.read(20)
                collector.wait_until(lambda: not collectors, "the kill of the collector")
            safe += sender.kill()
            kills += 1
        with running_collector(tmp_path / "data", port=port) as collector:
            eater.eats = lambda: False
            finish(eater.url, tmp_path / "spool")
            store_all(collector)
    finally:
        eater.close()
    lost_and_doubled(tmp_path / "data", safe, kills)


def lost_and_doubled(data_dir: Path, safe: list[int], kills: int) -> None:
    for counts in stored(data_dir):
        lost = set(safe) - set(counts)
        doubled = {number: n for number, n in counts.items() if n != 1}
        # What was taken at a kill of the sender before it could say so is stored as well.
        assert (lost, doubled) == (set(), {})
        assert len(set(counts) - set(safe)) <= kills
    print(f"{len(safe)} batches of each signal, {kills} kills of each side: lost 0, duplicated 0")  # noqa: T201


def test_a_collector_may_be_away_for_an_hour(tmp_path):
    """All batches of an hour wait on the disk, through a kill of the agent, and arrive once; memory stays small."""
    started = SenderProcess("http://127.0.0.1:9", tmp_path / "spool", 1)
    safe = started.read(20) + started.kill()
    sender, _ = open_sender("http://127.0.0.1:9", tmp_path / "spool")
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(max(safe) + 2, AN_HOUR_OF_BATCHES + 1):
        offer_both(sender, number)
        safe.append(number)
    sender.close(0.0)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 8 * 1024
    with running_collector(tmp_path / "data") as collector:
        finish(collector.url, tmp_path / "spool")
        store_all(collector)
    lost_and_doubled(tmp_path / "data", safe, 1)


def test_a_collector_that_comes_and_goes(tmp_path):
    """Stopped cleanly and started again while batches keep coming: all arrive, once."""
    port, safe = free_port(), []
    sender = SenderProcess(f"http://127.0.0.1:{port}", tmp_path / "spool", 1)
    for _ in range(2):
        with running_collector(tmp_path / "data", port=port) as collector:
            safe += sender.read(20)
            collector.wait_until(
                lambda: collector.metric("pyrometer_collector_received_total", signal="metrics", transport="http") > 5,
                "receiving metrics",
            )
            assert collector.stop() == 0
    safe += sender.kill()
    with running_collector(tmp_path / "data", port=port) as collector:
        finish(collector.url, tmp_path / "spool")
        store_all(collector)
    lost_and_doubled(tmp_path / "data", safe, 1)


def test_repeats_are_known_once_the_log_is_empty(tmp_path):
    """What was stored, flushed and deleted from the log is still known after a kill of the collector."""
    headers = {"pyrometer_spool_id": "8f14e45f-ceea-467f-a0b1-2c3d4e5f6071", "pyrometer_sequence": "7"}
    body = numbered_profile(7)
    with running_collector(tmp_path) as collector:
        assert collector.post("/v1development/profiles", body, **headers).status == 200
        collector.wait_until_stored()
        collector.process.kill()
    with running_collector(tmp_path) as collector:
        assert collector.post("/v1development/profiles", body, **headers).status == 200
        assert collector.metric("pyrometer_collector_repeated_total", signal="profiles") == 1
        assert collector.stop() == 0
    assert stored(tmp_path)[0] == {7: 1}
