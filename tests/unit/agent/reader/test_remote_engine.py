"""Our stack reader on real processes of every Python that is here."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path

import pytest
from reader_workloads import eventually, running

from agent.procfs import read_stat
from agent.reader.choose import AutoEngine
from agent.reader.engine import Target, Window, find_target
from agent.reader.pace import Pace
from agent.reader.pyspy import PySpyEngine
from agent.reader.remote import RemoteEngine
from pyrometer.errors import NotPythonError, PermissionDeniedError, RefusedError, TargetNotFoundError
from pyrometer.values import TRUNCATED, UNSTABLE, Sample

PYENV = sorted(Path.home().glob(".pyenv/versions/3.1[1-3]*/bin/python3"))
DEBIAN = [path for path in [Path("/usr/bin/python3.11")] if path.exists()]
# Other ones to test, as the soak tests do.
GIVEN = os.environ.get("PYROMETER_TEST_PYTHONS", "").split(":")
PYTHONS = list(filter(None, GIVEN)) or [str(path) for path in [*PYENV, *DEBIAN]] or [sys.executable]
ANY = PYTHONS[-1]
every_python = pytest.mark.parametrize("python", PYTHONS)


def read(pid: int, *, window_s: float = 0.5, rate_hz: float = 200, **options) -> Window:
    """Take one window of a process."""
    attachment = RemoteEngine(pace=Pace(rate_hz), window_s=window_s, **options).attach(find_target(pid))
    try:
        return attachment.sample()
    finally:
        attachment.detach()


def read_program(program: str, python: str = ANY, **options) -> Window:
    """Take one window of a program, until something of it is seen."""
    with running("-c", textwrap.dedent(program), python=python) as process:
        windows: list[Window] = []
        eventually(lambda: windows.append(read(process.pid, **options)) or windows[-1].samples, "a sample")
        return windows[-1]


def names(sample: Sample) -> list[str]:
    return [frame.function for frame in sample.stack]


def most_seen(window: Window, function: str) -> Sample:
    """Return the sample that was seen most among those that hold a function."""
    found = [sample for sample in window.samples if function in names(sample)]
    assert found, [names(sample) for sample in window.samples]
    return max(found, key=lambda sample: sample.count)


@every_python
def test_names_files_and_lines_are_those_of_the_source(python, tmp_path):
    """A frame has its qualified name, its file, and the line that runs."""
    source = tmp_path / "wärme.py"
    source.write_text(
        textwrap.dedent("""
        class Ofen:
            def brenne_für(self):
                total = 0
                print("ready", flush=True)
                while True:
                    total = 1
        def laufe():
            ofen = Ofen()
            ofen.brenne_für()
        laufe()
    """),
        encoding="utf-8",
    )
    with running(str(source), python=python) as process:
        used_ns = read_stat(process.pid).cpu_ns
        eventually(lambda: read_stat(process.pid).cpu_ns > used_ns + 20_000_000, "it is in its loop")
        window = read(process.pid)
    leaf = most_seen(window, "Ofen.brenne_für")
    assert {("<module>", "laufe", "Ofen.brenne_für")} == {tuple(names(sample)) for sample in window.samples}
    assert {frame.file for frame in leaf.stack} == {str(source)}
    assert {(11, 10)} == {tuple(frame.line for frame in sample.stack[:2]) for sample in window.samples}
    assert {sample.stack[-1].line for sample in window.samples} <= {6, 7}
    assert leaf.thread_id == process.pid


@every_python
def test_calls_through_c_keep_both_sides(python):
    """Python that C calls stands above the Python that called C."""
    window = read_program(
        """
        import functools
        def leaf(x):
            return sum(i for i in range(20000))
        def key(x):
            return leaf(x)
        def call():
            while True:
                sorted([1, 2], key=functools.partial(key))
        print("ready", flush=True)
        call()
        """,
        python,
    )
    assert names(most_seen(window, "leaf"))[:4] == ["<module>", "call", "key", "leaf"]
    assert "leaf.<locals>.<genexpr>" in names(most_seen(window, "leaf.<locals>.<genexpr>"))


@every_python
def test_a_task_shows_its_chain_of_coroutines(python):
    """Of asyncio the running task's coroutines appear, below the loop's own frames."""
    window = read_program(
        """
        import asyncio
        async def inner():
            for _ in range(200000): pass
        async def middle():
            await inner()
            await asyncio.sleep(0)
        async def outer():
            while True:
                await middle()
        async def main():
            await asyncio.gather(outer(), outer())
        print("ready", flush=True)
        asyncio.run(main())
        """,
        python,
    )
    found = names(most_seen(window, "inner"))
    assert found[-3:] == ["outer", "middle", "inner"]
    assert "BaseEventLoop._run_once" in found


@every_python
def test_a_stack_that_is_too_deep_is_cut_at_the_root(python):
    """The frames at the leaf stay, a marker stands for the others, and it is counted."""
    window = read_program(
        """
        import sys
        sys.setrecursionlimit(5000)
        def down(n):
            if n: return down(n - 1)
            while True:
                for _ in range(100000): pass
        print("ready", flush=True)
        down(2000)
        """,
        python,
        depth_max=100,
    )
    assert window.cut == sum(sample.count for sample in window.samples) > 0
    assert all(sample.stack[0] is TRUNCATED and len(sample.stack) == 100 for sample in window.samples)


@every_python
def test_deep_recursion_is_read_whole(python):
    """A stack over many chunks of the data stack is complete."""
    window = read_program(
        """
        import sys
        sys.setrecursionlimit(5000)
        def down(n):
            if n: return down(n - 1)
            while True:
                for _ in range(100000): pass
        print("ready", flush=True)
        down(450)
        """,
        python,
    )
    assert window.cut == 0
    assert Counter(names(most_seen(window, "down")))["down"] == 451


@every_python
def test_only_threads_on_a_cpu_are_seen(python):
    """Threads that wait give no samples; those that run Python are known all the same."""
    window = read_program(
        """
        import threading
        def waits():
            threading.Event().wait(100)
        def works():
            while True:
                for _ in range(100000): pass
        for _ in range(3):
            threading.Thread(target=waits, daemon=True).start()
        print("ready", flush=True)
        works()
        """,
        python,
    )
    assert {names(sample)[-1] for sample in window.samples} == {"works"}
    assert len(window.python_threads) == 4
    assert all(sample.value == sample.count * window.period_ns for sample in window.samples)


@every_python
def test_wall_mode_sees_all_threads(python):
    """Every thread is seen at every tick, whether it runs or waits."""
    window = read_program(
        """
        import threading, time
        def waits():
            threading.Event().wait(100)
        threading.Thread(target=waits, daemon=True).start()
        print("ready", flush=True)
        time.sleep(100)
        """,
        python,
        mode="wall",
    )
    waiting = most_seen(window, "waits")
    assert waiting.count == window.ticks - window.errors
    assert len({sample.thread_id for sample in window.samples}) == 2


@every_python
def test_gil_mode_sees_who_holds_it(python):
    """A thread that works outside the lock is not seen, one that holds it is."""
    window = read_program(
        """
        import hashlib, threading
        def outside():
            data = bytes(50_000_000)
            while True:
                hashlib.sha256(data)
        def inside():
            while True:
                for _ in range(100000): pass
        threading.Thread(target=outside, daemon=True).start()
        print("ready", flush=True)
        inside()
        """,
        python,
        mode="gil",
    )
    counts = Counter()
    for sample in window.samples:
        counts[names(sample)[-1]] += sample.count
    assert counts["inside"] > 5 * counts["outside"]


@every_python
def test_threads_of_other_interpreters_are_seen(python):
    """A thread in a sub-interpreter is read like any other."""
    window = read_program(
        """
        import threading
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        made = interpreters.create()
        code = (
            "import time\\ndef apart():\\n    while True:\\n"
            "        for _ in range(100000): pass\\n        time.sleep(0.0001)\\napart()"
        )
        threading.Thread(target=lambda: interpreters.run_string(made, code), daemon=True).start()
        print("ready", flush=True)
        threading.Event().wait(100)
        """,
        python,
    )
    # Before 3.13 a thread cannot be told from the one that made the interpreter: it is read up to the border.
    if "apart" not in {frame.function for sample in window.samples for frame in sample.stack}:
        assert "python3.13" not in os.path.realpath(python)
        assert most_seen(window, "<lambda>")
        return
    assert "apart" in names(most_seen(window, "apart"))


@every_python
def test_a_fork_is_read_like_its_parent(python):
    """A child that was forked, without exec, shows its own work under its own thread id."""
    program = """
        import os, time
        def child():
            while True:
                for _ in range(100000): pass
        pid = os.fork()
        if not pid:
            child()
        print("ready", flush=True)
        print(pid, flush=True)
        time.sleep(100)
    """
    with running("-c", textwrap.dedent(program), python=python) as process:
        pid = int(process.stdout.readline())
        try:
            window = read(pid)
        finally:
            os.kill(pid, signal.SIGKILL)
    assert names(most_seen(window, "child"))[-1] == "child"
    assert {sample.thread_id for sample in window.samples} == {pid}


@every_python
def test_code_that_comes_and_goes_keeps_its_names(python):
    """Functions that are made, called and dropped all the time never lend their names to each other."""
    window = read_program(
        """
        def call(n):
            name = f"made_{n}"
            space = {}
            exec(compile(f"def {name}():\\n    for _ in range(20000): pass\\n", f"file_{n}", "exec"), space)
            space[name]()
        print("ready", flush=True)
        n = 0
        while True:
            n += 1
            call(n)
        """,
        python,
        window_s=1.0,
    )
    for sample in window.samples:
        for frame in sample.stack:
            if frame.function.startswith("made_"):
                assert frame.file == frame.function.replace("made", "file")
                assert frame.line in (1, 2)


def test_a_stopped_process_is_not_on_a_cpu():
    """SIGSTOP gives a window without samples and without errors."""
    with running("-c", "print('ready', flush=True)\nwhile True: pass", python=ANY) as process:
        os.kill(process.pid, signal.SIGSTOP)
        window = read(process.pid)
    assert (window.samples, window.errors) == ((), 0)
    assert window.ticks > 0


def test_a_program_that_becomes_another_ends_its_window():
    """What was seen before an exec stays, nothing of the new program is reported under the old one."""
    program = """
        import os, sys, time
        print("ready", flush=True)
        sys.stdin.readline()
        def before():
            end = time.monotonic() + 0.3
            while time.monotonic() < end: pass
        before()
        os.execv(sys.executable, [sys.executable, "-c", "def after():\\n while True: pass\\nafter()"])
    """
    with subprocess.Popen(
        [ANY, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            process.stdout.readline()
            attachment = RemoteEngine(pace=Pace(200), window_s=60).attach(find_target(process.pid))
            threading.Timer(0.2, lambda: (process.stdin.write("\n"), process.stdin.flush())).start()
            window = attachment.sample()
            assert window.ended
            assert "before" in {sample.stack[-1].function for sample in window.samples}
            assert "after" not in {frame.function for sample in window.samples for frame in sample.stack}
            with pytest.raises(TargetNotFoundError, match="another program"):
                attachment.sample()
            attachment.detach()
        finally:
            process.kill()


def test_what_is_no_python_is_refused(tmp_path):
    """A process is not believed its name."""
    liar = tmp_path / "python3"
    shutil.copy("/bin/sleep", liar)
    with subprocess.Popen([str(liar), "100"]) as process:
        try:
            eventually(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "python3\n", "the program runs")
            with pytest.raises(NotPythonError):
                RemoteEngine(pace=Pace(19)).attach(find_target(process.pid))
        finally:
            process.kill()


def test_a_python_that_is_too_old_is_left_to_py_spy():
    """A refusal is counted by its reason, and the other engine takes the process."""
    old = next(iter(sorted(Path.home().glob(".pyenv/versions/3.10*/bin/python3"))), None)
    if old is None:
        pytest.skip("no Python 3.10 here")
    reasons: list[str] = []
    engine = AutoEngine(RemoteEngine(pace=Pace(50)), PySpyEngine(rate_hz=50, window_s=1.0), refused=reasons.append)
    with running("-c", "print('ready', flush=True)\nwhile True: pass", python=str(old)) as process:
        with pytest.raises(RefusedError):
            RemoteEngine(pace=Pace(50)).attach(find_target(process.pid))
        attachment = engine.attach(find_target(process.pid))
        window = attachment.sample()
        attachment.detach()
    assert reasons == ["version"]
    assert window.samples


def test_a_process_of_another_user_needs_a_right():
    """Without the right the error names it; nothing else happens."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give rights up")
    script = (
        "import os, sys\n"
        "from agent.reader.engine import find_target\nfrom agent.reader.pace import Pace\n"
        "from agent.reader.remote import RemoteEngine\nfrom pyrometer.errors import PermissionDeniedError\n"
        "os.setuid(65534)\ntry:\n    RemoteEngine(pace=Pace(19)).attach(find_target(int(sys.argv[1])))\n"
        "except PermissionDeniedError as error:\n    print('denied', error)\n"
    )
    with running("-c", "print('ready', flush=True)\nwhile True: pass", python=ANY) as process:
        finished = subprocess.run(
            [sys.executable, "-c", script, str(process.pid)], capture_output=True, text=True, check=False, cwd=_ROOT
        )
    assert finished.stdout.startswith("denied"), finished.stderr
    assert issubclass(PermissionDeniedError, Exception)


