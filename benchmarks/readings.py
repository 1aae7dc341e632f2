"""One engine reads one program for some windows; what it saw is kept, so that it can be accounted as the agent does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic_ns, time_ns
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from agent.accounting import Account, Moment, Seen
from agent.procfs import read_thread_clocks
from agent.reader.engine import Engine, find_target
from benchmarks.clocks import process_cpu_ns
from benchmarks.distance import thin
from pyrometer.values import Sample

_CARRY_S: Final = 60.0
_THREADS_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Clock:
    """When, and what the process had used by then."""

    moment: Moment
    cpu_ns: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen in one window, between two readings of the clocks."""

    before: Clock
    after: Clock
    seen: Seen


def take_readings(engine: Engine, pid: int, *, samples_min: int, windows_max: int) -> list[Reading]:
    """Attach, take windows until there are samples enough, or the most windows, detach."""
    attachment = engine.attach(find_target(pid))
    readings: list[Reading] = []
    try:
        while len(readings) < windows_max and count_samples(readings) < samples_min:
            before, clocks_before = read_clock(pid), read_thread_clocks(pid, _THREADS_MAX)
            window = attachment.sample()
            after, clocks_after = read_clock(pid), read_thread_clocks(pid, _THREADS_MAX)
            seen = Seen(
                samples=window.samples,
                period_ns=window.period_ns,
                clocks_before=clocks_before,
                clocks_after=clocks_after,
                python_threads=window.python_threads,
            )
            readings.append(Reading(before, after, seen))
    finally:
        attachment.detach()
    return readings


def read_clock(pid: int) -> Clock:
    """Read all clocks now."""
    return Clock(Moment(monotonic_ns(), time_ns()), process_cpu_ns(pid))


def count_samples(readings: Sequence[Reading]) -> int:
    """Return how many samples were taken."""
    return sum(sample.count for reading in readings for sample in reading.seen.samples)


def thin_readings(readings: Sequence[Reading], wanted: int, rng: np.random.Generator) -> list[Reading]:
    """Return the readings as if only so many samples had been taken, drawn at random from all."""
    counts = iter(thin([sample.count for reading in readings for sample in reading.seen.samples], wanted, rng))
    thinned: list[Reading] = []
    for reading in readings:
        samples = tuple(replace(sample, count=next(counts)) for sample in reading.seen.samples)
        kept = tuple(sample for sample in samples if sample.count)
        thinned.append(replace(reading, seen=replace(reading.seen, samples=kept)))
    return thinned


def account(readings: Sequence[Reading]) -> list[Sample]:
    """Return samples with the CPU time that the agent's own accounting gives them; their sum is the CPU time used."""
    process: Any = SimpleNamespace(stat=SimpleNamespace(cpu_ns=readings[0].before.cpu_ns), attributes={})
    first = readings[0].before
    own = Account(process, start=first.moment, start_cpu_ns=first.cpu_ns, carry_s_max=_CARRY_S)
    samples: list[Sample] = []
    for reading in readings:
        process.stat.cpu_ns = reading.before.cpu_ns
        own.begin(reading.before.moment)
        process.stat.cpu_ns = reading.after.cpu_ns
        if profile := own.settle(reading.after.moment, reading.seen):
            samples += profile.samples
    if own.unreported_ns() and (profile := own.close(readings[-1].after.moment)):
        samples += profile.samples
    return samples
