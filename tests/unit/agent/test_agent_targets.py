"""Finding the processes to watch, on real ones."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agent_processes import PYTHON, WAITING, own, wait_until

from agent.evidence import is_python_by_maps
from agent.host_identity import HostIdentity
from agent.identity import Identifier
from agent.procfs import TICKS_PER_S, boot_time_s, list_pids, read_executable, read_stat
from agent.settings import IdentitySettings, Match, TargetSettings
from agent.targets import Scanner, State

HOST = HostIdentity({"host.name": "h1"}, boot_time_s())
_NEVER_PID = 2**22 + 1


def new_identifier():
    return Identifier(HOST, IdentitySettings(rules=()))


@pytest.fixture
def make_scanner():
    scanners = []

    def make(own_pid=_NEVER_PID, **settings):
        settings = {"young_s": 0.0, "classify_ms_max": 1000.0, "targets_max": 10_000, **settings}
        scanner = Scanner(TargetSettings(**settings), new_identifier().describe, own_pid=own_pid)
        scanners.append(scanner)
        return scanner

    yield make
    for scanner in scanners:
        scanner.close()


def pids(scan):
    return {target.pid for target in scan.processes}


def named(start_process, name, code=WAITING):
    process = start_process(PYTHON, "-c", code, environment={"OTEL_SERVICE_NAME": own(name)})
    process.stdout.readline()
    return process


def test_python_processes_are_found_and_others_are_not(make_scanner, start_process):
    """A Python child is watched under its name; a sleep and kernel threads are not."""
    python = named(start_process, "found-me")
    sleep = start_process("/bin/sleep", "60")
    scan = make_scanner().scan()
    found = {target.pid: process.attributes["service.name"] for target, process in scan.processes.items()}

    assert found[python.pid] == own("found-me")
    assert sleep.pid not in found
    assert 2 not in found


def test_the_agent_and_its_children_are_never_targets(make_scanner, start_process):
    """Neither the scanner's own process nor what it started is watched, whatever the rules say."""
    child = named(start_process, "child")
    scan = make_scanner(own_pid=os.getpid(), allow=(Match(executable="."),)).scan()

    assert os.getpid() not in pids(scan)
    assert child.pid not in pids(scan)


def test_rules_choose_by_the_name_a_process_gives_itself(make_scanner, start_process):
    """Deny and allow rules see the final service name."""
    wanted, unwanted = named(start_process, "wanted"), named(start_process, "unwanted")

    denying = make_scanner(deny=(Match(service=own("^unwanted") + "$"),)).scan()
    allowing = make_scanner(allow=(Match(service=own("^wanted") + "$"),)).scan()

    assert wanted.pid in pids(denying)
    assert unwanted.pid not in pids(denying)
    assert pids(allowing) == {wanted.pid}
    assert allowing.states[State.DENIED] >= 1


def test_a_process_that_ends_is_forgotten_with_its_descriptor(make_scanner, start_process):
    """After the end of a process the next scan lists it no more and has closed its file."""
    process = named(start_process, "ends")
    scanner = make_scanner(allow=(Match(service=own("^ends") + "$"),))
    (watched,) = scanner.scan().processes.values()
    descriptor = watched.descriptor
    assert Path(f"/proc/self/fd/{descriptor}").readlink() == Path(f"/proc/{process.pid}/stat")
    process.kill()
    process.wait()

    assert scanner.scan().processes == {}
    assert watched.descriptor == -1
    assert not watched.refresh()


def test_a_zombie_is_no_target_and_still_shows_its_last_clock(make_scanner, start_process):
    """A process that waits to be reaped is dropped; its final CPU time is known."""
    named(start_process, "zombie", code="print(flush=True); sum(range(20_000_000))")
    scanner = make_scanner(allow=(Match(service=own("^zombie") + "$"),))
    (watched,) = scanner.scan().processes.values()
    before = watched.stat.cpu_ns
    wait_until(lambda: not watched.refresh())

    assert watched.stat.cpu_ns > before
    assert scanner.scan().processes == {}


