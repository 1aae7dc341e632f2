"""
How well are changes found, and how often where there are none: ours and other tools side by side.

    python -m benchmarks.detection [--per-kind 2] [--windows 20] [--points 864] [--seed 101] [--data ../shared/data]
        [--peer NAME ...]

Simulated histories with known changes, then real ones with changes that people marked: a finding at most five points
off is a hit. Then fresh windows of a service's functions: ``windows.py`` says what they are made of, and
``windows_table.py`` what is a hit; as many of each kind as --windows. --per-kind 0 leaves out the histories, --windows
0 the windows. Peers that are libraries are installed into .cache/detection-peers on first use; --peer none leaves them
out, and ED-PELT, which takes seconds a series, only runs when named. Settings were chosen on other seeds than the
default one.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection import peers, windows_table
from benchmarks.detection.peer_worker import PEERS
from benchmarks.detection.real import performance_histories, telemetry
from benchmarks.detection.reference import reference_stages
from benchmarks.detection.rules import RULES
from benchmarks.detection.scoring import Score
from benchmarks.detection.simulator import simulate
from collector.detect.series import Series, SeriesSettings, detect_changes

Found = tuple[list[list[int]], float]
DATA: Final = Path(__file__).resolve().parents[3] / "shared" / "data"
SLOW: Final = "ED-PELT"
OURS: Final = "pyrometer detect"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-kind", type=int, default=2)
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--points", type=int, default=864, help="of a window; 2016 are 14 days")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--peer", action="append", choices=[*PEERS, "none"])
    options = parser.parse_args()

    wanted = [name for name in options.peer or (peer for peer in PEERS if peer != SLOW) if name != "none"]
    if options.per_kind:
        compare_histories(options, wanted)
    if options.windows:
        compare_windows(options, wanted)


def compare_histories(options: argparse.Namespace, wanted: list[str]) -> None:
    """Print the tables of long histories."""
    sets = {f"simulated, seed {options.seed}": simulated_truth(options.seed, options.per_kind)}
    if options.data.is_dir():
        sets["benchmark histories of a database"] = [
            (one.values, one.changes, ()) for one in performance_histories(options.data / "performance_history_small")
        ]
        sets["telemetry with marked stretches (read the false alarms only)"] = [
            (one.values, one.changes, ()) for one in telemetry(options.data / "cloud_monitoring")
        ]
    everything = [values for truths in sets.values() for values, _, _ in truths]
    tools = {OURS: timed(ours, everything), **{name: timed(rule, everything) for name, rule in RULES.items()}}
    tools |= by_peers(wanted, everything)
    print_sets(sets, tools)
    print_kinds(options.seed, options.per_kind, tools[OURS][0])


def compare_windows(options: argparse.Namespace, wanted: list[str]) -> None:
    """Print the tables of fresh windows."""
    by_kind = windows_table.windows(options.seed, options.windows, options.points)
    tools = {windows_table.OURS: windows_table.ours(by_kind), f"{OURS} --csv": windows_table.timed(ours, by_kind)}
    rules = {**RULES, "stages of the reference": reference_stages}
    tools |= {name: windows_table.timed(rule, by_kind) for name, rule in rules.items()}
    plain = [windows_table.plain_values(window) for of_kind in by_kind.values() for window in of_kind]
    tools |= by_peers(wanted, plain)
    windows_table.print_windows(by_kind, tools)


def by_peers(names: list[str], series: list[NDArray[np.float64]]) -> dict[str, Found]:
    """Return what each peer finds; one that fails is left out."""
    if not names:
        return {}
    python = peers.install()
    answers = {name: peers.run_peer(python, name, series) for name in names}
    return {name: answer for name, answer in answers.items() if answer is not None}


Truth = tuple[NDArray[np.float64], tuple[int, ...], tuple[int, ...]]


def simulated_truth(seed: int, per_kind: int) -> list[Truth]:
    """Return values, clear and unclear changes of each simulated history."""
    return [(one.values, one.clear, one.unclear) for one in simulate(seed, per_kind)]


def ours(values: NDArray[np.float64]) -> list[int]:
    """Return what the command finds in one series whose times say nothing about seasons."""
    series = Series(name="", times_ns=np.arange(len(values), dtype=np.int64), values=values)
    return [change.index for change in detect_changes([series], SeriesSettings()).changes]


def timed(find: Callable[[NDArray[np.float64]], list[int]], series: list[NDArray[np.float64]]) -> Found:
    """Return what is found in each series, and the mean milliseconds of CPU a series."""
    started = time.process_time()
    found = [find(values) for values in series]
    return found, 1000 * (time.process_time() - started) / len(series)


def print_sets(sets: dict[str, list[Truth]], tools: dict[str, Found]) -> None:
    """Print one table for each set, one line for each tool."""
    start = 0
    for title, truths in sets.items():
        print(f"\n{title}: {len(truths)} series\n")
        print("| tool | precision | recall | F1 | quiet series with an alarm | ms a series, all sets |")
        print("| --- | --- | --- | --- | --- | --- |")
        for tool, (found, ms) in tools.items():
            score = Score()
            for (_, clear, unclear), places in zip(truths, found[start : start + len(truths)], strict=True):
                score.add(places, clear, unclear)
            quiet = f"{score.quiet_alarmed} of {score.quiet} ({100 * score.quiet_share:.1f}%)"
            cells = f"{score.precision:.3f} | {score.recall:.3f} | {score.f1:.3f} | {quiet} | {ms:.1f}"
            print(f"| {tool} | {cells} |", flush=True)
        start += len(truths)


def print_kinds(seed: int, per_kind: int, found: list[list[int]]) -> None:
    """Print our hits and false alarms by what the histories are made of."""
    by_kind: dict[str, Score] = {}
    for history, places in zip(simulate(seed, per_kind), found, strict=False):
        for kind in history.kind:
            by_kind.setdefault(kind, Score()).add(places, history.clear, history.unclear)
    print(f"\n{OURS}, by shape and by noise\n")
    print("| | hits | missed | false | quiet series with an alarm |")
    print("| --- | --- | --- | --- | --- |")
    for kind, score in by_kind.items():
        quiet = f"{score.quiet_alarmed} of {score.quiet}"
        print(f"| {kind} | {score.hits} | {score.missed} | {score.false} | {quiet} |")


if __name__ == "__main__":
    main()
