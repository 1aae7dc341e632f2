"""
A thousand processes a second for half an hour: the agent's memory and descriptors stay flat, and its cost bounded.

PYROMETER_SOAK_CHURN_S shortens it, PYROMETER_SOAK_CHURN_RATE asks for less.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.agent_programs import Program, free_port, get_text, poll, running
from tests.e2e.agent_sink import Sink

SECONDS = float(os.environ.get("PYROMETER_SOAK_CHURN_S", "1800"))
RATE = float(os.environ.get("PYROMETER_SOAK_CHURN_RATE", "1000"))
pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS + 300)]

_GROWTH_BYTES_MAX = 6 * 2**20
_RSS_BYTES_MAX = 128 * 2**20
_CHURN = Path(__file__).with_name("churn.py")
_COUNTED = (
    "pyrometer_agent_processes_short_lived_total",
    "pyrometer_agent_windows_total",
    "pyrometer_agent_sample_errors_total",
)


def metrics(agent):
    found = {}
    for line in get_text(f"{agent.url}/metrics").splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name.partition("{")[0]] = found.get(name.partition("{")[0], 0.0) + float(value)
            found[name] = float(value)
    return found


def tree_rss_bytes(pid):
    """Memory of the agent, and of the readers it started."""
    total = 0
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        try:
            fields = Path(f"/proc/{each}/status").read_text().split("VmRSS:")
            total += int(fields[1].split()[0]) * 1024 if len(fields) > 1 else 0
            for task in Path(f"/proc/{each}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return total


@pytest.fixture
def agent(tmp_path):
    port = free_port()
    with Sink().serving() as sink:
        program = Program(
            ["agent", "run", "--endpoint", sink.url, "--http-address", f"127.0.0.1:{port}", "--window", "2"],
            tmp_path / "agent.log",
            # Room to sample all the time, on a slow machine too: memory is what is looked at here.
            {"PYROMETER_AGENT_BUDGET__CPU_PERCENT": "20"},
        )
        program.url = f"http://127.0.0.1:{port}"
        program.sink = sink
        with running(program):
            poll(lambda: '"ok": true' in get_text(f"{program.url}/readyz"), what=f"a ready agent {program.lines()}")
            yield program


@pytest.fixture
def churn():
    process = subprocess.Popen([sys.executable, str(_CHURN), str(RATE)], stdout=subprocess.PIPE, start_new_session=True)
    process.stdout.readline()
    yield process
    os.killpg(process.pid, 9)
    process.communicate()


def test_memory_is_flat_through_churn(agent, churn):
    """From the first quarter on memory and open files do not grow, every case is a counter, and nothing is logged."""
    samples, began = [], time.monotonic()
    cpu_before = metrics(agent)["pyrometer_agent_cpu_time_seconds_total"]
    while (elapsed := time.monotonic() - began) < SECONDS:
        assert agent.process.poll() is None, agent.lines()
        agent.sink.profiles.clear()
        samples.append((tree_rss_bytes(agent.process.pid), len(os.listdir(f"/proc/{agent.process.pid}/fd"))))  # noqa: PTH208
        churn.stdout.readline()  # one a second
    found = metrics(agent)
    cpu_percent = 100 * (found["pyrometer_agent_cpu_time_seconds_total"] - cpu_before) / elapsed
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    rss = [statistics.median(rss for rss, _ in part) for part in (early, late)]
    files = [statistics.median(files for _, files in part) for part in (early, late)]
    report = (
        f"{elapsed:.0f} s: RSS {rss[0] / 2**20:.1f} MiB, then {rss[1] / 2**20:.1f} "
        f"(most {max(samples)[0] / 2**20:.1f}); "
        f"open files {files[0]:.0f}, then {files[1]:.0f}; CPU {cpu_percent:.2f}% of a core; "
        + ", ".join(f"{name} {found.get(name, 0):.0f}" for name in _COUNTED)
    )
    print(report)  # noqa: T201 (what the soak run is for)

    assert rss[1] - rss[0] < _GROWTH_BYTES_MAX, report
    assert rss[1] < _RSS_BYTES_MAX, report
    assert files[1] - files[0] < 64, report
    assert found["pyrometer_agent_processes_short_lived_total"] > 0, report
    assert found["pyrometer_agent_windows_total"] > 0, report
    assert not any("Traceback" in line for line in agent.lines())
    code, seconds = agent.stop()
    assert (code, seconds < 5) == (0, True)