def test_a_reused_pid_is_another_target(make_scanner, start_process):
    """The record of a pid whose start time has changed is not handed on."""
    process = named(start_process, "reused")
    scanner = make_scanner(allow=(Match(service=own("^reused") + "$"),))
    (watched,) = scanner.scan().processes.values()
    entry = scanner._known[process.pid]
    entry.inode -= 1
    (again,) = scanner.scan().processes.values()

    assert again is not watched
    assert again.target == watched.target
    assert watched.descriptor == -1


def test_a_shell_that_becomes_python_is_found(make_scanner, start_process):
    """An exec keeps pid and start time: the program is looked at again."""
    script = f'read line; exec "{PYTHON}" -c "{WAITING}"'
    process = start_process("/bin/sh", "-c", script, environment={"OTEL_SERVICE_NAME": own("became")})
    scanner = make_scanner(allow=(Match(service=own("^became") + "$"),))
    assert scanner.scan().processes == {}
    process.stdin.write(b"go\n")
    process.stdin.flush()
    process.stdout.readline()

    wait_until(lambda: pids(scanner.scan()) == {process.pid})


def test_an_exec_of_another_python_program_is_told_apart(make_scanner, start_process):
    """The same pid, start time and interpreter with another program is a new process with a new identity."""
    code = (
        "import os, sys; print('up', flush=True); sys.stdin.readline(); "
        f"os.execve(sys.executable, ['python3', '-c', {WAITING!r}], {{'OTEL_SERVICE_NAME': {own('second')!r}}})"
    )
    process = named(start_process, "first", code=code)
    scanner = make_scanner(allow=(Match(service=own("^(first|second)") + "$"),))
    (first,) = scanner.scan().processes.values()
    process.stdin.write(b"go\n")
    process.stdin.flush()
    process.stdout.readline()
    (second,) = scanner.scan().processes.values()

    assert first.target == second.target
    assert (first.attributes["service.name"], second.attributes["service.name"]) == (own("first"), own("second"))
    assert first.descriptor == -1


def test_young_processes_wait(start_process):
    """A process is watched only once it has lived for a while."""
    process = named(start_process, "young")
    born = read_stat(process.pid).start_ticks / TICKS_PER_S
    now = [born + 4.0]
    settings = TargetSettings(young_s=5.0, classify_ms_max=1000.0, allow=(Match(service=own("^young") + "$"),))
    scanner = Scanner(settings, new_identifier().describe, own_pid=_NEVER_PID, clock=lambda: now[0])
    early = scanner.scan()
    now[0] = born + 6.0
    late = scanner.scan()
    scanner.close()

    assert early.processes == {}
    assert early.states[State.YOUNG] >= 1
    assert pids(late) == {process.pid}


def test_targets_beyond_the_limit_are_counted_and_move_up(make_scanner, start_process):
    """With room for one of two, the second is counted, and watched when the first ends."""
    processes = [named(start_process, "limited") for _ in range(2)]
    scanner = make_scanner(allow=(Match(service=own("^limited") + "$"),), targets_max=1)
    scan = scanner.scan()
    (watched,) = pids(scan)
    assert scan.states[State.OVER_LIMIT] == 1
    first, second = sorted(processes, key=lambda process: process.pid != watched)
    first.kill()
    first.wait()
    scanner.scan()

    assert pids(scanner.scan()) == {second.pid}


def test_processes_beyond_the_limit_are_counted(make_scanner):
    """No more processes are looked at than allowed, and those left out are counted."""
    scan = make_scanner(processes_max=1).scan()

    assert scan.ignored == pytest.approx(len(list_pids()) - 1, abs=10)


def test_a_new_process_is_not_read_before_it_has_lived_a_while(start_process, monkeypatch):
    """Of a process that was not there in the last scan nothing is read until it could be old enough."""
    read = []
    monkeypatch.setattr("agent.targets.read_stat", lambda pid: read.append(pid) or read_stat(pid))
    now = [time.clock_gettime(time.CLOCK_BOOTTIME)]
    settings = TargetSettings(young_s=5.0, classify_ms_max=1000.0, allow=(Match(service=own("^young") + "$"),))
    scanner = Scanner(settings, new_identifier().describe, own_pid=_NEVER_PID, clock=lambda: now[0])
    scanner.scan()
    process = named(start_process, "young")
    scan = scanner.scan()
    assert scan.states[State.YOUNG] >= 1
    assert process.pid not in read
    now[0] += 10.0

    assert pids(scanner.scan()) == {process.pid}
    scanner.close()


