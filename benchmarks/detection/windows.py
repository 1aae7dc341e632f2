"""
Fresh windows with known truth: shares of a service's CPU in buckets of ten minutes, made from a seed, knob by knob.

Every series is a share p of samples. What is drawn for it, whatever its kind:

- samples a bucket: 500 to 20,000, log-uniform, times a daily traffic curve for half of the series;
- p: 0.0005 to 0.2, log-uniform;
- over-dispersion: the variance is 1 to 4 times the binomial one; what is beyond it is an AR(1) with correlation 0 for
  40% of the series, else up to 0.8;
- a daily season of 0.5 to 3 standard deviations for half of the series; in windows of 14 days also quieter weekends;
- up to 5% of the buckets missing for a fifth of the series.

The unit of effects is the MDE: 5.3 standard errors of the difference of both levels, from the variance that was drawn;
that is what 0.0005 false alarms a series, at any place of the window, and 80% power ask for.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEP_S: Final = 600
MDE_ERRORS: Final = 5.3
# The reference's sizes of regressions: median 0.048 points, P90 0.241; here the median is 1.5 MDE.
_LOG_SIZE_SPREAD: Final = float(np.log(0.241 / 0.048) / 1.2816)
_MEDIAN_MDE: Final = 1.5

KINDS: Final = (
    "null",
    "autocorrelated",
    "seasonal",
    "transient",
    "heavy-tailed",
    "step",
    "step, sizes of the reference",
    "step then dip",
    "ramp",
    "cost shift",
    "mix shift",
)
# Kinds in which nothing lasting happens.
QUIET: Final = frozenset({"null", "autocorrelated", "seasonal", "transient", "heavy-tailed", "cost shift", "mix shift"})
_AFTER_MIN: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """
    One series with its truth.

    Attributes:
        kind: One of KINDS.
        values, samples: Shape (n_times,); a missing bucket is NaN with 0 samples.
        place: Index of the first point after the change; None where nothing changes.
        effect_mde: Size of the change in MDE, above 0; 0 where nothing changes.
        direction: 1 up, -1 down.
        ramp_end: Where a ramp has reached its height; None else.
        domain: Values of the module that the function is in, where that was simulated.
        mix: Share of the requests that is of the function's operation, where that was simulated.
    """

    kind: str
    values: Array
    samples: Array
    place: int | None = None
    effect_mde: float = 0.0
    direction: int = 1
    ramp_end: int | None = None
    domain: Array | None = None
    mix: Array | None = None


def simulate(seed: int, kind: str, number: int, *, n_times: int = 864) -> list[Window]:
    """Return *number* windows of one kind."""
    return [_window(np.random.default_rng([seed, KINDS.index(kind), i]), kind, n_times) for i in range(number)]


class _Draw:
    """The knobs of one series."""

    def __init__(self, rng: np.random.Generator, kind: str, n_times: int) -> None:
        self.rng, self.n_times = rng, n_times
        self.share = float(np.exp(rng.uniform(np.log(0.0005), np.log(0.2))))
        hours = np.arange(n_times) * STEP_S / 3600
        self.clock = 2 * np.pi * (hours / 24 + rng.random())
        traffic = 1 + 0.6 * np.sin(self.clock) if rng.random() < 0.5 else np.ones(n_times)
        self.samples = np.round(np.exp(rng.uniform(np.log(500), np.log(20_000))) * traffic)
        over = rng.uniform(1, 4)
        phi = 0.0 if rng.random() < 0.4 else rng.uniform(0, 0.8)
        if kind == "autocorrelated":
            over, phi = rng.uniform(2, 6), rng.uniform(0.5, 0.9)
        binomial = self.share * (1 - self.share) / self.samples.mean()
        # A function does not cost less than nothing: neither wandering nor season is more than a part of its share.
        over = 1 + min(over - 1, (0.25 * self.share) ** 2 / binomial)
        self.wander = np.sqrt((over - 1) * binomial) * _ar(rng, n_times, phi)
        self.deviation = np.sqrt(over * binomial)
        self.long_run = np.sqrt(binomial + (over - 1) * binomial * (1 + phi) / (1 - phi))
        amplitude = rng.uniform(0.5, 3) if rng.random() < 0.5 or kind == "seasonal" else 0.0
        amplitude = min(amplitude, 0.4 * self.share / self.deviation)
        season = np.sin(self.clock + 1) + 0.5 * np.sin(2 * self.clock)
        if n_times * STEP_S >= 14 * 86_400:
            season = season * np.where((hours // 24 + 3) % 7 >= 5, 0.3, 1.0)
        self.season = amplitude * self.deviation * season
        self.missing = rng.random(n_times) < (rng.uniform(0, 0.05) if rng.random() < 0.2 else 0.0)

    def mde(self, place: int) -> float:
        """Return the minimum detectable effect of a step at a place."""
        return MDE_ERRORS * self.long_run * float(np.sqrt(1 / place + 1 / (self.n_times - place)))

    def counted(self, level: Array) -> tuple[Array, Array]:
        """Return the values and samples that are seen of a series of shares."""
        share = np.clip(level, 0, 1)
        values = self.rng.binomial(self.samples.astype(np.int64), share) / self.samples
        return np.where(self.missing, np.nan, values), np.where(self.missing, 0.0, self.samples)


def _window(rng: np.random.Generator, kind: str, n_times: int) -> Window:
    draw = _Draw(rng, kind, n_times)
    quiet = draw.share + draw.season + draw.wander
    place = int(rng.integers(int(0.6 * n_times), n_times - _AFTER_MIN))
    late = np.arange(n_times) >= place
    if kind in {"null", "autocorrelated", "seasonal"}:
        return _seen(draw, kind, quiet)
    if kind == "heavy-tailed":
        latency = np.exp(0.3 * rng.standard_t(3, n_times)) * (1 + draw.season / draw.deviation * 0.05)
        return Window(kind=kind, values=latency, samples=draw.samples)
    if kind == "transient":
        return _seen(draw, kind, quiet + _transients(draw))
    if kind in {"cost shift", "mix shift"}:
        return _shift(draw, kind, quiet, place)
    direction = 1 if rng.random() < 0.7 else -1
    effect = float(np.exp(rng.uniform(np.log(0.2), np.log(10))))
    if kind == "step, sizes of the reference":
        effect = float(_MEDIAN_MDE * np.exp(_LOG_SIZE_SPREAD * rng.standard_normal()))
    if direction < 0 and 2.5 * effect * draw.mde(place) > draw.share:
        direction = 1  # there is not as much to lose
    size = effect * draw.mde(place) * direction
    if kind == "ramp":
        length = int(rng.integers(36, n_times // 3))
        place = int(rng.integers(n_times // 3, n_times - length - _AFTER_MIN))
        size = effect * draw.mde(place + length // 2) * direction
        level = quiet + size * np.clip((np.arange(n_times) - place) / length, 0, 1)
        return _seen(draw, kind, level, place=place, effect=effect, direction=direction, ramp_end=place + length)
    level = quiet + size * late
    if kind == "step then dip":
        length = int(rng.integers(2, min(37, max((n_times - place) // 5, 3))))
        start = int(rng.integers(place + 6, max(n_times - 2 * length - 6, place + 7)))
        level[start : start + length] -= 1.5 * size
    return _seen(draw, kind, level, place=place, effect=effect, direction=direction)


def _seen(
    draw: _Draw, kind: str, level: Array, *, place: int | None = None, effect: float = 0.0, direction: int = 1,
    ramp_end: int | None = None,
) -> Window:  # fmt: skip
    values, samples = draw.counted(level)
    return Window(
        kind=kind, values=values, samples=samples, place=place, effect_mde=effect, direction=direction,
        ramp_end=ramp_end,
    )  # fmt: skip


def _transients(draw: _Draw) -> Array:
    """One to three excursions of ten minutes to six hours, over for at least twice as long as they lasted."""
    rng, n = draw.rng, draw.n_times
    level = np.zeros(n)
    for _ in range(int(rng.integers(1, 4))):
        length = int(rng.integers(1, 37))
        start = int(rng.integers(n // 3, n - 3 * length - 6))
        level[start : start + length] += draw.deviation * rng.uniform(3, 15) * rng.choice([-1, 1], p=[0.3, 0.7])
    return level


def _shift(draw: _Draw, kind: str, quiet: Array, place: int) -> Window:
    """Cost that moves into the function from the rest of its module, or with the mix of requests."""
    late = np.arange(draw.n_times) >= place
    effect = float(np.exp(draw.rng.uniform(np.log(1.5), np.log(10))))
    if kind == "mix shift":
        times = 1 + effect * draw.mde(place) / draw.share
        share = min(0.4, 0.8 / times)
        mix = share * np.where(late, times, 1.0) * (1 + 0.02 * draw.rng.standard_normal(draw.n_times))
        values, samples = draw.counted(quiet * np.where(late, times, 1.0))
        return Window(kind=kind, values=values, samples=samples, place=place, effect_mde=effect, mix=mix)
    size = effect * draw.mde(place)
    rest = 2 * size + draw.share * draw.rng.uniform(0.5, 3)
    values, samples = draw.counted(quiet + size * late)
    others, _ = draw.counted(np.full(draw.n_times, rest) - size * late)
    return Window(kind=kind, values=values, samples=samples, place=place, effect_mde=effect, domain=values + others)


def _ar(rng: np.random.Generator, n: int, phi: float) -> Array:
    noise = rng.standard_normal(n)
    if phi == 0:
        return noise
    series = noise.copy()
    scale = np.sqrt(1 - phi * phi)
    for i in range(1, n):
        series[i] = phi * series[i - 1] + scale * noise[i]
    return series