def test_a_target_that_is_another_process_by_now_is_not_read():
    """A pid that was given to a later process is not mistaken for the earlier one."""
    with running("-c", "print('ready', flush=True)\nwhile True: pass", python=ANY) as process:
        target = find_target(process.pid)
        with pytest.raises(TargetNotFoundError):
            RemoteEngine(pace=Pace(19)).attach(Target(target.pid, target.start_ticks - 1))


def test_a_library_that_was_replaced_on_disk_does_not_matter(tmp_path):
    """Symbols are read from memory: the file may be gone, cut short or another."""
    python = next((path for path in PYTHONS if "pyenv" in path), None)
    if python is None:
        pytest.skip("no Python with a shared library here")
    home = Path(python).resolve().parents[1]
    libraries = tmp_path / "lib"
    libraries.mkdir()
    for library in home.glob("lib/libpython3.1*.so.1.0"):
        shutil.copy(library, libraries)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries), "PYTHONHOME": str(home)}
    program = "def hot():\n    while True:\n        for _ in range(10000): pass\nprint('ready', flush=True)\nhot()"
    with subprocess.Popen([python, "-c", program], stdout=subprocess.PIPE, env=environment) as process:
        try:
            process.stdout.readline()
            mapped = Path(f"/proc/{process.pid}/maps").read_text()
            for library in libraries.iterdir():
                library.unlink()
                library.write_bytes(b"\x7fELF\x02\x01 and then nothing")
            window = read(process.pid)
        finally:
            process.kill()
    if str(libraries) not in mapped:
        pytest.skip("this Python brings its library's path itself")
    assert "hot" in names(most_seen(window, "hot"))


