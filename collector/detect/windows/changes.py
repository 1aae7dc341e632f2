"""What the search for changes gives: the changes of single series, and how many were left after each stage."""

from dataclasses import dataclass

from collector.detect.finding import SeriesKey


@dataclass(slots=True, kw_only=True)
class Funnel:
    """
    How many series and changes were left after each stage of a scan.

    Attributes:
        series: Read.
        not_enough_data: Series with too few points or samples.
        constant: Series in which nothing moves.
        seasonal: Series whose only significant split was a part of their daily or weekly pattern.
        change_points: Significant splits, without seasons.
        gone_away: Of these, those after which the level is what it was.
        usual: Those to a level that the series had before.
        by_chance: Those that the false discovery rate does not allow.
        under_threshold: Those too small to be reported.
        shifts: Cost shifts.
    """

    series: int = 0
    not_enough_data: int = 0
    constant: int = 0
    seasonal: int = 0
    change_points: int = 0
    gone_away: int = 0
    usual: int = 0
    by_chance: int = 0
    under_threshold: int = 0
    shifts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChange:
    """
    One lasting change of one series, before the correction for the number of series.

    Attributes:
        key: Which series.
        start_s, step_s: Of its panel.
        index: Of the first bucket after the change.
        n_after: Points after it.
        before, after: Levels without season and outliers.
        standard_error, degrees: Of the difference.
        p_value: Corrected for the places searched.
        mde: Smallest change that would be found with 80% probability.
        samples: Behind the level after.
        creep: Whether it is a slow climb rather than a step.
        logarithmic: Levels, error and minimum are natural logarithms.
    """

    key: SeriesKey
    start_s: int
    step_s: int
    index: int
    n_after: int
    before: float
    after: float
    standard_error: float
    degrees: float
    p_value: float
    mde: float
    samples: int
    creep: bool
    logarithmic: bool
