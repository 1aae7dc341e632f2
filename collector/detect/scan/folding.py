"""
One finding for each cause.

What changes at the same time and in the same direction is told once:

- the same series found over time and between releases: the release stands for both;
- the quantities of an operation: the mean when its median changed too, else the highest quantile that did;
- functions, cost shifts among them, stand for the CPU of their service, and for the latency that their CPU explains;
- requests stand for the spans inside of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from collector.detect.finding import Finding, FindingState, Kind
from collector.detect.scan.load import Load

# Findings within this are of one time: seconds, and steps.
_SAME_TIME_S: Final = 3600
_SAME_TIME_STEPS: Final = 6
# On a busy machine, time passes this much faster than CPU is used.
_WALL_PER_CPU: Final = 2.0
_MEDIAN_SHARE: Final = 0.5
# Requests that became slower, and that another one waits for at a time.
_WAITED_FOR: Final = 3.0
_LATENCIES: Final = (
    Kind.OPERATION_LATENCY_MEAN,
    Kind.OPERATION_LATENCY_P50,
    Kind.OPERATION_LATENCY_P95,
    Kind.OPERATION_LATENCY_P99,
)
_ENTRIES: Final = frozenset({"server", "consumer"})
_OF_SERVICE: Final = frozenset({Kind.SERVICE_CPU, Kind.SERVICE_CPU_PER_REQUEST})
_OF_FUNCTIONS: Final = frozenset({Kind.FUNCTION_PER_REQUEST, Kind.FUNCTION_SHARE, Kind.FUNCTION_CPU})


def fold(findings: Iterable[Finding], load: Load) -> tuple[list[Finding], int]:
    """
    Return one finding for each cause, and how many were merged into those; cost shifts are left as they are.

    Args:
        findings: Of one service.
        load: Of that service.
    """
    kept: list[Finding] = []
    merged = 0
    groups: list[list[Finding]] = []
    for one in sorted(findings, key=lambda one: (one.time_s, one.key)):
        if groups and _same_time(groups[-1][-1], one):
            groups[-1].append(one)
        else:
            groups.append([one])
    for group in groups:
        shifts = [one for one in group if one.state is FindingState.COST_SHIFT]
        kept += shifts
        for worse in (True, False):
            side = [one for one in group if one.is_worse is worse and one not in shifts]
            causes = _causes(side, load, has_shift=any(one.is_worse is worse for one in shifts))
            kept += causes
            merged += len(side) - len(causes)
    return sorted(kept, key=lambda one: (one.key, one.time_s)), merged


def _same_time(first: Finding, second: Finding) -> bool:
    steps_s = _SAME_TIME_STEPS * max(first.step_s, second.step_s)
    return second.time_s - first.time_s <= max(_SAME_TIME_S, steps_s)


def _causes(group: Sequence[Finding], load: Load, *, has_shift: bool) -> list[Finding]:
    series = {one.key: one for one in group if one.candidate_version is None}
    series |= {one.key: one for one in group if one.candidate_version is not None}
    functions = [one for one in series.values() if one.key.kind in _OF_FUNCTIONS]
    operations: dict[tuple[str, str], list[Finding]] = {}
    kept = list(functions)
    for one in series.values():
        if one.key.kind in _LATENCIES or one.key.kind is Kind.OPERATION_ERRORS:
            operations.setdefault((one.key.name, one.key.detail), []).append(one)
        elif one.key.kind not in _OF_FUNCTIONS and not ((functions or has_shift) and one.key.kind in _OF_SERVICE):
            kept.append(one)
    cpu_ms = sum(abs(one.effect) for one in functions if one.key.kind is Kind.FUNCTION_PER_REQUEST)
    explained = _explained_by_cpu(operations, cpu_ms, load) if cpu_ms else set()
    entries = [quantities for name, quantities in operations.items() if name[1] in _ENTRIES and name not in explained]
    kept += [_representative(quantities) for quantities in entries]
    if not kept:
        kept += [_representative(quantities) for quantities in operations.values()]
    return kept


def _representative(quantities: Sequence[Finding]) -> Finding:
    """Return the quantity that says most about what happened to an operation."""
    by_kind = {one.key.kind: one for one in quantities}
    tail = [by_kind[kind] for kind in reversed(_LATENCIES) if kind in by_kind]
    if not tail:
        return by_kind[Kind.OPERATION_ERRORS]
    if Kind.OPERATION_LATENCY_P50 in by_kind:
        return by_kind.get(Kind.OPERATION_LATENCY_MEAN, by_kind[Kind.OPERATION_LATENCY_P50])
    return tail[0]


def _explained_by_cpu(
    operations: Mapping[tuple[str, str], Sequence[Finding]], cpu_ms: float, load: Load
) -> set[tuple[str, str]]:
    """
    Return the operations whose latency is explained by CPU that functions use.

    Where half of the change or more is in the median, every request takes longer: by what the functions use more, were
    all of it used by this operation, at most. The other requests wait for those, a few of them at a time.

    Args:
        operations: What was found of each.
        cpu_ms: Change of CPU per request of the service, all functions found.
        load: Of the service.
    """
    effects = {
        name: {one.key.kind: abs(one.effect) for one in quantities}
        for name, quantities in operations.items()
        if not any(one.key.kind is Kind.OPERATION_ERRORS for one in quantities)
    }
    medians: dict[tuple[str, str], float] = {}
    for name, by_kind in effects.items():
        median = by_kind.get(Kind.OPERATION_LATENCY_P50, 0.0)
        mean = by_kind.get(Kind.OPERATION_LATENCY_MEAN, median)
        share = load.share(name[0])
        if median >= _MEDIAN_SHARE * mean and mean * share <= _WALL_PER_CPU * cpu_ms:
            medians[name] = median
    waiting_ms = _WAITED_FOR * max(cpu_ms, *medians.values()) if medians else _WAITED_FOR * cpu_ms
    return {name for name, by_kind in effects.items() if name in medians or max(by_kind.values()) <= waiting_ms}
