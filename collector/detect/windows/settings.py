"""What a scan of fresh windows asks for before it says that something changed."""

from typing import Annotated

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(gt=0, lt=1)]
Effect = Annotated[float, Meta(ge=0)]
Points = Annotated[int, Meta(ge=3, le=10_000)]


class WindowSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    Thresholds and limits of a scan. A point is one time bucket.

    Two settings are in force at once: a change that is young must be large, and one that has lasted may be small. A
    young change is provisional.

    Attributes:
        false_discovery_rate: Expected share of changes made by chance among all that a scan reports.
        p_max: No change is reported that chance makes more often than this in one series, whatever the rate allows.
        confidence: Of every interval.
        young_points: A change with fewer points after it is young, and provisional.
        young_effect_min: Smallest change of a young one, as a share of the level before.
        effect_min: Smallest change of one that has lasted, likewise.
        share_min: Smallest change of a function's share of its service's CPU.
        before_points_min: Points of history that a change needs before it.
        before_share_min: And the share of the window that must lie before it.
        after_points_min: Points that it needs after it.
        coverage_min: Smallest share of the points that must hold a value.
        samples_min: Fewest samples behind each side of a change.
        excursions_max: How often what comes and goes is looked for and set aside before a split is tested.
        changes_max: Most changes of one series.
        cells_max: Series times points that are in memory at a time.
    """

    false_discovery_rate: Share = 0.01
    p_max: Share = 0.0001
    confidence: Share = 0.95
    young_points: Points = 36
    young_effect_min: Effect = 0.1
    effect_min: Effect = 0.02
    share_min: Effect = 0.0001
    before_points_min: Points = 12
    before_share_min: Share = 0.125
    after_points_min: Points = 3
    coverage_min: Share = 0.5
    samples_min: Effect = 30.0
    excursions_max: Annotated[int, Meta(ge=1, le=20)] = 2
    changes_max: Annotated[int, Meta(ge=1, le=20)] = 3
    cells_max: Annotated[int, Meta(ge=10_000, le=1_000_000_000)] = 250_000
