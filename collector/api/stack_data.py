"""Reads what services spent in each stack, and what the stacks' ids stand for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from collector.api.context import Context
from collector.api.times import Span
from pyrometer.values import Frame, FrameType

# Ids per query: their text stays far below what a server takes as one parameter.
_IDS_PER_QUERY: Final = 4000
UNKNOWN_FRAME: Final = Frame("[unknown frame]", frame_type=FrameType.MARKER)


@dataclass(slots=True)
class StackValues:
    """What was spent, nanoseconds by stack id; what lies in stacks beyond the limit is only summed."""

    values: dict[int, int] = field(default_factory=dict)
    rest: int = 0
    rest_stacks: int = 0
    samples: int = 0

    @property
    def total(self) -> int:
        """In all stacks, nanoseconds."""
        return sum(self.values.values()) + self.rest


def read_stack_values(
    context: Context, span: Span, *, service: str, versions: list[str], hosts: list[str], sample_type: str
) -> StackValues:
    """Return what a service spent in each stack; no versions or hosts: of all."""
    rows = context.rows(
        "flamegraph_stacks",
        service=service,
        sample_type=sample_type,
        versions=versions,
        hosts=hosts,
        **span.in_milliseconds(),
        rows_max=context.limits.stacks_max,
    )
    if not rows:
        return StackValues()
    side = StackValues(values={row["stack_id"]: row["value"] for row in rows}, samples=rows[0]["all_samples"])
    side.rest = rows[0]["all_value"] - sum(side.values.values())
    side.rest_stacks = rows[0]["all_stacks"] - len(rows)
    if side.rest_stacks:
        context.hit("stacks_max")
    return side


def read_frame_ids(context: Context, stack_ids: Iterable[int]) -> dict[int, list[int]]:
    """Return the frames of stacks, root first; a stack whose content is not there is left out."""
    return {row["stack_id"]: row["frame_ids"] for row in _in_batches(context, "stacks", "stack_ids", stack_ids)}


def read_frames(context: Context, frame_ids: Iterable[int]) -> dict[int, Frame]:
    """Return what frame ids stand for; one whose content is not there is left out."""
    rows = _in_batches(context, "frames", "frame_ids", frame_ids)
    return {row["frame_id"]: Frame(row["function"], row["file"], row["line"]) for row in rows}


def _in_batches(context: Context, name: str, parameter: str, ids: Iterable[int]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    ordered = sorted(ids)
    for first in range(0, len(ordered), _IDS_PER_QUERY):
        rows.extend(context.rows(name, **{parameter: ordered[first : first + _IDS_PER_QUERY]}))
    return rows
