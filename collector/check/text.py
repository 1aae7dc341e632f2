"""A report for a terminal, and as Markdown for a pull request."""

from collections.abc import Iterator
from typing import Final

from collector.check.report import VERDICT_WORDS, Item, Price, Report, Suspect, shortage_words
from pyrometer.api import Verdict
from pyrometer.text import printable

# Lines for what could not be tested: what lacks data for one reason lacks it for all.
_UNTESTED_SHOWN: Final = 5
_NAME_CHARS_MAX: Final = 120
_ORDER: Final[tuple[Verdict, ...]] = ("regression", "improvement", "no_change", "not_enough_data")
# What Markdown gives a meaning, in any place of a line.
_MARKDOWN: Final = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]<>()#+-.!|~@:/"})


def text_lines(report: Report) -> Iterator[str]:
    """Return the report as lines for a terminal: nothing in it can steer one."""
    yield f"{printable(report.heading)}: {VERDICT_WORDS[report.verdict].upper()}"
    yield f"  {report.method}; {report.confidence:.0%} intervals"
    yield ""
    for verdict in ("regression", "improvement"):
        for item in report.with_verdict(verdict):
            yield from _item_lines(item, report)
    untested = report.with_verdict("not_enough_data")
    for item in untested[:_UNTESTED_SHOWN]:
        yield f"not enough data  {_name(item)}, {item.quantity}: {shortage_words(item.change.needs, report.bucket_s)}"
    if len(untested) > _UNTESTED_SHOWN:
        yield f"not enough data  … and {len(untested) - _UNTESTED_SHOWN:,} more"
    for suspect in report.suspects:
        yield f"suspect change{_sureness(suspect)}  {printable(suspect.title)}"
        yield f"  {printable(suspect.evidence)}"
    yield summary(report)
    yield from (f"note: {printable(note)}" for note in report.notes)
    if report.currency and any(item.price for item in _findings(report)):
        yield f"prices assume: {printable('; '.join(report.assumptions))}"


def summary(report: Report) -> str:
    """Return how many items have each verdict."""
    counts = report.counts()
    words = {"regression": "regressions", "improvement": "improvements"}
    parts = [f"{counts.get(verdict, 0):,} {words.get(verdict, VERDICT_WORDS[verdict])}" for verdict in _ORDER]
    return f"{len(report.items):,} compared: {', '.join(parts)}"


def markdown_lines(report: Report) -> Iterator[str]:
    """Return the report as Markdown; names from outside cannot become links, mentions or markup."""
    yield f"### {_escaped(report.heading)}: {VERDICT_WORDS[report.verdict]}"
    yield ""
    yield f"{report.method}; {report.confidence:.0%} intervals."
    findings = _findings(report)
    if findings:
        yield ""
        yield "| | what | before | after | change | interval | p | a month |"
        yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
        yield from (_markdown_row(item, report) for item in findings)
    untested = report.with_verdict("not_enough_data")
    if untested:
        yield ""
    for item in untested[:_UNTESTED_SHOWN]:
        needs = shortage_words(item.change.needs, report.bucket_s)
        yield f"- not enough data: {_escaped(_name(item))}, {item.quantity}: {needs}"
    if report.suspects:
        yield ""
    for suspect in report.suspects:
        yield f"- suspect change{_sureness(suspect)}: {_escaped(suspect.title)}: {_escaped(suspect.evidence)}"
    yield ""
    yield f"{summary(report)}."
    yield from (f"Note: {_escaped(note)}  " for note in report.notes)
    if report.currency and any(item.price for item in findings):
        yield f"Prices assume: {_escaped('; '.join(report.assumptions))}."


def number(value: float, item: Item, *, signed: bool = False) -> str:
    """Return a value of an item with its unit."""
    if item.unit == "fraction":
        return f"{value:+.2%}" if signed else f"{value:.2%}"
    return f"{value:+,.4g} {item.unit}" if signed else f"{value:,.4g} {item.unit}"


def relative(item: Item) -> str:
    """Return the relative change, ``new`` where there was nothing before."""
    return "new" if item.change.relative is None else f"{item.change.relative:+.1%}"


def significance(item: Item) -> str:
    """Return the p-value after correction, or as it is where one question stands for itself."""
    value = item.change.q_value if item.change.q_value is not None else item.change.p_value
    return "-" if value is None else f"{value:.2g}"


def price_words(price: Price | None, currency: str) -> str:
    """Return a price with its interval, empty where there is none."""
    if price is None or not currency:
        return ""
    return f"{price.middle:+,.2f} {currency} a month ({price.low:+,.2f} to {price.high:+,.2f})"


def _findings(report: Report) -> tuple[Item, ...]:
    return report.with_verdict("regression") + report.with_verdict("improvement")


def _item_lines(item: Item, report: Report) -> Iterator[str]:
    change = item.change
    yield f"{item.verdict}  {_name(item)}"
    low, high = number(change.low, item, signed=True), number(change.high, item, signed=True)
    yield (
        f"  {item.quantity}: {number(change.baseline, item)} -> {number(change.candidate, item)} ({relative(item)}),"
        f" {report.confidence:.0%} interval {low} to {high}, p {significance(item)}"
    )
    if words := price_words(item.price, report.currency):
        yield f"  {words}"
    if report.bucket_s and not change.is_settled:
        yield "  provisional: certain for one look, not yet for who looks again and again"


def _sureness(suspect: Suspect) -> str:
    return "" if suspect.confidence is None else f" (confidence {suspect.confidence:.0%})"


def _markdown_row(item: Item, report: Report) -> str:
    change = item.change
    cells = (
        VERDICT_WORDS[item.verdict] + (" (provisional)" if report.bucket_s and not change.is_settled else ""),
        f"{_escaped(_name(item))}, {item.quantity}",
        number(change.baseline, item),
        number(change.candidate, item),
        relative(item),
        f"{number(change.low, item, signed=True)} to {number(change.high, item, signed=True)}",
        significance(item),
        price_words(item.price, report.currency).replace(" a month", ""),
    )
    return f"| {' | '.join(cells)} |"


def _name(item: Item) -> str:
    name = printable(item.subject, _NAME_CHARS_MAX)
    return f"{name} ({printable(item.file, _NAME_CHARS_MAX)})" if item.file else name


def _escaped(text: str) -> str:
    return printable(text).translate(_MARKDOWN)
