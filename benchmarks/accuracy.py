"""
How far is a profile from where the CPU time really went?

    python -m benchmarks.accuracy [--samples 3000] [--rounds 3] [--rate 400] [--python 3.12]... [--kind convoy]...

Programs that keep account of what each of their functions uses are read by each contender in turn. The figure is the
total variation distance between the shares of a profile and those of the account over the same seconds. Each contender
reads windows of --seconds until it has --samples, or for four windows; then all are cut to the samples of the one that
has the fewest, drawn at random. "floor" is what a perfect sampler would err with as many. Pyrometer's and "py-spy,
scaled" are after the agent's accounting of CPU time, the others are the counts that the tool gives. --gil sees Python
alone, so it is not asked about libraries that let go of the lock.
--markdown writes the table into docs/explanation/overhead.md.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from agent.reader.engine import Engine
from agent.reader.pace import Pace
from agent.reader.pyspy import PySpyEngine
from agent.reader.remote import RemoteEngine
from benchmarks.distance import REST, amounts_by_name, sampling_floor, shares, total_variation
from benchmarks.peers import NUMPY
from benchmarks.readings import Reading, account, count_samples, take_readings, thin_readings
from benchmarks.scratch import ROOT, Interpreter, UnavailableError, choose_interpreters, scratch_python
from benchmarks.tables import keep_table, markdown_table, spread
from benchmarks.workloads.known_shares import KINDS
from benchmarks.workloads.truth import FILE_BYTES, read_truth, used_ns

OURS: Final = "Pyrometer"
SCALED: Final = "py-spy, scaled"
RAW: Final = "py-spy"
GIL: Final = "py-spy --gil"
COLUMNS: Final = (OURS, SCALED, RAW, GIL)
# Work outside the lock is invisible to a reader of the lock's holder.
UNFAIR_TO_GIL: Final = frozenset({"native", "numpy"})
WINDOWS_MAX: Final = 4
AIM: Final = 0.03
# One draw of the samples is itself a matter of luck.
_DRAWS: Final = 20
_SETTLE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Run:
    """What one engine saw of a program, and what the program's account says of the same seconds."""

    readings: list[Reading]
    truth: dict[str, float]


@dataclass(frozen=True, slots=True)
class Program:
    """A running workload."""

    pid: int
    path: str
    names: tuple[str, ...]

    def read(self, engine: Engine, samples_min: int) -> Run:
        """Let an engine read it."""
        before = read_truth(self.path, self.names)
        readings = take_readings(engine, self.pid, samples_min=samples_min, windows_max=WINDOWS_MAX)
        used = used_ns(before, read_truth(self.path, self.names))
        total_ns = readings[-1].after.cpu_ns - readings[0].before.cpu_ns
        used[REST] = max(0.0, total_ns - sum(used.values()))
        return Run(readings, shares(used))


def main() -> None:
    """Measure every kind on every Python, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=3000, help="wanted of each contender and round")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a window")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=400, help="samples a second: many, so that chance says little")
    parser.add_argument("--python", action="append", help="a version, as 3.12; all from 3.11 on where not given")
    parser.add_argument("--kind", action="append", choices=list(KINDS))
    parser.add_argument("--quick", action="store_true", help="one round, 500 samples: to see that it works")
    parser.add_argument("--markdown", action="store_true", help="write the table into the page")
    options = parser.parse_args()
    if options.quick:
        options.samples, options.rounds = 500, 1
    rows = []
    for interpreter in choose_interpreters(options.python):
        for kind in options.kind or KINDS:
            engines = make_engines(kind, options.seconds, options.rate)
            rows.append(measure(interpreter, kind, engines, options.samples, options.rounds))
            print(" | ".join(map(str, rows[-1])), flush=True)
    text = markdown_table(("program", "Python", "samples", "floor", *COLUMNS), rows)
    print(f"\n{text}")
    if options.markdown:
        keep_table("accuracy", text)


def measure(
    interpreter: Interpreter, kind: str, engines: dict[str, Engine], samples: int, rounds: int
) -> tuple[str, ...]:
    """Return a line of the table: one program on one Python."""
    rng = np.random.default_rng()
    distances: dict[str, list[float]] = {column: [] for column in COLUMNS}
    floors: list[float] = []
    fewest = 0
    try:
        with running(interpreter, kind) as program:
            for _ in range(rounds):
                runs = {name: program.read(engine, samples) for name, engine in engines.items()}
                fewest = min(count_samples(run.readings) for run in runs.values())
                names = frozenset(program.names)
                for column, found in judge(runs, names, fewest, rng).items():
                    distances[column].append(found)
                floors.append(sampling_floor(runs[OURS].truth, fewest, rng))
    except UnavailableError as error:
        return (kind, interpreter.version, f"not here: {error}", *[""] * (1 + len(COLUMNS)))
    cells = [spread(distances[column], digits=3) if distances[column] else "-" for column in COLUMNS]
    return (kind, interpreter.version, str(fewest), f"{statistics.median(floors):.3f}", *cells)


def make_engines(kind: str, window_s: float, rate_hz: int) -> dict[str, Engine]:
    """Return the engines that read a program."""
    engines: dict[str, Engine] = {
        OURS: RemoteEngine(pace=Pace(rate_hz), window_s=window_s),
        RAW: PySpyEngine(rate_hz=rate_hz, window_s=window_s),
    }
    if kind not in UNFAIR_TO_GIL:
        engines[GIL] = PySpyEngine(rate_hz=rate_hz, window_s=window_s, gil=True)
    return engines


def judge(runs: dict[str, Run], names: frozenset[str], n_samples: int, rng: np.random.Generator) -> dict[str, float]:
    """Return by column how far each is from the truth with this many samples."""
    found = {name: mean_distance(run, names, n_samples, rng, scaled=name == OURS) for name, run in runs.items()}
    return found | {SCALED: mean_distance(runs[RAW], names, n_samples, rng, scaled=True)}


def mean_distance(run: Run, names: frozenset[str], n_samples: int, rng: np.random.Generator, *, scaled: bool) -> float:
    """Return the distance from the truth, the mean of some draws of so many samples."""
    distances = []
    for _ in range(_DRAWS):
        readings = thin_readings(run.readings, n_samples, rng)
        if scaled:
            amounts = amounts_by_name(account(readings), names, by="value")
        else:
            amounts = amounts_by_name([s for r in readings for s in r.seen.samples], names, by="count")
        distances.append(total_variation(shares(amounts), run.truth))
    return statistics.fmean(distances)


@contextlib.contextmanager
def running(interpreter: Interpreter, kind: str) -> Iterator[Program]:
    """
    Run a program that keeps account.

    Raises:
        UnavailableError: What it needs cannot be had.
    """
    python = scratch_python(interpreter, NUMPY) if kind == "numpy" else interpreter.path
    names: tuple[str, ...] = KINDS[kind][1]
    with tempfile.TemporaryDirectory(prefix="pyrometer-truth-") as folder:
        path = Path(folder) / "truth"
        path.write_bytes(bytes(FILE_BYTES))
        process = subprocess.Popen(
            [str(python), "-m", "benchmarks.workloads.known_shares", kind, str(path)],
            stdout=subprocess.PIPE,
            # More threads of a library than CPUs would spin for each other.
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            cwd=ROOT,
        )
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"up\n":
                raise UnavailableError(f"the program {kind} did not start")
            time.sleep(_SETTLE_S)
            yield Program(process.pid, str(path), names)
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


if __name__ == "__main__":
    main()
