"""
How long does it take to scan 800,000 series of 14 days, and how much memory?

    python -m benchmarks.scan [--services 16] [--functions 5000] [--threads 2] [--keep DIR]

Writes services into an embedded database, each with as many functions, a row for each function and step of ten minutes:
as samples would, with Poisson noise, half of the functions following the time of day, one in a hundred 30% dearer from
some moment on. Then a process of its own scans them all, reading included, as ``/api/v1/detect`` does, several services
at a time. The default is a tenth of the whole; the table also shows its time scaled to 800,000 series, which is an
extrapolation and named so. Memory is bounded by settings, not by the number of series, and is not scaled.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from collector.detect.scan.over_time import OverTime, scan_over_time
from collector.detect.scan.settings import ScanSettings
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from collector.store.protocol import Parameter, QueryLimits

WHOLE: Final = 800_000
STEP_S: Final = 600
N_STEPS: Final = 2016
# One function in this many is planted.
PLANTED: Final = 100
_KIB: Final = 1024
_WRITE = """
INSERT INTO function_cost (service, version, bucket, function, file, self_ns, total_ns, samples)
SELECT
    '{service}',
    '1',
    toDateTime({start_s} + step * {step_s}, 'UTC'),
    concat('function_', leftPad(toString(number), 6, '0')),
    concat('/app/module_', toString(intDiv(number, 50)), '.py'),
    toInt64(10000000 * greatest(0, round(wanted + sqrt(wanted) * randNormal(0, 1, number * 4096 + step)))) AS ns,
    ns,
    intDiv(ns, 10000000)
FROM
(
    SELECT
        number,
        step,
        exp2(cityHash64(number) % 800 / 100.0)
            * if(number % 2 = 0, 1 + 0.4 * sin(2 * pi() * step / 144), 1)
            * if(number % {planted} = 7 AND step >= 800 + cityHash64(number, 1) % 1000, 1.3, 1) AS wanted
    FROM (SELECT number, arrayJoin(range({n_steps})) AS step FROM numbers({functions}))
)
SETTINGS max_insert_threads = 1, max_threads = 1
"""
_WRITE_SERVICE = """
INSERT INTO service_cost (service, version, host, bucket, cpu_ns, samples, observed_ns, windows)
SELECT service, version, 'a', bucket, sum(self_ns), sum(samples), {step_s} * 1000000000, 1
FROM function_cost WHERE service = '{service}' GROUP BY service, version, bucket
"""
_WRITE_REQUESTS = """
INSERT INTO latency (service, version, operation, kind, bucket, hist_index, count, errors, duration_ns)
SELECT '{service}', '1', 'GET /', 'server', toDateTime({start_s} + number * {step_s}, 'UTC'), 380,
    toUInt64(60000 * (1 + 0.2 * sin(2 * pi() * number / 144))), 0, 60000 * 14000000
FROM numbers({n_steps})
"""


def main() -> None:
    """Write, scan, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=16)
    parser.add_argument("--functions", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=2, help="services scanned at a time")
    parser.add_argument("--keep", type=Path, help="where data lies and stays; only what is missing is written")
    parser.add_argument("--scan", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.write, options.services, options.functions)
    elif options.scan:
        print(json.dumps(scan(options.scan, options.services, options.threads)))
    elif options.keep:
        measure(options.keep, options)
    else:
        with tempfile.TemporaryDirectory(prefix="pyrometer-scan-") as folder:
            measure(Path(folder), options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Write and scan in a process each, so that memory is that of scanning alone."""
    arguments = ["--services", str(options.services), "--functions", str(options.functions)]
    arguments += ["--threads", str(options.threads)]
    started = time.monotonic()
    _run("--write", folder, arguments)
    print(f"written in {time.monotonic() - started:.0f} s", flush=True)
    report(json.loads(_run("--scan", folder, arguments)), options.threads)


def _run(mode: str, folder: Path, arguments: Sequence[str]) -> str:
    command = [sys.executable, "-m", "benchmarks.scan", mode, str(folder), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def report(result: dict[str, Any], threads: int) -> None:
    """Print what one scan took."""
    series = result["series"]
    scale = WHOLE / series
    print(f"\n| | {series:,} series | scaled to {WHOLE:,} |\n| --- | --- | --- |")
    print(f"| seconds, {threads} services at a time | {result['seconds']:.0f} | {result['seconds'] * scale:.0f} |")
    print(f"| CPU seconds | {result['cpu_s']:.0f} | {result['cpu_s'] * scale:.0f} |")
    print(f"| CPU ms a series | {1000 * result['cpu_s'] / series:.2f} | |")
    print(f"| memory at most, MiB | {result['mib_max']:.0f} | |")
    print(f"| planted changes found | {result['found']} of {result['planted']} | |")
    print(f"| other findings | {result['others']} | |")


def write(folder: Path, services: int, functions: int) -> None:
    """Write the services that are not there yet."""
    store = EmbeddedStore(folder)
    migrate(store)
    # Whole days ago, so that the last day is complete.
    start_s = int(time.time()) // 86_400 * 86_400 - N_STEPS * STEP_S
    there = {row["service"] for row in store.select("SELECT DISTINCT service FROM latency")}
    for number in range(services):
        if f"service_{number}" in there:
            continue
        values = {"service": f"service_{number}", "start_s": start_s, "step_s": STEP_S, "n_steps": N_STEPS}
        for statement in (_WRITE, _WRITE_SERVICE, _WRITE_REQUESTS):
            store.execute(statement.format(**values, functions=functions, planted=PLANTED))
    store.close()


class Reader:
    """Runs queries as the API does."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store

    def rows(self, name: str, **parameters: Parameter) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        return self._store.query(name, parameters)

    def table(self, name: str, **parameters: Parameter) -> pa.Table:
        """Return the columns of a query."""
        return self._store.query_table(name, parameters)


def scan(folder: Path, services: int, threads: int) -> dict[str, Any]:
    """Scan all services, and return time, CPU time, memory and what was found."""
    store = EmbeddedStore(folder, limits=QueryLimits(seconds_max=600))
    now_s = int(time.time())

    def one(number: int) -> OverTime:
        start_s = now_s // 10 * 10 - 20 * 86_400
        settings = ScanSettings(history_hours_min=24.0)
        return scan_over_time(
            Reader(store), f"service_{number}", start_s=start_s, end_s=now_s // 10 * 10, now_s=now_s, settings=settings
        )

    started, cpu = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(threads) as executor:
        results = list(executor.map(one, range(services)))
    seconds, cpu_s = time.monotonic() - started, time.process_time() - cpu
    findings = [finding for result in results for finding in result.findings]
    hits = {(f.key.service, f.key.name) for f in findings if int(f.key.name[-6:] or 0) % PLANTED == 7}
    store.close()
    series = sum(result.funnel.series for result in results)
    return {
        "series": series,
        "seconds": seconds,
        "cpu_s": cpu_s,
        "mib_max": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB,
        "planted": series // PLANTED,
        "found": len(hits),
        "others": len(findings) - len(hits),
    }


if __name__ == "__main__":
    main()
