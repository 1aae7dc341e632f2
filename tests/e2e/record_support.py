"""Runs the command line as its users do: as a program of its own, against real processes."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

DEADLINE_S = 60.0
# Three quarters of the time in hot, one in lukewarm.
WORKLOAD = """
import time
def hot(until):
    while time.monotonic() < until:
        sum(range(300))
def lukewarm(until):
    while time.monotonic() < until:
        sum(range(300))
def main(end):
    print("ready", flush=True)
    while time.monotonic() < end:
        now = time.monotonic()
        hot(now + 0.03)
        lukewarm(now + 0.04)
main(time.monotonic() + 60)
"""
# What drops every capability: even root may then not read a process that has some.
WITHOUT_RIGHTS = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")


def pyrometer(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=DEADLINE_S, check=False, **options
    )


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pyrometer", *arguments]


@contextlib.contextmanager
def workload(directory: Path, source: str = WORKLOAD) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program until the end of the block; it is busy when the block begins."""
    script = directory / "busy_service.py"
    script.write_text(source, encoding="utf-8")
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def dead_pid() -> int:
    """A pid that no process has: of one that ran and was collected."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    return process.pid


def eventually(condition, what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.02)


def one_line(finished: subprocess.CompletedProcess[str]) -> str:
    """The single line that a failed command prints."""
    (line,) = finished.stderr.splitlines()
    assert line.startswith("pyrometer: ")
    assert finished.stdout == ""
    return line


def can_drop_rights() -> bool:
    """Whether a process without rights can be started here at all."""
    if os.geteuid() != 0:
        return True
    if shutil.which("setpriv") is None:
        return False
    return subprocess.run([*WITHOUT_RIGHTS, "true"], check=False, capture_output=True).returncode == 0


@contextlib.contextmanager
def forbidden_process(directory: Path) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield how to prefix a command, and the pid of a process that it may then not read."""
    if os.geteuid() != 0:
        yield (), 1
        return
    with workload(directory) as process:
        yield WITHOUT_RIGHTS, process.pid
