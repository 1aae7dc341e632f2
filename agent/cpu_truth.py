"""The bill adds up: samples say which stacks ran, the kernel's clock says how much, and this joins the two."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pyrometer.values import NOT_SAMPLED, Sample


def scale_samples(
    samples: Sequence[Sample], cpu_ns: int, thread_cpu_ns: Mapping[int, int] | None = None
) -> tuple[Sample, ...]:
    """
    Give each sample its part of the CPU time a process used, so that all values sum to it exactly.

    A thread whose clock is known shares that thread's time among its own samples, by how often each was seen. What is
    left (threads that ended, unknown thread ids) is shared among the other samples. Where no sample's thread has a
    clock, as when the engine does not know thread ids or knows those of another pid namespace, clocks say nothing and
    all samples share all time. Time that no sample stands for goes to a ``[not sampled]`` stack of count 0.

    Args:
        samples: Of one window; their values are ignored, a sample of count 0 gets nothing.
        cpu_ns: CPU time of the process in the window; the total.
        thread_cpu_ns: CPU time by kernel thread id; scaled down where it sums to more than the total.

    Returns:
        The samples in their order with new values, then ``[not sampled]`` where there is any such time.
    """
    total = max(0, cpu_ns)
    seen = {sample.thread_id for sample in samples if sample.count > 0}
    clocks = fit_clocks(thread_cpu_ns or {}, total)
    if seen.isdisjoint(clocks) and seen:
        clocks = {}
    values = [0] * len(samples)
    for thread in seen & clocks.keys():
        share_by_count(
            values, samples, [i for i, sample in enumerate(samples) if sample.thread_id == thread], clocks[thread]
        )
    others = [i for i, sample in enumerate(samples) if sample.thread_id not in clocks]
    rest = total - sum(clocks.values())
    shared = share_by_count(values, samples, others, rest)
    unseen = {thread: clock for thread, clock in clocks.items() if thread not in seen and clock > 0}
    if not shared and rest > 0:
        unseen[0] = unseen.get(0, 0) + rest
    scaled = tuple(replace(sample, value=value) for sample, value in zip(samples, values, strict=True))
    return scaled + tuple(
        Sample(stack=(NOT_SAMPLED,), count=0, value=clock, thread_id=thread) for thread, clock in sorted(unseen.items())
    )


def fit_clocks(clocks: Mapping[int, int], total: int) -> dict[int, int]:
    """Return thread clocks that sum to *total* at most: scaled down, in proportion, where they sum to more."""
    known = {thread: max(0, clock) for thread, clock in clocks.items()}
    measured = sum(known.values())
    if measured <= total:
        return known
    # The process's clock ticks in 10 ms, a thread's in 1 ns: near 0 the finer one may run ahead.
    fitted: dict[int, int] = {}
    passed = given = 0
    for thread, clock in known.items():
        passed += clock
        fitted[thread] = total * passed // measured - given
        given += fitted[thread]
    return fitted


def share_by_count(values: list[int], samples: Sequence[Sample], indices: Sequence[int], amount: int) -> bool:
    """
    Add *amount* to the values of some samples, to each by how often it was seen.

    Args:
        values: One for each sample, in whole nanoseconds; changed.
        samples: Those the values belong to.
        indices: Which of them share.
        amount: Nanoseconds; not one is lost.

    Returns:
        False where nothing was seen that could share.
    """
    counts = sum(max(0, samples[i].count) for i in indices)
    if counts == 0:
        return False
    seen = given = 0
    for i in indices:
        seen += max(0, samples[i].count)
        share = amount * seen // counts - given
        values[i] += share
        given += share
    return True
