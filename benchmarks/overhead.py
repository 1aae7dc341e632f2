"""
What does watching cost, and does the watched work slow down?

    python -m benchmarks.overhead [--seconds 60] [--rounds 3] [--pairs 100] [--python 3.12] [--quick] [--markdown]

First two hosts, one of 20 busy and 30 idle services and one of 50 idle ones, are watched at 19 Hz by each contender in
turn, in an order drawn anew each round: the whole agent (discovery, reading, host metrics, sending) without and with
its budget, py-spy and austin as one program a process, Pyroscope's SDK inside each service. CPU is user and system time
of all threads and children, in percent of one core, while it runs steadily.
Then the services' own work, with and without the agent, in pairs of blocks next to each other, in an order drawn anew
for each: see `benchmarks.throughput`.
--markdown writes the tables into docs/explanation/overhead.md.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.agent_process import AgentProcess, Sink
from benchmarks.fleet import Fleet
from benchmarks.peers import SDK, AustinPrograms, Programs, PySpyPrograms, percent_of_core
from benchmarks.scratch import Interpreter, UnavailableError, choose_interpreters, find_interpreters, scratch_python
from benchmarks.tables import keep_table, markdown_table, spread
from benchmarks.throughput import measure_throughput
from pyrometer.units import NS_PER_S

RATE_HZ: Final = 19
BUDGET_PERCENT: Final = 1.0
# As good as none: the agent may use whole cores.
NO_BUDGET_PERCENT: Final = 400.0
HOSTS: Final = {"20 busy, 30 idle": (20, 30), "50 idle": (0, 50)}
PY_SPY: Final = "py-spy, one a process"
GOVERNED: Final = f"Pyrometer, budget {BUDGET_PERCENT:g}%"
# More than one window: the agent counts samples when a window ends.
WARM_UP_S: Final = 15.0
# The governor looks back a minute: it is judged once it knows where it stands.
GOVERNOR_WARM_UP_S: Final = 60.0

# Of a host's busy and idle services and the seconds to measure: CPU in percent of a core, and samples a second.
Measure = Callable[[tuple[int, int], float], tuple[float, float]]


@dataclass(slots=True)
class Costs:
    """What one contender used on one host, a value for each round; or why there is none."""

    cpu_percent: list[float] = field(default_factory=list)
    samples_per_s: list[float] = field(default_factory=list)
    unavailable: str = ""


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="measured for each contender, host and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=100, help="of blocks with and without the agent; 0: leave out")
    parser.add_argument("--python", help="version of the services, as 3.12; the one that runs this where not given")
    parser.add_argument("--quick", action="store_true", help="10 s, one round, 10 pairs: to see that it works")
    parser.add_argument("--markdown", action="store_true", help="write the tables into the page")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds, options.pairs = 10.0, 1, min(options.pairs, 10)
    interpreter = choose_interpreters([options.python])[0] if options.python else find_interpreters()[0]
    sink = Sink()
    report = [compare(interpreter, sink, options.seconds, options.rounds)]
    if options.pairs:
        report.append(measure_throughput(interpreter, agent_settings(BUDGET_PERCENT), sink, options.pairs))
    for text in report:
        print(f"\n{text}")
    if options.markdown:
        for name, text in zip(("overhead", "throughput"), report, strict=False):
            keep_table(name, text)


def compare(interpreter: Interpreter, sink: Sink, seconds: float, rounds: int) -> str:
    """Measure every contender on every host in every round; return the table."""
    measure = contenders(interpreter, sink)
    costs = {(host, name): Costs() for host in HOSTS for name in measure}
    for number in range(1, rounds + 1):
        for host in HOSTS:
            for name in random.sample(list(measure), len(measure)):
                cost = costs[host, name]
                if not cost.unavailable:
                    take_round(measure[name], host, seconds, cost)
                said = cost.unavailable or f"{cost.cpu_percent[-1]:.2f}% of a core"
                print(f"round {number}, Python {interpreter.version}, {host}: {name}: {said}", flush=True)
    return table(costs)


def take_round(measure: Measure, host: str, seconds: float, cost: Costs) -> None:
    """Add one measurement, or the reason why it cannot be had."""
    try:
        cpu_percent, samples_per_s = measure(HOSTS[host], seconds)
    except UnavailableError as error:
        cost.unavailable = f"not here: {error}"
        return
    cost.cpu_percent.append(cpu_percent)
    cost.samples_per_s.append(samples_per_s)


def contenders(interpreter: Interpreter, sink: Sink) -> dict[str, Measure]:
    """Return by name what measures a contender on a host: CPU in percent of a core, and samples a second."""

    def agent(percent: float) -> Measure:
        return lambda host, seconds: measure_agent(interpreter, host, sink, percent, seconds)

    def programs(start: Callable[[list[int]], Programs]) -> Measure:
        return lambda host, seconds: measure_programs(interpreter, host, start, seconds)

    return {
        "Pyrometer, no budget": agent(NO_BUDGET_PERCENT),
        GOVERNED: agent(BUDGET_PERCENT),
        PY_SPY: programs(lambda pids: PySpyPrograms(pids, RATE_HZ)),
        "austin 3.7, one a process": programs(lambda pids: AustinPrograms(pids, RATE_HZ, interpreter)),
        "Pyroscope SDK, inside": lambda host, seconds: measure_sdk(interpreter, host, sink, seconds),
    }


def agent_settings(cpu_percent: float) -> dict[str, Any]:
    """Return the agent's settings with a budget; the memory budget is left as it is."""
    return {"budget": {"cpu_percent": cpu_percent}, "sampling": {"rate_hz": RATE_HZ}}


