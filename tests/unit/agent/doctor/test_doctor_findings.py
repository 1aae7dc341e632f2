"""What the doctor makes of a host's files, on made-up ones, and of this machine."""

import json
import socket

import msgspec
import pytest
from agent_processes import Answer

from agent.doctor.delivery import CollectorCheck, check_spool
from agent.doctor.files import HostFiles
from agent.doctor.finding import Level, exit_code, fail, ok, warn
from agent.doctor.machine import check_cgroups, check_descriptors, check_pid_namespace, check_pressure
from agent.doctor.report import findings_to_json, findings_to_text
from agent.doctor.rights import (
    check_capabilities,
    check_hidden_processes,
    check_ptrace_scope,
    check_reading,
    check_security_modules,
    check_user_namespace,
)
from agent.settings import AgentSettings, ExportSettings, SpoolSettings

BOTH, PTRACE_ONLY, NONE = "0000000000080004", "0000000000080000", "0000000000000000"


@pytest.fixture
def files(tmp_path):
    """Make up a host: paths and texts."""

    def make(texts):
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return HostFiles(tmp_path)

    return make


@pytest.fixture
def silent_url():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def host(files, *, capabilities=NONE, scope="0", **more):
    return files(
        {
            "proc/self/status": f"Name:\tx\nCapEff:\t{capabilities}\nSeccomp:\t0\n",
            "proc/sys/kernel/yama/ptrace_scope": f"{scope}\n",
            **more,
        }
    )


@pytest.mark.parametrize(
    ("capabilities", "scope", "expected", "is_right"),
    [
        (BOTH, "1", Level.OK, False),
        (PTRACE_ONLY, "0", Level.WARN, False),
        (NONE, "0", Level.WARN, False),
        (NONE, "1", Level.FAIL, True),
    ],
)
def test_capabilities(files, capabilities, scope, expected, is_right):
    """Both are wanted; without CAP_SYS_PTRACE the scope decides whether anything can be read at all."""
    finding = check_capabilities(host(files, capabilities=capabilities, scope=scope))
    assert (expected, is_right) == (finding.level, finding.is_right)


@pytest.mark.parametrize(
    ("capabilities", "scope", "expected"),
    [(NONE, "0", Level.OK), (BOTH, "2", Level.OK), (NONE, "1", Level.FAIL), (BOTH, "3", Level.FAIL)],
)
def test_ptrace_scope(files, capabilities, scope, expected):
    """The capability passes scopes 1 and 2; scope 3 nobody passes."""
    assert expected == check_ptrace_scope(host(files, capabilities=capabilities, scope=scope)).level


def test_a_kernel_without_yama_restricts_nothing(files):
    """No such file is no restriction."""
    assert Level.OK == check_ptrace_scope(files({"proc/self/status": ""})).level


@pytest.mark.parametrize(
    ("options", "capabilities", "expected"),
    [
        ("rw,nosuid", NONE, Level.OK),
        ("rw,hidepid=invisible", NONE, Level.FAIL),
        ("rw,hidepid=2", BOTH, Level.OK),
        ("rw,hidepid=off", NONE, Level.OK),
        ("rw,subset=pid", BOTH, Level.FAIL),
    ],
)
def test_hidden_processes(files, options, capabilities, expected):
    """Mount options of /proc hide processes of others, unless the capability is there."""
    made = host(files, capabilities=capabilities, **{"proc/self/mounts": f"proc /proc proc {options} 0 0\n"})
    assert expected == check_hidden_processes(made).level


def test_security_modules(files):
    """Docker's AppArmor profile is named; SELinux's switch is a failure; neither is silence."""
    assert [] == list(check_security_modules(files({})))
    assert [] == list(check_security_modules(files({"proc/self/attr/current": "unconfined\n"})))
    made = files({"proc/self/attr/current": "docker-default (enforce)\n", "sys/fs/selinux/booleans/deny_ptrace": "1 1"})
    profile, switch = check_security_modules(made)
    assert "docker-default" in profile.text
    assert Level.FAIL == switch.level


def test_user_namespace(files):
    """Only a mapping other than the whole one is told."""
    assert [] == list(check_user_namespace(files({"proc/self/uid_map": "         0          0 4294967295\n"})))
    assert 1 == len(list(check_user_namespace(files({"proc/self/uid_map": "0 100000 65536\n"}))))


def test_a_child_can_be_read_here():
    """The trial reads this process's own child."""
    assert Level.OK == check_reading(HostFiles()).level


