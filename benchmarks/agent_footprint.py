"""
What does an agent with nothing to watch cost: how long does it need to be ready, and how much memory does it hold?

    python -m benchmarks.agent_footprint [--rounds 5] [--rest 20]

Starts a real agent with the default settings that watches no process, and prints the time from its start to the first
200 of /readyz, its resident memory after a rest, and the CPU time it used while at rest; median, least and most of all
rounds. Aims: under 1 s, under 80 MiB.
"""

import argparse
import time

from benchmarks.agent_process import AgentProcess, Sink
from benchmarks.tables import markdown_table, spread

_MIB = 2**20
_WARM_UP_S = 5.0
_NOBODY = "^no service has this name$"


def main() -> None:
    """Measure every round, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rest", type=float, default=20.0, help="seconds of rest before memory is read")
    options = parser.parse_args()
    starts_s, memory_mib, cpu_percent = [], [], []
    sink = Sink()
    for number in range(options.rounds):
        start_s, resident, cpu_share = _measure(sink.url, options.rest)
        starts_s.append(start_s)
        memory_mib.append(resident / _MIB)
        cpu_percent.append(100 * cpu_share)
        print(f"round {number + 1}: ready after {start_s:.2f} s, {resident / _MIB:.1f} MiB", flush=True)
    sink.close()
    rows = [
        ("from start to /readyz, s", spread(starts_s)),
        ("resident at rest, MiB", spread(memory_mib, digits=1)),
        ("CPU at rest, % of a core", spread(cpu_percent)),
    ]
    print(markdown_table(("median (least to most)", f"{options.rounds} rounds"), rows))


def _measure(endpoint: str, rest_s: float) -> tuple[float, float, float]:
    """Return seconds to readiness, resident bytes after the rest, and the share of a core used meanwhile."""
    agent = AgentProcess({}, endpoint=endpoint, watch=_NOBODY)
    started = time.monotonic()
    with agent:
        ready_s = time.monotonic() - started
        time.sleep(_WARM_UP_S)
        before_ns = agent.cpu_ns()
        time.sleep(rest_s)
        return ready_s, agent.resident_bytes(), (agent.cpu_ns() - before_ns) / (rest_s * 1e9)


if __name__ == "__main__":
    main()
