"""Releases whose truth is known: load and cost that wander, samples that are counted, requests with a tail."""

import numpy as np

from collector.detect.bootstrap import Requests
from collector.detect.ratio import Release, binomial_variance

FIRST_INDEX = 300
N_BINS = 200


def autoregressive(rng, shape, phi: float):
    """Rows of a stationary first-order autoregression with variance 1."""
    noise = rng.standard_normal(shape)
    rows = noise.copy()
    for bucket in range(1, shape[-1]):
        rows[..., bucket] = phi * rows[..., bucket - 1] + np.sqrt(1 - phi**2) * noise[..., bucket]
    return rows


def a_release(rng, work, cost_per_work, *, spread=0.1, phi=0.0) -> Release:
    """Rows with these true ratios; their cost wanders by *spread* from bucket to bucket. Accounted, not sampled."""
    wander = 1 + spread * autoregressive(rng, (len(cost_per_work), len(work)), phi)
    return Release(
        cost=np.asarray(cost_per_work)[:, None] * work * wander,
        work=work,
        sampling_variance=np.zeros(len(cost_per_work)),
    )


def a_sampled_release(rng, work, samples_per_work, *, ns_per_sample=10_000_000) -> Release:
    """Rows that are seen in samples only: Poisson counts around their true rate."""
    counts = rng.poisson(np.asarray(samples_per_work)[:, None] * work)
    cost = counts * float(ns_per_sample)
    share = cost.sum(axis=1) / max(cost.sum(), 1)
    return Release(cost=cost, work=work, sampling_variance=binomial_variance(counts.sum(axis=1).astype(float), share))


def some_requests(rng, load, *, slower=1.0, tail=1.0, tail_share=0.02, error_rate=0.0, wander=0.05) -> Requests:
    """
    Log-normal latencies around 20 ms, their level wandering from bucket to bucket.

    A share of the requests takes *tail* times as long.
    """
    histogram = np.zeros((len(load), N_BINS))
    duration_ns, errors = np.zeros(len(load)), np.zeros(len(load))
    for bucket, requests in enumerate(rng.poisson(load)):
        level = np.log(20e6 * slower) + wander * rng.standard_normal()
        durations = np.exp(level + 0.3 * rng.standard_normal(requests))
        durations[rng.random(requests) < tail_share] *= tail
        bins = np.floor(np.log2(durations) * 16).astype(int) - FIRST_INDEX
        np.add.at(histogram[bucket], bins, 1)
        duration_ns[bucket] = durations.sum()
        errors[bucket] = (rng.random(requests) < error_rate).sum()
    return Requests(histogram=histogram, duration_ns=duration_ns, errors=errors)
