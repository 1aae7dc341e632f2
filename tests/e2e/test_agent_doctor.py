"""``pyrometer doctor`` as a program: on this machine, without rights, with a real collector, and for one process."""

import ctypes
import json
import os
import resource
import subprocess
import sys
import uuid

import pytest
from agent_programs import ROOT, workload

pytestmark = pytest.mark.e2e
_PR_CAPBSET_DROP, _CAP_SYS_PTRACE, _CAP_DAC_READ_SEARCH = 24, 19, 2
# Of the three seconds a report may take, 1.5 may be spent on waiting for a collector that does not answer.
WORK_S = 1.5


def doctor(*arguments, **options):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        [sys.executable, "-m", "pyrometer", "doctor", *arguments],
        capture_output=True, text=True, check=False, timeout=120, cwd=ROOT, **options,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return result, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_it_looks_at_everything_in_time():
    """Every topic is there, each line that is not ok has its mend, and it takes little time."""
    with workload(f"agent-e2e-{uuid.uuid4().hex[:8]}"):
        result, work_s = doctor("--json")
    report = json.loads(result.stdout)
    topics = {finding["topic"] for finding in report["findings"]}

    assert work_s < WORK_S
    assert result.returncode == report["exit_code"]
    assert topics >= {
        *("host", "pid namespace", "cgroups", "pressure", "thread clocks", "clock", "open files", "capabilities"),
        *("ptrace", "/proc", "memory", "perf events", "py-spy", "spool", "disk space"),
        *("collector, metrics", "collector, profiles"),
    }
    assert any(topic.startswith("Python 3.") for topic in topics)
    assert [] == [finding for finding in report["findings"] if finding["level"] != "ok" and not finding["mend"]]


def test_no_colours_into_a_pipe():
    """What is not a terminal gets plain text."""
    result, _ = doctor()
    assert "\x1b" not in result.stdout
    assert "capabilities" in result.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up a capability that it has")
def test_missing_rights():
    """Without the capabilities the reasons are told."""

    def drop():
        for capability in (_CAP_SYS_PTRACE, _CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)

    result, _ = doctor("--json", preexec_fn=drop)
    report = json.loads(result.stdout)
    finding = next(finding for finding in report["findings"] if finding["topic"] == "capabilities")
    assert "CAP_SYS_PTRACE" in finding["text"]
    assert finding["level"] in ("warn", "fail")


def test_one_process():
    """It says who the process is and which engine reads it; exit code 0."""
    service = f"agent-e2e-{uuid.uuid4().hex[:8]}"
    with workload(service) as process:
        result, _ = doctor("-p", str(process.pid), "--json")
    found = {finding["topic"]: finding["text"] for finding in json.loads(result.stdout)["findings"]}

    assert 0 == result.returncode
    assert service in found["identity"]
    assert "reads it" in found["engine"]
    assert "Python 3." in found["program"]


def test_a_process_that_is_not_python_or_not_there():
    """Exit code 1 with the reason, and 4 with one line."""
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        result, _ = doctor("-p", str(sleeper.pid))
        sleeper.kill()
    assert 1 == result.returncode
    assert "is not Python" in result.stdout
    result, _ = doctor("-p", "4194304")
    assert 4 == result.returncode
    assert "no process has the pid" in result.stderr


def test_a_wrong_config_is_a_usage_error(tmp_path):
    """The settings are those of the agent, and so are their errors."""
    config = tmp_path / "agent.yaml"
    config.write_text("sampling: {rate_hz: 0}")
    result, _ = doctor("--config", str(config))
    assert 2 == result.returncode
    assert "sampling.rate_hz = 0" in result.stderr
