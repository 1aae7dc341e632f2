"""
Runs one library on many series, in the environment where that library is installed.

    python peer_worker.py NAME < series.jsonl > found.jsonl

A line in is a list of numbers; a line out is {"found": [indices], "ms": milliseconds}. Settings are those that the
library's own documentation starts with; series are scaled to unit noise where the method wants that.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def otava() -> Callable[[Any], list[int]]:
    """Return Apache Otava with its default options."""
    from otava.analysis import compute_change_points  # noqa: PLC0415

    def find(values: Any) -> list[int]:
        points, _ = compute_change_points(values.tolist(), window_len=50, max_pvalue=0.001, min_magnitude=0.0)
        return [int(point.index) for point in points]

    return find


def ruptures_rbf() -> Callable[[Any], list[int]]:
    """Return PELT with a radial basis kernel, penalty 3 ln(n)."""
    import ruptures  # noqa: PLC0415

    def find(values: Any) -> list[int]:
        detector = ruptures.KernelCPD(kernel="rbf", min_size=5).fit(values.reshape(-1, 1))
        return [int(end) for end in detector.predict(pen=3 * np.log(len(values)))[:-1]]

    return find


def fpop() -> Callable[[Any], list[int]]:
    """Return FPOP with its default penalty, on values of unit noise."""
    from skchange.detectors import FPOP  # noqa: PLC0415

    return lambda values: _ends(FPOP().fit(unit_noise(values)).predict(unit_noise(values)), len(values))


def fpop_strict() -> Callable[[Any], list[int]]:
    """Return FPOP with ten times its default penalty: what a user does who gets too many alarms."""
    from skchange.detectors import FPOP  # noqa: PLC0415

    def find(values: Any) -> list[int]:
        scaled = unit_noise(values)
        return _ends(FPOP(penalty_scale=10.0).fit(scaled).predict(scaled), len(values))

    return find


def ed_pelt() -> Callable[[Any], list[int]]:
    """Return PELT with the empirical distribution's cost."""
    from skchange.detectors import PELT  # noqa: PLC0415
    from skchange.interval_scorers import EDFCost  # noqa: PLC0415

    def find(values: Any) -> list[int]:
        column = values.reshape(-1, 1)
        return _ends(PELT(cost=EDFCost()).fit(column).predict(column), len(values))

    return find


def beast() -> Callable[[Any], list[int]]:
    """Return BEAST with piecewise constant trends: the changes more likely than not."""
    import Rbeast  # noqa: PLC0415

    def find(values: Any) -> list[int]:
        result = Rbeast.beast(values, season="none", torder_minmax=[0, 0], quiet=True, mcmc_seed=1)
        places, chances = np.ravel(result.trend.cp), np.ravel(result.trend.cpPr)
        return sorted(round(float(p)) - 1 for p, chance in zip(places, chances, strict=True) if chance > 0.5)

    return find


def unit_noise(values: Any) -> Any:
    """Return the series, as a column, in units of its noise from point to point."""
    steps = np.abs(np.diff(values))
    noise = 1.4826 * np.median(steps) / np.sqrt(2) or np.std(values) or 1.0
    return ((values - np.median(values)) / noise).reshape(-1, 1)


def _ends(changes: Any, n: int) -> list[int]:
    return [int(change) for change in np.ravel(changes) if 0 < change < n]


PEERS = {
    "otava": otava,
    "ruptures rbf": ruptures_rbf,
    "FPOP": fpop,
    "FPOP, penalty x 10": fpop_strict,
    "ED-PELT": ed_pelt,
    "BEAST": beast,
}


def main() -> None:
    """Answer one line for each line."""
    find = PEERS[sys.argv[1]]()
    find(np.random.default_rng(1).standard_normal(100))  # compiles what is compiled on first use
    for line in sys.stdin:
        values = np.array(json.loads(line))
        started = time.process_time()
        found = find(values)
        print(json.dumps({"found": found, "ms": 1000 * (time.process_time() - started)}), flush=True)


if __name__ == "__main__":
    main()
