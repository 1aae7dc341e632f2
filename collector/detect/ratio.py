"""CPU per unit of work: the ratio of two sums over time buckets, and the difference of two such ratios."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.detect.autocorrelation import degrees_of_freedom, variance_inflation
from collector.detect.student_t import two_sided_p, two_sided_quantile

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """
    One release, bucket by bucket.

    Attributes:
        cost: Per series and bucket, shape (n_series, n_buckets), any unit.
        work: Per bucket, shape (n_buckets,): requests, or observed process time.
        sampling_variance: Relative variance that sampling alone gives each series' sum, shape (n_series,); 0 where the
            cost was accounted and not sampled. The variance found between buckets is never taken to be less than this.
    """

    cost: FloatArray
    work: FloatArray
    sampling_variance: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioDifference:
    """
    The difference candidate minus baseline per series, each shape (n_series,), cost per unit of work.

    Attributes:
        error: Standard error of the difference; 0 where nothing varies.
        degrees: Degrees of freedom of the error.
        p_value: Two-sided, for who looks once.
        statistic: The difference over its error: 0 where there is none, infinite where nothing varies.
    """

    baseline: FloatArray
    candidate: FloatArray
    low: FloatArray
    high: FloatArray
    error: FloatArray
    degrees: FloatArray
    p_value: FloatArray
    statistic: FloatArray


def compare_ratios(
    baseline: Release, candidate: Release, *, paired: bool, confidence: float, correlated: bool = True
) -> RatioDifference:
    """
    Estimate cost per work in two releases and test whether they differ.

    The ratio R = sum(cost) / sum(work) is linearised: bucket b contributes the residual e_b = cost_b - R work_b over
    the mean work. When *paired*, bucket b of both releases is the same moment, and the variance is that of the
    difference of the two residuals: whatever both releases felt at that moment drops out. Else the variances add.

    Args:
        baseline: All buckets in order of time.
        candidate: The same series; when *paired* also the same buckets.
        paired: Whether bucket b of both releases is the same time.
        confidence: Of the interval.
        correlated: Whether neighbouring buckets may resemble each other; False for runs of their own.

    Returns:
        Estimates, interval and two-sided p-value per series.

    Source: Cochran, Sampling Techniques, 3rd ed., section 6.3 (variance of a ratio); Welch-Satterthwaite for the
    degrees of freedom of the unpaired sum.
    """
    ratio_b, influence_b = _linearise(baseline)
    ratio_c, influence_c = _linearise(candidate)
    floor = ratio_b**2 * baseline.sampling_variance + ratio_c**2 * candidate.sampling_variance
    if paired:
        variance, degrees = _variance_of_mean(influence_c - influence_b, correlated=correlated)
    else:
        sides = (_variance_of_mean(influence, correlated=correlated) for influence in (influence_b, influence_c))
        variance, degrees = _sum_of_two(*sides)
    error = np.sqrt(np.maximum(variance, floor))
    difference = ratio_c - ratio_b
    statistic = studentised(difference, error)
    reach = error * two_sided_quantile(confidence, degrees)
    return RatioDifference(
        baseline=ratio_b,
        candidate=ratio_c,
        low=difference - reach,
        high=difference + reach,
        error=error,
        degrees=degrees,
        p_value=two_sided_p(statistic, degrees),
        statistic=statistic,
    )


def studentised(difference: FloatArray, error: FloatArray) -> FloatArray:
    """Return a difference over its standard error: 0 where there is no difference, infinite where no error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0.0, difference / error)


def binomial_variance(samples: FloatArray, share: FloatArray) -> FloatArray:
    """
    Return the relative variance of a cost estimated from samples: (1 - share) / samples.

    Args:
        samples: Samples that hold the series, shape (n_series,); 0 means the cost was accounted, not sampled.
        share: Of all samples, in [0, 1], shape (n_series,).

    Returns:
        Variance of the cost over the square of the cost, shape (n_series,).
    """
    spread = np.clip(1 - share, 0.0, 1.0)
    return np.divide(spread, samples, out=np.zeros_like(spread), where=samples > 0)


def _linearise(release: Release) -> tuple[FloatArray, FloatArray]:
    mean_work = release.work.mean()
    ratio = release.cost.sum(axis=1) / release.work.sum()
    return ratio, (release.cost - ratio[:, None] * release.work[None, :]) / mean_work


def _variance_of_mean(influence: FloatArray, *, correlated: bool) -> tuple[FloatArray, FloatArray]:
    """Return the variance of the mean of each row, and its degrees of freedom."""
    n_buckets = influence.shape[1]
    variance = np.sum(influence * influence, axis=1) / (n_buckets - 1) / n_buckets
    if not correlated:
        return variance, np.full(len(influence), n_buckets - 1.0)
    inflation = variance_inflation(influence)
    return variance * inflation, degrees_of_freedom(n_buckets, inflation)


def _sum_of_two(
    first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    (variance_1, degrees_1), (variance_2, degrees_2) = first, second
    total = variance_1 + variance_2
    weight = variance_1**2 / degrees_1 + variance_2**2 / degrees_2
    degrees = np.divide(total**2, weight, out=np.minimum(degrees_1, degrees_2), where=weight > 0)
    return total, degrees
