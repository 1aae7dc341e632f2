"""Starts the real collector, agent and workloads for end-to-end tests, and asks them over HTTP."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import urllib3

ROOT = Path(__file__).resolve().parent.parent.parent
LINES_SHOWN = 40
_POOL = urllib3.PoolManager(retries=False, timeout=5.0)

# A service with a function that uses most of its time, one that uses little, and one that only waits.
WORKLOAD = """
import threading, time

def needle_in_the_haystack(rounds):
    total = 0
    for number in range(rounds):
        total += number * number
    return total

def cheap_step(rounds):
    return sum(range(rounds))

def handle_request():
    # Long against a turn on a busy machine's CPU: a reader counts a thread that waits for its turn as running.
    needle_in_the_haystack(600_000)
    cheap_step(150_000)
    time.sleep(0.01)

def wait_for_ever():
    threading.Event().wait()

threading.Thread(target=wait_for_ever, daemon=True).start()
print("up", flush=True)
while True:
    handle_request()
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def poll(
    get: Callable[[], Any],
    *,
    timeout_s: float = 120.0,
    what: str = "the condition",
    of: "Program | None" = None,
    interval_s: float = 0.1,
) -> Any:
    """
    Return the first true answer.

    Fail after a deadline, which is long enough for a machine that is busy with other things, or as soon as the program
    *of* which it is has ended; the message has what that printed.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        has_ended = of is not None and of.process.poll() is not None
        answer = get()
        if answer:
            return answer
        printed = "; it printed:\n" + "\n".join(of.lines()[-LINES_SHOWN:]) if of else ""
        assert not has_ended, f"{what} cannot come true: the program ended with {of.process.returncode}{printed}"
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s{printed}"
        time.sleep(interval_s)


def get_json(url: str) -> Any:
    """Return a JSON answer, or None while there is none."""
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        answer = _POOL.request("GET", url)
        if answer.status == 200:
            return json.loads(answer.data)
    return None


def get_text(url: str) -> str:
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        return _POOL.request("GET", url).data.decode()
    return ""


class Program:
    """A program of ours as a child process, its log in a file."""

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        prefix: Sequence[str] = (),
        **options: Any,
    ) -> None:
        self.log = log
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "PYROMETER_"))}
        inherited["PYROMETER_AGENT_EXPORT__SPOOL__DIRECTORY"] = str(log.parent / "spool")
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "pyrometer", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**inherited, **(environment or {})},
                cwd=ROOT,
                **options,
            )

    def lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()

    def stop(self, number: int = signal.SIGTERM, *, timeout_s: float = 60.0) -> tuple[int, float]:
        """
        Signal it and wait.

        Returns:
            The exit code, and the seconds until it ended, without those in which its main thread waited for a CPU that
            others had.
        """
        if self.process.poll() is not None:
            return self.process.returncode, 0.0
        began_s, waited_s = time.monotonic(), waited_for_cpu_s(self.process.pid)
        self.process.send_signal(number)
        poll(self._has_ended, timeout_s=timeout_s, what="its end", interval_s=0.01)
        waited_s = waited_for_cpu_s(self.process.pid) - waited_s
        return self.process.wait(), time.monotonic() - began_s - waited_s

    def _has_ended(self) -> bool:
        """Return whether it has ended, and let it be: what the kernel knows of it is still to be read."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def children(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task")
        with contextlib.suppress(OSError):
            tasks = list(path.iterdir())
            return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
        return []


def waited_for_cpu_s(pid: int) -> float:
    """Return how long the main thread of a process, a zombie too, could run and did not get a CPU."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


@contextlib.contextmanager
def running(program: Program) -> Iterator[Program]:
    """Kill a program at the end of the block, if it still runs."""
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()


@contextlib.contextmanager
def workload(service: str, code: str = WORKLOAD, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real Python program that names itself."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "OTEL_SERVICE_NAME": service, **environment},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def is_running(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False
