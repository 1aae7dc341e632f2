"""Latency and errors of one operation in two releases: a bootstrap that resamples whole time buckets."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.detect.autocorrelation import degrees_of_freedom, variance_inflation
from collector.detect.histogram import BINS_PER_OCTAVE, interpolated_quantiles_ns
from collector.detect.ratio import studentised
from collector.detect.student_t import normal_quantile, two_sided_p, two_sided_quantile

FloatArray = NDArray[np.float64]

QUANTILES: Final = (0.5, 0.95, 0.99)
# Rows of an estimate: the mean (ns), each of QUANTILES (ns), the error rate.
STATISTICS: Final = ("mean", "p50", "p95", "p99", "error_rate")
# The resamples are the same on every call, so that one page shows one verdict however often it is loaded.
SEED: Final = 20_241_104


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """
    One operation in one release, bucket by bucket.

    Attributes:
        histogram: Requests per bucket and latency bin, shape (n_buckets, n_bins), bins contiguous.
        duration_ns: Sum of durations per bucket, shape (n_buckets,).
        errors: Failed requests per bucket, shape (n_buckets,).
    """

    histogram: FloatArray
    duration_ns: FloatArray
    errors: FloatArray

    @property
    def total(self) -> float:
        """Requests in all buckets."""
        return float(self.histogram.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """
    Candidate minus baseline, each of shape (5,) in the order of STATISTICS.

    Attributes:
        error: Standard error of the difference.
        degrees: Degrees of freedom of the error.
        p_value: Two-sided, for who looks once.
        statistic: The difference over its error; of the error rate never more than two proportions allow.
    """

    baseline: FloatArray
    candidate: FloatArray
    low: FloatArray
    high: FloatArray
    error: FloatArray
    degrees: FloatArray
    p_value: FloatArray
    statistic: FloatArray


def compare_requests(
    baseline: Requests,
    candidate: Requests,
    *,
    first_index: int,
    paired: bool,
    confidence: float,
    resamples: int,
) -> Differences:
    """
    Estimate mean, p50, p95, p99 and error rate of two releases, and test whether each differs.

    A resample draws n buckets with replacement and adds them up; when *paired*, both releases draw the same moments.
    Requests of one bucket stay together, because they share what slowed them down. The spread of the resampled
    differences is then widened for few buckets (Student's t instead of the normal, n/(n-1)) and for autocorrelation.
    Where no resample lies beyond 0, the p-value is continued with the tail of Student's t: the number of resamples
    would bound it from below, and no finding would survive a correction for many tests.

    Args:
        baseline: All buckets in order of time.
        candidate: Same latency bins; when *paired* also the same buckets.
        first_index: Histogram index of the first bin.
        paired: Whether bucket b of both releases is the same time.
        confidence: Of the interval.
        resamples: How many.

    Returns:
        Estimates, interval and two-sided p-value of each statistic.

    Source: Hesterberg, The American Statistician 69 (2015), "What Teachers Should Know About the Bootstrap", section 4
    (expanded percentile interval); Davison & Hinkley, Bootstrap Methods, section 2.4 (clusters).
    """
    generator = np.random.default_rng(SEED)
    weights_b = _weights(generator, len(baseline.errors), resamples)
    weights_c = weights_b if paired else _weights(generator, len(candidate.errors), resamples)
    estimate_b, estimate_c = estimate(baseline, first_index), estimate(candidate, first_index)
    difference = estimate_c - estimate_b
    resampled = _estimate(candidate, weights_c, first_index) - _estimate(baseline, weights_b, first_index)

    influence = [_influence(side, first_index) for side in (baseline, candidate)]
    inflation, degrees = _precision(influence[0], influence[1], paired=paired)
    deviation = (resampled - difference[:, None]) * np.sqrt(inflation)[:, None]
    student = two_sided_quantile(confidence, degrees) / normal_quantile(confidence)
    tail = (1 - confidence) / 2
    low, high = np.quantile(deviation * student[:, None], [tail, 1 - tail], axis=1)
    p_value = _p_values(difference, deviation, student, degrees)
    error = deviation.std(axis=1)
    statistic = studentised(difference, error)
    surest = _proportions_statistic(baseline, candidate)
    p_value[-1] = max(p_value[-1], math.erfc(surest / math.sqrt(2)))
    statistic[-1] = np.clip(statistic[-1], -surest, surest)
    return Differences(
        baseline=estimate_b,
        candidate=estimate_c,
        low=difference + low,
        high=difference + high,
        error=error,
        degrees=degrees,
        p_value=p_value,
        statistic=statistic,
    )


def estimate(side: Requests, first_index: int) -> FloatArray:
    """Return the statistics of all buckets together, shape (5,)."""
    return _estimate(side, np.ones((1, len(side.errors))), first_index)[:, 0]


def _weights(generator: np.random.Generator, n_buckets: int, resamples: int) -> FloatArray:
    """Return how often each resample holds each bucket, shape (resamples, n_buckets)."""
    drawn = generator.multinomial(n_buckets, np.full(n_buckets, 1 / n_buckets), size=resamples)
    return drawn.astype(np.float64)


def _estimate(side: Requests, weights: FloatArray, first_index: int) -> FloatArray:
    """Return the statistics of each weighting, shape (5, n_weightings); 0 where a weighting holds no request."""
    histograms = weights @ side.histogram
    requests = histograms.sum(axis=1)
    some = requests > 0
    mean = np.divide(weights @ side.duration_ns, requests, out=np.zeros_like(requests), where=some)
    error_rate = np.divide(weights @ side.errors, requests, out=np.zeros_like(requests), where=some)
    quantiles = interpolated_quantiles_ns(first_index, histograms, QUANTILES)
    return np.stack([mean, *quantiles, error_rate])


def _influence(side: Requests, first_index: int) -> FloatArray:
    """
    Return what each bucket contributes to the error of each statistic, up to a factor, shape (5, n_buckets).

    A quantile moves with the requests above it beyond their expected number (Bahadur); mean and error rate with what
    exceeds the ratio.
    """
    counts = side.histogram.sum(axis=1)
    total = counts.sum()
    if total == 0:
        return np.zeros((len(STATISTICS), len(counts)))
    n_bins = side.histogram.shape[1]
    upper_edges = np.exp2((first_index + np.arange(1, n_bins + 1)) / BINS_PER_OCTAVE)
    quantiles = interpolated_quantiles_ns(first_index, side.histogram.sum(axis=0)[None, :], QUANTILES)[:, 0]
    rows = [side.duration_ns - counts * (side.duration_ns.sum() / total)]
    for quantile in quantiles:
        above = side.histogram[:, upper_edges > quantile].sum(axis=1)
        rows.append(above - counts * (above.sum() / total))
    rows.append(side.errors - counts * (side.errors.sum() / total))
    influence: FloatArray = np.stack(rows) / total
    return influence


def _precision(influence_b: FloatArray, influence_c: FloatArray, *, paired: bool) -> tuple[FloatArray, FloatArray]:
    """Return the factor for the variance of the resamples, and the degrees of freedom, each shape (5,)."""
    if paired:
        n_buckets = influence_c.shape[1]
        inflation = variance_inflation(influence_c - influence_b)
        degrees = degrees_of_freedom(n_buckets, inflation)
    else:
        n_buckets = min(influence_b.shape[1], influence_c.shape[1])
        inflation_b, inflation_c = variance_inflation(influence_b), variance_inflation(influence_c)
        inflation = np.maximum(inflation_b, inflation_c)
        degrees = degrees_of_freedom(influence_b.shape[1], inflation_b)
        degrees = degrees + degrees_of_freedom(influence_c.shape[1], inflation_c)
    return inflation * n_buckets / (n_buckets - 1), degrees


def _p_values(difference: FloatArray, deviation: FloatArray, student: FloatArray, degrees: FloatArray) -> FloatArray:
    resamples = deviation.shape[1]
    centred = difference[:, None] + deviation * student[:, None]
    crossing = np.minimum((centred <= 0).sum(axis=1), (centred >= 0).sum(axis=1))
    counted = np.minimum(1.0, 2 * (crossing + 1) / (resamples + 1))
    continued = two_sided_p(studentised(difference, deviation.std(axis=1)), degrees)
    p_value = np.where(crossing == 0, np.minimum(counted, continued), counted)
    unchanged = (difference == 0) & np.all(deviation == 0, axis=1)
    return np.where(unchanged, 1.0, p_value)


def _proportions_statistic(baseline: Requests, candidate: Requests) -> float:
    """
    Return how many standard errors two error counts are apart as independent requests, with Yates's correction.

    A handful of errors in a handful of buckets makes the bootstrap too sure; it may never be surer than this.
    """
    n_b, n_c = baseline.total, candidate.total
    errors_b, errors_c = float(baseline.errors.sum()), float(candidate.errors.sum())
    pooled = (errors_b + errors_c) / (n_b + n_c)
    variance = pooled * (1 - pooled) * (1 / n_b + 1 / n_c)
    if variance <= 0:
        return 0.0
    gap = abs(errors_c / n_c - errors_b / n_b) - (1 / n_b + 1 / n_c) / 2
    return max(0.0, gap) / math.sqrt(variance)
