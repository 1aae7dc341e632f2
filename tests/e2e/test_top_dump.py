"""pyrometer top and dump from end to end, on real processes, into a pipe and on a real terminal."""

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from fcntl import ioctl
from pathlib import Path

import pytest
from record_support import (
    can_drop_rights,
    command,
    dead_pid,
    eventually,
    forbidden_process,
    one_line,
    pyrometer,
    workload,
)

pytestmark = pytest.mark.e2e

HOSTILE = r"""
import time
def idle_worker():
    time.sleep(60)
import threading
threading.Thread(target=idle_worker, name="evil\x1b]0;owned\x07\n[bold]", daemon=True).start()
namespace = {"time": time}
source = "def spin(secret):\n    while time.monotonic() < secret: pass\n"
exec(compile(source, "red\x1b[31m\u202e.py", "exec"), namespace)
print("ready", flush=True)
namespace["spin"](time.monotonic() + 60)
"""


class Terminal:
    """A program on a pseudo-terminal, and everything it has written."""

    def __init__(self, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        self.settings = termios.tcgetattr(slave)
        self.slave = slave
        environment = {**os.environ, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            command(*arguments),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            preexec_fn=self._take_terminal,  # noqa: PLW1509
        )
        self.text = ""

    @staticmethod
    def _take_terminal() -> None:
        os.setsid()
        ioctl(0, termios.TIOCSCTTY, 0)

    def read_until(self, pattern: str) -> None:
        deadline = time.monotonic() + 120
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, f"no {pattern} in {self.text!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")

    def end(self) -> int:
        """Wait for the end, reading on so that it never blocks."""
        deadline = time.monotonic() + 120
        while self.process.poll() is None or select.select([self.master], [], [], 0)[0]:
            assert time.monotonic() < deadline, "it does not end"
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def on_terminal():
    opened: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def is_clean(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def test_top_into_a_pipe_prints_a_table_for_each_refresh(tmp_path):
    """The hot function is on top of the tables, with its share, its file and the seconds so far."""
    with workload(tmp_path) as process:
        finished = pyrometer("top", "-p", str(process.pid), "--iterations", "5", "--delay", "1")
    assert 0 == finished.returncode, finished.stderr
    tables = finished.stdout.strip().split("\n\n")
    assert 5 == len(tables)
    # On a machine full of other work the process may not get to run while it is looked at, for a second.
    tables = [table for table in tables if len(table.splitlines()) > 2 and ": CPU 0%" not in table]
    assert len(tables) >= 2
    seconds = []
    for table in tables:
        heading, _, first, *_ = table.splitlines()
        assert heading.startswith(f"busy_service (pid {process.pid}): CPU ")
        self_share, total_share, self_s, total_s, function, file = first.split()
        assert ("hot", "(busy_service.py)") == (function, file)
        # Of a CPU that other work may share: the first place tells more than the number.
        assert 0 < float(self_share.rstrip("%")) <= float(total_share.rstrip("%")) < 150
        assert self_s == total_s
        seconds.append(float(self_s))
    assert 0 < seconds[0] < seconds[-1]
    assert re.search(r"^ +\d\.\d% +\d+\.\d% .* main \(", tables[-1], re.MULTILINE), (
        "callers are in the table with their total"
    )


def test_top_ends_with_the_process(tmp_path):
    """Exit code 4 and one line, after what was seen."""
    with workload(tmp_path) as process:
        top = subprocess.Popen(
            command("top", "-p", str(process.pid), "--delay", "0.5"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert top.stdout is not None
        assert "busy_service" in top.stdout.readline()
        process.kill()
        process.wait()
        _, messages = top.communicate(timeout=120)
    assert (4, f"pyrometer: process {process.pid} has ended\n") == (top.returncode, messages)


def test_top_ends_with_an_interrupt(tmp_path):
    """Ctrl-C is a normal end."""
    with workload(tmp_path) as process:
        top = subprocess.Popen(
            command("top", "-p", str(process.pid), "--delay", "0.5"), stdout=subprocess.PIPE, text=True
        )
        assert top.stdout is not None
        assert "busy_service" in top.stdout.readline()
        top.send_signal(signal.SIGINT)
        top.communicate(timeout=120)
    assert 0 == top.returncode


def test_top_on_a_terminal_refreshes_sorts_and_quits(tmp_path, on_terminal):
    """Keys work without Enter, and the terminal is left as it was."""
    with workload(tmp_path) as process:
        terminal = on_terminal("top", "-p", str(process.pid), "--delay", "0.5")
        terminal.read_until(r"hot .*busy_service\.py")
        terminal.read_until(r"now: self %")
        os.write(terminal.master, b"4")
        terminal.read_until(r"now: total s")
        os.write(terminal.master, b"q")
        assert 0 == terminal.end()
    assert terminal.text.rstrip().endswith("\x1b[?1049l"), "the screen of before is back"
    assert terminal.settings == termios.tcgetattr(terminal.slave)


def test_record_on_a_terminal_shows_a_bar(tmp_path, on_terminal):
    """Seconds, samples and errors are shown while it records, and the bar is gone at the end."""
    with workload(tmp_path) as process:
        terminal = on_terminal("record", "-p", str(process.pid), "-d", "3", "-o", str(tmp_path / "out.txt"))
        terminal.read_until(r"of 3 s +[1-9][0-9]* samples +0 errors")
        assert 0 == terminal.end()
    assert re.search(r"\x1b\[2Kpyrometer: wrote .*out\.txt \(collapsed\): \d+ samples in", terminal.text)


def test_dump_prints_each_thread_with_its_state(tmp_path):
    """The running thread and the waiting one, leaf first, and no text of the process can steer the terminal."""
    with workload(tmp_path, HOSTILE) as process:
        finished = pyrometer("dump", "-p", str(process.pid), "--full-filenames")
    assert 0 == finished.returncode, finished.stderr
    assert is_clean(finished.stdout)
    assert re.search(rf"^Process {process.pid}: Python 3\.\d+: .*busy_service\.py$", finished.stdout, re.MULTILINE)
    running, waiting = re.split(r"^Thread ", finished.stdout, flags=re.MULTILINE)[1:]
    assert running.startswith(f"{process.pid} (active")
    assert r"    spin (red\x1b[31m\u202e.py:2)" in running
    assert f"    <module> ({tmp_path}/busy_service.py:11)" in running
    assert re.match(r'\d+ \(idle\): "evil\\x1b\]0;owned\\x07\\n\[bold\]"', waiting)
    assert f"    idle_worker ({tmp_path}/busy_service.py:4)" in waiting


def test_dump_shows_locals_only_when_asked(tmp_path):
    """Values may be secrets."""
    with workload(tmp_path, HOSTILE) as process:
        without = pyrometer("dump", "-p", str(process.pid))
        with_locals = pyrometer("dump", "-l", "-p", str(process.pid))
    assert "secret" not in without.stdout
    assert re.search(r"Arguments:\n +secret: \d+\.\d+", with_locals.stdout)


def test_dump_as_json_is_ascii_and_complete(tmp_path):
    """A script can read it, and it is safe to print."""
    with workload(tmp_path, HOSTILE) as process:
        finished = pyrometer("dump", "--json", "-p", str(process.pid))
    assert finished.stdout.isascii()
    assert is_clean(finished.stdout)
    by_state = {thread["active"]: thread for thread in json.loads(finished.stdout)}
    assert {True, False} == set(by_state)
    assert "red\x1b[31m\u202e.py" == by_state[True]["frames"][0]["filename"]
    assert "evil\x1b]0;owned\x07\n[bold]" == by_state[False]["thread_name"]
    assert process.pid == by_state[True]["os_thread_id"]


def test_dump_with_subprocesses_prints_every_process(tmp_path):
    """The children follow their parent."""
    source = "import os, time\nif os.fork():\n    print('ready', flush=True)\nend = time.time() + 60\n"
    with workload(tmp_path, source + "while time.time() < end: pass\n") as process:
        child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        try:
            finished = pyrometer("dump", "-s", "-p", str(process.pid))
        finally:
            os.kill(child, signal.SIGKILL)
    assert [str(process.pid), str(child)] == re.findall(r"^Process (\d+):", finished.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", ["top", "dump"])
def test_a_dead_pid_is_one_line_and_exit_code_4(name):
    """The line names the pid."""
    pid = dead_pid()
    finished = pyrometer(name, "-p", str(pid))
    assert 4 == finished.returncode
    assert f"no process has the pid {pid}" in one_line(finished)


@pytest.mark.parametrize("name", ["top", "dump"])
def test_a_process_that_is_not_python_is_one_line_and_exit_code_4(name):
    """The line names the program."""
    process = subprocess.Popen(["/bin/sleep", "60"])
    try:
        eventually(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n", "exec")
        finished = pyrometer(name, "-p", str(process.pid))
    finally:
        process.kill()
        process.wait()
    assert 4 == finished.returncode
    assert "(sleep) is not a Python process" in one_line(finished)


@pytest.mark.skipif(not can_drop_rights(), reason="no process without rights can be started here")
@pytest.mark.parametrize("name", ["top", "dump"])
def test_a_missing_right_is_one_line_and_exit_code_3(tmp_path, name):
    """The line names the right."""
    with forbidden_process(tmp_path) as (prefix, pid):
        finished = subprocess.run(
            [*prefix, *command(name, "-p", str(pid))], capture_output=True, text=True, check=False
        )
    assert 3 == finished.returncode
    assert f"may not read process {pid}" in one_line(finished)


@pytest.mark.parametrize("name", ["top", "dump"])
def test_without_a_pid_it_is_exit_code_2(name):
    """The option is named."""
    finished = pyrometer(name)
    assert 2 == finished.returncode
    assert "--pid" in finished.stderr
