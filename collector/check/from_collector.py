"""The report of two releases that a collector knows, out of its ``/compare``."""

from collections.abc import Iterator
from typing import Final

from collector.check.report import Item, Price, Report
from collector.check.suspects import with_suspects
from pyrometer.api import MATCHING_WORDS, Change, CompareAnswer, FunctionChange, OperationChange, Verdict
from pyrometer.client import CollectorClient
from pyrometer.errors import TargetNotFoundError
from pyrometer.text import printable

# As many as the route gives: the verdict is on all of them.
_ROWS_MAX: Final = 10_000
_WORST_FIRST: Final[tuple[Verdict, ...]] = ("regression", "improvement", "not_enough_data", "no_change")
# Of each operation: what the API calls it, what a reader does, its unit.
_QUANTITIES: Final[tuple[tuple[str, str, str], ...]] = (
    ("mean_ms", "mean latency", "ms"),
    ("p50_ms", "median latency", "ms"),
    ("p95_ms", "p95 latency", "ms"),
    ("p99_ms", "p99 latency", "ms"),
    ("error_rate", "error rate", "fraction"),
)


def check_releases(client: CollectorClient, service: str, baseline: str, candidate: str, start: str) -> Report:
    """
    Ask a collector what changed between two releases and which changes are likely behind it, and report it.

    Args:
        client: Of the collector.
        service: Its name.
        baseline: The release to compare with.
        candidate: The release that is judged.
        start: Start of the range, such as ``-1d``.

    Raises:
        TargetNotFoundError: If there is nothing to compare: a name is wrong, or the range does not reach back enough.
        PyrometerError: If the collector does not answer, or refuses.
    """
    report = report_of(client.compare(service, baseline, candidate, start, limit=_ROWS_MAX))
    if not report.items:
        notes = " ".join(printable(note) for note in report.notes)
        raise TargetNotFoundError(
            f"{printable(report.heading)}: nothing to compare since {start}. {notes} Look further back with --start, or"
            " see what there is: pyrometer query services"
        )
    return with_suspects(report, client, start)


def report_of(answer: CompareAnswer) -> Report:
    """Return an answer of ``/compare`` as a report."""
    work = "request" if answer.denominator == "request" else "second of process time"
    items = [_service_item(answer, work)] if answer.functions or answer.cpu.baseline or answer.cpu.candidate else []
    items += [_function_item(row, work) for row in answer.functions]
    for operation in answer.operations:
        items.extend(_operation_items(operation))
    items.sort(key=lambda item: (_WORST_FIRST.index(item.verdict), -_weight(item)))
    return Report(
        service=answer.service,
        baseline=answer.baseline,
        candidate=answer.candidate,
        method=f"{_moments(answer)}; CPU per {work}",
        currency=answer.currency,
        confidence=answer.confidence,
        bucket_s=answer.bucket_s,
        items=tuple(items),
        notes=tuple(answer.notes),
        assumptions=tuple(answer.assumptions),
    )


def _moments(answer: CompareAnswer) -> str:
    if not answer.buckets:
        return f"no whole bucket of {answer.bucket_s} s yet"
    return f"{answer.buckets:,} buckets of {answer.bucket_s} s; the releases ran {MATCHING_WORDS[answer.matching]}"


def _service_item(answer: CompareAnswer, work: str) -> Item:
    # The price is proportional to the change; the answer holds that of its middle.
    ends = _scaled(answer.cpu_price_per_month, answer.cpu)
    return Item(
        subject=answer.service, kind="service", quantity=f"CPU per {work}", unit="ms", change=answer.cpu, price=ends
    )


def _scaled(middle: float, change: Change) -> Price | None:
    if not change.absolute:
        return None
    factor = middle / change.absolute
    return Price(middle=middle, low=change.low * factor, high=change.high * factor)


def _function_item(row: FunctionChange, work: str) -> Item:
    return Item(
        subject=row.function,
        file=row.file,
        kind="function",
        quantity=f"own CPU per {work}",
        unit="ms",
        change=row.self_cpu,
        price=Price(middle=row.price_per_month, low=row.price_low, high=row.price_high),
    )


def _operation_items(row: OperationChange) -> Iterator[Item]:
    for name, quantity, unit in _QUANTITIES:
        # What an operation costs is the time its requests hold a worker: that is the mean's, not a quantile's.
        price = Price(middle=row.price_per_month, low=row.price_low, high=row.price_high) if name == "mean_ms" else None
        yield Item(
            subject=row.operation,
            kind="operation",
            quantity=quantity,
            unit=unit,
            change=getattr(row, name),
            price=price,
        )


def _weight(item: Item) -> float:
    """Order functions before operations before the service, each by its price: the cause stands before its effects."""
    rank = {"function": 2e12, "operation": 1e12, "service": 0.0}[item.kind]
    return rank + (abs(item.price.middle) if item.price else 0.0)