def test_processes_that_end_young_are_counted(start_process):
    """What ended before anybody looked at it shows as a number."""
    settings = TargetSettings(young_s=60.0, classify_ms_max=1000.0)
    scanner = Scanner(settings, new_identifier().describe, own_pid=_NEVER_PID)
    scanner.scan()
    processes = [start_process("/bin/sleep", "60") for _ in range(3)]
    scanner.scan()
    for process in processes:
        process.kill()
        process.wait()

    assert scanner.scan().short_lived >= 3
    scanner.close()


def test_a_crowd_is_identified_within_the_budget_and_none_is_left_out(start_process):
    """When many Python processes start at once, each scan does its share, says what waits, and all get their turn."""
    environment = {"OTEL_SERVICE_NAME": own("crowd")}
    processes = [start_process(PYTHON, "-c", WAITING, environment=environment) for _ in range(9)]
    for process in processes:
        process.stdout.readline()
    work_s = [0.0]

    def describe(stat):
        work_s[0] += 0.004
        return identifier.describe(stat)

    identifier = new_identifier()
    settings = TargetSettings(young_s=0.0, classify_ms_max=8.0, allow=(Match(service=own("^crowd") + "$"),))
    scanner = Scanner(settings, describe, own_pid=_NEVER_PID, work_clock=lambda: work_s[0])
    scans = []
    while not scans or scans[-1].states[State.PENDING]:
        before_s = work_s[0]
        scans.append(scanner.scan())
        assert work_s[0] - before_s < 0.009
    scanner.close()

    assert len(scans) >= 5
    assert scans[0].states[State.PENDING] >= 7
    assert pids(scans[-1]) == {process.pid for process in processes}


def test_a_stopped_process_is_counted_and_known_as_such(make_scanner, start_process):
    """SIGSTOP makes a watched process a stopped one, SIGCONT a watched one again; it is never lost."""
    process = named(start_process, "stopped")
    scanner = make_scanner(allow=(Match(service=own("^stopped") + "$"),))
    (watched,) = scanner.scan().processes.values()
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: scanner.scan().states[State.STOPPED] == 1)
    stopped = scanner.scan()

    assert (stopped.states[State.WATCHED], pids(stopped)) == (0, {process.pid})
    assert watched.is_stopped
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: scanner.scan().states[State.WATCHED] == 1)


def test_zombies_are_counted_and_not_read_again(make_scanner, start_process):
    """A dead process that its parent has not reaped is counted as dead."""
    process = start_process("/bin/true")
    wait_until(lambda: read_stat(process.pid).state == "Z")
    scanner = make_scanner()
    dead = scanner.scan().states[State.DEAD]
    process.wait()

    assert dead >= 1
    wait_until(lambda: process.pid not in scanner._known or not scanner.scan())


def test_kernel_threads_are_looked_at_once(make_scanner):
    """A thread of the kernel never becomes a program: no time is set to look again."""
    scanner = make_scanner()
    scanner.scan()
    kernel = [pid for pid in list_pids() if (stat := read_stat(pid)) and stat.is_kernel]
    if not kernel:
        pytest.skip("no kernel thread is visible here")

    assert {scanner._known[pid].check_at for pid in kernel if pid in scanner._known} == {math.inf}


