"""The whole road: a real program, the real agent and the real collector, and the hot function on top in the API."""

import os
import signal
import socket
import uuid
from pathlib import Path

import pytest
from agent_programs import Program, free_port, get_json, poll, running, workload

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def service():
    return f"first-light-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    directory = tmp_path_factory.mktemp("collector")
    port = free_port()
    arguments = ["collector", "run", "--http-address", f"127.0.0.1:{port}", "--data-dir", str(directory / "data")]
    with running(Program(arguments, directory / "log")) as program:
        url = f"http://127.0.0.1:{port}"
        poll(lambda: get_json(f"{url}/readyz"), what="a ready collector", of=program)
        yield url
        code, _ = program.stop()
        assert code == 0, program.lines()


@pytest.fixture(scope="module")
def watched(service, collector, tmp_path_factory):
    """Workload and agent; both run while the tests ask the collector."""
    log = tmp_path_factory.mktemp("agent") / "log"
    port = free_port()
    environment = {
        "PYROMETER_AGENT_TARGETS__ALLOW": f"[{{service: '^{service}$'}}]",
        "PYROMETER_AGENT_METRICS__INTERVAL_S": "2",
    }
    arguments = ["agent", "run", "--endpoint", collector, "--http-address", f"127.0.0.1:{port}", "--window", "2"]
    release = "service.version=1.2.3,deployment.environment.name=test"
    with (
        workload(service, OTEL_RESOURCE_ATTRIBUTES=release) as process,
        running(Program(arguments, log, environment)) as agent,
    ):
        poll(lambda: get_json(f"http://127.0.0.1:{port}/readyz"), what="a ready agent", of=agent)
        yield process
        code, seconds = agent.stop(signal.SIGTERM)
        assert (code, seconds < 5) == (0, True), agent.lines()


def test_the_hot_function_is_on_top(service, collector, watched):
    """The function that uses the time is first in the list, by its real name and with most of the time."""
    url = f"{collector}/api/v1/functions?service={service}"

    def found():
        answer = get_json(url)
        rows = answer["functions"] if answer else []
        # Functions are stored a moment before the whole that they are a share of.
        return rows if sum(row["samples"] for row in rows) > 100 and rows[0]["total_share"] else None

    rows = poll(found, what="enough samples")
    by_name = {row["function"]: row for row in rows}

    assert rows[0]["function"] == "needle_in_the_haystack"
    cheap_s = by_name["cheap_step"]["self_cpu_seconds"] if "cheap_step" in by_name else 0.0
    assert rows[0]["self_cpu_seconds"] > 3 * cheap_s
    assert by_name["handle_request"]["total_share"] > by_name["needle_in_the_haystack"]["total_share"]
    assert "wait_for_ever" not in by_name


def test_the_flame_graph_leads_to_it(service, collector, watched):
    """In the tree, the hot function is called by the one that handles requests."""
    url = f"{collector}/api/v1/flamegraph?service={service}&version=1.2.3"

    def found():
        answer = get_json(url)
        return answer if answer and "needle_in_the_haystack" in answer["strings"] else None

    tree = poll(found, what="the hot function in the flame graph")
    names = [tree["strings"][index] for index in tree["name"]]
    hot = max((i for i, name in enumerate(names) if name == "needle_in_the_haystack"), key=lambda i: tree["total"][i])

    assert names[tree["parent"][hot]] == "handle_request"
    assert names[0] == "all"
    assert tree["total"][hot] > 0.5 * tree["total"][tree["parent"][hot]]


def test_the_bill_is_that_of_the_kernel(service, collector, watched):
    """CPU seconds of the service are those the kernel counted for its process, within the windows in flight."""

    def row():
        answer = get_json(f"{collector}/api/v1/services")
        rows = [row for row in answer["services"] if row["service"] == service] if answer else []
        return rows[0] if rows and rows[0]["cpu_seconds"] > 1.5 else None

    found = poll(row, what="a second and a half of CPU time")
    fields = Path(f"/proc/{watched.pid}/stat").read_text().rpartition(") ")[2].split()
    kernel_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    assert found["versions"] == ["1.2.3"]
    assert found["hosts"] == 1
    # It can only lag: by what was used before the agent came, and by what is not yet sent.
    assert kernel_s - 10 < found["cpu_seconds"] <= kernel_s


def test_the_host_is_there_with_its_metrics(service, collector, watched):
    """This machine is listed with CPU, memory and load, and with the service that runs on it."""
    host = socket.gethostname()

    def found():
        answer = get_json(f"{collector}/api/v1/hosts?host={host}")
        rows = [row for row in answer["hosts"] if row["host"] == host] if answer else []
        ready = rows and rows[0]["cpu_utilization"] is not None and service in rows[0]["services"]
        return (rows[0], answer["series"]) if ready else None

    row, series = poll(found, what="the host with its metrics")

    assert row["logical_cpus"] == os.cpu_count()
    assert 0 < row["cpu_utilization"] <= 1
    assert 0 < row["memory_utilization"] < 1
    assert row["memory_limit_bytes"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert row["load_1m"] > 0
    assert row["os"] == "linux"
    assert {"system.cpu.utilization", "system.memory.utilization"} <= {one["metric"] for one in series}
