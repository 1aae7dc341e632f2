"""The loop that watches, on real processes with an engine that plays a script."""

import signal
import threading
import time
from pathlib import Path

import pytest
from agent_processes import BUSY, PYTHON, WAITING, own, wait_until

from agent.governor import Governor
from agent.host.ledger import HostLedger, read_busy_ns
from agent.host_identity import HostIdentity
from agent.identity import Identifier
from agent.procfs import boot_time_s, parse_stat, read_stat
from agent.reader.engine import Window
from agent.reader.pace import Pace
from agent.reader.pyspy import PySpyAttachment
from agent.sampling import SamplingLoop
from agent.selfmetrics import SelfMetrics
from agent.settings import (
    AgentSettings,
    BudgetSettings,
    IdentitySettings,
    LedgerSettings,
    Match,
    SamplingSettings,
    TargetSettings,
)
from agent.targets import Scanner
from pyrometer import semconv
from pyrometer.errors import NotPythonError, PermissionDeniedError, PyrometerError, RefusedError, TargetNotFoundError
from pyrometer.values import NOT_SAMPLED, Frame, Sample

HOST = HostIdentity({"host.name": "h1"}, boot_time_s())
HOT = (Frame("main"), Frame("hot"))


class ScriptedEngine:
    """An engine whose windows always see the same stack, or fail as told."""

    name = "scripted"

    def __init__(self, window_s=0.2, error=None):
        self.window_s = window_s
        self.error = error
        self.attached = []
        self.sampled = []
        self.asked_s = None
        self.concurrent = self.concurrent_max = 0
        self._lock = threading.Lock()

    def attach(self, target):
        self.attached.append(target)
        return ScriptedAttachment(self, target)

    def enter(self, change):
        with self._lock:
            self.concurrent += change
            self.concurrent_max = max(self.concurrent_max, self.concurrent)


class ScriptedAttachment:
    def __init__(self, engine, target):
        self._engine = engine
        self._target = target
        self._detached = threading.Event()

    def sample(self, window_s=None):
        if self._engine.error:
            raise self._engine.error
        self._engine.enter(1)
        self._engine.sampled.append(self._target.pid)
        started = time.time_ns()
        self._engine.asked_s = window_s
        self._detached.wait(self._engine.window_s)
        self._engine.enter(-1)
        return Window(
            samples=(Sample(stack=HOT, count=4, value=200_000_000),),
            start_unix_ns=started,
            duration_ns=time.time_ns() - started,
            period_ns=50_000_000,
            late=2,
            lost=1,
            ended=self._detached.is_set(),
        )

    def detach(self):
        self._detached.set()


class ProgramEngine(ScriptedEngine):
    """One whose windows pass for programs of their own."""

    def attach(self, target):
        super().attach(target)
        return ProgramAttachment(self, target)


class ProgramAttachment(ScriptedAttachment, PySpyAttachment):
    """Scripted, and of the kind that starts programs."""


class Running:
    """A loop in a thread, with what it delivered."""

    def __init__(self, engine, service, *, windows_max=16, rss_mib=4096, ledger=None, **sampling):
        self.profiles = []
        self.metrics = SelfMetrics()
        sampling = {"window_s": 0.5, "busy_share_min": 0.01, "carry_s_max": 1.0, **sampling}
        settings = AgentSettings(
            targets=TargetSettings(allow=(Match(service=own(f"^{service}") + "$"),), scan_interval_s=0.1, young_s=0.0),
            sampling=SamplingSettings(**sampling),
        )
        scanner = Scanner(settings.targets, Identifier(HOST, IdentitySettings(rules=())).describe, own_pid=2**22 + 1)
        budget = BudgetSettings(cpu_percent=1000.0, rss_mib=rss_mib)
        governor = Governor(budget, Pace(19.0), self.metrics, window_s=0.5, windows_max=windows_max)
        self.loop = SamplingLoop(
            settings, scanner, engine, self.profiles.extend, self.metrics, governor=governor, ledger=ledger
        )
        self._thread = threading.Thread(target=self.loop.run)
        self._thread.start()

    def stop(self):
        self.loop.stop()
        self._thread.join(60.0)
        assert not self._thread.is_alive()

    def cpu_s(self, function, pid=None):
        return sum(
            sample.value / 1e9
            for profile in list(self.profiles)
            for sample in profile.samples
            if function in [frame.function for frame in sample.stack]
            and (pid is None or profile.attributes.get("process.pid") == pid)
        )

    def errors(self, reason):
        return self.metrics.value(semconv.AGENT_SAMPLE_ERRORS, reason=reason)


