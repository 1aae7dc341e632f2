"""The changes that are likely behind a report's regressions, out of a collector's ``/suspects``."""

from dataclasses import replace
from typing import Final

from collector.check.report import Item, Report, Suspect
from pyrometer.api_suspects import SuspectRow
from pyrometer.client import CollectorClient

# Asked about the dearest regressions; the others follow from the same changes.
_FUNCTIONS_ASKED: Final = 3
_OPERATIONS_ASKED: Final = 3
_SHOWN: Final = 3


def with_suspects(report: Report, client: CollectorClient, start: str) -> Report:
    """
    Return the report with up to three changes that are likely behind its regressions; as it is where there are none.

    Raises:
        PyrometerError: If the collector does not answer, or refuses.
    """
    best: dict[str, SuspectRow] = {}
    evidence: dict[str, list[str]] = {}
    for item in _asked(report):
        answer = client.suspects(
            report.service,
            report.baseline,
            report.candidate,
            start,
            function=item.subject if item.kind == "function" else None,
            file=item.file if item.kind == "function" else None,
            operation=item.subject if item.kind == "operation" else None,
        )
        for row in answer.suspects:
            known = best.setdefault(row.event.id, row)
            best[row.event.id] = max(known, row, key=lambda each: each.confidence)
            evidence.setdefault(row.event.id, []).append(f"{item.subject}: {', '.join(row.evidence)}")
    rows = sorted(best.values(), key=lambda row: (-row.confidence, row.event.id))[:_SHOWN]
    return replace(report, suspects=tuple(_suspect(row, evidence[row.event.id]) for row in rows))


def _asked(report: Report) -> list[Item]:
    regressions = report.with_verdict("regression")
    functions = [item for item in regressions if item.kind == "function"]
    # Of an operation, mean, quantiles and errors are items of their own.
    operations = {item.subject: item for item in regressions if item.kind == "operation"}
    return [*functions[:_FUNCTIONS_ASKED], *list(operations.values())[:_OPERATIONS_ASKED]]


def _suspect(row: SuspectRow, evidence: list[str]) -> Suspect:
    event = row.event
    what = f"{event.kind} of {event.version}" if event.version else event.kind
    title = f"{what}: {event.title}" if event.title else what
    return Suspect(
        title=f"{title}, {event.time}", evidence="; ".join(evidence), confidence=row.confidence, url=event.url
    )
