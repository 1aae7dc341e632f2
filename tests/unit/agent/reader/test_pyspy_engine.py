"""The py-spy engine on real processes: what it sees, how it ends, and what it says when it cannot."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from reader_workloads import SPIN, children_named, eventually, other_pythons, running

from agent.reader import pyspy_process
from agent.reader.engine import Target, find_target
from agent.reader.pace import Pace
from agent.reader.pyspy import PySpyEngine
from agent.reader.pyspy_process import PySpyProcess
from pyrometer.errors import ConfigError, NotPythonError, PyrometerError, TargetNotFoundError
from pyrometer.values import Frame

HOSTILE_SCRIPT = """
import threading, time
def busy(until):
    while time.monotonic() < until:
        pass
class Tür:
    def öffnen(self, until):
        busy(until)
def work(until):
    (lambda: Tür().öffnen(until))()
END = time.monotonic() + 60
exec(compile("def f(n):\\n  work(n)\\n", "a (b.py:3);c 7\\n", "exec"))
threading.Thread(target=f, args=(END,), name="thr;ead (x) 12", daemon=True).start()
print("ready", flush=True)
f(END)
"""


def take(pid: int, **settings):
    return PySpyEngine(**{"rate_hz": 50, "window_s": 1.0, **settings}).attach(find_target(pid)).sample()


def top_stack(window):
    return max(window.samples, key=lambda sample: sample.count).stack


@pytest.mark.parametrize("blocking", [False, True], ids=["nonblocking", "blocking"])
def test_function_file_and_line_are_those_of_the_program(tmp_path, blocking):
    """Hostile names of directories, files, functions and threads come out as they are, in the order of the calls."""
    script = tmp_path / "we ird;dir (x)é" / "pro g;(1:2).py"
    script.parent.mkdir()
    script.write_text(HOSTILE_SCRIPT, encoding="utf-8")
    with running(str(script)) as process:
        window = take(process.pid, blocking=blocking)
    here = str(script)
    expected = (
        Frame("f", "a (b.py:3);c 7\n", 2),
        Frame("work", here, 10),
        Frame("work.<locals>.<lambda>", here, 10),
        Frame("Tür.öffnen", here, 8),
    )
    names = {sample.thread_name for sample in window.samples}
    assert {"MainThread", "thr;ead (x) 12"} == names
    whole = [sample for sample in window.samples if sample.stack[-1].function == "busy"]
    assert whole, window.samples
    for sample in whole:
        shown = tuple(_with_plain_lambda(frame) for frame in sample.stack[-5:-1])
        assert tuple(_with_plain_lambda(frame) for frame in expected) == shown
    main = [sample for sample in window.samples if sample.thread_name == "MainThread"]
    assert {process.pid} == {sample.thread_id for sample in main}


def _with_plain_lambda(frame: Frame) -> Frame:
    # From 3.11 on the qualified name is read, before only the name.
    return Frame(frame.function.rpartition(".<locals>.")[2], frame.file, frame.line)


def test_a_window_lasts_as_long_as_it_was_asked_to():
    """A second at 50 Hz gives about 50 samples of one busy thread, and says what it cost."""
    with running("-c", SPIN) as process:
        before = time.time_ns()
        window = take(process.pid)
    assert 0.9e9 <= window.duration_ns <= 3e9
    assert before <= window.start_unix_ns <= time.time_ns()
    assert 20_000_000 == window.period_ns
    assert 20 <= sum(sample.count for sample in window.samples) <= 90
    assert ("<module>", "hot") == tuple(frame.function for frame in top_stack(window))
    assert 0 < window.own_cpu_ns < window.duration_ns
    assert not window.ended


@pytest.mark.parametrize("python", other_pythons() or [pytest.param("", marks=pytest.mark.skip(reason="no other"))])
def test_other_versions_of_python_are_read(python):
    """CPython 3.12 and later, where this machine has them."""
    with running("-c", SPIN, python=python) as process:
        window = take(process.pid)
    assert "hot" == top_stack(window)[-1].function


def test_detach_ends_a_window_early_from_another_thread():
    """What was seen until then is returned, and there is no further window."""
    with running("-c", SPIN) as process:
        attachment = PySpyEngine(rate_hz=50, window_s=60).attach(find_target(process.pid))
        timer = threading.Timer(0.7, attachment.detach)
        timer.start()
        window = attachment.sample()
        timer.join()
        attachment.detach()
        assert window.ended
        assert window.duration_ns < 20e9
        assert "hot" == top_stack(window)[-1].function
        assert attachment.sample().ended
    assert [] == children_named("py-spy")


def test_a_target_that_ends_gives_what_was_seen():
    """A process that is killed during the window leaves a partial window that says so."""
    with running("-c", SPIN) as process:
        attachment = PySpyEngine(rate_hz=50, window_s=60).attach(find_target(process.pid))
        timer = threading.Timer(0.7, process.kill)
        timer.start()
        window = attachment.sample()
        timer.join()
    assert window.ended
    assert window.duration_ns < 20e9
    assert "hot" == top_stack(window)[-1].function
    with pytest.raises(TargetNotFoundError, match=f"process {process.pid} has ended"):
        attachment.sample()


def test_an_idle_process_has_no_samples_unless_idle_threads_are_asked_for():
    """A thread that waits is not on a CPU."""
    with running("-c", "import time; print('ready', flush=True); time.sleep(60)") as process:
        assert () == take(process.pid).samples
        idle = take(process.pid, idle=True)
    assert "<module>" == top_stack(idle)[-1].function


def test_a_pid_that_was_given_to_another_process_is_not_read():
    """A target is a pid and its start time: a later process with that pid is somebody else."""
    with running("-c", SPIN) as process:
        real = find_target(process.pid)
        assert real.is_alive()
        earlier = Target(real.pid, real.start_ticks - 1)
        assert not earlier.is_alive()
        with pytest.raises(TargetNotFoundError, match="has ended"):
            PySpyEngine().attach(earlier)


def test_a_zombie_is_no_target():
    """A process that has ended and was not collected yet is gone."""
    with running("-c", "print('ready', flush=True)") as process:
        eventually(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].startswith("Z"), "zombie")
        with pytest.raises(TargetNotFoundError, match="waits for its parent"):
            find_target(process.pid)


def test_a_process_that_is_not_python_is_named():
    """The error tells which program it is."""
    with running("60", python="/bin/sleep", ready=False) as process:
        attachment = PySpyEngine(window_s=1).attach(find_target(process.pid))
        eventually(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n", "exec")
        with pytest.raises(NotPythonError, match=rf"process {process.pid} \(sleep\) is not a Python process"):
            attachment.sample()


def test_a_reader_that_falls_behind_says_how_much_it_lost():
    """Eight deep stacks a thousand times a second are too many: the window keeps its length and tells."""
    code = f"""