_MAPPING = """
import mmap, sys
print('up', flush=True)
sys.stdin.readline()
file = open(sys.argv[1], 'rb')
mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
print('mapped', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def embedder(start_process, tmp_path):
    """Start a program that is not called python, and let it map a libpython when told."""
    program, library = tmp_path / "server", tmp_path / "libpython3.11.so.1.0"
    shutil.copy(os.path.realpath("/usr/bin/python3"), program)  # Debian's has no libpython
    library.write_bytes(b"\0" * 4096)
    home = {"PYTHONHOME": "/usr"}

    def start(*, late=False):
        environment = {"OTEL_SERVICE_NAME": own("embedder"), **home}
        process = start_process(str(program), "-c", _MAPPING, str(library), environment=environment)
        process.stdout.readline()
        if b"/libpython3" in Path(f"/proc/{process.pid}/maps").read_bytes():
            pytest.skip("this interpreter is itself linked to libpython")
        return process if late else load(process)

    def load(process):
        process.stdin.write(b"go\n")
        process.stdin.flush()
        process.stdout.readline()
        return process

    start.load = load
    return start


def test_a_program_with_libpython_inside_is_found(make_scanner, embedder):
    """What is not called python is searched for libpython."""
    process = embedder()

    assert process.pid in pids(make_scanner().scan())


def test_a_program_that_loads_libpython_late_is_found(embedder, monkeypatch):
    """A program without libpython at first is searched once more when it is older; in between only its stat is read."""
    searched = []
    monkeypatch.setattr("agent.targets.is_python_by_maps", lambda pid: searched.append(pid) or is_python_by_maps(pid))
    process = embedder(late=True)
    now = [time.clock_gettime(time.CLOCK_BOOTTIME)]
    settings = TargetSettings(young_s=0.0, classify_ms_max=1000.0)
    scanner = Scanner(settings, new_identifier().describe, own_pid=_NEVER_PID, clock=lambda: now[0])
    scanner.scan()
    embedder.load(process)
    for _ in range(6):
        now[0] += 5.0
        scanner.scan()
    assert searched.count(process.pid) == 1
    now[0] += 60.0
    found = pids(scanner.scan())
    scanner.close()

    assert process.pid in found
    assert searched.count(process.pid) == 2


def test_maps_are_not_read_where_the_same_program_had_no_python(make_scanner, start_process, monkeypatch):
    """The second young process of a program known to be without libpython is not searched."""
    searched = []
    monkeypatch.setattr("agent.targets.is_python_by_maps", lambda pid: searched.append(pid) or is_python_by_maps(pid))
    scanner = make_scanner()
    first = start_process("/bin/sleep", "60")
    scanner.scan()
    second = start_process("/bin/sleep", "60")
    wait_until(lambda: read_executable(second.pid).endswith("sleep"))
    scanner.scan()

    assert searched.count(second.pid) < searched.count(first.pid) == 1


_SCAN_AS_NOBODY = """
import json, sys
from agent.host_identity import read_host_identity
from agent.identity import Identifier
from agent.settings import IdentitySettings, TargetSettings
from agent.targets import Scanner
scanner = Scanner(TargetSettings(young_s=0.0, classify_ms_max=1000.0),
                  Identifier(read_host_identity({}), IdentitySettings(git=True)).describe)
found = {t.pid: dict(p.attributes) for t, p in scanner.scan().processes.items()}
print(json.dumps(found.get(int(sys.argv[1]))))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_processes_of_other_users_are_known_as_far_as_they_show(start_process, tmp_path):
    """Without rights a Python process is still found by its short name, so that the missing right is counted."""
    script = tmp_path / "billing.py"
    script.write_text(WAITING)
    process = start_process("/usr/bin/python3", str(script), environment={"OTEL_SERVICE_NAME": own("hidden")})
    process.stdout.readline()
    folders = [*sys.path, str(Path(__file__).parents[3])]
    done = subprocess.run(
        ["/usr/bin/python3", "-c", _SCAN_AS_NOBODY, str(process.pid)],
        env={
            "PYTHONPATH": ":".join(folder for folder in folders if "site-packages" in folder or folder == folders[-1])
        },
        user=65534,
        group=65534,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        check=False,
    )
    if b"ModuleNotFoundError" in done.stderr or b"ImportError" in done.stderr:
        pytest.skip("the environment is not readable for another user, or made for another Python")
    found = json.loads(done.stdout)

    assert found["service.name"] == "billing"
    assert found["process.executable.name"].startswith("python")
