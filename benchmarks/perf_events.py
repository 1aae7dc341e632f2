"""
What do perf events of the whole host cost the agent, and do they tell the truth?

    python -m benchmarks.perf_events [--seconds 30] [--rounds 3]

For each rate, on a host left alone and on one with as many busy threads as CPUs, in turn: the CPU time of a process
that does nothing but read the events and take the host's stacks every 10 s, in percent of one core and for each sample,
a few seconds after its start; the memory it uses beyond a process that does not; and count times period of the busy
threads against what the kernel accounts to them.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.procfs import read_thread_clocks
from agent.reader.perf.reader import PerfReader
from benchmarks.tables import markdown_table, spread

RATES_HZ: Final = (19.0, 49.0)
SETTLE_S: Final = 5.0
TAKE_S: Final = 10.0
HEAD: Final = ("host", "rate", "CPU, % of a core", "µs a sample", "memory, MiB", "lost", "seen / used")
BURN: Final = "import hashlib, os\nwhile True:\n    hashlib.sha256(bytes(9999))\n    os.stat('/')\n    sum(range(999))"


def main() -> None:
    """Measure every case in every round, and print medians and spreads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="measured for each case and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(read_events(**json.loads(options.worker))))
        return
    cases = [(busy, rate_hz) for busy in (False, True) for rate_hz in RATES_HZ]
    results: dict[tuple[bool, float], list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(options.rounds):
        for busy, rate_hz in cases:
            results[busy, rate_hz].append(measure(busy, rate_hz, options.seconds))
    print(f"{os.cpu_count()} CPUs, {options.rounds} rounds of {options.seconds:g} s: median (least to most)\n")
    lines = []
    for (busy, rate_hz), rows in results.items():
        columns = [spread([row[key] for row in rows]) for key in ("cpu", "sample_us", "memory")]
        truth = spread([row["truth"] for row in rows]) if busy else ""
        lost = sum(row["lost"] for row in rows)
        lines.append(["busy" if busy else "left alone", f"{rate_hz:g} Hz", *columns, lost, truth])
    print(markdown_table(HEAD, lines))


def measure(busy: bool, rate_hz: float, seconds: float) -> dict[str, float]:  # noqa: FBT001
    """Read events in a process of its own, beside busy ones or not."""
    with contextlib.ExitStack() as stack:
        pids = [stack.enter_context(burning()) for _ in range(os.cpu_count() or 1)] if busy else []
        request = json.dumps({"rate_hz": rate_hz, "seconds": seconds, "pids": pids})
        command = [sys.executable, "-m", "benchmarks.perf_events", "--worker", request]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


@contextlib.contextmanager
def burning() -> Iterator[int]:
    """Keep one CPU busy; yields the pid."""
    process = subprocess.Popen([sys.executable, "-c", BURN])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def read_events(*, rate_hz: float, seconds: float, pids: list[int]) -> dict[str, float]:
    """Read events for a while, and return what it cost and what was seen."""
    memory = resident_mib()
    reader = PerfReader(rate_hz, samples_per_s_max=100_000)
    reader.start()
    reader.take_host()
    time.sleep(SETTLE_S)
    reader.take_host()
    clocks = {pid: sum(read_thread_clocks(pid, 10).values()) for pid in pids}
    cpu_s, end = time.process_time(), time.monotonic() + seconds
    samples, lost, seen_ns = 0, 0, 0
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(TAKE_S, left))
        window = reader.take_host()
        assert window is not None
        samples += sum(window.moments.values())
        lost += window.lost
        seen_ns += sum(n * window.period_ns for (pid, _), n in window.moments.items() if pid in clocks)
    cpu_s = time.process_time() - cpu_s
    used_ns = sum(sum(read_thread_clocks(pid, 10).values()) for pid in pids) - sum(clocks.values())
    result = {
        "cpu": 100 * cpu_s / seconds,
        "sample_us": 1e6 * cpu_s / max(1, samples),
        "memory": resident_mib() - memory,
        "lost": lost,
        "truth": seen_ns / used_ns if used_ns else float("nan"),
    }
    reader.close()
    return result


def resident_mib() -> float:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
