"""
How long does a comparison of two releases take that have many functions?

    python -m benchmarks.compare_speed [--functions 5000]

Writes the roll-ups of two releases side by side, 60 buckets of 10 s each, to an embedded store, asks ``/compare`` of it
without a network, and prints the wall and CPU time of each of five answers. The first reads from the disk.
"""

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from collector.api.compare import compare
from collector.api.context import Context
from collector.api.limits import ApiLimits
from collector.api.parameters import CompareQuery
from collector.cost import Prices
from collector.detect.settings import CompareSettings
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from pyrometer.units import NS_PER_S

BUCKETS = 60
BUCKET_S = 10
PERIOD_NS = 10_000_000
SAMPLES_MEAN = 20.0
REQUESTS = 400


def main() -> None:
    """Print a line an answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, default=5000)
    options = parser.parse_args()
    now_s = int(time.time()) // BUCKET_S * BUCKET_S
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        store = EmbeddedStore(Path(folder))
        migrate(store)
        write_releases(store, now_s - (BUCKETS + 6) * BUCKET_S, options.functions)
        context = Context(
            store=store,
            prices=Prices(),
            limits=ApiLimits(compare=CompareSettings(functions_max=options.functions)),
            now_ns=lambda: now_s * NS_PER_S,
            hit=lambda _name: None,
            observe=lambda _name, _seconds: None,
        )
        query = CompareQuery(service="shop", baseline="1", candidate="2")
        for _ in range(5):
            wall, cpu = time.monotonic(), time.process_time()
            answer = thread.submit(compare, context, query).result()
            assert answer.buckets > 0  # a comparison of nothing would be fast
            print(
                f"{options.functions:,} functions: {time.monotonic() - wall:.2f} s,"
                f" {time.process_time() - cpu:.2f} s of CPU",
                flush=True,
            )
        store.close()


def write_releases(store: EmbeddedStore, start_s: int, functions: int) -> None:
    """Write two equal releases: every function is sampled in every bucket."""
    rng = np.random.default_rng(7)
    starts = np.tile(np.arange(BUCKETS) * BUCKET_S + start_s, functions).tolist()
    names = np.repeat([f"step_{number}" for number in range(functions)], BUCKETS).tolist()
    for version in ("1", "2"):
        samples = rng.poisson(SAMPLES_MEAN, functions * BUCKETS)
        spent = (samples * PERIOD_NS).tolist()
        rows = len(starts)
        cells = {"service": ["shop"] * rows, "version": [version] * rows, "bucket": starts, "function": names}
        cells |= {"file": ["app.py"] * rows, "self_ns": spent, "total_ns": spent, "samples": samples.tolist()}
        store.insert("function_cost", cells, token=f"functions {version}")
        whole = samples.reshape(functions, BUCKETS).sum(axis=0)
        ones = {"service": ["shop"] * BUCKETS, "version": [version] * BUCKETS, "bucket": starts[:BUCKETS]}
        cost = {"cpu_ns": (whole * PERIOD_NS).tolist(), "samples": whole.tolist(), "windows": [1] * BUCKETS}
        cost |= {"host": ["alpha"] * BUCKETS, "observed_ns": [BUCKET_S * NS_PER_S] * BUCKETS}
        store.insert("service_cost", ones | cost, token=f"service {version}")
        latency = {"operation": ["GET /"] * BUCKETS, "kind": ["server"] * BUCKETS, "hist_index": [390] * BUCKETS}
        latency |= {"count": [REQUESTS] * BUCKETS, "errors": [0] * BUCKETS, "duration_ns": [10**9] * BUCKETS}
        store.insert("latency", ones | latency, token=f"requests {version}")


if __name__ == "__main__":
    main()