@pytest.fixture
def watch():
    running = []

    def start(*arguments, **settings):
        running.append(Running(*arguments, **settings))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def thread_states(pid):
    stats = [task / "stat" for task in Path(f"/proc/{pid}/task").iterdir()]
    return {parse_stat(stat.read_bytes()).state for stat in stats}


def named(start_process, name, code):
    process = start_process(PYTHON, "-c", code, environment={"OTEL_SERVICE_NAME": own(name)})
    process.stdout.readline()
    return process


def test_a_busy_process_is_sampled_and_the_bill_adds_up(watch, start_process):
    """From birth to end, the values sum to what the kernel accounted, to the tick, most of it on the stack seen."""
    running = watch(ScriptedEngine(), "busy-sum")
    wait_until(running.loop.scanned.is_set)
    process = named(start_process, "busy-sum", BUSY)
    wait_until(lambda: running.cpu_s("hot") > 1.0)
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: thread_states(process.pid) == {"T"})
    running.stop()
    sampled_s, unsampled_s = running.cpu_s("hot"), running.cpu_s("[not sampled]")

    assert sampled_s + unsampled_s == pytest.approx(read_stat(process.pid).cpu_ns / 1e9, abs=1e-6)
    assert sampled_s > unsampled_s
    assert running.metrics.value(semconv.AGENT_SAMPLES_LATE) == 2 * running.metrics.value(semconv.AGENT_WINDOWS)


def test_a_stopped_process_is_left_alone_until_it_goes_on(watch, start_process):
    """No window is begun on a process that a signal has stopped, however busy it was, and it is counted as stopped."""
    running = watch(ScriptedEngine(), "stopped")
    process = named(start_process, "stopped", BUSY)

    def count(state):
        return running.metrics.value(semconv.AGENT_TARGETS, state=state)

    wait_until(lambda: running.metrics.value(semconv.AGENT_WINDOWS) >= 2)
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: (count("stopped"), count("sampled")) == (1, 0))
    windows, profiles = running.metrics.value(semconv.AGENT_WINDOWS), len(running.profiles)
    wait_until(lambda: len(running.profiles) >= profiles + 2)
    assert running.metrics.value(semconv.AGENT_WINDOWS) <= windows + 1  # the one that was ending just then
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: running.metrics.value(semconv.AGENT_WINDOWS) >= windows + 3)


def test_an_exec_is_accounted_once(watch, start_process):
    """A process that becomes another program keeps its clock: what the first used is not billed to the second."""
    running = watch(ScriptedEngine(error=PyrometerError("never")), "(before|after)", backoff_s=30.0)
    wait_until(running.loop.scanned.is_set)
    code = (
        "import os, sys; sum(range(25_000_000)); print('up', flush=True); sys.stdin.readline(); "
        f"os.execve({PYTHON!r}, ['python3', '-c', {WAITING!r}], {{'OTEL_SERVICE_NAME': {own('after')!r}}})"
    )
    process = named(start_process, "before", code)
    wait_until(lambda: running.cpu_s("[not sampled]", process.pid) > 0.1)
    process.stdin.write(b"go\n")
    process.stdin.flush()
    process.stdout.readline()
    wait_until(lambda: any(profile.attributes["service.name"] == own("after") for profile in running.profiles))
    running.stop()
    billed = {
        name: sum(
            sample.value
            for profile in running.profiles
            if profile.attributes["service.name"] == own(name)
            for sample in profile.samples
        )
        for name in ("before", "after")
    }

    assert sum(billed.values()) == read_stat(process.pid).cpu_ns
    assert billed["before"] > billed["after"]


