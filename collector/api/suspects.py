"""``/suspects``: which change is behind what got worse from one release to another."""

from dataclasses import dataclass
from typing import Final

import msgspec

from collector.api.context import Context
from collector.api.events import event_row
from collector.api.parameters import SuspectsQuery
from collector.api.problems import bad_parameter
from collector.api.stack_data import StackValues, read_frame_ids, read_frames, read_stack_values
from collector.api.times import Span
from collector.events.event import Event, read_events
from collector.suspects.rank import CONFIDENCE_MIN, Question, Suspect, rank_suspects
from collector.suspects.stacks import StackShare, StackTable
from pyrometer.api_suspects import SuspectRow, SuspectsAnswer

# How long before a release was seen a change may have been made.
_LOOKBACK_S: Final = 7 * 86_400
_EVENTS_MAX: Final = 200
_MS_PER_S: Final = 1000
_SAMPLE_TYPE: Final = "cpu"


@dataclass(frozen=True, slots=True)
class _Lives:
    """When the candidate was first seen, Unix seconds, and whether both releases ran at the same time."""

    began_s: int
    side_by_side: bool


def suspects(context: Context, query: SuspectsQuery) -> SuspectsAnswer:
    """Answer ``/suspects``."""
    if query.baseline == query.candidate:
        raise bad_parameter("candidate", "must be another release than baseline")
    span, notes = context.span(query), list[str]()
    lives = _lives(context, query, span)
    events = _events(context, query, span, lives, notes)
    question = Question(
        service=query.service,
        baseline=query.baseline,
        candidate=query.candidate,
        began_ms=lives.began_s * _MS_PER_S,
        side_by_side=lives.side_by_side,
        function=query.function,
        file=query.file,
        operation=query.operation,
    )
    # Stacks are only of use where something is known to be touched.
    table = StackTable()
    if query.function is not None and any(event.functions for event in events):
        table = _stacks(context, query, span, notes)
    found = rank_suspects(events, question, table, most=query.limit)
    return SuspectsAnswer(
        range=span.answer(),
        service=query.service,
        baseline=query.baseline,
        candidate=query.candidate,
        confidence_min=CONFIDENCE_MIN,
        events=len(events),
        suspects=[_row(suspect) for suspect in found],
        notes=notes,
    )


def _lives(context: Context, query: SuspectsQuery, span: Span) -> _Lives:
    rows = context.rows("releases_seen", service=query.service, versions=[query.baseline, query.candidate])
    seen = {row["version"]: (row["first_s"], row["last_s"]) for row in rows}
    first_s, last_s = seen.get(query.candidate, (span.start_s, span.end_s))
    base_first_s, base_last_s = seen.get(query.baseline, (span.start_s, span.start_s))
    together_s = min(last_s, base_last_s) - max(first_s, base_first_s)
    return _Lives(began_s=first_s, side_by_side=together_s > min(last_s - first_s, base_last_s - base_first_s) / 2)


def _events(context: Context, query: SuspectsQuery, span: Span, lives: _Lives, notes: list[str]) -> list[Event]:
    start_s = min(span.start_s, lives.began_s) - _LOOKBACK_S
    found = read_events(
        context.rows,
        services=[query.service],
        kinds=[],
        versions=[query.candidate],
        start_ms=start_s * _MS_PER_S,
        end_ms=span.end_s * _MS_PER_S,
        rows_max=_EVENTS_MAX + 1,
    )
    if len(found) > _EVENTS_MAX:
        context.hit("suspects.events_max")
        notes.append(f"Only the newest {_EVENTS_MAX:,} events were weighed.")
    return found[:_EVENTS_MAX]


def _stacks(context: Context, query: SuspectsQuery, span: Span, notes: list[str]) -> StackTable:
    before, after = (
        read_stack_values(context, span, service=query.service, versions=[version], hosts=[], sample_type=_SAMPLE_TYPE)
        for version in (query.baseline, query.candidate)
    )
    if not before.total or not after.total:
        notes.append("One of the releases has no stacks in this range: where the increase lies is not known.")
        return StackTable()
    if before.rest_stacks or after.rest_stacks:
        notes.append(f"Only the {context.limits.stacks_max:,} largest stacks of each release were looked at.")
    return _table(context, before, after)


def _table(context: Context, before: StackValues, after: StackValues) -> StackTable:
    stacks = read_frame_ids(context, before.values.keys() | after.values.keys())
    frames = read_frames(context, {key for frame_ids in stacks.values() for key in frame_ids})
    # Frames of one function differ by line; here they are one.
    numbers: dict[tuple[str, str], int] = {}
    of_frame = {key: numbers.setdefault((frame.function, frame.file), len(numbers)) for key, frame in frames.items()}
    shares = [
        StackShare(
            frozenset(of_frame[key] for key in frame_ids if key in of_frame),
            before.values.get(stack_id, 0) / before.total,
            after.values.get(stack_id, 0) / after.total,
        )
        for stack_id, frame_ids in stacks.items()
    ]
    return StackTable(list(numbers), shares)


def _row(suspect: Suspect) -> SuspectRow:
    return SuspectRow(
        event=msgspec.structs.replace(event_row(suspect.event), functions=[]),
        confidence=suspect.confidence,
        explained=suspect.explained,
        touched=list(suspect.touched),
        evidence=list(suspect.evidence),
    )
