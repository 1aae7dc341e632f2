"""What a check says of a candidate, whatever it was made from."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from collector.detect.verdicts import worst
from pyrometer.api import Change, Shortage, Verdict

VERDICT_WORDS: Final[dict[Verdict, str]] = {
    "regression": "regression",
    "improvement": "improvement",
    "no_change": "no change",
    "not_enough_data": "not enough data",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Of a month, with the ends of its interval."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    One question that was asked.

    Attributes:
        subject: The function or operation; the service where the question is about all of it. Hostile text.
        file: Of a function; empty for others.
        kind: What the subject is.
        quantity: What was measured of it, in words.
        unit: Of the change: ``ms``, ``fraction`` (of 1), or what profile files count: letters only.
        change: Effect, interval, p and q, verdict.
        price: None where it has none.
    """

    subject: str
    kind: Literal["service", "function", "operation"]
    quantity: str
    unit: str
    change: Change
    file: str = ""
    price: Price | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict of its change."""
        return self.change.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A change that may be behind the regressions, and what speaks for it. Both are hostile text."""

    title: str
    evidence: str
    confidence: float | None = None
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    A candidate against a baseline.

    Attributes:
        service: Empty where profiles are compared.
        baseline: Release, or what the files of the side are called.
        candidate: The same.
        method: How they were compared, one line.
        currency: Of all prices; empty where there are none.
        confidence: Of the intervals.
        bucket_s: Seconds of a time bucket; 0 where the unit of repetition is a profile.
        items: Every question, findings first.
        notes: What a reader should know.
        assumptions: What the prices rest on.
    """

    service: str
    baseline: str
    candidate: str
    method: str
    currency: str
    confidence: float
    bucket_s: int
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """The worst of all; not enough data where nothing was asked."""
        return worst([item.verdict for item in self.items]) if self.items else "not_enough_data"

    def with_verdict(self, verdict: Verdict) -> tuple[Item, ...]:
        """Return the items of one verdict in their order."""
        return tuple(item for item in self.items if item.verdict == verdict)

    def counts(self) -> Mapping[Verdict, int]:
        """Return how many items have each verdict."""
        return Counter(item.verdict for item in self.items)

    @property
    def heading(self) -> str:
        """The comparison in a few words."""
        of_what = f"{self.service}: " if self.service else ""
        return f"{of_what}{self.candidate or '(no version)'} against {self.baseline or '(no version)'}"


def shortage_words(needs: Shortage | None, bucket_s: int) -> str:
    """Return what is missing, in words: ``needs 4 more buckets of 10 s``."""
    if needs is None:
        return "nothing to compare"
    if needs.unit != "buckets":
        return f"needs {needs.more:,} more {needs.unit}"
    if not bucket_s:
        return f"needs {needs.more:,} more profiles a side"
    return f"needs {needs.more:,} more buckets of {bucket_s} s"
