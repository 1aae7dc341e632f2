"""``/flamegraph``: the merged stacks of a service as one tree, next to a baseline where one is asked for."""

from collections.abc import Iterable
from typing import Final

from collector.api.context import Context
from collector.api.parameters import FlamegraphQuery
from collector.api.quality import window_quality
from collector.api.stack_data import UNKNOWN_FRAME, StackValues, read_frame_ids, read_frames, read_stack_values
from collector.api.times import Span, parse_span
from pyrometer.api import FlamegraphAnswer
from pyrometer.tree import OTHER_NAME, build_tree
from pyrometer.values import Frame, FrameType, Stack

_UNIT: Final = "nanoseconds"
_OTHER: Final[Stack] = (Frame(OTHER_NAME, frame_type=FrameType.MARKER),)
_UNKNOWN_STACK: Final[Stack] = (Frame("[unknown stack]", frame_type=FrameType.MARKER),)


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


def _read_baseline(context: Context, query: FlamegraphQuery) -> StackValues | None:
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


def _read(context: Context, query: FlamegraphQuery, span: Span, versions: list[str]) -> StackValues:
    return read_stack_values(
        context,
        span,
        service=query.service,
        versions=versions,
        hosts=[] if query.host is None else [query.host],
        sample_type=query.sample_type,
    )


def _by_stack(side: StackValues, stacks: dict[int, Stack]) -> dict[Stack, float]:
    # Ids that could not be read share one marker, so that the total stays what was measured.
    values: dict[Stack, float] = {}
    for stack_id, value in side.values.items():
        stack = stacks.get(stack_id) or _UNKNOWN_STACK
        values[stack] = values.get(stack, 0) + value
    if side.rest:
        values[_OTHER] = values.get(_OTHER, 0) + side.rest
    return values


def _stacks(context: Context, stack_ids: Iterable[int]) -> dict[int, Stack]:
    stacks = read_frame_ids(context, stack_ids)
    frames = read_frames(context, {key for frame_ids in stacks.values() for key in frame_ids})
    return {key: tuple(frames.get(each, UNKNOWN_FRAME) for each in frame_ids) for key, frame_ids in stacks.items()}
