"""The bill of a whole host: what the agent reports of all services together is what ``/proc/stat`` says was used."""

import bisect
import contextlib
import threading
import time

import pytest
from agent_programs import Program, free_port, poll, running, workload
from agent_sink import Sink

from agent.host.ledger import read_busy_ns
from pyrometer import semconv

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

# Beside a service that computes: one that starts short-lived programs, one that lives in the kernel, and one whose
# threads take turns.
CHURN = """
import subprocess
print("up", flush=True)
while True:
    subprocess.run(["/bin/sh", "-c", "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); done"])
"""
SYSTEM = """
import os
print("up", flush=True)
while True:
    os.listdir("/proc")
"""
TURNS = """
import threading, time
def pulse():
    while True:
        end = time.monotonic() + 0.003
        while time.monotonic() < end:
            pass
        time.sleep(0.01)
for _ in range(3):
    threading.Thread(target=pulse, daemon=True).start()
print("up", flush=True)
threading.Event().wait()
"""


class BusyClock:
    """Reads the machine's busy time again and again, to tell what it was at any moment."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._busy: list[int] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @contextlib.contextmanager
    def ticking(self):
        self._thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(0.05):
            self._times.append(time.time_ns())
            self._busy.append(read_busy_ns())

    def used_ns(self, start_unix_ns: int, end_unix_ns: int) -> int:
        """Return the busy time between two moments, to the reading next to each."""
        first, last = (bisect.bisect_left(self._times, moment) for moment in (start_unix_ns, end_unix_ns))
        return self._busy[min(last, len(self._busy) - 1)] - self._busy[first]


def bill_share(tmp_path, *, host_windows: int) -> tuple[float, float]:
    """
    Run an agent under a mixed load for so many windows of the host.

    Returns:
        All that was reported over what the machine was busy, and the part of it that was not the host's own.
    """
    settings = ["--log-level", "error"]
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(Sink().serving())
        clock = stack.enter_context(BusyClock().ticking())
        agent = Program(
            ["agent", "run", *settings, "--http-address", f"127.0.0.1:{free_port()}"],
            tmp_path / "agent.log",
            {
                "PYROMETER_AGENT_EXPORT__ENDPOINT": sink.url,
                "PYROMETER_AGENT_SAMPLING__WINDOW_S": "2",
                "PYROMETER_AGENT_LEDGER__WINDOW_S": "2",
                "XDG_STATE_HOME": str(tmp_path),
            },
        )
        stack.enter_context(running(agent))
        for service, code in (("churn", CHURN), ("system", SYSTEM), ("turns", TURNS)):
            stack.enter_context(workload(service, code))
        stack.enter_context(workload("busy"))
        poll(lambda: len(sink.of(semconv.HOST_SERVICE)) >= host_windows, timeout_s=120 + 3 * host_windows, of=agent)
        code, _ = agent.stop()
        assert code == 0, agent.lines()
    host = sink.of(semconv.HOST_SERVICE)
    busy_ns = clock.used_ns(host[0].start_unix_ns, host[-1].start_unix_ns + host[-1].duration_ns)
    billed_ns = sum(sample.value for profile in sink.profiles for sample in profile.samples)
    return billed_ns / busy_ns, 1 - sink.cpu_ns(semconv.HOST_SERVICE) / billed_ns


@pytest.mark.timeout(300)
def test_all_services_together_use_what_the_host_was_busy(tmp_path):
    """Watched processes, other programs, kernel and short-lived ones: in some ten seconds the sum is right to 8%."""
    share, watched = bill_share(tmp_path, host_windows=5)

    assert share == pytest.approx(1.0, abs=0.08)
    assert watched > 0.1


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_over_a_minute_the_sum_is_right_to_two_percent(tmp_path):
    """The agent's promise, on a real host under a mixed load."""
    share, watched = bill_share(tmp_path, host_windows=30)

    assert share == pytest.approx(1.0, abs=0.02)
    assert watched > 0.1
