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

# Bounded caches may still be filling; a leak of ten bytes a process would be more within the half hour.
_GROWTH_BYTES_MAX = 8 * 2**20
_FILES_GROWTH_MAX = 64
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


def rss_bytes(pid):
    """Return the memory of a process, nothing where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")
    except OSError:
        return 0
    return int(fields[1].split()[0]) * 1024 if len(fields) > 1 else 0


@pytest.fixture
def agent(tmp_path):
    port = free_port()
    with Sink().serving() as sink:
        program = Program(
            ["agent", "run", "--endpoint", sink.url, "--http-address", f"127.0.0.1:{port}", "--window", "2"],
            tmp_path / "agent.log",
            # Room to sample all the time, on a slow machine too: memory is what is looked at here. And nothing else of
            # this machine's, which may come and go.
            {
                "PYROMETER_AGENT_BUDGET__CPU_PERCENT": "20",
                "PYROMETER_AGENT_TARGETS__ALLOW": "[{service: '^churn$'}]",
            },
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
        own, readers = rss_bytes(agent.process.pid), sum(map(rss_bytes, agent.children()))
        samples.append((own, own + readers, len(os.listdir(f"/proc/{agent.process.pid}/fd"))))  # noqa: PTH208
        churn.stdout.readline()  # one a second
    found = metrics(agent)
    cpu_percent = 100 * (found["pyrometer_agent_cpu_time_seconds_total"] - cpu_before) / elapsed
    own, tree, files = [quarter_medians(column) for column in zip(*samples, strict=True)]
    report = (
        f"{elapsed:.0f} s, medians by quarter: RSS of the agent {mebibytes(own)} MiB, with its readers "
        f"{mebibytes(tree)}; open files {files}; CPU {cpu_percent:.2f}% of a core; "
        + ", ".join(f"{name} {found.get(name, 0):.0f}" for name in _COUNTED)
    )
    print(report)  # noqa: T201 (what the soak run is for)

    assert own[-1] - own[1] < _GROWTH_BYTES_MAX, report
    assert tree[-1] < _RSS_BYTES_MAX, report
    assert files[-1] - files[1] < _FILES_GROWTH_MAX, report
    assert found["pyrometer_agent_processes_short_lived_total"] > 0, report
    assert found["pyrometer_agent_windows_total"] > 0, report
    assert not any("Traceback" in line for line in agent.lines())
    code, seconds = agent.stop()
    assert (code, seconds < 5) == (0, True)


def quarter_medians(values):
    size = max(1, len(values) // 4)
    return [round(statistics.median(values[part * size : (part + 1) * size])) for part in range(4)]


def mebibytes(values):
    return [round(value / 2**20, 1) for value in values]
