"""
What finding processes costs: CPU time of a scan among idle processes that are not Python, and among new Python ones.

    python -m benchmarks.scanner [--processes 500 5000] [--python 500] [--scans 30]

Processes are counted on top of those the machine has anyway. Each line is of one scanner from its first scan on.
"""

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from agent.host_identity import read_host_identity
from agent.identity import Identifier
from agent.procfs import list_processes
from agent.settings import IdentitySettings, TargetSettings
from agent.targets import Scanner, State

_FORKS = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        break
else:
    print('up', flush=True)
signal.pause()
"""


@contextlib.contextmanager
def sleepers(count: int) -> Iterator[None]:
    """Run processes that are not Python and do nothing."""
    script = f"i=0; while [ $i -lt {count} ]; do sleep 100000 & i=$((i+1)); done; echo up; wait"
    with _group("sh", "-c", script):
        yield


@contextlib.contextmanager
def pythons(count: int) -> Iterator[None]:
    """Run Python processes that do nothing, forked from one."""
    with _group(sys.executable, "-c", _FORKS, str(count)):
        yield


@contextlib.contextmanager
def _group(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def measure(scans: int, *, young_s: float = 0.0, until_known: bool = False) -> tuple[list[float], dict[str, int]]:
    """Return CPU milliseconds of each scan, a tenth of a second apart, and what the last one found."""
    identifier = Identifier(read_host_identity({}), IdentitySettings())
    scanner = Scanner(TargetSettings(young_s=young_s, targets_max=2000), identifier.describe)
    costs: list[float] = []
    while True:
        begin = time.thread_time()
        scan = scanner.scan()
        costs.append((time.thread_time() - begin) * 1e3)
        if len(costs) >= scans and not (until_known and scan.states[State.PENDING]):
            break
        time.sleep(0.1)
    scanner.close()
    return costs, {str(state): count for state, count in scan.states.items() if count}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, nargs="*", default=[0, 500, 5000])
    parser.add_argument("--python", type=int, default=500)
    parser.add_argument("--scans", type=int, default=30)
    options = parser.parse_args()
    print(f"{'processes':>28} {'first':>9} {'worst':>9} {'median of the second half':>28}   found")
    for count in options.processes:
        with sleepers(count):
            report(f"{len(list_processes())} not Python", *measure(options.scans))
    with pythons(options.python):
        report(f"{options.python} new Python", *measure(options.scans, until_known=True))


def report(name: str, costs: list[float], found: dict[str, int]) -> None:
    """Print one line."""
    settled = statistics.median(costs[len(costs) // 2 :])
    print(f"{name:>28} {costs[0]:6.2f} ms {max(costs):6.2f} ms {settled:25.2f} ms   {found} after {len(costs)} scans")


if __name__ == "__main__":
    main()
