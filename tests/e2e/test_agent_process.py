"""The agent as a program: exit codes, signals, a collector that is away, missing rights, and what it leaves behind."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import uuid

import pytest
from agent_programs import ROOT, Program, free_port, get_text, is_running, poll, running, workload

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
_HEAVY = ("numpy", "pandas", "pyarrow", "streamlit", "chdb", "requests", "grpc", "collector", "dashboard")
_PR_CAPBSET_DROP, _CAP_SYS_PTRACE = 24, 19


# Where py-spy reads, a program of its own has to end with the agent.
_WITH_PYSPY = {"PYROMETER_AGENT_SAMPLING__ENGINE": "py-spy"}


@pytest.fixture
def service():
    return f"agent-e2e-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def start_agent(tmp_path, service):
    """Start an agent that watches only this test's service; its collector is away."""
    stack = []

    def start(*arguments, environment=None, **options):
        port = free_port()
        environment = {
            "PYROMETER_AGENT_TARGETS__ALLOW": f"[{{service: '^{service}$'}}]",
            # A busy host may use up the budget alone; what it does has tests of its own.
            "PYROMETER_AGENT_BUDGET__CPU_PERCENT": "100",
            **(environment or {}),
        }
        program = Program(
            ["agent", "run", "--endpoint", "http://127.0.0.1:9", "--http-address", f"127.0.0.1:{port}", *arguments],
            tmp_path / "agent.log",
            environment,
            **options,
        )
        program.url = f"http://127.0.0.1:{port}"
        manager = running(program)
        manager.__enter__()
        stack.append(manager)
        poll(lambda: '"ok": true' in get_text(f"{program.url}/readyz"), what="a ready agent", of=program)
        return program

    yield start
    for manager in stack:
        manager.__exit__(None, None, None)


def metric(program: Program, name: str) -> float:
    for line in get_text(f"{program.url}/metrics").splitlines():
        if line.startswith(name) and line[len(name)] in " {":
            return float(line.rpartition(" ")[2])
    return 0.0


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_in_time_with_its_readers(start_agent, service, number, expected):
    """SIGTERM gives 0 and Ctrl-C 130, within 5 s, a window running and the collector away; no py-spy stays."""
    with workload(service):
        agent = start_agent(environment=_WITH_PYSPY)
        (reader,) = poll(agent.children, what="a py-spy at work", of=agent)
        code, seconds = agent.stop(number)

    assert code == expected
    assert seconds < 5
    assert not is_running(reader)


def test_a_killed_agent_leaves_no_reader_behind(start_agent, service):
    """SIGKILL gives no time to clean up: the kernel ends py-spy with its parent."""
    with workload(service):
        agent = start_agent(environment=_WITH_PYSPY)
        (reader,) = poll(agent.children, what="a py-spy at work", of=agent)
        agent.stop(signal.SIGKILL)
        poll(lambda: not is_running(reader), what="the end of py-spy")


def test_a_collector_that_is_away_is_one_line(start_agent, service):
    """While the collector is away the agent samples on, keeps what it has, and says so once."""
    with workload(service):
        agent = start_agent(
            "--window",
            "1",
            environment={"PYROMETER_AGENT_METRICS__INTERVAL_S": "1", "PYROMETER_AGENT_EXPORT__RETRY_S": "0.2"},
        )
        poll(lambda: metric(agent, "pyrometer_agent_windows_total") >= 3, what="three windows", of=agent)
        poll(lambda: metric(agent, "pyrometer_agent_export_failures_total") >= 2, what="two failures", of=agent)
        assert metric(agent, "pyrometer_agent_queue_usage_bytes") > 0
        warnings = [line for line in agent.lines() if " INFO " not in line]

    assert len(warnings) == 1
    assert "cannot send to the collector" in warnings[0]


def test_a_taken_port_is_a_usage_error(tmp_path):
    """One line names the port, and the exit code is 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(Program(["agent", "run", "--http-address", f"127.0.0.1:{port}"], tmp_path / "log")) as agent:
            assert agent.process.wait(60) == 2

    assert len(agent.lines()) == 1
    assert f"port {port} is taken" in agent.lines()[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate", "0"], "sampling.rate_hz = 0"),
        (["--http-address", "nonsense"], "http.address"),
        (["--endpoint", "collector"], "export.endpoint"),
        (["--config", "/nonexistent.yaml"], "/nonexistent.yaml"),
        (["--rate", "x"], "not a valid integer"),
    ],
)
def test_a_wrong_setting_ends_it_before_it_begins(tmp_path, arguments, words):
    """Exit code 2 and a line that names the setting; no traceback."""
    with running(Program(["agent", "run", *arguments], tmp_path / "log")) as agent:
        assert agent.process.wait(60) == 2

    assert words in agent.lines()[-1]
    assert not any("Traceback" in line for line in agent.lines())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up a capability that it has")
def test_missing_rights_are_said_and_the_agent_stays(start_agent, service):
    """Without CAP_SYS_PTRACE it says what is missing, counts the refusals, and goes on with metrics."""

    def drop_ptrace():
        ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_SYS_PTRACE, 0, 0, 0)

    with workload(service):
        agent = start_agent(preexec_fn=drop_ptrace)
        poll(lambda: any("CAP_SYS_PTRACE" in line for line in agent.lines()), what="a line about the right", of=agent)
        poll(
            lambda: (
                metric(agent, 'pyrometer_agent_sample_errors_total{reason="permission"}') >= 1
                or metric(agent, "pyrometer_agent_sample_errors_total") >= 1
            ),
            what="a counted refusal",
            of=agent,
        )
        assert agent.process.poll() is None
        assert metric(agent, "pyrometer_agent_queue_usage_bytes") > 0
        assert not any("Traceback" in line for line in agent.lines())


def test_the_agent_is_light():
    """Loading the whole agent loads none of the collector's and the dashboard's libraries."""
    code = (
        f"import sys, agent.daemon, agent.commands.daemon; print([name for name in {_HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert result.stdout == "[]\n"


def test_the_agent_stays_small(start_agent, service):
    """At work it holds less than 96 MiB and uses a small part of a core."""
    with workload(service):
        agent = start_agent("--window", "2")
        poll(lambda: metric(agent, "pyrometer_agent_windows_total") >= 1, what="a window", of=agent)
        before, began = metric(agent, "pyrometer_agent_cpu_time_seconds_total"), time.monotonic()
        poll(lambda: metric(agent, "pyrometer_agent_windows_total") >= 3, what="three windows", of=agent)
        used = metric(agent, "pyrometer_agent_cpu_time_seconds_total") - before
        elapsed = time.monotonic() - began

        assert metric(agent, "process_resident_memory_bytes") < 96 * 2**20
        assert used / elapsed < 0.25
