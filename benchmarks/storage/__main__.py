"""
How many bytes a row takes, and how long questions take over an hour and a day.

    python -m benchmarks.storage [--quick] [--rows 50000000] [--spans 50000000] [--peer-rows 2000000]

Generates a day of samples and spans inside the embedded engine (see generate.py), merges all parts to the end, and asks
through the handlers of the query API: SQL, decoding, tree and prices included, HTTP not. Each question is asked once
first, and the median of five more is printed. The layouts of others hold the first of the same samples (peers.py);
their flame graphs are the time of their SQL alone.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.storage.engine import Engine
from benchmarks.storage.generate import DAY_S, Day, draw, fill_our_tables
from benchmarks.storage.peers import LAYOUTS, fill_peers, stored_bytes
from benchmarks.tables import markdown_table
from collector.api.context import Context
from collector.api.flamegraph import flamegraph
from collector.api.functions import functions
from collector.api.latency import latency
from collector.api.limits import ApiLimits
from collector.api.parameters import FlamegraphQuery, FunctionsQuery, LatencyQuery
from collector.cost import Prices
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from pyrometer.units import NS_PER_S

TABLES: Final = (
    *("samples", "stacks", "frames", "series", "function_cost", "service_cost"),
    *("spans", "span_details", "latency"),
)
LARGEST: Final = "service-0"
_ROUNDS: Final = 5
_MIB: Final = 2**20
_HOUR_S: Final = 3600


def main() -> None:
    """Generate, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a million samples: dictionaries weigh too much")
    parser.add_argument("--rows", type=int, default=50_000_000, help="stack samples")
    parser.add_argument("--spans", type=int, default=50_000_000)
    parser.add_argument("--peer-rows", type=int, default=2_000_000, help="of the samples, for the layouts of others")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.spans, options.peer_rows = 1_000_000, 200_000, 500_000
    day = Day(int(time.time()) // _HOUR_S * _HOUR_S, options.rows, options.spans)
    with tempfile.TemporaryDirectory(prefix="pyrometer-storage-") as folder:
        store = EmbeddedStore(Path(folder))
        try:
            migrate(store)
            engine = Engine(store)
            started = time.monotonic()
            draw(engine, day)
            fill_our_tables(engine, day)
            engine.merge(*TABLES)
            print(f"generated and merged in {time.monotonic() - started:.0f} s\n\n{size_table(engine)}\n", flush=True)
            print(f"{columns_table(engine)}\n\n{times_table(store, day)}\n", flush=True)
            print(peers_table(engine, day, min(options.peer_rows, options.rows)))
        finally:
            store.close()


def size_table(engine: Engine) -> str:
    """Return rows and bytes of our tables."""
    sizes = engine.sizes()
    rows = []
    for table in TABLES:
        size = sizes[f"pyrometer.{table}"]
        rows.append(
            (table, f"{size.rows:,}", f"{size.stored_bytes / _MIB:.1f}", f"{size.stored_bytes / size.rows:.2f}")
        )
    return markdown_table(("table", "rows", "MiB", "bytes a row"), rows)


def columns_table(engine: Engine) -> str:
    """Return what each column of a sample takes."""
    rows = engine.rows(
        "SELECT column, sum(column_data_compressed_bytes) / sum(rows) AS per_row FROM system.parts_columns "
        "WHERE active AND database = 'pyrometer' AND table = 'samples' GROUP BY column ORDER BY per_row DESC"
    )
    return markdown_table(("column of samples", "bytes a row"), [(r["column"], f"{r['per_row']:.2f}") for r in rows])


def questions(context: Context, day: Day) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each question with its name."""
    for name, seconds in (("1 h", _HOUR_S), ("24 h", DAY_S)):
        start, end = _rfc3339(day.end_s - seconds), _rfc3339(day.end_s)
        flame = FlamegraphQuery(service=LARGEST, start=start, end=end)
        table = FunctionsQuery(service=LARGEST, start=start, end=end)
        operations = LatencyQuery(service=LARGEST, start=start, end=end)
        yield f"flame graph of the largest service, {name}", lambda flame=flame: flamegraph(context, flame)
        yield f"function table, {name}", lambda table=table: functions(context, table)
        yield f"p50, p95, p99 by operation, {name}", lambda operations=operations: latency(context, operations)


def times_table(store: EmbeddedStore, day: Day) -> str:
    """Return how long each question takes."""
    rows = [(name, *_asked(ask)) for name, ask in questions(a_context(store, day), day)]
    return markdown_table(("question", "first, ms", "median of five more, ms"), rows)


def peers_table(engine: Engine, day: Day, rows: int) -> str:
    """Return what the same samples take in other layouts, and how long a flame graph of them takes."""
    fill_peers(engine, rows)
    hours_s = rows * DAY_S // day.rows
    context = a_context(engine.store, day)
    ours = FlamegraphQuery(service=LARGEST, start=_rfc3339(day.start_s), end=_rfc3339(day.start_s + max(10, hours_s)))
    lines = []
    for layout, (stored, size) in zip(LAYOUTS, stored_bytes(engine).values(), strict=True):
        sql = layout.flamegraph
        times = _asked(lambda sql=sql: engine.rows(sql) if sql else flamegraph(context, ours))
        lines.append((layout.name, f"{stored:,}", f"{size / _MIB:.1f}", f"{size / rows:.1f}", *times))
    head = ("layout", "rows", "MiB", "bytes a sample of ours", "flame graph, first, ms", "median, ms")
    return f"{rows:,} of the samples, {hours_s / _HOUR_S:.1f} h\n\n{markdown_table(head, lines)}"


def _asked(ask: Callable[[], object]) -> tuple[str, str]:
    times_ms = []
    for _ in range(1 + _ROUNDS):
        started = time.monotonic()
        ask()
        times_ms.append(1000 * (time.monotonic() - started))
    return f"{times_ms[0]:.0f}", f"{statistics.median(times_ms[1:]):.0f}"


def a_context(store: EmbeddedStore, day: Day) -> Context:
    """Return what handlers are asked with, at the end of the day."""
    return Context(
        store=store,
        prices=Prices(),
        limits=ApiLimits(),
        now_ns=lambda: day.end_s * NS_PER_S,
        hit=lambda setting: print(f"(limit {setting} was hit)"),
        observe=lambda _name, _seconds: None,
    )


def _rfc3339(moment_s: int) -> str:
    return datetime.fromtimestamp(moment_s, UTC).isoformat()


if __name__ == "__main__":
    main()
