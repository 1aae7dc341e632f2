"""
Histories with known changes, made from a seed: what benchmark histories and slow metrics look like, knob by knob.

A history is a level that steps, plus noise whose robust spread is 1, times a scale. What is a change is decided by the
knobs, never by a detector:

- ``clear`` changes are steps of at least ``CLEAR_EFFECT`` spreads with at least ``CLEAR_LENGTH`` points on both sides:
  a detector is expected to find them.
- ``unclear`` changes are smaller or shorter ones, and all of a ramp: finding one is neither a hit nor a false alarm.

Everything else that is reported is a false alarm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CLEAR_EFFECT: Final = 2.0
CLEAR_LENGTH: Final = 8
# Of every history: points.
LENGTHS: Final = (60, 100, 150, 250, 400, 700, 1200)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """
    One series with its truth.

    Attributes:
        name: Unique.
        kind: What it is made of, for the tables: shape and noise.
        values: Shape (n,).
        clear: Indices of the first points after the changes that must be found.
        unclear: Indices at which a finding counts neither way.
    """

    name: str
    kind: tuple[str, str]
    values: Array
    clear: tuple[int, ...]
    unclear: tuple[int, ...]


def white(rng: np.random.Generator, n: int) -> Array:
    """Independent normal noise."""
    return rng.standard_normal(n)


def autoregressive(rng: np.random.Generator, n: int) -> Array:
    """A first-order autoregression, lag-1 correlation 0.2 to 0.8."""
    return _ar(rng, n, rng.uniform(0.2, 0.8))


def heavy_tailed(rng: np.random.Generator, n: int) -> Array:
    """Student's t with 2.5 degrees of freedom."""
    return rng.standard_t(2.5, n)


def skewed(rng: np.random.Generator, n: int) -> Array:
    """Lognormal: most points at the floor, some far above, as durations are."""
    return np.exp(rng.uniform(0.5, 1.0) * rng.standard_normal(n))


def outliers(rng: np.random.Generator, n: int) -> Array:
    """Normal noise, 2 to 10% of the points 5 to 20 spreads above it, singly and in short runs."""
    noise = rng.standard_normal(n)
    share = rng.uniform(0.02, 0.10)
    sign = 1.0 if rng.random() < 0.8 else -1.0
    hit = rng.random(n) < share
    if rng.random() < 0.3:
        start = int(rng.integers(0, n - 4))
        hit[start : start + int(rng.integers(2, 5))] = True
    noise[hit] += sign * rng.uniform(5, 20, hit.sum())
    return noise


def multimodal(rng: np.random.Generator, n: int) -> Array:
    """Two or three modes, each point in any of them by chance."""
    modes = np.cumsum(rng.uniform(3, 10, int(rng.integers(2, 4))))
    shares = rng.dirichlet(np.full(len(modes), 2.0))
    return rng.choice(modes, n, p=shares) + rng.standard_normal(n)


def sticky_modes(rng: np.random.Generator, n: int) -> Array:
    """Two modes that last 3 to 12 points each, over and over: a machine pool, not a change."""
    stay = 1 - 1 / rng.uniform(3, 12)
    state, states = 0, np.zeros(n)
    for i in range(n):
        state = state if rng.random() < stay else 1 - state
        states[i] = state
    return rng.uniform(2, 6) * states + rng.standard_normal(n)


def quantised(rng: np.random.Generator, n: int) -> Array:
    """Normal noise on a coarse grid, one or two spreads wide."""
    grid = rng.uniform(0.7, 2.0)
    return np.round(rng.standard_normal(n) / grid) * grid