def test_a_process_let_in_again_is_not_billed_twice(watch, start_process):
    """A process that by exec became one that is denied, and one that is allowed again, pays once for what it used."""
    running = watch(ScriptedEngine(error=PyrometerError("never")), "(first|third)", backoff_s=30.0)
    wait_until(running.loop.scanned.is_set)
    third = f"os.execve({PYTHON!r}, ['python3', '-c', {WAITING!r}], {{'OTEL_SERVICE_NAME': {own('third')!r}}})"
    wait = "import os, sys; print('up', flush=True); sys.stdin.readline(); "
    second = f"os.execve({PYTHON!r}, ['python3', '-c', {wait + third!r}], {{'OTEL_SERVICE_NAME': {own('second')!r}}})"
    process = named(start_process, "first", "sum(range(25_000_000)); " + wait + second)
    wait_until(lambda: running.cpu_s("[not sampled]", process.pid) > 0.1)
    for watched in (0, 1):
        process.stdin.write(b"go\n")
        process.stdin.flush()
        process.stdout.readline()
        wait_until(lambda: running.metrics.value(semconv.AGENT_TARGETS, state="watched") == watched)  # noqa: B023
    wait_until(lambda: any(profile.attributes["service.name"] == own("third") for profile in running.profiles))
    running.stop()
    billed_s = sum(running.cpu_s(name, process.pid) for name in ("hot", "[not sampled]"))

    assert billed_s == pytest.approx(read_stat(process.pid).cpu_ns / 1e9, abs=1e-6)


def test_windows_of_a_process_touch_each_other(watch, start_process):
    """One profile begins where the one before ended, so that no CPU time falls between them."""
    named(start_process, "touching", BUSY)
    running = watch(ScriptedEngine(), "touching")
    wait_until(lambda: len(running.profiles) >= 5)
    running.stop()
    gaps = [
        after.start_unix_ns - (before.start_unix_ns + before.duration_ns)
        for before, after in zip(running.profiles, running.profiles[1:], strict=False)
    ]

    assert max(map(abs, gaps)) < 5_000_000  # wall and monotonic clock are read one after the other


def test_an_idle_process_is_never_sampled_but_reported(watch, start_process):
    """A process that waits costs no sampling; its windows are there, without CPU time."""
    named(start_process, "idle", WAITING)
    engine = ScriptedEngine()
    running = watch(engine, "idle", busy_share_min=0.5)
    wait_until(lambda: len(running.profiles) >= 2)

    assert engine.attached == []
    assert {sample.stack for profile in running.profiles for sample in profile.samples} == {(NOT_SAMPLED,)}


def test_no_more_are_sampled_at_once_than_allowed(watch, start_process):
    """With one place for two busy processes, never two are sampled together, and both have their CPU time reported."""
    processes = [named(start_process, "crowd", BUSY) for _ in range(2)]
    engine = ScriptedEngine()
    running = watch(engine, "crowd", windows_max=1)
    functions = ("hot", "[not sampled]")
    wait_until(lambda: all(sum(running.cpu_s(name, process.pid) for name in functions) > 0.1 for process in processes))

    assert engine.concurrent_max == 1


