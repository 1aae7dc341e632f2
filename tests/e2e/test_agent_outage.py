"""What an agent saw while its collector was away survives the agent."""

import signal
import time
import uuid

import pytest
import yaml
from agent_programs import Program, free_port, get_json, get_text, poll, running, workload
from agent_sink import Sink

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]


def start_agent(folder, service, endpoint):
    port = free_port()
    settings = {
        "targets": {"allow": [{"service": f"^{service}$"}]},
        "sampling": {"window_s": 1.0},
        "budget": {"cpu_percent": 1000.0},  # a machine busy with tests must not keep it from sampling
        "export": {"endpoint": endpoint, "retry_s": 0.2},
        "http": {"address": f"127.0.0.1:{port}"},
    }
    config = folder / "agent.yaml"
    config.write_text(yaml.safe_dump(settings))
    agent = Program(["agent", "run", "--config", str(config)], folder / f"agent-{port}.log")
    agent.url = f"http://127.0.0.1:{port}"
    return agent


def metric(agent, name):
    for line in get_text(f"{agent.url}/metrics").splitlines():
        if line.startswith(name):
            return float(line.rpartition(" ")[2])
    return 0.0


def test_a_killed_agent_s_windows_are_sent_by_the_next(tmp_path):
    """The collector is away, the agent is killed: the next agent sends what the first one saw, each window once."""
    service = f"agent-e2e-{uuid.uuid4().hex[:8]}"
    with workload(service):
        with running(start_agent(tmp_path, service, "http://127.0.0.1:9")) as first:
            poll(lambda: metric(first, "pyrometer_agent_windows_total") >= 3, what="windows", of=first)
            written = metric(first, "pyrometer_agent_spool_usage_bytes")
            poll(
                lambda: metric(first, "pyrometer_agent_spool_usage_bytes") > written,
                what="a batch on the disk",
                of=first,
            )
            first.stop(signal.SIGKILL)
            killed_ns = time.time_ns()
        with Sink().serving() as sink, running(start_agent(tmp_path, service, sink.url)) as second:
            poll(lambda: get_json(f"{second.url}/readyz"), what="a ready agent", of=second)
            poll(
                lambda: any(profile.start_unix_ns > killed_ns for profile in sink.of(service)),
                what="a new window",
                of=second,
            )
            assert second.stop()[0] == 0
    starts = [profile.start_unix_ns for profile in sink.of(service)]

    assert len([start for start in starts if start < killed_ns]) >= 2
    assert len(set(starts)) == len(starts)


def test_a_second_agent_on_the_same_spool_is_refused(tmp_path):
    """One line names the spool and the setting, and the exit code is 2; the first goes on."""
    with running(start_agent(tmp_path, "none", "http://127.0.0.1:9")) as first:
        poll(lambda: get_json(f"{first.url}/readyz"), what="a ready agent", of=first)
        with running(start_agent(tmp_path, "none", "http://127.0.0.1:9")) as second:
            assert second.process.wait(60) == 2
        assert first.process.poll() is None

    assert len(second.lines()) == 1
    assert "another agent uses the spool" in second.lines()[0]
    assert "export.spool.directory" in second.lines()[0]