def measure_agent(
    interpreter: Interpreter, host: tuple[int, int], sink: Sink, percent: float, seconds: float
) -> tuple[float, float]:
    """Watch a host with the whole agent."""
    with (
        Fleet(interpreter.path, busy=host[0], idle=host[1]),
        AgentProcess(agent_settings(percent), endpoint=sink.url) as agent,
    ):
        time.sleep(GOVERNOR_WARM_UP_S if percent == BUDGET_PERCENT else WARM_UP_S)
        samples = agent.metric("pyrometer_agent_samples_total")
        cpu_percent = steady_percent(agent.cpu_ns, seconds)
        taken = agent.metric("pyrometer_agent_samples_total") - samples
        return cpu_percent, taken / seconds


def measure_programs(
    interpreter: Interpreter, host: tuple[int, int], start: Callable[[list[int]], Programs], seconds: float
) -> tuple[float, float]:
    """Watch a host with one program a process."""
    with Fleet(interpreter.path, busy=host[0], idle=host[1]) as fleet:
        started = time.monotonic()
        with start(fleet.pids) as programs:
            time.sleep(WARM_UP_S)
            cpu_percent = steady_percent(programs.cpu_ns, seconds)
            if programs.alive() < len(fleet.pids):
                raise UnavailableError(f"{len(fleet.pids) - programs.alive()} of {len(fleet.pids)} ended early")
            programs.end()
            return cpu_percent, programs.samples() / (time.monotonic() - started)


def measure_sdk(interpreter: Interpreter, host: tuple[int, int], sink: Sink, seconds: float) -> tuple[float, float]:
    """Watch a host with an SDK in each process: the CPU of threads that are not the service's own."""
    python = scratch_python(interpreter, SDK)
    environment = {"SDK_ADDRESS": sink.url, "SDK_RATE_HZ": str(RATE_HZ)}
    with Fleet(python, busy=host[0], idle=host[1], environment=environment) as fleet:
        time.sleep(WARM_UP_S)
        return steady_percent(fleet.other_threads_cpu_ns, seconds), 0.0


def steady_percent(cpu_ns: Callable[[], int], seconds: float) -> float:
    """Return what is used over some seconds, in percent of one core."""
    used_ns, started_ns = cpu_ns(), time.monotonic_ns()
    time.sleep(seconds)
    used_ns = cpu_ns() - used_ns
    return percent_of_core(used_ns, (time.monotonic_ns() - started_ns) / NS_PER_S)


def table(costs: dict[tuple[str, str], Costs]) -> str:
    """Return the table: one line for each host and contender."""
    rows = []
    for (host, name), cost in costs.items():
        if cost.unavailable:
            rows.append((host, name, cost.unavailable, "", ""))
            continue
        of_py_spy = costs[host, PY_SPY].cpu_percent
        ratios = [ours / theirs for ours, theirs in zip(cost.cpu_percent, of_py_spy, strict=False)]
        samples = statistics.median(cost.samples_per_s)
        rows.append((host, name, spread(cost.cpu_percent), spread(ratios), f"{samples:.0f}" if samples else "-"))
    return markdown_table(("host", "profiler", "CPU, % of a core", "ratio to py-spy", "samples/s"), rows)


if __name__ == "__main__":
    main()
