"""
What the agent's loop costs where nothing is to be sampled: milliseconds of CPU a second, with 50 and 500 processes.

    python -m benchmarks.loop_cost [--seconds 30] [--rounds 3]

The processes are forks of one Python that sleep, or wake ten times a second for a moment. The loop runs in this process
with the settings of a daemon, host bill included, and its profiles are encoded and dropped.
"""

import argparse
import gc
import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agent.destination import Signal
from agent.governor import Governor
from agent.host.ledger import HostLedger
from agent.host_identity import HostIdentity
from agent.identity import Identifier
from agent.profile_export import ProfileExport
from agent.reader.pace import Pace
from agent.reader.pyspy import PySpyEngine
from agent.sampling import SamplingLoop
from agent.selfmetrics import SelfMetrics
from agent.settings import AgentSettings, Match
from agent.targets import Scanner

WARM_UP_S = 15.0
SLEEP_S = {"idle": 3600.0, "mostly idle": 0.1}


class Drop:
    """An exporter that drops what it gets."""

    def offer(self, kind: Signal, body: bytes) -> None:
        """Drop a batch."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    print("| processes | ms of CPU a second, median | lowest to highest |\n| --- | --- | --- |")
    for count, kind in ((0, "idle"), (50, "idle"), (500, "idle"), (500, "mostly idle")):
        costs = [measure(count, SLEEP_S[kind], options.seconds) for _ in range(options.rounds)]
        print(f"| {count} {kind} | {statistics.median(costs):.2f} | {min(costs):.2f} to {max(costs):.2f} |", flush=True)


def measure(count: int, sleep_s: float, seconds: float) -> float:
    """Return the loop's milliseconds of CPU a second beside that many processes."""
    with forks(count, sleep_s):
        loop = build_loop()
        thread = threading.Thread(target=loop.run)
        thread.start()
        time.sleep(WARM_UP_S)
        before_ns, started_ns = time.process_time_ns(), time.monotonic_ns()
        time.sleep(seconds)
        used_ns, elapsed_ns = time.process_time_ns() - before_ns, time.monotonic_ns() - started_ns
        loop.stop()
        thread.join()
    return used_ns / elapsed_ns * 1000


def build_loop() -> SamplingLoop:
    """Return the loop of a daemon that has no collector and no engine to use."""
    settings = AgentSettings()
    settings.budget.cpu_percent = 100.0
    settings.targets.allow = (Match(service="loop_cost"),)
    metrics = SelfMetrics()
    host = HostIdentity({"host.name": "bench"}, 0)
    return SamplingLoop(
        settings,
        Scanner(settings.targets, Identifier(host, settings.identity).describe),
        PySpyEngine(),
        ProfileExport(Drop(), batch_bytes_max=settings.export.batch_bytes_max).deliver,
        metrics,
        governor=Governor(settings.budget, Pace(19.0), metrics, window_s=10.0, windows_max=512),
        ledger=HostLedger(settings.ledger, host.attributes, metrics, processes_max=32_768),
    )


@contextmanager
def forks(count: int, sleep_s: float) -> Iterator[None]:
    """Fork that many sleepers, by a process between, as the agent's own children are no targets; and end them."""
    gc.freeze()
    parent = os.fork()
    if parent == 0:
        os.setpgid(0, 0)
        for _ in range(count):
            if os.fork() == 0:
                break
        while True:
            time.sleep(sleep_s)
    try:
        yield
    finally:
        os.killpg(parent, signal.SIGKILL)
        os.waitpid(parent, 0)


if __name__ == "__main__":
    main()
