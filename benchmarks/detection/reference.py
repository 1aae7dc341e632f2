"""
A literal reading of the stages of FBDetect, for fresh windows of ten-minute buckets, as far as the paper gives them.

Every four hours the next four are the analysis window: its change point (CUSUM, means iterated, likelihood ratio) is
kept if the went-away rule, read over the six hours after, lets it through, and its season does not explain it. There is
no threshold, and no stage that needs other series. What the paper leaves open is named below.

Source: Xu et al., "FBDetect", SOSP 2024, doi 10.1145/3694715.3695977, section 5.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ANALYSIS: Final = 24
EXTENDED: Final = 36
HISTORIC: Final = 1440
DAY: Final = 144
_LLR_MIN: Final = 9.21  # chi-square with two degrees of freedom, 1%
_LETTERS: Final = 20
_LETTER_SHARE: Final = 0.03
_TREND_DEVIATIONS: Final = 1.5 * 1.4826
_Z_MIN: Final = 2.0  # ours: the paper says "under a limit"
_KENDALL_Z: Final = 1.96  # ours, likewise
_SEASON_CORRELATION: Final = 0.3  # ours, likewise


def reference_stages(values: Array) -> list[int]:
    """Return where it reports a change, up or down; reports within ten hours of another are the same."""
    found: list[int] = []
    for sign in (1.0, -1.0):
        series = sign * values
        for start in range(len(series) // 2, len(series) - ANALYSIS + 1, ANALYSIS):
            place = _change_point(series[start : start + ANALYSIS])
            if place is not None and _is_regression(series, start, start + place):
                found.append(start + place)
    kept: list[int] = []
    for place in sorted(found):
        if not kept or place - kept[-1] > ANALYSIS + EXTENDED:
            kept.append(place)
    return kept


def _change_point(window: Array) -> int | None:
    """Stage 1: the split of a window, None where it is not significant."""
    place = len(window) // 2
    for _ in range(10):
        middle = (window[:place].mean() + window[place:].mean()) / 2
        sums = np.cumsum(window - middle)
        new = int(np.clip(np.argmin(sums) + 1, 1, len(window) - 1))
        if new == place:
            break
        place = new
    before, after = window[:place], window[place:]
    within = ((before - before.mean()) ** 2).sum() + ((after - after.mean()) ** 2).sum()
    ratio = len(window) * np.log(max(window.var() * len(window), 1e-300) / max(within, 1e-300))
    return place if ratio > _LLR_MIN and after.mean() > before.mean() else None


def _is_regression(series: Array, start: int, place: int) -> bool:
    """Stages 2 and 3: it did not go away, and is not seasonal."""
    historic = series[max(start - HISTORIC, 0) : start]
    after = series[place : start + ANALYSIS + EXTENDED]
    if not (_new_pattern(historic, after) or _lasts(historic, after)):
        return False
    return not _is_seasonal(series[max(start - HISTORIC, 0) : start + ANALYSIS + EXTENDED], len(after))


def _letters(historic: Array, after: Array) -> tuple[Array, Array, Array]:
    """Return the letters of both parts, and which letters are valid before."""
    both = np.concatenate([historic, after])
    width = max(float(np.ptp(both)) / _LETTERS, 1e-300)
    of_historic, of_after = (
        np.minimum((part - both.min()) // width, _LETTERS - 1).astype(np.int64) for part in (historic, after)
    )
    valid = np.bincount(of_historic, minlength=_LETTERS) >= _LETTER_SHARE * len(historic)
    return of_historic, of_after, valid


def _new_pattern(historic: Array, after: Array) -> bool:
    """A letter that is valid after, and was not before."""
    _, of_after, valid = _letters(historic, after)
    there = np.bincount(of_after, minlength=_LETTERS) >= max(_LETTER_SHARE * len(after), 1)
    return bool((there & ~valid)[int(np.flatnonzero(valid).max(initial=0)) :].any())


def _lasts(historic: Array, after: Array) -> bool:
    """SignificantRegression and LastingTrend and not GoneAway."""
    _, of_after, valid = _letters(historic, after)
    high = np.quantile(after, 0.9)
    significant = (
        of_after.max() >= np.flatnonzero(valid).max(initial=0)
        and high > np.quantile(historic, 0.95)
        and high > np.quantile(historic[-DAY:], 0.9)
    )
    if not significant:
        return False
    gone = np.median(after[-max(len(after) // 3, 1) :]) < np.quantile(historic, 0.9)
    return _has_trend(after) and not gone


def _has_trend(after: Array) -> bool:
    """Mann-Kendall, and Theil-Sen's slope over the window against the deviation."""
    n = len(after)
    first, second = np.triu_indices(n, 1)
    rises = after[second] - after[first]
    z = np.sign(rises).sum() / np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    climb = np.median(rises / (second - first)) * n
    deviation = np.median(np.abs(after - np.median(after)))
    return bool(z > _KENDALL_Z and climb > _TREND_DEVIATIONS * deviation)


def _is_seasonal(values: Array, n_after: int) -> bool:
    """Stage 3: without its daily profile, the end is not far from the rest."""
    away = values - values.mean()
    if len(values) < 3 * DAY or away[DAY:] @ away[:-DAY] < _SEASON_CORRELATION * (away @ away):
        return False
    phase = np.arange(len(values)) % DAY
    profile = np.array([np.median(values[phase == one]) for one in range(DAY)])
    flat = values - profile[phase]
    z = (flat[-n_after:].mean() - flat[:-n_after].mean()) / max(float(flat.std()), 1e-300)
    return bool(abs(z) < _Z_MIN)