import threading
{SPIN.partition("print(")[0]}
def down(depth):
    hot(time.monotonic() + 60) if depth == 0 else down(depth - 1)
for _ in range(7):
    threading.Thread(target=down, args=(400,), daemon=True).start()
print("ready", flush=True)
down(400)
"""
    with running("-c", code) as process:
        window = take(process.pid, rate_hz=1000, window_s=3.0)
    assert window.late > 0
    assert 1000 <= window.lost <= window.duration_ns // 1_000_000
    assert window.duration_ns < 20e9


def test_pyspy_dies_with_the_thread_that_started_it():
    """A reader whose owner is gone reads nobody any more."""
    with running("-c", SPIN) as process:
        arguments = PySpyEngine(window_s=60).arguments(process.pid, 19)
        started = []
        starter = threading.Thread(target=lambda: started.append(PySpyProcess(arguments, to_file=True)))
        starter.start()
        starter.join()
        with started[0] as reader:
            assert reader.wait(interrupt_after_s=30).exit_code == -signal.SIGKILL
    assert [] == children_named("py-spy")


def test_a_profile_without_measure_is_refused(monkeypatch):
    """Output beyond the limit ends the run, and the error says what to change."""
    monkeypatch.setattr(pyspy_process, "OUTPUT_BYTES_MAX", 64)
    with running("-c", SPIN) as process, pytest.raises(PyrometerError, match="lower the rate"):
        take(process.pid)


def test_without_pyspy_the_error_says_what_to_install(monkeypatch, tmp_path):
    """Neither beside Python nor on PATH: one line with the command that mends it."""
    monkeypatch.setattr(pyspy_process.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    pyspy_process.find_pyspy.cache_clear()
    try:
        with pytest.raises(PyrometerError, match="pip install py-spy"):
            PySpyEngine().attach(find_target(os.getpid()))
    finally:
        pyspy_process.find_pyspy.cache_clear()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate_hz": 0}, "from 1 to 1000"),
        ({"rate_hz": 1001}, "from 1 to 1000"),
        ({"window_s": 0}, "above 0"),
        ({"window_s": float("nan")}, "above 0"),
        ({"native": True}, "native or non-blocking"),
    ],
)
def test_settings_that_pyspy_cannot_serve_are_refused(settings, message):
    """They are refused where the engine is built, before any process is touched."""
    with pytest.raises(ConfigError, match=message):
        PySpyEngine(**settings)


def test_a_pace_lowers_the_rate_of_each_window():
    """What the governor allows holds for py-spy too: at the next window, in whole samples, never above the settings."""
    pace = Pace(100.0)
    engine = PySpyEngine(rate_hz=19, pace=pace)
    rates = []
    for rate_hz in (100.0, 11.0, 2.0, 0.3):
        pace.rate_hz = rate_hz
        rates.append(engine.window_rate_hz())

    assert rates == [19, 11, 2, 1]
