"""Finding the processes to watch, on real ones."""

import os
from pathlib import Path

import pytest
from agent_processes import PYTHON, WAITING, wait_until

from agent.host_identity import HostIdentity
from agent.identity import Identifier
from agent.procfs import TICKS_PER_S, boot_time_s, list_pids, read_stat
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
        settings = {"young_s": 0.0, "classify_ms_max": 1000.0, **settings}
        scanner = Scanner(TargetSettings(**settings), new_identifier().describe, own_pid=own_pid)
        scanners.append(scanner)
        return scanner

    yield make
    for scanner in scanners:
        scanner.close()


def pids(scan):
    return {target.pid for target in scan.processes}


def named(start_process, name, code=WAITING):
    process = start_process(PYTHON, "-c", code, environment={"OTEL_SERVICE_NAME": name})
    process.stdout.readline()
    return process


def test_python_processes_are_found_and_others_are_not(make_scanner, start_process):
    """A Python child is watched under its name; a sleep and kernel threads are not."""
    python = named(start_process, "found-me")
    sleep = start_process("/bin/sleep", "60")
    scan = make_scanner().scan()
    found = {target.pid: process.attributes["service.name"] for target, process in scan.processes.items()}

    assert found[python.pid] == "found-me"
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

    denying = make_scanner(deny=(Match(service="^unwanted$"),)).scan()
    allowing = make_scanner(allow=(Match(service="^wanted$"),)).scan()

    assert wanted.pid in pids(denying)
    assert unwanted.pid not in pids(denying)
    assert pids(allowing) == {wanted.pid}
    assert allowing.states[State.DENIED] >= 1


def test_a_process_that_ends_is_forgotten_with_its_descriptor(make_scanner, start_process):
    """After the end of a process the next scan lists it no more and has closed its file."""
    process = named(start_process, "ends")
    scanner = make_scanner(allow=(Match(service="^ends$"),))
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
    scanner = make_scanner(allow=(Match(service="^zombie$"),))
    (watched,) = scanner.scan().processes.values()
    before = watched.stat.cpu_ns
    wait_until(lambda: not watched.refresh())

    assert watched.stat.cpu_ns > before
    assert scanner.scan().processes == {}


def test_a_reused_pid_is_another_target(make_scanner, start_process):
    """The record of a pid whose start time has changed is not handed on."""
    process = named(start_process, "reused")
    scanner = make_scanner(allow=(Match(service="^reused$"),))
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
    process = start_process("/bin/sh", "-c", script, environment={"OTEL_SERVICE_NAME": "became"})
    scanner = make_scanner(allow=(Match(service="^became$"),))
    assert scanner.scan().processes == {}
    process.stdin.write(b"go\n")
    process.stdin.flush()
    process.stdout.readline()

    wait_until(lambda: pids(scanner.scan()) == {process.pid})


def test_an_exec_of_another_python_program_is_told_apart(make_scanner, start_process):
    """The same pid, start time and interpreter with another program is a new process with a new identity."""
    code = (
        "import os, sys; print('up', flush=True); sys.stdin.readline(); "
        f"os.execve(sys.executable, ['python3', '-c', {WAITING!r}], {{'OTEL_SERVICE_NAME': 'second'}})"
    )
    process = named(start_process, "first", code=code)
    scanner = make_scanner(allow=(Match(service="^(first|second)$"),))
    (first,) = scanner.scan().processes.values()
    process.stdin.write(b"go\n")
    process.stdin.flush()
    process.stdout.readline()
    (second,) = scanner.scan().processes.values()

    assert first.target == second.target
    assert (first.attributes["service.name"], second.attributes["service.name"]) == ("first", "second")
    assert first.descriptor == -1


def test_young_processes_wait(start_process):
    """A process is watched only once it has lived for a while."""
    process = named(start_process, "young")
    born = read_stat(process.pid).start_ticks / TICKS_PER_S
    now = [born + 4.0]
    settings = TargetSettings(young_s=5.0, classify_ms_max=1000.0, allow=(Match(service="^young$"),))
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
    scanner = make_scanner(allow=(Match(service="^limited$"),), targets_max=1)
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
