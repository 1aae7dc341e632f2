"""Scans in the query API: which series of a service changed, over time or between its last two releases."""

from typing import Literal

import msgspec

from pyrometer.api import TimeRange

FindingStateName = Literal["provisional", "confirmed", "gone", "cost_shift", "not_enough_data"]


class FindingRow(msgspec.Struct, kw_only=True):
    """
    One change.

    ``kind`` is what is measured, of the function or operation ``name``; ``detail`` is the function's file or the
    operation's span kind. ``before``, ``after``, ``effect`` (after minus before), its 95% interval ``low`` to ``high``,
    and ``mde``, the smallest change that would most likely have been found, are in ``unit``; ``relative`` is effect
    over before, null where that is 0. ``time`` is the start of the first bucket of ``step_s`` after the change; between
    releases that of the candidate's first. ``p_value`` is corrected for everything searched in the service. The price
    is that of a month, null where there is none.
    """

    service: str
    kind: str
    name: str
    detail: str
    unit: str
    state: FindingStateName
    shape: Literal["step", "creep"]
    direction: Literal["up", "down"]
    worse: bool
    time: str
    step_s: int
    before: float
    after: float
    effect: float
    relative: float | None
    low: float
    high: float
    p_value: float
    mde: float
    samples: int
    baseline_version: str | None
    candidate_version: str | None
    shift_domain: str | None
    price_per_month: float | None
    price_low: float | None
    price_high: float | None


class FunnelRow(msgspec.Struct, kw_only=True):
    """
    What became of all series of a scan over time, and of the differences between two releases.

    Of ``series``, ``not_enough_data`` hold too little and ``constant`` never move; ``seasonal`` had no significant
    change once their daily or weekly pattern was taken out. Of ``change_points``, the significant changes of the rest,
    ``gone_away`` did not last, ``usual`` went to a level that the series had before, ``by_chance`` were more than the
    false discovery rate allows, ``under_threshold`` were too small, ``shifts`` moved cost without adding any.
    ``between_releases`` are the differences that the comparison of releases found. Of these and of what is left of the
    change points, ``merged`` are told by another finding, ``not_asked`` were improvements that nobody asked for, and
    ``reported`` are the findings.
    """

    series: int
    not_enough_data: int
    constant: int
    seasonal: int
    change_points: int
    gone_away: int
    usual: int
    by_chance: int
    under_threshold: int
    shifts: int
    between_releases: int
    merged: int
    not_asked: int
    reported: int


class DetectAnswer(msgspec.Struct, kw_only=True):
    """
    Answer of ``/detect``: what changed in a service; regressions first, by price and then by relative size.

    ``steps`` and ``step_s`` say how time was divided; 0 where there was too little history to search it. ``baseline``
    and ``candidate`` are the releases that were compared, null where there was one only. Cost shifts stand last: they
    are no regressions, and not counted as reported.
    """

    range: TimeRange
    service: str
    steps: int
    step_s: int
    baseline: str | None
    candidate: str | None
    currency: str
    findings: list[FindingRow]
    funnel: FunnelRow
    notes: list[str]
