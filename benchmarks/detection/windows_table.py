"""What is found in fresh windows whose truth is known, by our scan and by other tools: scores and the tables."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.windows import KINDS, QUIET, STEP_S, Window, simulate
from collector.detect.finding import Kind, SeriesKey
from collector.detect.windows.changes import Funnel, WindowChange
from collector.detect.windows.panel import Panel
from collector.detect.windows.search import search
from collector.detect.windows.settings import WindowSettings
from collector.detect.windows.shifts import Levels, explained_by_mix, levels_around, shifted_within
from collector.detect.windows.verdicts import to_findings

Array = NDArray[np.float64]
OURS: Final = "pyrometer scan"
# A finding is at a change when it is within six hours, or within a quarter of what follows it.
MARGIN: Final = 36
# Lower ends of the classes of effects, in MDE.
EFFECTS: Final = (0.0, 1.0, 1.5, 2.0, 3.0)
# A Thursday: what the simulator takes the first day for.
_START_S: Final = 19_705 * 86_400
# All that is sure, however small: what is worth a report is another question.
_SETTINGS: Final = WindowSettings(effect_min=0.0, young_effect_min=0.0, share_min=0.0)

Found = tuple[list[list[int]], float]


def windows(seed: int, per_kind: int, n_times: int) -> dict[str, list[Window]]:
    """Return windows of every kind."""
    return {kind: simulate(seed, kind, per_kind, n_times=n_times) for kind in KINDS}


def plain_values(window: Window) -> Array:
    """Return a series as tools take it that know nothing of it: missing values filled in, latencies as logarithms."""
    known = np.flatnonzero(np.isfinite(window.values))
    filled = np.interp(np.arange(len(window.values)), known, window.values[known])
    return np.log(filled) if window.kind == "heavy-tailed" else filled


def ours(by_kind: Mapping[str, Sequence[Window]]) -> Found:
    """Return where our scan reports a change in each window, and the milliseconds of CPU a series."""
    started = time.process_time()
    found: list[list[int]] = []
    for of_kind in by_kind.values():
        panel = _panel(of_kind)
        funnel = Funnel()
        changes = search([panel], _SETTINGS, funnel)
        places: list[list[int]] = [[] for _ in of_kind]
        for finding in to_findings([c for c in changes if not _has_moved(c, of_kind)], _SETTINGS, funnel):
            places[int(finding.key.name)].append(finding.index)
        found += places
    series = sum(map(len, by_kind.values()))
    return found, 1000 * (time.process_time() - started) / series


def timed(find: Callable[[Array], list[int]], by_kind: Mapping[str, Sequence[Window]]) -> Found:
    """Return the same of a tool that takes one series at a time."""
    values = [plain_values(window) for of_kind in by_kind.values() for window in of_kind]
    started = time.process_time()
    found = [find(one) for one in values]
    return found, 1000 * (time.process_time() - started) / len(values)


def _panel(of_kind: Sequence[Window]) -> Panel:
    values, samples = np.array([one.values for one in of_kind]), np.array([one.samples for one in of_kind])
    is_latency = of_kind[0].kind == "heavy-tailed"
    kind = Kind.OPERATION_LATENCY_MEAN if is_latency else Kind.FUNCTION_SHARE
    share = np.nanmean(values, axis=1)
    return Panel(
        keys=[SeriesKey(service="s", kind=kind, name=f"{number:06}") for number in range(len(of_kind))],
        start_s=_START_S,
        step_s=STEP_S,
        values=np.log(values) if is_latency else values,
        samples=samples,
        sample_variance=np.zeros(len(of_kind)) if is_latency else share * (1 - share),
        logarithmic=is_latency,
    )


def _has_moved(change: WindowChange, of_kind: Sequence[Window]) -> bool:
    """Return whether a change is a cost shift, judged as a scan does by what is around the function."""
    window = of_kind[int(change.key.name)]
    around = window.mix if window.domain is None else window.domain - window.values
    if around is None:
        return False
    levels = levels_around(around, change.index, start_s=change.start_s, step_s=change.step_s)
    if levels is None:
        return False
    if window.domain is None:
        cost = Levels(before=change.before, after=change.after, error=change.standard_error)
        return explained_by_mix(cost, [("operation", levels)]) is not None
    return shifted_within(change.after - change.before, [("module", levels)]) is not None


@dataclass(slots=True)
class WindowScore:
    """Counts over many windows: by class of effect, and by quiet kind."""

    hits: Array = field(default_factory=lambda: np.zeros(len(EFFECTS)))
    wanted: Array = field(default_factory=lambda: np.zeros(len(EFFECTS)))
    false: int = 0
    alarmed: dict[str, int] = field(default_factory=dict)
    quiet: dict[str, int] = field(default_factory=dict)
    delays: list[int] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Return the share of the findings that are at a change; 1 when nothing was found."""
        hits = float(self.hits.sum())
        return hits / (hits + self.false) if hits + self.false else 1.0

    def recall(self, from_class: int) -> float:
        """Return the share of the changes found, of all of a class of effects and the larger ones."""
        wanted = float(self.wanted[from_class:].sum())
        return float(self.hits[from_class:].sum()) / wanted if wanted else 1.0

    def add(self, window: Window, found: Sequence[int]) -> None:
        """Count one window: at most one finding hits its change, and every other one is false."""
        if window.kind in QUIET:
            self.quiet[window.kind] = self.quiet.get(window.kind, 0) + 1
            self.alarmed[window.kind] = self.alarmed.get(window.kind, 0) + bool(found)
            self.false += len(found)
            return
        near = [index for index in found if _is_near(window, index)]
        size = int(np.searchsorted(EFFECTS, window.effect_mde, side="right")) - 1
        self.wanted[size] += 1
        self.hits[size] += bool(near)
        self.false += len(found) - bool(near)
        if near and window.ramp_end is None and window.place is not None:
            self.delays.append(min(abs(index - window.place) for index in near))


