"""The findings of a comparison of two releases, in the words of a scan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from collector.detect.finding import Finding, FindingState, Kind, SeriesKey
from pyrometer.api import Change, CompareAnswer, OperationChange

_QUANTITIES: Final = (
    ("mean_ms", Kind.OPERATION_LATENCY_MEAN),
    ("p50_ms", Kind.OPERATION_LATENCY_P50),
    ("p95_ms", Kind.OPERATION_LATENCY_P95),
    ("p99_ms", Kind.OPERATION_LATENCY_P99),
    ("error_rate", Kind.OPERATION_ERRORS),
)
_FOUND: Final = frozenset({"regression", "improvement"})
# From half of a 95% interval to what is found in 80 of 100 cases: (1.96 + 0.84) / 1.96.
_MDE_PER_HALF_WIDTH: Final = 1.43
_MS_PER_S: Final = 1000.0
# Two releases that came within this are told apart by their names.
_SAME_TIME_S: Final = 60
_DIGITS_MAX: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePair:
    """The last two releases of a service, and when the later one came, Unix seconds."""

    baseline: str
    candidate: str
    since_s: int


def last_two(rows: Sequence[dict[str, Any]]) -> ReleasePair | None:
    """
    Return the two releases that came last; None where there is one only.

    Args:
        rows: Of the query ``scan_releases``: version and first_s, the last to come first.
    """
    named = [row for row in rows if row["version"]]
    if len(named) < 2:  # noqa: PLR2004
        return None
    candidate, baseline = named[:2]
    if candidate["first_s"] - baseline["first_s"] < _SAME_TIME_S:
        baseline, candidate = sorted((baseline, candidate), key=lambda row: _natural(row["version"]))
    return ReleasePair(baseline=baseline["version"], candidate=candidate["version"], since_s=candidate["first_s"])


def release_findings(answer: CompareAnswer, since_s: int) -> list[Finding]:
    """
    Return every regression and improvement of an answer of ``/compare`` as a finding.

    Args:
        answer: Of the service's last two releases.
        since_s: When the candidate came, Unix seconds.
    """
    per_request = answer.denominator == "request"
    # CPU milliseconds per second of process time are thousandths of a core of each process.
    factor = 1.0 if per_request else 1 / _MS_PER_S
    kind = Kind.FUNCTION_PER_REQUEST if per_request else Kind.FUNCTION_CPU
    of_service = Kind.SERVICE_CPU_PER_REQUEST if per_request else Kind.SERVICE_CPU
    findings = [_finding(answer, SeriesKey(service=answer.service, kind=of_service), answer.cpu, since_s, factor)]
    findings += [
        _finding(
            answer,
            SeriesKey(service=answer.service, kind=kind, name=row.function, detail=row.file),
            row.self_cpu,
            since_s,
            factor,
        )
        for row in answer.functions
    ]
    for row in answer.operations:
        findings += _of_operation(answer, row, since_s)
    return [one for one in findings if one is not None]


def _of_operation(answer: CompareAnswer, row: OperationChange, since_s: int) -> Iterator[Finding | None]:
    for name, kind in _QUANTITIES:
        key = SeriesKey(service=answer.service, kind=kind, name=row.operation, detail=row.kind)
        yield _finding(answer, key, getattr(row, name), since_s, 1.0)


def _finding(answer: CompareAnswer, key: SeriesKey, change: Change, since_s: int, factor: float) -> Finding | None:
    if change.verdict not in _FOUND:
        return None
    mde = (change.high - change.low) / 2 * _MDE_PER_HALF_WIDTH if change.mde is None else change.mde
    return Finding(
        key=key,
        index=0,
        time_s=since_s,
        step_s=answer.bucket_s,
        before=change.baseline * factor,
        after=change.candidate * factor,
        low=change.low * factor,
        high=change.high * factor,
        p_value=1.0 if change.q_value is None else change.q_value,
        mde=mde * factor,
        samples=change.samples,
        direction="up" if change.absolute > 0 else "down",
        # Confirmed is what would be found however often one looked.
        state=FindingState.CONFIRMED if change.is_settled else FindingState.PROVISIONAL,
        baseline_version=answer.baseline,
        candidate_version=answer.candidate,
    )


def _natural(version: str) -> list[tuple[int, int, str]]:
    """Return a key by which 1.10 comes after 1.9."""
    words = version.replace("-", ".").replace("_", ".").split(".")
    is_number = [word.isascii() and word.isdigit() and len(word) <= _DIGITS_MAX for word in words]
    return [(0, int(word), "") if number else (1, 0, word) for word, number in zip(words, is_number, strict=True)]
