"""
What does one report of metrics cost the agent, and one look of the host's CPU ledger?

    python -m benchmarks.host_metrics [--processes 50] [--threads 4] [--rounds 30]

Starts Python processes with some threads each, all watched, and reads and encodes everything again and again in this
process. Prints CPU time by part, the median and the best of the rounds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from agent.accounting import Moment
from agent.host.ledger import HostLedger
from agent.host.processes import ProcessReader
from agent.host.readings import read_all
from agent.host_identity import HostIdentity
from agent.metric_export import MetricReporter, host_reads
from agent.metric_instruments import MetricInstruments, Report
from agent.procfs import boot_time_s, list_pids, read_stat
from agent.python_process import PythonProcess
from agent.reader.engine import Target
from agent.selfmetrics import SelfMetrics
from agent.settings import LedgerSettings, MetricsSettings
from pyrometer.units import NS_PER_MS

IDLE = """
import sys, threading
ready = threading.Event()
for _ in range({extra}):
    threading.Thread(target=ready.wait, daemon=True).start()
print("up", flush=True)
sys.stdin.read()
"""


class SizeExporter:
    """Keeps the size of the last request."""

    size = 0

    def offer(self, _signal: object, body: bytes) -> bool:
        """Take a request."""
        self.size = len(body)
        return True


def main() -> None:
    """Start the processes, measure every part, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=50)
    parser.add_argument("--threads", type=int, default=4, help="threads of each process")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    command = [sys.executable, "-S", "-c", IDLE.format(extra=options.threads - 1)]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(options.processes)
    ]
    try:
        for child in children:
            if child.stdout:
                child.stdout.readline()
        measure([watched(child.pid) for child in children], options.rounds)
    finally:
        for child in children:
            child.kill()
            child.wait()


def measure(processes: list[PythonProcess], rounds: int) -> None:
    """Print the cost of each part."""
    metrics, exporter = SelfMetrics(), SizeExporter()
    settings = MetricsSettings()
    host = HostIdentity({"host.name": os.uname().nodename}, boot_time_s())
    reporter = MetricReporter(settings, host, metrics, exporter, lambda: processes)
    reader = ProcessReader(lambda: processes, metrics, processes_max=settings.processes_max)
    ledger = HostLedger(LedgerSettings(), {}, metrics, processes_max=32_768)
    parts: dict[str, Callable[[], object]] = {"a whole report": reporter.report}
    parts |= {f"- {name}": lambda read=read: list(read()) for name, read in host_reads(settings, metrics).items()}
    parts[f"- {len(processes)} watched processes"] = lambda: list(reader.read())
    read = Report(
        host=read_all(host_reads(settings, metrics), metrics),
        processes=list(reader.read()),
        time_unix_ns=time.time_ns(),
    )
    instruments = MetricInstruments(host.attributes, host.boot_time_s, metrics, exporter)
    parts["- the SDK: instruments, encoding"] = lambda: instruments.send(read)
    parts[f"the ledger, {len(list_pids())} processes"] = lambda: ledger.settle(
        Moment(time.monotonic_ns(), time.time_ns()), 0
    )
    print("| part | CPU, ms (median) | best |\n| --- | --- | --- |")
    for name, part in parts.items():
        costs = [cpu_ms(part) for _ in range(rounds)]
        print(f"| {name} | {statistics.median(costs):.2f} | {min(costs):.2f} |", flush=True)
    print(f"\na report has {exporter.size:,} bytes before compression")


def cpu_ms(part: Callable[[], object]) -> float:
    """Return what one call costs this thread."""
    before_ns = time.thread_time_ns()
    part()
    return (time.thread_time_ns() - before_ns) / NS_PER_MS


def watched(pid: int) -> PythonProcess:
    """Return a child as the scanner would."""
    stat = read_stat(pid)
    if stat is None:
        raise SystemExit(f"process {pid} has gone")
    attributes: dict[str, str | int] = {"service.name": "idle", "process.pid": pid, "host.name": os.uname().nodename}
    return PythonProcess(Target(pid, stat.start_ticks), attributes, stat, -1)


if __name__ == "__main__":
    main()