def _is_near(window: Window, index: int) -> bool:
    if window.place is None:
        return False
    if window.ramp_end is not None:
        return window.place - MARGIN <= index <= window.ramp_end + MARGIN
    return abs(index - window.place) <= max(MARGIN, (len(window.values) - window.place) // 4)


def score(by_kind: Mapping[str, Sequence[Window]], found: Sequence[Sequence[int]]) -> WindowScore:
    """Return the score of what was found in each window, kind by kind."""
    total = WindowScore()
    everything = [window for of_kind in by_kind.values() for window in of_kind]
    for window, places in zip(everything, found, strict=True):
        total.add(window, places)
    return total


def print_windows(by_kind: Mapping[str, Sequence[Window]], tools: Mapping[str, Found]) -> None:
    """Print how each tool fares: precision, recall by effect, and quiet windows with an alarm by kind."""
    n_times = len(next(iter(by_kind.values()))[0].values)
    number = sum(map(len, by_kind.values()))
    print(f"\nfresh windows: {number} of {n_times} points; effects in minimum detectable effects (MDE)\n")
    sizes = [*(f"{low:g} to {high:g}" for low, high in itertools.pairwise(EFFECTS)), f"over {EFFECTS[-1]:g}"]
    heads = ["tool", "precision", "recall from 1.5", *sizes, "places off, median", "CPU ms a series"]
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    scores = {tool: score(by_kind, found) for tool, (found, _) in tools.items()}
    for tool, one in scores.items():
        recalls = [f"{hit / max(wanted, 1):.2f}" for hit, wanted in zip(one.hits, one.wanted, strict=True)]
        off = f"{np.median(one.delays):.0f}" if one.delays else "-"
        cells = [tool, f"{one.precision:.3f}", f"{one.recall(EFFECTS.index(1.5)):.3f}", *recalls, off]
        print(f"| {' | '.join(cells)} | {tools[tool][1]:.2f} |", flush=True)
    kinds = [kind for kind in KINDS if kind in QUIET]
    print("\nquiet windows with an alarm, by kind\n")
    print(f"| tool | {' | '.join(kinds)} |\n|{' --- |' * (len(kinds) + 1)}")
    for tool, one in scores.items():
        print(f"| {tool} | {' | '.join(f'{one.alarmed[kind]} of {one.quiet[kind]}' for kind in kinds)} |", flush=True)
