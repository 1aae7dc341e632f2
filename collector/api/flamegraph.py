"""``/flamegraph``: the merged stacks of a service as one tree, next to a baseline where one is asked for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from collector.api.context import Context
from collector.api.parameters import FlamegraphQuery
from collector.api.quality import window_quality
from collector.api.times import Span, parse_span
from pyrometer.api import FlamegraphAnswer
from pyrometer.tree import OTHER_NAME, build_tree
from pyrometer.values import Frame, FrameType, Stack

_UNIT: Final = "nanoseconds"
# Ids per query: their text stays far below what a server takes as one parameter.
_IDS_PER_QUERY: Final = 4000
_OTHER: Final[Stack] = (Frame(OTHER_NAME, frame_type=FrameType.MARKER),)
_UNKNOWN_STACK: Final[Stack] = (Frame("[unknown stack]", frame_type=FrameType.MARKER),)
_UNKNOWN_FRAME: Final = Frame("[unknown frame]", frame_type=FrameType.MARKER)


@dataclass(slots=True)
class _Side:
    """What one side spent, by stack id; what lies in stacks beyond the limit is only summed."""

    values: dict[int, int] = field(default_factory=dict)
    rest: int = 0
    rest_stacks: int = 0
    samples: int = 0


def flamegraph(context: Context, query: FlamegraphQuery) -> FlamegraphAnswer:
    """Answer ``/flamegraph``."""
    span = context.span(query)
    side = _read(context, query, span, query.versions)
    base = _read_baseline(context, query)
    stacks = _stacks(context, side.values.keys() | (base.values.keys() if base else set()))
    tree = build_tree(
        _by_stack(side, stacks),
        None if base is None else _by_stack(base, stacks),
        max_nodes=min(query.max_nodes, context.limits.nodes_max),
    )
    return FlamegraphAnswer(
        range=span.answer(),
        service=query.service,
        sample_type=query.sample_type,
        unit=_UNIT,
        total_value=tree.total_value,
        samples=side.samples,
        # A stack beyond the limit would have been one more node at the least.
        folded=tree.folded + side.rest_stacks + (base.rest_stacks if base else 0),
        strings=tree.strings,
        depth=tree.depth,
        parent=tree.parent,
        name=tree.name,
        file=tree.file,
        start=tree.start,
        total=tree.total,
        self=tree.self,
        quality=window_quality(
            context,
            span,
            service=query.service,
            versions=query.versions,
            hosts=[] if query.host is None else [query.host],
            sample_type=query.sample_type,
        ),
        base_total_value=tree.base_total_value,
        base_total=tree.base_total,
        base_self=tree.base_self,
    )


def _read_baseline(context: Context, query: FlamegraphQuery) -> _Side | None:
    if query.baseline_version is None and query.baseline_start is None and query.baseline_end is None:
        return None
    span = parse_span(
        query.start if query.baseline_start is None else query.baseline_start,
        query.end if query.baseline_end is None else query.baseline_end,
        now_s=context.now_s,
        days_max=context.limits.range_days_max,
        names=("baseline_start", "baseline_end"),
    )
    versions = query.versions if query.baseline_version is None else [query.baseline_version]
    return _read(context, query, span, versions)


def _read(context: Context, query: FlamegraphQuery, span: Span, versions: list[str]) -> _Side:
    rows = context.rows(
        "flamegraph_stacks",
        service=query.service,
        sample_type=query.sample_type,
        versions=versions,
        hosts=[] if query.host is None else [query.host],
        **span.in_milliseconds(),
        rows_max=context.limits.stacks_max,
    )
    if not rows:
        return _Side()
    side = _Side(values={row["stack_id"]: row["value"] for row in rows}, samples=rows[0]["all_samples"])
    side.rest = rows[0]["all_value"] - sum(side.values.values())
    side.rest_stacks = rows[0]["all_stacks"] - len(rows)
    if side.rest_stacks:
        context.hit("stacks_max")
    return side


def _by_stack(side: _Side, stacks: dict[int, Stack]) -> dict[Stack, float]:
    # Ids that could not be read share one marker, so that the total stays what was measured.
    values: dict[Stack, float] = {}
    for stack_id, value in side.values.items():
        stack = stacks.get(stack_id) or _UNKNOWN_STACK
        values[stack] = values.get(stack, 0) + value
    if side.rest:
        values[_OTHER] = values.get(_OTHER, 0) + side.rest
    return values


def _stacks(context: Context, stack_ids: Iterable[int]) -> dict[int, Stack]:
    rows = _in_batches(context, "stacks", "stack_ids", stack_ids)
    needed = {frame_id for row in rows for frame_id in row["frame_ids"]}
    frames = {row["frame_id"]: _frame(row) for row in _in_batches(context, "frames", "frame_ids", needed)}
    return {row["stack_id"]: tuple(frames.get(key, _UNKNOWN_FRAME) for key in row["frame_ids"]) for row in rows}


def _in_batches(context: Context, name: str, parameter: str, ids: Iterable[int]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    ordered = sorted(ids)
    for first in range(0, len(ordered), _IDS_PER_QUERY):
        rows.extend(context.rows(name, **{parameter: ordered[first : first + _IDS_PER_QUERY]}))
    return rows


def _frame(row: dict[str, Any]) -> Frame:
    return Frame(row["function"], row["file"], row["line"])
