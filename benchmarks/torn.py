"""
How often does a reader report a stack that never existed?

    python -m benchmarks.torn [--seconds 5] [--rounds 3] [--rate 500] [--python 3.12]... [--workload calls]... [--quick]

Programs whose every legal stack is known (benchmarks/workloads/known_stacks.py) are read by our reader, by py-spy
without stopping them, and by py-spy stopping them for each sample, on each Python that is here. "wrong" is the share of
stacks that cannot exist, "unstable" the share of ours whose leaf part was left out and marked because it changed while
it was read (an unstable stack counts as wrong, too, if what is left of it cannot exist). Ends with 1 where our reader
misses its aim. --markdown writes the table into docs/explanation/overhead.md.
"""

import argparse
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.reader.engine import Engine, Target, Window, find_target
from agent.reader.pace import Pace
from agent.reader.pyspy import PySpyEngine
from agent.reader.remote import RemoteEngine
from benchmarks.scratch import Interpreter, choose_interpreters
from benchmarks.tables import keep_table, markdown_table, spread
from benchmarks.workloads.known_stacks import FILE, NAMES, WORST, is_legal
from pyrometer.errors import PyrometerError
from pyrometer.values import UNSTABLE

PROGRAM: Final = Path(__file__).parent / "workloads" / "known_stacks.py"
DEBIAN: Final = Path("/usr/bin/python3.11")
OURS, NONBLOCKING, BLOCKING = "remote", "py-spy --nonblocking", "py-spy"
WRONG_MAX, UNSTABLE_MAX = 0.5, 5.0
# A program that is replaced or forked all the time is read in short windows, so that some are whole.
_CHURN_WINDOW_S: Final = 0.05


@dataclass(slots=True)
class Tally:
    """What a reader reported: samples, those that cannot exist, those marked as unstable, and an example."""

    samples: int = 0
    wrong: int = 0
    unstable: int = 0
    examples: Counter[str] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Begin without examples."""
        self.examples = Counter()

    def add(self, window: Window) -> None:
        """Judge the stacks of a window."""
        for sample in window.samples:
            names = [frame.function for frame in sample.stack if frame.file == FILE]
            self.samples += sample.count
            self.unstable += sample.count * (sample.stack[-1] is UNSTABLE)
            if not is_legal(names):
                self.wrong += sample.count
                self.examples[";".join(names)] += sample.count

    def percent(self, count: int) -> float:
        """Return a count as a share of the samples."""
        return 100 * count / max(1, self.samples)


@contextmanager
def running(python: Path, workload: str) -> Iterator[int]:
    """Run a workload, and give its pid once it is at work."""
    with subprocess.Popen([str(python), str(PROGRAM), workload], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


def build_engine(name: str, *, rate_hz: int, window_s: float) -> Engine:
    """Return a contender."""
    if name == OURS:
        return RemoteEngine(pace=Pace(rate_hz), window_s=window_s)
    return PySpyEngine(rate_hz=rate_hz, window_s=window_s, blocking=name == BLOCKING)


def targets_of(pid: int, *, with_children: bool) -> list[Target]:
    """Return a process, and its children where they are wanted; those that just ended are left out."""
    pids = [pid]
    if with_children:
        pids += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    targets = []
    for each in pids:
        try:
            targets.append(find_target(each))
        except PyrometerError:
            continue
    return targets


def measure(engine_name: str, python: Path, workload: str, *, seconds: float, rate_hz: int) -> Tally:
    """Read one workload for a while."""
    churns = workload in ("fork-churn", "exec-churn")
    window_s = _CHURN_WINDOW_S if churns else seconds
    engine = build_engine(engine_name, rate_hz=rate_hz, window_s=window_s)
    tally = Tally()
    with running(python, workload) as pid:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for target in targets_of(pid, with_children=workload == "fork-churn"):
                try:
                    attachment = engine.attach(target)
                    try:
                        tally.add(attachment.sample())
                    finally:
                        attachment.detach()
                except PyrometerError:
                    time.sleep(0.01)  # it ended, became another program or was just starting: the next one
    return tally


def interpreters(versions: list[str] | None) -> list[tuple[str, Path]]:
    """Return label and path of each Python; Debian's own beside another 3.11, as the two are built differently."""
    found: tuple[Interpreter, ...] = choose_interpreters(versions)
    chosen = [(interpreter.version, interpreter.path) for interpreter in found]
    if DEBIAN.exists() and any(v == "3.11" and path.resolve() != DEBIAN for v, path in chosen):
        chosen.insert(0, ("3.11 of Debian", DEBIAN))
    return chosen


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each reader, workload, Python and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=500, help="samples a second")
    parser.add_argument("--python", action="append", help="a version such as 3.12; may be given more than once")
    parser.add_argument("--workload", action="append", choices=NAMES)
    parser.add_argument("--quick", action="store_true", help="one round of 2 s, our reader alone")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    contenders = [OURS] if options.quick else [OURS, NONBLOCKING, BLOCKING]
    rounds, seconds = (1, 2.0) if options.quick else (options.rounds, options.seconds)
    rows: list[list[str]] = []
    missed: list[str] = []
    for label, python in interpreters(options.python):
        for workload in options.workload or NAMES:
            tallies: dict[str, list[Tally]] = {name: [] for name in contenders}
            for _ in range(rounds):
                for name in contenders:
                    tallies[name].append(measure(name, python, workload, seconds=seconds, rate_hz=options.rate))
            rows.append([label, workload + (" (worst case)" if workload in WORST else ""), *_cells(tallies)])
            print(" | ".join(rows[-1]), flush=True)
            missed += _misses(f"{workload} on {label}", tallies[OURS], worst=workload in WORST)
    head = ["Python", "workload", "samples", "remote wrong %", "remote unstable %"]
    table = markdown_table(head + [f"{name} wrong %" for name in contenders[1:]], rows)
    print("\n" + table)
    if options.markdown:
        keep_table("torn", table)
    for miss in missed:
        print("missed:", miss)
    return 1 if missed else 0


def _cells(tallies: dict[str, list[Tally]]) -> list[str]:
    ours = tallies[OURS]
    cells = [
        str(sum(tally.samples for tally in ours)),
        spread([tally.percent(tally.wrong) for tally in ours]),
        spread([tally.percent(tally.unstable) for tally in ours]),
    ]
    for name, others in tallies.items():
        if name != OURS:
            seen = sum(tally.samples for tally in others)
            cells.append(spread([tally.percent(tally.wrong) for tally in others]) if seen else "no samples")
    return cells


def _misses(what: str, ours: list[Tally], *, worst: bool) -> Iterator[str]:
    whole = Tally()
    for tally in ours:
        whole.samples += tally.samples
        whole.wrong += tally.wrong
        whole.unstable += tally.unstable
        whole.examples += tally.examples
    if not whole.samples:
        yield f"{what}: nothing was seen"
    if whole.percent(whole.wrong) > WRONG_MAX:
        yield f"{what}: {whole.percent(whole.wrong):.2f}% wrong, such as {whole.examples.most_common(1)}"
    if whole.percent(whole.unstable) > UNSTABLE_MAX and not worst:
        yield f"{what}: {whole.percent(whole.unstable):.2f}% unstable"


if __name__ == "__main__":
    raise SystemExit(main())