def test_one_that_uses_little_has_its_turn(watch, start_process):
    """Where one process is sampled at a time, one that does next to nothing is not crowded out by a busy one."""
    engine = ScriptedEngine(window_s=0.05)
    watch(engine, "turns", windows_max=1, busy_share_min=0.0)
    named(start_process, "turns", BUSY)
    waiting = named(start_process, "turns", WAITING)

    wait_until(lambda: engine.sampled.count(waiting.pid) > 2)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionDeniedError("no right"), "permission"),
        (NotPythonError("no Python"), "not_python"),
        (TargetNotFoundError("gone"), "gone"),
        (PyrometerError("broken"), "engine"),
        (RuntimeError("a defect"), "engine"),
    ],
)
def test_a_failure_is_counted_and_the_process_left_alone(watch, start_process, error, reason):
    """After a failure the process is not asked again at once, and its CPU time is reported as not sampled."""
    process = named(start_process, "failing", BUSY)
    engine = ScriptedEngine(error=error)
    running = watch(engine, "failing", backoff_s=30.0)
    wait_until(lambda: running.errors(reason) == 1)
    wait_until(lambda: running.cpu_s("[not sampled]", process.pid) > 0.3)

    assert running.errors(reason) == 1
    assert len(engine.attached) == 1
    assert running.cpu_s("hot") == 0


def test_a_failure_is_tried_again_after_its_wait(watch, start_process):
    """When the wait is over the process is asked again, and sampled if it works by then."""
    named(start_process, "recovers", BUSY)
    engine = ScriptedEngine(error=PermissionDeniedError("no right"))
    running = watch(engine, "recovers", backoff_s=0.2)
    wait_until(lambda: running.errors("permission") >= 1)
    engine.error = None
    wait_until(lambda: running.cpu_s("hot") > 0)


def test_the_same_failure_is_told_once(watch, start_process, caplog):
    """However many processes and tries fail alike, the log has one line for it."""
    for _ in range(2):
        named(start_process, "told", BUSY)
    running = watch(ScriptedEngine(error=PermissionDeniedError("no right")), "told", backoff_s=0.1)
    wait_until(lambda: running.errors("permission") >= 4)

    assert [record.getMessage()[:8] for record in caplog.records if record.name == "agent.settlement"] == ["no right"]


def test_wall_time_stands_beside_the_cpu_time(watch, start_process):
    """In wall mode a look stands for its period, idle processes have looks too, and no CPU time is put on them."""
    busy, idle = named(start_process, "wall", BUSY), named(start_process, "wall", WAITING)
    running = watch(ScriptedEngine(), "wall", mode="wall")

    def walls(process):
        profiles = [each for each in list(running.profiles) if each.attributes["process.pid"] == process.pid]
        return [each for each in profiles if each.sample_type == "wall"]

    wait_until(lambda: walls(busy) and walls(idle) and running.cpu_s("[not sampled]", busy.pid) > 0.1)
    for profile in walls(busy) + walls(idle):
        assert (Sample(stack=HOT, count=4, value=4 * profile.period_ns),) == profile.samples
        assert 2 == profile.quality[semconv.WINDOW_LATE]
    cpu = [each for each in list(running.profiles) if each.sample_type == "cpu"]
    assert {(0, "[not sampled]")} == {(row.count, row.stack[0].function) for each in cpu for row in each.samples}


def test_a_process_that_ends_reports_its_last_cpu_time(watch, start_process):
    """When a process ends, a window that is being taken still reports, and the session is over."""
    process = named(start_process, "ends", BUSY)
    engine = ScriptedEngine(window_s=30.0)
    running = watch(engine, "ends")
    wait_until(lambda: engine.concurrent == 1)
    process.kill()
    process.wait()
    wait_until(lambda: running.cpu_s("hot", process.pid) > 0)
    wait_until(lambda: running.metrics.value(semconv.AGENT_TARGETS, state="watched") == 0)


def test_a_process_born_under_watch_is_accounted_from_its_start(watch, start_process):
    """CPU time from before the first look is reported too, where the agent was there at the birth."""
    running = watch(ScriptedEngine(error=PyrometerError("never")), "born", backoff_s=30.0)
    wait_until(running.loop.scanned.is_set)
    code = "sum(range(20_000_000)); import sys; print('up', flush=True); sys.stdin.read()"
    process = named(start_process, "born", code)
    used_s = read_stat(process.pid).cpu_ns / 1e9
    wait_until(lambda: running.cpu_s("[not sampled]", process.pid) >= used_s - 0.011)


