"""
What does a batch cost the agent on its way, in CPU time, and what does a full spool cost its start?

    python -m benchmarks.delivery [--batches 2000] [--rounds 3]

A batch is a real profile of 200 stacks, about what a busy process gives in one window. Each row but the last is CPU
time of the whole process for one batch: taking it in and forgetting it in memory (a collector that answers), the same
through the disk one by one and in groups of 16 (a collector that is away and comes back), and compressing it. The last
row is the time to open a spool of 256 MiB.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import Final

from agent.compression import Compression, compress
from agent.destination import Signal
from agent.selfmetrics import SelfMetrics
from agent.settings import ExportSettings, SpoolSettings
from agent.spool import Spool
from benchmarks.tables import markdown_table, spread
from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.values import Frame, Profile, Sample

STACKS: Final = 200
GROUP: Final = 16
FULL_BYTES: Final = 256 * 1024**2
NEVER_S: Final = 60.0


def main() -> None:
    """Measure each path in each round, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    raw = a_profile()
    body = compress(raw, Compression.GZIP)
    print(f"a batch: {len(raw)} bytes, {len(body)} with gzip, {len(compress(raw, Compression.ZSTD))} with zstd")
    paths = {
        "memory, µs of CPU": lambda: through_spool(body, options.batches, group=1, commit_s=NEVER_S),
        "disk, one by one, µs of CPU": lambda: through_spool(body, options.batches, group=1, commit_s=0.0),
        f"disk, groups of {GROUP}, µs of CPU": lambda: through_spool(body, options.batches, group=GROUP, commit_s=0.02),
        "gzip, µs of CPU": lambda: compressing(raw, options.batches // 10, Compression.GZIP),
        "zstd, µs of CPU": lambda: compressing(raw, options.batches // 10, Compression.ZSTD),
        "opening 256 MiB, ms": lambda: opening(body),
    }
    results: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(options.rounds):
        for name, measure in paths.items():
            results[name].append(measure())
    print(markdown_table(("for one batch", "median (least to most)"), [(n, spread(v)) for n, v in results.items()]))


def through_spool(body: bytes, batches: int, *, group: int, commit_s: float) -> float:
    """Return CPU microseconds for each batch that is offered, written where the spool does so, taken and forgotten."""
    with tempfile.TemporaryDirectory(prefix="pyrometer-delivery-") as folder:
        spool = Spool(ExportSettings(spool=SpoolSettings(commit_s=commit_s)), Path(folder), SelfMetrics())
        started = time.process_time_ns()
        for _ in range(batches // group):
            for _ in range(group):
                spool.offer(Signal.PROFILES, Compression.GZIP, body)
            if 0 < commit_s < NEVER_S:
                time.sleep(2 * commit_s)
            for _ in range(group):
                batch = spool.take(Signal.PROFILES)
                assert batch is not None
                spool.done(batch)
        used_ns = time.process_time_ns() - started
        spool.close()
    return used_ns / 1000 / batches


def compressing(raw: bytes, batches: int, compression: Compression) -> float:
    """Return CPU microseconds for each batch."""
    started = time.process_time_ns()
    for _ in range(batches):
        compress(raw, compression)
    return (time.process_time_ns() - started) / 1000 / batches


def opening(body: bytes) -> float:
    """Return the milliseconds until a spool that is full can be used."""
    with tempfile.TemporaryDirectory(prefix="pyrometer-delivery-") as folder:
        settings = ExportSettings(spool=SpoolSettings(commit_s=0.2, bytes_max=2 * FULL_BYTES))
        spool = Spool(settings, Path(folder), SelfMetrics())
        for number in range(FULL_BYTES // len(body)):
            spool.offer(Signal.PROFILES, Compression.GZIP, body)
            if number % 1000 == 0:
                spool.take(Signal.PROFILES)  # lets the disk keep up
                time.sleep(0.05)
        spool.close()
        started = time.monotonic_ns()
        spool = Spool(settings, Path(folder), SelfMetrics())
        opened_ms = (time.monotonic_ns() - started) / 1e6
        spool.close()
    return opened_ms


def a_profile() -> bytes:
    """Return a profile with stacks of 20 to 40 frames out of 600 functions."""
    chance = random.Random(1)
    frames = [Frame(f"package.module_{n % 40}.Class.method_{n}", f"/srv/app/module_{n % 40}.py", n) for n in range(600)]
    samples = tuple(
        Sample(stack=tuple(chance.choices(frames, k=chance.randint(20, 40))), count=1, value=52_631_579)
        for _ in range(STACKS)
    )
    attributes = {"service.name": "shop", "service.version": "1.4.2", "host.name": "web-1", "process.pid": 4711}
    profile = Profile(
        samples=samples, start_unix_ns=time.time_ns(), duration_ns=10**10, period_ns=52_631_579, attributes=attributes
    )
    return profiles_to_otlp([profile])


if __name__ == "__main__":
    main()
