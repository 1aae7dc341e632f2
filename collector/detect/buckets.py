"""Which time buckets of two releases are compared, and whether the two ran side by side."""

from dataclasses import dataclass
from typing import Final

# Steps a reader knows from a clock; no two neighbours are more than twice apart but 3 to 6 h, 12 h to 1 d.
_STEPS_S: Final = (10, 20, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_BUCKETS_MAX: Final = 60
# Side by side: most of what the shorter release has lies in common buckets.
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
    """The starts of the buckets to compare, Unix seconds, ascending; when *paired* both are the same."""

    baseline: list[int]
    candidate: list[int]
    paired: bool


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


def select_buckets(baseline: set[int], candidate: set[int], *, buckets_min: int) -> Selection:
    """Return the common buckets when the releases ran side by side, else all of each."""
    common = sorted(baseline & candidate)
    shorter = min(len(baseline), len(candidate))
    if len(common) >= max(buckets_min, _COMMON_SHARE_MIN * shorter):
        return Selection(baseline=common, candidate=common, paired=True)
    return Selection(baseline=sorted(baseline), candidate=sorted(candidate), paired=False)
