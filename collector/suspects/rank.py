"""
Changes in the order of what speaks for them.

The confidence is a score from 0 to 1 out of independent hints, and no probability: 1 minus the product of what each
hint leaves open, times how well the change fits in time. Its weights are ours (docs/explanation/suspects.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from collector.events.event import Event
from collector.suspects.names import FunctionIndex, words_of
from collector.suspects.stacks import StackTable, explained_share, increase_of
from pyrometer.api_events import Touch, TouchedFunction

# Nothing below this is shown: no suspect is better than a wrong one.
CONFIDENCE_MIN: Final = 0.25
# What the best hint of each kind is worth.
_TOUCH_WEIGHT: Final = 0.9
_WORDS_WEIGHT: Final = 0.4
_BARE_WEIGHT: Final = 0.3
# A deploy that names functions, none of which has to do with it.
_NAMED_OTHERS_WEIGHT: Final = 0.1
# Both releases felt it, where they ran side by side.
_FELT_BY_BOTH: Final = 0.3
_OTHER_KIND: Final = 0.8
_HALF_LIFE_MS: Final = 6 * 3_600_000
_OF_ITSELF: Final[dict[Touch, float]] = {"modified": 1.0, "added": 1.0, "removed": 1.0, "uses": 0.9}
_WORDS_SHOWN: Final = 5
_MS_PER_HOUR: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    What got worse, and when.

    Attributes:
        service: Whose.
        baseline: The release that it was well in.
        candidate: The release that it is worse in.
        began_ms: When the candidate was first seen, Unix milliseconds.
        side_by_side: The releases ran at the same time.
        function: Name as the process has it; None where no function is asked about.
        file: Its file; None: any.
        operation: Name of the operation; None where none is asked about.
    """

    service: str
    baseline: str
    candidate: str
    began_ms: int
    side_by_side: bool
    function: str | None = None
    file: str | None = None
    operation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """
    A change, and what speaks for it.

    Attributes:
        event: The change.
        confidence: From 0 to 1.
        explained: Which part of the increase lies in stacks that hold something it touched; None where not known.
        touched: What it touched that has to do with the function.
        evidence: A sentence for each hint. Hostile text.
    """

    event: Event
    confidence: float
    explained: float | None
    touched: tuple[TouchedFunction, ...]
    evidence: tuple[str, ...]


def rank_suspects(events: Iterable[Event], question: Question, table: StackTable, *, most: int) -> list[Suspect]:
    """Return the changes that most speaks for, at most so many, none below ``CONFIDENCE_MIN``."""
    judge = _Judge(question, table)
    suspects = [judge.suspect(event) for event in events if judge.fit_in_time(event)]
    shown = [suspect for suspect in suspects if suspect.confidence >= CONFIDENCE_MIN]
    shown.sort(key=lambda suspect: (-suspect.confidence, -suspect.event.time_ms, suspect.event.event_id))
    return shown[:most]


class _Judge:
    """Weighs one change after another against one question."""

    def __init__(self, question: Question, table: StackTable) -> None:
        self._question = question
        self._table = table
        # Asked about, it is one of them, whether its stacks are still there or not.
        asked = [] if question.function is None else [(question.function, question.file or "")]
        self._index = FunctionIndex([*table.functions, *asked])
        target = frozenset[int]() if question.function is None else self._index.named(question.function, question.file)
        self._increase = increase_of(table, target)
        self._words = _subject_words(question)

    def fit_in_time(self, event: Event) -> float:
        """Return how well a change fits: 1 for the deploy of the candidate, 0 for that of any other release."""
        question = self._question
        if event.kind == "deploy":
            # That a release was seen tells no more than that it is there.
            return float(event.source != "seen" and event.version == question.candidate)
        distance = abs(event.time_ms - question.began_ms)
        return (_FELT_BY_BOTH if question.side_by_side else _OTHER_KIND) * float(0.5 ** (distance / _HALF_LIFE_MS))

    def suspect(self, event: Event) -> Suspect:
        """Weigh one change."""
        evidence: list[str] = []
        touch, touched, explained = self._touch(event, evidence)
        words = sorted(self._words & words_of(_texts(event)))
        if words:
            evidence.append(f"has words in common: {', '.join(words[:_WORDS_SHOWN])}")
        bare = _NAMED_OTHERS_WEIGHT if event.functions else _BARE_WEIGHT
        evidence.append(self._circumstance(event))
        in_words = _WORDS_WEIGHT * len(words) / len(self._words) if self._words else 0.0
        left_open = (1 - _TOUCH_WEIGHT * touch) * (1 - in_words) * (1 - bare)
        return Suspect(
            event=event,
            confidence=self.fit_in_time(event) * (1 - left_open),
            explained=explained,
            touched=touched,
            evidence=tuple(evidence),
        )

    def _touch(self, event: Event, evidence: list[str]) -> tuple[float, tuple[TouchedFunction, ...], float | None]:
        """Return how much the touched functions have to do with it, from 0 to 1; which do; and the score of all."""
        target, found = self._increase.target, [(row, self._index.find(row)) for row in event.functions]
        if not target:
            return 0.0, (), None
        numbers = frozenset[int]().union(*(matches for _, matches in found))
        explained = explained_share(self._table.stacks, target, numbers) if numbers else None
        own = [row for row, matches in found if matches & target]
        if own:
            evidence.append(f"{_verb(own[0].touch)} {own[0].function}{_place(own[0])}")
            return max(_OF_ITSELF[row.touch] for row in own), tuple(own), explained
        weights = [(self._weight(matches), row, matches) for row, matches in found if matches]
        weights = sorted((each for each in weights if each[0] > 0), key=lambda each: (-each[0], each[1].function))
        if not weights:
            return 0.0, (), explained
        weight, row, matches = weights[0]
        part = max(self._increase.explained(number) for number in matches)
        evidence.append(f"{_verb(row.touch)} {row.function}{_place(row)}: {part:.0%} of the increase runs through it")
        return weight, tuple(each[1] for each in weights), explained

    def _weight(self, numbers: frozenset[int]) -> float:
        """Return the part of the increase that runs through a function, less where everything runs through it."""
        increase = self._increase
        return max(increase.explained(number) * (1 - increase.popularity.get(number, 0.0)) for number in numbers)

    def _circumstance(self, event: Event) -> str:
        if event.kind == "deploy":
            commits = f" in {len(event.commits):,} commits" if event.commits else ""
            unnamed = "" if event.functions else "; it does not say which functions it touches"
            return f"brought release {event.version}{commits}{unnamed}"
        hours = (event.time_ms - self._question.began_ms) / _MS_PER_HOUR
        both = "; both releases felt it" if self._question.side_by_side else ""
        return f"{abs(hours):.1f} h {'before' if hours < 0 else 'after'} the release was first seen{both}"


def _texts(event: Event) -> list[str]:
    touched = (text for row in event.functions for text in (row.function, _stem(row.file)))
    # The text of a deploy that was read from git is source, where it was asked for: it holds every word.
    return [event.title, event.text if event.source != "git" else "", *event.commits, *touched]


def _subject_words(question: Question) -> frozenset[str]:
    if question.function is not None:
        return words_of([question.function.rpartition(".")[2]])
    return words_of([question.operation or ""])


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".py")


def _verb(touch: Touch) -> str:
    return {"added": "adds", "modified": "modifies", "removed": "removes", "uses": "changes a value used by"}[touch]


def _place(row: TouchedFunction) -> str:
    lines = f":{row.first_line}-{row.last_line}" if row.first_line else ""
    return f" ({row.file}{lines})" if row.file else ""
