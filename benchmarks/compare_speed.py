"""
How long does a comparison of two releases of 5,000 functions take?

    python -m benchmarks.compare_speed [--functions 5000] [--rounds 5]

Writes an hour of two releases that ran side by side into an embedded database, a row for each function and minute with
Poisson noise, and answers ``/compare`` in this process, reading included. The first round is not counted: it opens
files. Wall time says what somebody waits for; CPU time, of the database's threads too, does not depend on what else the
machine does.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from collector.api.compare import compare
from collector.api.context import Context
from collector.api.limits import ApiLimits
from collector.api.parameters import CompareQuery
from collector.cost import Prices
from collector.detect.settings import CompareSettings
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate

BUCKETS: Final = 59
_WRITE: Final = """
INSERT INTO function_cost (service, version, bucket, function, file, self_ns, total_ns, samples)
SELECT 'big', '{version}', toDateTime({start_s} + step * 60, 'UTC'), concat('function_', toString(number)), 'app.py',
    toInt64(10000000 * greatest(0, round(20 + sqrt(20) * randNormal(0, 1, number * 64 + step)))) AS ns,
    ns, intDiv(ns, 10000000)
FROM (SELECT number, arrayJoin(range({buckets})) AS step FROM numbers({functions}))
"""
_WRITE_SERVICE: Final = """
INSERT INTO service_cost (service, version, host, bucket, cpu_ns, samples, observed_ns, windows)
SELECT service, version, 'a', bucket, sum(self_ns), sum(samples), 60000000000, 1
FROM function_cost WHERE version = '{version}' GROUP BY service, version, bucket
"""


def main() -> None:
    """Write, compare, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pyrometer-compare-") as folder:
        store = EmbeddedStore(Path(folder))
        migrate(store)
        start_s = (int(time.time()) - 3600) // 60 * 60
        for version in ("1", "2"):
            values = {"version": version, "start_s": start_s, "buckets": BUCKETS, "functions": options.functions}
            for statement in (_WRITE, _WRITE_SERVICE):
                store.execute(statement.format(**values))
        times = [measure(store, options.functions) for _ in range(options.rounds + 1)][1:]
        store.close()
    wall, cpu = (statistics.median(values) for values in zip(*times, strict=True))
    print(
        f"{options.functions:,} functions in two releases: {wall:.2f} s, {cpu:.2f} s of CPU (medians of {len(times)})"
    )


def measure(store: EmbeddedStore, functions: int) -> tuple[float, float]:
    """Return the seconds and CPU seconds of one comparison."""
    context = Context(
        store=store,
        prices=Prices(),
        limits=ApiLimits(compare=CompareSettings(functions_max=functions)),
        now_ns=time.time_ns,
        hit=lambda _: None,
        observe=lambda *_: None,
    )
    query = CompareQuery(service="big", baseline="1", candidate="2", start="-2h", limit=100)
    started, cpu = time.monotonic(), time.process_time()
    answer = compare(context, query)
    if answer.buckets < BUCKETS // 2 or len(answer.functions) != 100:
        raise RuntimeError(f"the comparison is not whole: {answer.buckets} buckets, {answer.notes}")
    return time.monotonic() - started, time.process_time() - cpu


if __name__ == "__main__":
    main()
