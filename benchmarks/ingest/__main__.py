"""
What does it cost to take in spans, metric points and stack samples: in the collector, and in the database?

    python -m benchmarks.ingest [--quick] [--rows 1000000] [--rounds 3] [--size 1000 ...]
                               [--signal traces ...] [--taker NAME ...]

Requests of 100, 1,000 and 10,000 rows, gzip over HTTP, as fast as they are answered over 16 connections: to ours,
to a collector that decodes in Python and inserts with clickhouse-driver, and to rotel, as shipped and with batches as
large as ours. All write to the same ClickHouse server, one after the other: ours and the Python decoder into our
tables, rotel into those it is made for. The CPU time of collector and of database is counted apart, from the first
request until all rows are stored and no merge runs. A round before the first warms up and is not counted.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from benchmarks.clocks import process_cpu_ns
from benchmarks.ingest.database import Database, a_database
from benchmarks.ingest.requests import POINTS, SAMPLES, SPANS, Kind, compressed
from benchmarks.ingest.sending import send_all
from benchmarks.ingest.takers import Taker, pyrometer, python_decoder, rotel, rotel_large_batches
from benchmarks.scratch import UnavailableError
from benchmarks.tables import markdown_table, spread

TAKERS: Final[dict[str, Callable[[Database], AbstractContextManager[Taker]]]] = {
    "pyrometer": pyrometer,
    "python": python_decoder,
    "rotel": rotel,
    "rotel-large": rotel_large_batches,
}
KINDS: Final = {kind.signal: kind for kind in (SPANS, POINTS, SAMPLES)}
SIZES: Final = (100, 1000, 10_000)
QUICK_SIZES: Final = (1000,)
BODIES: Final = 20
QUICK_ROWS: Final = 200_000
_STORED_TIMEOUT_S: Final = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """So many requests of so many rows; the bodies are sent in turn."""

    kind: Kind
    size: int
    requests: int
    bodies: list[bytes]

    @staticmethod
    def of(kind: Kind, size: int, rows: int) -> "Load":
        """Return the load of one round."""
        requests = max(1, rows // size)
        return Load(kind=kind, size=size, requests=requests, bodies=compressed(kind, size, min(BODIES, requests)))

    @property
    def rows(self) -> int:
        """Return how many rows are sent."""
        return self.requests * self.size


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU microseconds a row, and rows a second of wall time."""

    collector_us: float
    database_us: float
    rows_per_s: float


def main() -> None:
    """Measure each taker with each kind and size, and print a table for each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one size, few rows, one round")
    parser.add_argument("--rows", type=int, default=1_000_000, help="a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", action="append", type=int, help="rows a request; may be repeated")
    parser.add_argument("--signal", action="append", choices=list(KINDS))
    parser.add_argument("--taker", action="append", choices=list(TAKERS))
    options = parser.parse_args()
    if options.quick:
        options.rows, options.rounds = QUICK_ROWS, 1
    results: dict[tuple[str, int, str], list[Cost]] = {}
    with a_database() as database:
        for signal in options.signal or KINDS:
            for size in options.size or (QUICK_SIZES if options.quick else SIZES):
                load = Load.of(KINDS[signal], size, options.rows)
                for name in options.taker or TAKERS:
                    if costs := measure(name, database, load, options.rounds):
                        results[signal, size, name] = costs
    for signal in options.signal or KINDS:
        print(f"\n{signal}\n\n{table(KINDS[signal], results)}")


def measure(name: str, database: Database, load: Load, rounds: int) -> list[Cost]:
    """Return the cost of each round; none where the program has no such signal or cannot be had."""
    try:
        with TAKERS[name](database) as taker:
            if load.kind.signal not in taker.tables:
                return []
            costs = [one_round(database, taker, load) for _ in range(rounds + 1)][1:]
    except UnavailableError as error:
        print(f"{name} is left out: {error}")
        return []
    last = costs[-1]
    print(f"{load.kind.signal} {load.size} {name}: {last.collector_us:.2f} + {last.database_us:.2f} µs", flush=True)
    return costs


def one_round(database: Database, taker: Taker, load: Load) -> Cost:
    """Send rows, wait until they are stored, and return what they cost."""
    pattern = taker.tables[load.kind.signal]
    before = database.rows(pattern)
    database_ns, collector_ns, started = database.cpu_ns(), process_cpu_ns(taker.pid), time.monotonic()
    send_all("127.0.0.1", taker.port, load.kind.path, load.bodies, load.requests)
    deadline = time.monotonic() + _STORED_TIMEOUT_S
    while (stored := database.rows(pattern) - before) < load.rows:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{pattern}: {stored} of {load.rows} rows were stored")
        time.sleep(0.05)
    elapsed_s = time.monotonic() - started
    database.settle()
    spent = (process_cpu_ns(taker.pid) - collector_ns, database.cpu_ns() - database_ns)
    collector_us, database_us = (ns / 1000 / load.rows for ns in spent)
    return Cost(collector_us, database_us, load.rows / elapsed_s)


def table(kind: Kind, results: dict[tuple[str, int, str], list[Cost]]) -> str:
    """Return the table of one kind."""
    head = [
        *("rows a request", "program", f"collector, µs a {kind.unit}", f"database, µs a {kind.unit}", "both"),
        *("rows/s per core of the collector", "rows/s per core, all-in"),
    ]
    lines = []
    for (signal, size, name), costs in results.items():
        if signal != kind.signal:
            continue
        both = [cost.collector_us + cost.database_us for cost in costs]
        lines.append(
            (
                *(f"{size:,}", name, spread([c.collector_us for c in costs]), spread([c.database_us for c in costs])),
                *(spread(both), spread([1e6 / c.collector_us for c in costs], digits=0)),
                spread([1e6 / value for value in both], digits=0),
            )
        )
    return markdown_table(head, lines)


if __name__ == "__main__":
    main()
