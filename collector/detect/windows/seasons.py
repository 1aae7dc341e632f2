"""What repeats every day, or differs between working days and weekends, taken out of all series at once."""

from typing import Final

import numpy as np

from collector.detect.windows.panel import BoolArray, FloatArray, IntArray

_DAY_S: Final = 86_400
_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday; Monday is 0
_SATURDAY: Final = 5
_DAYS_MIN: Final = 4
_WEEKEND_DAYS_MIN: Final = 3
_SLOTS: Final = 24
# The share of the variance that a profile of some days must explain in the others.
_EXPLAINED_MIN: Final = 0.25
_EXPLAINED_MORE: Final = 0.1


def seasons(residuals: FloatArray, present: BoolArray, *, start_s: int, step_s: int) -> FloatArray:
    """
    Return what repeats in each series: 0 everywhere where nothing does.

    The profile is the median over days of the mean of each hour. It counts when the profile of the odd days predicts
    the even ones and the other way round. With two weekends there, working days and weekends may have a profile each.

    Args:
        residuals: The series less its levels, finite, shape (n_series, n_times).
        present: Which points hold a value, same shape.
        start_s: Start of the first bucket, Unix seconds.
        step_s: Length of a bucket.

    Returns:
        Same shape, median about 0.
    """
    n_series, n_times = residuals.shape
    times = start_s + step_s * np.arange(n_times, dtype=np.int64)
    days = times // _DAY_S - times[0] // _DAY_S
    n_days = int(days[-1]) + 1
    if step_s > _DAY_S // _SLOTS or n_times * step_s < _DAYS_MIN * _DAY_S:
        return np.zeros_like(residuals)
    slots = (times % _DAY_S) * _SLOTS // _DAY_S
    hourly = _hourly_means(residuals, present, days * _SLOTS + slots, n_days)
    weekday = (times[0] // _DAY_S + np.arange(n_days) + _EPOCH_WEEKDAY) % 7
    is_weekend = weekday >= _SATURDAY
    one = np.zeros(n_days, dtype=np.int64)
    best, explained = _profiles(hourly, one)
    chosen = np.where((explained >= _EXPLAINED_MIN)[:, None, None], best, 0.0)
    if is_weekend.sum() >= _WEEKEND_DAYS_MIN:
        by_class, more = _profiles(hourly, is_weekend.astype(np.int64))
        better = (more >= _EXPLAINED_MIN) & (more >= np.maximum(explained, 0.0) + _EXPLAINED_MORE)
        chosen = np.where(better[:, None, None], by_class, chosen)
    if not chosen.any():
        return np.zeros_like(residuals)
    chosen -= np.median(chosen.reshape(n_series, -1), axis=1)[:, None, None]
    return _between_hours(chosen.reshape(n_series, -1), times, n_days)


def _hourly_means(residuals: FloatArray, present: BoolArray, hour: IntArray, n_days: int) -> FloatArray:
    """Return the mean of each hour, NaN for one without values, shape (n_series, n_days, 24)."""
    n_series = len(residuals)
    starts = np.flatnonzero(np.diff(hour, prepend=-1))
    sums = np.add.reduceat(np.where(present, residuals, 0.0), starts, axis=1)
    counts = np.add.reduceat(present, starts, axis=1, dtype=np.int64)
    hourly = np.full((n_series, n_days * _SLOTS), np.nan)
    hourly[:, hour[starts]] = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return hourly.reshape(n_series, n_days, _SLOTS)


def _profiles(hourly: FloatArray, group: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return each day's profile, shape (n_series, n_days, 24), and the share of variance that it predicts."""
    profile, predicted = np.zeros_like(hourly), np.zeros_like(hourly)
    for number in np.unique(group):
        of_group = np.flatnonzero(group == number)
        profile[:, of_group] = _median(hourly[:, of_group])
        for days, others in ((of_group[::2], of_group[1::2]), (of_group[1::2], of_group[::2])):
            predicted[:, days] = _median(hourly[:, others])
    flat = hourly.reshape(len(hourly), -1)
    left = (hourly - predicted).reshape(len(hourly), -1)
    width, narrowed = _width(flat), _width(left)
    explained = 1 - np.divide(narrowed**2, width**2, out=np.ones_like(width), where=width > 0)
    return profile, explained


def _median(hourly: FloatArray) -> FloatArray:
    """Return the median over days, 0 where there is no value; shape (n_series, 1, 24)."""
    if hourly.shape[1] == 0:
        return np.zeros((len(hourly), 1, _SLOTS))
    # Missing values sort last, so the middle of those present is found by counting them.
    ordered = np.sort(hourly, axis=1)
    counts = np.isfinite(ordered).sum(axis=1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(counts - 1, 0) // 2, axis=1)
    high = np.take_along_axis(ordered, np.minimum(counts // 2, ordered.shape[1] - 1), axis=1)
    return np.where(counts > 0, (low + high) / 2, 0.0)


def _width(values: FloatArray) -> FloatArray:
    """Return the mean absolute deviation from the mean of each row's finite values."""
    finite = np.isfinite(values)
    counts = np.maximum(finite.sum(axis=1), 1)
    filled = np.where(finite, values, 0.0)
    means = filled.sum(axis=1) / counts
    return np.asarray((np.abs(filled - means[:, None]) * finite).sum(axis=1) / counts)


def _between_hours(profile: FloatArray, times: IntArray, n_days: int) -> FloatArray:
    """Return the profile at each time, straight lines between the middles of hours; shape (n_series, n_times)."""
    n_hours = n_days * _SLOTS
    place = (
        (times - times[0] // _DAY_S * _DAY_S) * _SLOTS / _DAY_S - 0.5 + 0.5 * (times[1] - times[0]) * _SLOTS / _DAY_S
    )
    left = np.floor(place).astype(np.int64)
    share = place - left
    first, second = np.clip(left, 0, n_hours - 1), np.clip(left + 1, 0, n_hours - 1)
    return np.asarray(profile[:, first] * (1 - share) + profile[:, second] * share)