def varying_spread(rng: np.random.Generator, n: int) -> Array:
    """Normal noise whose spread changes two to four times over at one or two moments, the level never."""
    spread = np.ones(n)
    for _ in range(int(rng.integers(1, 3))):
        spread[int(rng.integers(n // 6, n - n // 6)) :] *= rng.choice([0.4, 0.6, 1.7, 2.5])
    return spread * rng.standard_normal(n)


def build_effects(rng: np.random.Generator, n: int) -> Array:
    """Each build is measured a few times, and builds differ: runs of 2 to 6 points share an offset."""
    lengths = rng.integers(2, 7, n)
    offsets = np.repeat(rng.uniform(0.5, 1.5) * rng.standard_normal(n), lengths)[:n]
    return offsets + rng.standard_normal(n)


def wandering(rng: np.random.Generator, n: int) -> Array:
    """Normal noise on a level that drifts slowly by one to three spreads, up and down: a quiet series all the same."""
    slow = _ar(rng, n, np.exp(-1 / (n * rng.uniform(0.05, 0.2))))
    width = np.ptp(slow)
    return rng.standard_normal(n) + slow * rng.uniform(1, 3) / max(width, 1e-9)


def slow_noise(rng: np.random.Generator, n: int) -> Array:
    """A first-order autoregression with lag-1 correlation 0.85 to 0.97, and some white noise: it roams, and returns."""
    return _ar(rng, n, rng.uniform(0.85, 0.97)) + rng.uniform(0.2, 0.8) * rng.standard_normal(n)


def restless(rng: np.random.Generator, n: int) -> Array:
    """Normal noise on a level that shifts by up to 0.8 spreads every 10 to 60 points: less than a person would mark."""
    lengths = rng.integers(10, 61, n)
    shifts = np.repeat(rng.uniform(-0.4, 0.4, n), lengths)[:n]
    return np.asarray(shifts + rng.standard_normal(n), dtype=np.float64)


def mixed(rng: np.random.Generator, n: int) -> Array:
    """Two kinds of the others added up, the second at a fifth to the whole of the first."""
    first, second = rng.choice(len(_PLAIN), 2, replace=False)
    return _unit_spread(_PLAIN[first](rng, n)) + rng.uniform(0.2, 1.0) * _unit_spread(_PLAIN[second](rng, n))


_PLAIN: Final = (
    white,
    autoregressive,
    heavy_tailed,
    skewed,
    outliers,
    multimodal,
    quantised,
    varying_spread,
    build_effects,
    wandering,
    slow_noise,
    restless,
)
NOISES: Final[dict[str, Callable[[np.random.Generator, int], Array]]] = {
    "white": white,
    "autoregressive": autoregressive,
    "heavy-tailed": heavy_tailed,
    "skewed": skewed,
    "outliers": outliers,
    "multimodal": multimodal,
    "sticky modes": sticky_modes,
    "quantised": quantised,
    "varying spread": varying_spread,
    "build effects": build_effects,
    "wandering": wandering,
    "slow": slow_noise,
    "restless": restless,
    "mixed": mixed,
}


def quiet(rng: np.random.Generator, n: int) -> tuple[Array, list[int], list[int]]:
    """No change at all."""
    del rng
    return np.zeros(n), [], []


def one_step(rng: np.random.Generator, n: int) -> tuple[Array, list[int], list[int]]:
    """One step, anywhere, up or down."""
    return _steps(rng, n, [int(rng.integers(5, n - 4))])


def many_steps(rng: np.random.Generator, n: int) -> tuple[Array, list[int], list[int]]:
    """Two to six steps, up and down, at random places."""
    places = np.unique(rng.integers(5, n - 4, int(rng.integers(2, 7))))
    return _steps(rng, n, [int(place) for place in places])


def step_pair(rng: np.random.Generator, n: int) -> tuple[Array, list[int], list[int]]:
    """A step that is taken back after 8 points to a third of the series: a revert."""
    length = int(rng.integers(8, max(9, n // 3)))
    start = int(rng.integers(8, n - length - 7))
    level = np.zeros(n)
    size = _size(rng)
    level[start : start + length] = size
    both = [start, start + length]
    return (level, both, []) if abs(size) >= CLEAR_EFFECT else (level, [], both)


def blip(rng: np.random.Generator, n: int) -> tuple[Array, list[int], list[int]]:
    """An excursion of 1 to 3 points that goes away: no change."""
    level = np.zeros(n)
    for _ in range(int(rng.integers(1, 4))):
        start = int(rng.integers(0, n - 3))
        level[start : start + int(rng.integers(1, 4))] = rng.uniform(3, 15) * rng.choice([-1, 1])
    return level, [], []


def ramp(rng: np.random.Generator, n: int) -> tuple[Array, list[int], list[int]]:
    """A slow climb over a tenth of the series or more: no point is where it changed, and any inside may be named."""
    length = int(rng.integers(max(n // 10, 10), n // 2))
    start = int(rng.integers(0, n - length))
    level = np.clip((np.arange(n) - start) / length, 0, 1) * rng.uniform(2, 8) * rng.choice([-1, 1])
    return level, [], list(range(start, start + length + 1))


SHAPES: Final[dict[str, Callable[[np.random.Generator, int], tuple[Array, list[int], list[int]]]]] = {
    "quiet": quiet,
    "one step": one_step,
    "many steps": many_steps,
    "step pair": step_pair,
    "blip": blip,
    "ramp": ramp,
}


def simulate(seed: int, per_kind: int) -> list[History]:
    """Return *per_kind* histories of each shape with each noise, quiet ones four times as many, as real ones are."""
    histories = []
    for shape_number, (shape, make_level) in enumerate(SHAPES.items()):
        for noise_number, (noise, make_noise) in enumerate(NOISES.items()):
            for number in range(per_kind * (4 if shape == "quiet" else 1)):
                rng = np.random.default_rng([seed, shape_number, noise_number, number])
                n = int(rng.choice(LENGTHS))
                level, clear, unclear = make_level(rng, n)
                values = _scaled(rng, level + _unit_spread(make_noise(rng, n)))
                histories.append(
                    History(
                        name=f"{shape}/{noise}/{number}",
                        kind=(shape, noise),
                        values=values,
                        clear=tuple(clear),
                        unclear=tuple(unclear),
                    )
                )
    return histories


def _steps(rng: np.random.Generator, n: int, places: list[int]) -> tuple[Array, list[int], list[int]]:
    level = np.zeros(n)
    clear, unclear = [], []
    edges = [0, *places, n]
    for before, place, after in zip(edges, edges[1:], edges[2:], strict=False):
        size = _size(rng)
        level[place:] += size
        long_enough = min(place - before, after - place) >= CLEAR_LENGTH
        (clear if long_enough and abs(size) >= CLEAR_EFFECT else unclear).append(place)
    return level, clear, unclear


def _size(rng: np.random.Generator) -> float:
    """Return 0.5 to 10 spreads, log-uniform, up or down."""
    return float(np.exp(rng.uniform(np.log(0.5), np.log(10))) * rng.choice([-1, 1]))


def _ar(rng: np.random.Generator, n: int, phi: float) -> Array:
    noise = rng.standard_normal(n)
    series = noise.copy()
    for i in range(1, n):
        series[i] = phi * series[i - 1] + np.sqrt(1 - phi * phi) * noise[i]
    return series


def _unit_spread(noise: Array) -> Array:
    """Return the noise around its median, divided by the half width of its middle 68%."""
    low, middle, high = np.quantile(noise, [0.16, 0.5, 0.84])
    spread = (high - low) / 2
    return (noise - middle) / (spread if spread > 0 else 1.0)


def _scaled(rng: np.random.Generator, values: Array) -> Array:
    """Return the values in some unit, at some level: 5 to 200 spreads above 0."""
    unit = 10 ** rng.uniform(-3, 6)
    return unit * (values + 10 ** rng.uniform(0.7, 2.3) + 10)
