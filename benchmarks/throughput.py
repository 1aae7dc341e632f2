"""
Does the watched work slow down?

Twenty services serve as fast as they can while the agent, with its default budget, is halted and continued in turn:
pairs of blocks next to each other, the order within a pair drawn by lot, a moment after each change left out. What is
compared is requests per second, where the agent's own CPU is missing from a machine that is full, and requests per
CPU-second of the services, which shows only what reading does to the read. The interval is of the mean of the relative
differences of the pairs, by Student's t.
"""

import math
import os
import random
import signal
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.agent_process import AgentProcess, Sink
from benchmarks.fleet import Fleet
from benchmarks.scratch import Interpreter
from benchmarks.tables import markdown_table
from pyrometer.units import NS_PER_S

BUSY: Final = 20
BLOCK_S: Final = 3.0
SETTLE_S: Final = 0.5
WARM_UP_S: Final = 15.0
# Student's t, 97.5%, by degrees of freedom: the largest that is not too large is taken, so no interval is too narrow.
_T_975: Final = ((1, 12.71), (2, 4.303), (4, 2.776), (9, 2.262), (19, 2.093), (49, 2.010), (99, 1.984), (199, 1.972))


@dataclass(frozen=True, slots=True)
class Block:
    """Work done in one block: per second, and per CPU-second of the services."""

    per_s: float
    per_cpu_s: float


def measure_throughput(interpreter: Interpreter, settings: dict[str, Any], sink: Sink, pairs: int) -> str:
    """Return the table of the differences."""
    without: list[Block] = []
    watched: list[Block] = []
    with (
        Fleet(interpreter.path, busy=BUSY, idle=0) as fleet,
        AgentProcess(settings, endpoint=sink.url) as agent,
    ):
        time.sleep(WARM_UP_S)
        samples = agent.metric("pyrometer_agent_samples_total")
        for number in range(1, pairs + 1):
            for halted in random.sample((False, True), 2):
                os.kill(agent.pid, signal.SIGSTOP if halted else signal.SIGCONT)
                time.sleep(SETTLE_S)
                (without if halted else watched).append(take_block(fleet))
            if number % 10 == 0:
                print(f"{number} of {pairs} pairs of blocks with and without the agent", flush=True)
        os.kill(agent.pid, signal.SIGCONT)
        taken = agent.metric("pyrometer_agent_samples_total") - samples
    rows = [
        (name, *compare_pairs([getattr(b, field) for b in without], [getattr(b, field) for b in watched]), pairs)
        for name, field in (("requests per second", "per_s"), ("requests per CPU-second", "per_cpu_s"))
    ]
    print(f"{taken:.0f} samples were taken of the services meanwhile", flush=True)
    head = (f"{BUSY} busy services", "without", "with", "difference, %", "95% interval, %", "pairs")
    return markdown_table(head, rows)


def take_block(fleet: Fleet) -> Block:
    """Let the services work for a block."""
    requests, cpu_ns, started_ns = fleet.requests(), fleet.cpu_ns(), time.monotonic_ns()
    time.sleep(BLOCK_S)
    served, used_ns = fleet.requests() - requests, fleet.cpu_ns() - cpu_ns
    elapsed_ns = time.monotonic_ns() - started_ns
    return Block(served * NS_PER_S / elapsed_ns, served * NS_PER_S / used_ns)


def compare_pairs(without: Sequence[float], watched: Sequence[float]) -> tuple[str, str, str, str]:
    """Return both medians, the mean of the relative differences of the pairs, and its interval."""
    differences = [100 * (b - a) / a for a, b in zip(without, watched, strict=True)]
    mean = statistics.fmean(differences)
    half = 0.0
    if len(differences) > 1:
        t = next(t for freedom, t in reversed(_T_975) if freedom < len(differences))
        half = t * statistics.stdev(differences) / math.sqrt(len(differences))
    return (
        f"{statistics.median(without):.0f}",
        f"{statistics.median(watched):.0f}",
        f"{mean:+.2f}",
        f"{mean - half:+.2f} to {mean + half:+.2f}",
    )
