"""Real processes for the reader's tests, and the other Pythons of this machine where there are any."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

DEADLINE_S = 60.0
SPIN = """
import sys, time
def hot(until):
    while time.monotonic() < until:
        sum(range(500))
print("ready", flush=True)
hot(time.monotonic() + 60)
"""


def other_pythons() -> list[str]:
    """CPython 3.12 and later beside the one that runs the tests."""
    found = sorted(Path.home().glob(".pyenv/versions/3.1[2-9]*/bin/python"))
    return [str(path) for path in found if os.access(path, os.X_OK)]


@contextlib.contextmanager
def running(*arguments: str, python: str = sys.executable, ready: bool = True) -> Iterator[subprocess.Popen[str]]:
    """Run a program of Python until the end of the block; it has printed a line before the block begins."""
    process = subprocess.Popen([python, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        if ready:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line == "ready\n", line
        yield process
    finally:
        process.kill()
        process.communicate()


def eventually(condition, what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.01)


def children_named(name: str) -> list[int]:
    """Pids of this process's children, zombies excepted, that run this program."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            head, _, tail = path.read_text().rpartition(") ")
            state, parent = tail.split()[:2]
            if head.endswith(f"({name}") and int(parent) == os.getpid() and state != "Z":
                found.append(int(path.parent.name))
    return found