def test_cgroups_and_pressure(files, tmp_path):
    """Version 2, version 1, nothing; pressure that is counted, and that is not."""
    assert "/sys/fs/cgroup is not there" in check_cgroups(files({})).text
    assert "version 1" in check_cgroups(files({"sys/fs/cgroup/cpu/tasks": "1"})).text
    assert Level.OK == check_cgroups(files({"sys/fs/cgroup/cpu/tasks": "1"})).level
    assert Level.OK == check_cgroups(files({"sys/fs/cgroup/cgroup.controllers": "cpu memory"})).level
    assert Level.WARN == check_pressure(HostFiles(tmp_path)).level
    assert Level.OK == check_pressure(files({"proc/pressure/cpu": "some avg10=0.00"})).level


@pytest.mark.parametrize(("number", "expected"), [("4026531836", Level.OK), ("4026532999", Level.WARN)])
def test_pid_namespace(tmp_path, number, expected):
    """The kernel's first pid namespace has a number of its own."""
    folder = tmp_path / "proc/self/ns"
    folder.mkdir(parents=True)
    (folder / "pid").symlink_to(f"pid:[{number}]")
    assert expected == check_pid_namespace(HostFiles(tmp_path)).level


def test_open_files():
    """More targets than files may be open is a warning that names the number to set."""
    assert Level.OK == check_descriptors(1).level
    finding = check_descriptors(10**9)
    assert Level.WARN == finding.level
    assert "LimitNOFILE=1000000512" in finding.mend


def test_the_exit_code_follows_the_worst():
    """Warnings are 0, a missing right is 3, another failure 1."""
    right = fail("a", "b", "c", is_right=True)
    assert 0 == exit_code([ok("a", "b"), warn("a", "b", "c")])
    assert 1 == exit_code([fail("a", "b", "c")])
    assert 3 == exit_code([fail("a", "b", "c"), right])


def test_both_reports_say_the_same():
    """Each finding with its mend is in the text and in the JSON."""
    findings = [ok("one", "fine"), fail("two", "broken", "hammer", is_right=True)]
    text = findings_to_text(findings)
    assert "mend: hammer" in text
    assert "1 ok, 0 warnings, 1 failed" in text
    report = json.loads(findings_to_json(findings))
    assert 3 == report["exit_code"]
    assert [("one", "ok", ""), ("two", "fail", "hammer")] == [
        (finding["topic"], finding["level"], finding["mend"]) for finding in report["findings"]
    ]


def ask(export):
    return list(CollectorCheck(AgentSettings(export=export), {}).findings())


def test_a_collector_that_takes_it(sink):
    """An empty request of each signal is taken, and the clocks agree."""
    findings = ask(ExportSettings(endpoint=sink.url))
    assert {Level.OK} == {finding.level for finding in findings}
    assert {"/v1/metrics", "/v1development/profiles"} == {received.path for received in sink.received}
    assert {b""} == {received.body for received in sink.received}


@pytest.mark.parametrize(
    ("status", "words"), [(401, "it wants a token"), (403, "it wants a token"), (404, "no receiver"), (500, "500")]
)
def test_a_collector_that_does_not(sink, status, words):
    """A refusal fails, and says which kind it is."""
    sink.answers = [Answer(status), Answer(status)]
    failed = [finding for finding in ask(ExportSettings(endpoint=sink.url)) if finding.level is Level.FAIL]
    assert 2 == len(failed)
    assert all(words in finding.text for finding in failed)


def test_a_collector_that_is_not_there_or_silent(silent_url):
    """A refused connection and an answer that does not come are failures, within two seconds."""
    assert all("cannot be reached" in finding.text for finding in ask(ExportSettings(endpoint="http://127.0.0.1:9")))
    assert {Level.FAIL} == {finding.level for finding in ask(ExportSettings(endpoint=silent_url))}


def test_a_token_in_the_clear_is_told():
    """What the agent would refuse at its start is a finding, not an error."""
    (finding,) = ask(ExportSettings(endpoint="http://collector.example:4318", token="secret-token"))
    assert "in the clear" in finding.text
    assert "secret-token" not in finding.text


def test_the_spool(tmp_path):
    """A folder that can be written or made, too little room, and the spool switched off; nothing is created."""
    settings = SpoolSettings(directory=str(tmp_path / "a" / "b"))
    place, room = check_spool(settings, {})
    assert (Level.OK, Level.OK) == (place.level, room.level)
    assert [] == list(tmp_path.iterdir())
    _, room = check_spool(msgspec.structs.replace(settings, bytes_max=1_099_511_627_776), {})
    assert Level.WARN == room.level
    (off,) = check_spool(msgspec.structs.replace(settings, bytes_max=0), {})
    assert "memory" in off.text
