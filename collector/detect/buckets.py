"""Which time buckets of two releases are compared, and whether the two ran side by side."""

from dataclasses import dataclass
from typing import Final

from pyrometer.api import Matching

# Steps a reader knows from a clock; no two neighbours are more than twice apart but 3 to 6 h, 12 h to 1 d.
_STEPS_S: Final = (10, 20, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_BUCKETS_MAX: Final = 60
_DAY_S: Final = 86_400
_WEEK_S: Final = 7 * _DAY_S
_WEEKS_APART_MAX: Final = 13
# How much later the candidate's bucket is than its partner, by what the two have in common; the best first.
_SHIFTS_S: Final[tuple[tuple[Matching, tuple[int, ...]], ...]] = (
    ("side_by_side", (0,)),
    ("hour_of_week", tuple(sign * n * _WEEK_S for n in range(1, _WEEKS_APART_MAX + 1) for sign in (1, -1))),
    ("hour_of_day", tuple(sign * n * _DAY_S for n in range(1, 7) for sign in (1, -1))),
)
# Side by side, or matched: most of what the shorter release has has a partner.
_COMMON_SHARE_MIN: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """When a release was first and last seen, Unix seconds: starts of 10 s buckets."""

    first_s: int
    last_s: int

    @property
    def span_s(self) -> int:
        """Seconds from the start of the first to the end of the last bucket."""
        return self.last_s - self.first_s + 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """
    The starts of the buckets to compare, Unix seconds, ascending.

    Attributes:
        matching: Which moments are held against each other; unless apart, the n-th bucket of both belong together.
    """

    baseline: list[int]
    candidate: list[int]
    matching: Matching = "apart"

    @property
    def paired(self) -> bool:
        """Whether the n-th buckets of both releases belong together."""
        return self.matching != "apart"


def intersection(first: Extent | None, second: Extent | None) -> Extent | None:
    """Return when both were seen, or None."""
    if first is None or second is None:
        return None
    start, end = max(first.first_s, second.first_s), min(first.last_s, second.last_s)
    return Extent(first_s=start, last_s=end) if start <= end else None


def bucket_seconds(span_s: int) -> int:
    """Return the step that cuts a span into at most 60 buckets, and into 30 or more where it is 300 s or longer."""
    for step in _STEPS_S:
        if span_s <= step * _BUCKETS_MAX:
            return step
    return _STEPS_S[-1]


def whole_buckets(seen: set[int], extent: Extent, bucket_s: int) -> set[int]:
    """Return the buckets that were seen, without the first and the last one of the extent: those are partial."""
    first, last = extent.first_s // bucket_s * bucket_s, extent.last_s // bucket_s * bucket_s
    return {start for start in seen if first < start < last}


def select_buckets(baseline: set[int], candidate: set[int], *, buckets_min: int, bucket_s: int) -> Selection:
    """
    Return the common buckets when the releases ran side by side, else those of the same hours, else all of each.

    Releases that ran one after the other are held against each other at the same hour of the week, or else of the day:
    the fewest whole weeks or days apart that give most buckets a partner.
    """
    needed = max(buckets_min, _COMMON_SHARE_MIN * min(len(baseline), len(candidate)))
    for matching, shifts in _SHIFTS_S:
        for shift in shifts:
            # Within one bucket there is no hour to match.
            if abs(shift) > bucket_s or not shift:
                later = sorted(start for start in candidate if start - shift in baseline)
                if len(later) >= needed:
                    return Selection(baseline=[start - shift for start in later], candidate=later, matching=matching)
    return Selection(baseline=sorted(baseline), candidate=sorted(candidate))