def test_stopping_is_quick_and_keeps_what_was_seen(watch, start_process):
    """A window of ten minutes ends at once when the loop is stopped, and is delivered."""
    named(start_process, "quick-to-stop", BUSY)
    engine = ScriptedEngine(window_s=600.0)
    running = watch(engine, "quick-to-stop")
    wait_until(lambda: engine.concurrent == 1)
    started = time.monotonic()
    running.stop()

    assert time.monotonic() - started < 30.0
    assert running.cpu_s("hot") + running.cpu_s("[not sampled]") > 0
    assert any(sample.stack == HOT for profile in running.profiles for sample in profile.samples)


def test_time_of_a_refused_process_says_why(watch, start_process):
    """CPU time of a process that cannot be read is shown under the reason."""
    process = named(start_process, "refused", BUSY)
    running = watch(ScriptedEngine(error=RefusedError("not this one", reason="free-threaded")), "refused")
    wait_until(lambda: running.cpu_s("[refused: free-threaded]", process.pid) > 0.2)

    assert running.errors("free-threaded") >= 1
    assert running.cpu_s("[refused: free-threaded]") == running.cpu_s("[not sampled]")


def test_programs_that_the_engine_starts_are_bounded(watch, start_process):
    """Where each window is a program of its own, no more run at once than the settings allow."""
    processes = [named(start_process, "programs", BUSY) for _ in range(3)]
    engine = ProgramEngine()
    running = watch(engine, "programs", concurrent_max=1)
    functions = ("hot", "[not sampled]")
    wait_until(lambda: all(sum(running.cpu_s(name, process.pid) for name in functions) > 0.1 for process in processes))

    assert engine.concurrent_max == 1
    assert running.metrics.value(semconv.AGENT_BUDGET_PASSED_OVER, reason="programs") > 0


def test_without_memory_nobody_new_is_taken(watch, start_process):
    """Over the limit of memory no process is attached to; its CPU time is reported all the same."""
    process = named(start_process, "no-memory", BUSY)
    engine = ScriptedEngine()
    running = watch(engine, "no-memory", rss_mib=1)
    wait_until(lambda: running.cpu_s("[not sampled]", process.pid) > 0.3)

    assert engine.attached == []
    assert running.metrics.value(semconv.AGENT_BUDGET_PASSED_OVER, reason="memory") == 1
    assert running.metrics.value(semconv.AGENT_BUDGET_CHANGES, reason="memory") >= 1


def test_the_host_is_billed_for_what_nobody_watches(watch, start_process):
    """With a ledger, watched and other processes and the rest sum to the machine's busy time, ended ones included."""
    metrics = SelfMetrics()
    ledger = HostLedger(LedgerSettings(window_s=1.0), HOST.attributes, metrics, processes_max=100_000)
    running = watch(ScriptedEngine(), "billed", ledger=ledger)
    wait_until(running.loop.scanned.is_set)
    busy_ns = read_busy_ns()
    process = named(start_process, "billed", BUSY)
    wait_until(lambda: running.cpu_s("hot", process.pid) > 1.0)
    process.kill()
    process.wait()
    wait_until(lambda: running.metrics.value(semconv.AGENT_TARGETS, state="watched") == 0)
    running.stop()
    busy_s = (read_busy_ns() - busy_ns) / 1e9
    reported_s = sum(sample.value for profile in running.profiles for sample in profile.samples) / 1e9
    watched_s = sum(running.cpu_s(name, process.pid) for name in ("hot", "[not sampled]"))

    assert reported_s == pytest.approx(busy_s, rel=0.1, abs=0.3)
    assert metrics.value(semconv.AGENT_HOST_CPU_TIME, state="watched") == pytest.approx(watched_s, abs=0.02)