@every_python
def test_a_process_in_other_namespaces_is_read(python, tmp_path):
    """In pid and mount namespaces of its own a process shows under the thread ids that we know it by."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare")
    marker = tmp_path / "pid"
    program = (
        "import os\ndef inside():\n    while True:\n        for _ in range(10000): pass\n"
        "assert os.getpid() == 1\nprint('ready', flush=True)\ninside()"
    )
    command = ["unshare", "--pid", "--mount", "--fork", "--mount-proc", "--kill-child", python, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            pid = int(children[0])
            window = read(pid)
        finally:
            process.kill()
    assert not marker.exists()
    assert {sample.thread_id for sample in window.samples} == {pid}
    assert "inside" in names(most_seen(window, "inside"))


def test_greenlets_do_no_harm():
    """Stacks of a program that switches greenlets all the time are whole ones of one greenlet."""
    pytest.importorskip("greenlet")
    window = read_program(
        """
        import greenlet
        def work():
            for _ in range(3000): pass
        def ping():
            while True:
                work()
                second.switch()
        def pong():
            while True:
                work()
                first.switch()
        first, second = greenlet.greenlet(ping), greenlet.greenlet(pong)
        print("ready", flush=True)
        first.switch()
        """,
        sys.executable,
        window_s=1.0,
    )
    for sample in window.samples:
        if sample.stack[-1] is not UNSTABLE:
            assert not {"ping", "pong"} <= set(names(sample))
    assert most_seen(window, "work")


_ROOT = str(Path(__file__).resolve().parents[4])
