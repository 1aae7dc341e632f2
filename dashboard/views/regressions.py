"""Two releases of a service compared, as plain data."""

from collections import Counter
from typing import Final, NamedTuple

import pandas as pd

from dashboard.views.text import (
    NO_VALUE,
    change_in_words,
    milliseconds,
    name_cell,
    relative_interval,
    signed_percent,
    visible,
)
from pyrometer.api import MATCHING_WORDS, Change, CompareAnswer, OperationChange, Verdict
from pyrometer.units import format_money

_NOTES_MAX: Final = 20
_NOTE_CHARS_MAX: Final = 300

VERDICT_NAMES: Final[dict[Verdict, str]] = {
    "regression": "▲ Regression",
    "improvement": "▼ Improvement",
    "no_change": "= Not significant",
    "not_enough_data": "? Too little data",
}


class Card(NamedTuple):
    """One verdict at the top of the page: what it is about, the number, and the verdict in words."""

    label: str
    value: str
    verdict: Verdict
    words: str
    help: str


def cards(answer: CompareAnswer) -> list[Card]:
    """Return the service's CPU, its slowest operation's tail, and what both cost."""
    return [_cpu_card(answer), _price_card(answer), _functions_card(answer), _operations_card(answer)]


def functions_table(answer: CompareAnswer) -> pd.DataFrame:
    """
    Return one row per function, in the answer's order.

    Columns: verdict (list of one), function, change, baseline and candidate (own CPU milliseconds per unit of work),
    price (per month, missing where it is 0), price_interval, total_change, certainty (settled, provisional, or empty),
    mde (milliseconds, missing where nothing was tested), file.
    """
    rows = answer.functions
    return pd.DataFrame(
        {
            "verdict": [[VERDICT_NAMES[row.self_cpu.verdict]] for row in rows],
            "function": [name_cell(row.function) for row in rows],
            "change": [change_in_words(row.self_cpu) for row in rows],
            "baseline": pd.Series([row.self_cpu.baseline for row in rows], dtype="float64"),
            "candidate": pd.Series([row.self_cpu.candidate for row in rows], dtype="float64"),
            "price": pd.Series([row.price_per_month or None for row in rows], dtype="float64"),
            "price_interval": [_interval(row.price_low, row.price_high) for row in rows],
            "total_change": [change_in_words(row.total_cpu) for row in rows],
            "certainty": [_certainty(row.self_cpu) for row in rows],
            "mde": pd.Series([row.self_cpu.mde for row in rows], dtype="float64"),
            "file": [visible(row.file) for row in rows],
        }
    )


def operations_table(answer: CompareAnswer) -> pd.DataFrame:
    """
    Return one row per operation, in the answer's order.

    Columns: verdict (list of one), operation, mean, p50, p95, p99 (changes in words), p99_values, errors, price (per
    month), price_interval, requests, kind.
    """
    rows = answer.operations
    return pd.DataFrame(
        {
            "verdict": [[VERDICT_NAMES[row.verdict]] for row in rows],
            "operation": [name_cell(row.operation) for row in rows],
            "mean": [change_in_words(row.mean_ms) for row in rows],
            "p50": [change_in_words(row.p50_ms) for row in rows],
            "p95": [change_in_words(row.p95_ms) for row in rows],
            "p99": [change_in_words(row.p99_ms) for row in rows],
            "p99_values": [
                f"{milliseconds(row.p99_ms.baseline)} → {milliseconds(row.p99_ms.candidate)}" for row in rows
            ],
            "errors": [f"{row.error_rate.baseline:.2%} → {row.error_rate.candidate:.2%}" for row in rows],
            "price": pd.Series([row.price_per_month or None for row in rows], dtype="float64"),
            "price_interval": [_interval(row.price_low, row.price_high) for row in rows],
            "requests": [f"{row.baseline_requests:,} → {row.candidate_requests:,}" for row in rows],
            "kind": [visible(row.kind) for row in rows],
        }
    )


def method(answer: CompareAnswer) -> str:
    """Return in one sentence how the releases were compared."""
    side = MATCHING_WORDS[answer.matching]
    unit = "request" if answer.denominator == "request" else "second of process time"
    return (
        f"CPU per {unit}; {answer.buckets:,} windows of {answer.bucket_s} s, the releases ran {side};"
        f" intervals hold {answer.confidence:.0%}. Prices assume: {visible('; '.join(answer.assumptions))}."
    )


def notes(answer: CompareAnswer) -> str:
    """Return the remarks of the answer, a line each; they may hold names from outside. Empty where there are none."""
    lines = [f"• {visible(text, _NOTE_CHARS_MAX)}" for text in answer.notes[:_NOTES_MAX]]
    more = len(answer.notes) - len(lines)
    return "\n".join([*lines, f"… and {more:,} more"] if more > 0 else lines)


def _certainty(change: Change) -> str:
    if change.verdict not in {"regression", "improvement"}:
        return ""
    return "settled" if change.is_settled else "provisional"


def _cpu_card(answer: CompareAnswer) -> Card:
    change = answer.cpu
    known = change.relative is not None and change.baseline != 0
    values = f"{milliseconds(change.baseline)} → {milliseconds(change.candidate)}"
    return Card(
        f"CPU per {answer.denominator}",
        signed_percent(change.relative) if known and change.relative is not None else NO_VALUE,
        change.verdict,
        f"{relative_interval(change)}%; {values}" if known else values,
        "CPU time of the whole service per unit of work, with its confidence interval",
    )


def _price_card(answer: CompareAnswer) -> Card:
    return Card(
        "CPU price of the change",
        f"{'+' if answer.cpu_price_per_month > 0 else ''}{format_money(answer.cpu_price_per_month, answer.currency)}",
        answer.cpu.verdict,
        f"per month at {answer.requests_per_second:,.1f} requests/s",
        "What the difference in CPU costs if the candidate serves all of the traffic",
    )


def _functions_card(answer: CompareAnswer) -> Card:
    verdicts = Counter(row.self_cpu.verdict for row in answer.functions)
    return Card(
        "Functions",
        f"{verdicts['regression']} slower, {verdicts['improvement']} faster",
        _overall(verdicts),
        f"of {len(answer.functions):,} compared",
        "Functions whose own CPU changed by more than chance",
    )


def _operations_card(answer: CompareAnswer) -> Card:
    verdicts = Counter(row.verdict for row in answer.operations)
    worst = _worst_tail(answer.operations)
    return Card(
        "Operations",
        f"{verdicts['regression']} slower, {verdicts['improvement']} faster" if answer.operations else NO_VALUE,
        _overall(verdicts),
        "no requests in both releases" if worst is None else f"largest p99 change {change_in_words(worst)}",
        "Operations whose latency or error rate changed by more than chance",
    )


def _worst_tail(rows: list[OperationChange]) -> Change | None:
    known = [row.p99_ms for row in rows if row.p99_ms.relative is not None]
    return max(known, key=lambda change: abs(change.relative or 0), default=None)


def _overall(verdicts: Counter[Verdict]) -> Verdict:
    order: tuple[Verdict, ...] = ("regression", "improvement", "no_change")
    return next((verdict for verdict in order if verdicts[verdict]), "not_enough_data")


def _interval(low: float, high: float) -> str:
    return NO_VALUE if low == high == 0 else f"{low:+,.2f} to {high:+,.2f}"
