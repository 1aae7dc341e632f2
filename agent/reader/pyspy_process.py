"""One run of the py-spy program: started so that it cannot outlive us, bounded in time and output, always reaped."""

import contextlib
import ctypes
import functools
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pyrometer.errors import PyrometerError
from pyrometer.units import NS_PER_S

# A profile of ten seconds at 100 Hz with 32 busy threads of 50 frames is about 8 MB.
OUTPUT_BYTES_MAX: Final = 64 * 1024 * 1024
MESSAGES_BYTES_MAX: Final = 256 * 1024
# py-spy answers Ctrl-C at its next sample and then writes its file.
INTERRUPT_GRACE_S: Final = 10.0
# After `interrupt` somebody waits for us: give up sooner.
STOP_GRACE_S: Final = 2.0

_PR_SET_PDEATHSIG: Final = 1
# Bound before any fork: nothing may be imported or loaded in the child.
_prctl = ctypes.CDLL(None, use_errno=True).prctl


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """
    How a run ended.

    Attributes:
        exit_code: As `subprocess` has it: negative for a signal.
        output: What it wrote to its output file.
        messages: What it printed, both streams.
        cpu_ns: CPU time it used.
        duration_ns: From start to end.
        interrupted: It was asked to end early.
    """

    exit_code: int
    output: bytes
    messages: str
    cpu_ns: int
    duration_ns: int
    interrupted: bool


@functools.cache
def find_pyspy() -> str:
    """
    Return the path of py-spy: the one installed beside this Python first, then the one on PATH.

    Raises:
        PyrometerError: If there is none.
    """
    beside = Path(sys.executable).parent / "py-spy"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("py-spy")
    if found is None:
        raise PyrometerError(f"py-spy is neither beside {sys.executable} nor on PATH; run: pip install py-spy")
    return found


class PySpyProcess:
    """
    A running py-spy.

    Its output goes to memory, never to the disk or the terminal. It runs in a session of its own, so that a Ctrl-C on
    the terminal reaches it only through us.
    """

    def __init__(self, arguments: list[str], *, to_file: bool) -> None:
        """
        Start py-spy.

        Args:
            arguments: Its command line, without the program.
            to_file: Add ``--output``, naming memory of ours; otherwise what it prints is its output.
        """
        self._lock = threading.Lock()
        self._interrupted = False
        self._ended = False
        with contextlib.ExitStack() as stack:
            self._output = _memory_file("pyrometer-output", stack)
            self._messages = _memory_file("pyrometer-messages", stack)
            self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            stack.callback(os.close, self._wake)
            output_flags = ["--output", f"/proc/self/fd/{self._output}"] if to_file else []
            self._started_ns = time.monotonic_ns()
            self._process = _spawn(
                [find_pyspy(), *arguments, *output_flags],
                stdout=self._messages if to_file else self._output,
                stderr=self._messages,
                pass_fd=self._output,
            )
            self._pidfd = os.pidfd_open(self._process.pid)
            stack.callback(os.close, self._pidfd)
            self._resources = stack.pop_all()

    def __enter__(self) -> Self:
        """Return the running program, which the end of the block kills if it still runs."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it if it still runs, reap it, and free its memory."""
        with self._lock:
            if not self._ended:
                self._process.kill()
                self._process.wait()
                self._ended = True
            self._resources.close()

    def interrupt(self) -> None:
        """Ask it, from any thread, to write what it has and end."""
        with self._lock:
            self._interrupted = True
            if not self._ended:
                os.eventfd_write(self._wake, 1)

    def wait(self, *, interrupt_after_s: float) -> Finished:
        """Wait until it ends by itself, or interrupt it after this time, and kill it if even that does not end it."""
        if not self._wait_until(self._started_ns + int(interrupt_after_s * NS_PER_S), wakeable=True):
            self._process.send_signal(signal.SIGINT)
            grace_s = STOP_GRACE_S if self._interrupted else INTERRUPT_GRACE_S
            if not self._wait_until(time.monotonic_ns() + int(grace_s * NS_PER_S), wakeable=False):
                self._process.kill()
        with self._lock:
            _, status, usage = os.wait4(self._process.pid, 0)
            self._process.returncode = os.waitstatus_to_exitcode(status)
            self._ended = True
        return Finished(
            exit_code=self._process.returncode,
            output=_read_all(self._output, OUTPUT_BYTES_MAX),
            messages=_read_all(self._messages, MESSAGES_BYTES_MAX).decode(errors="replace"),
            cpu_ns=int((usage.ru_utime + usage.ru_stime) * NS_PER_S),
            duration_ns=time.monotonic_ns() - self._started_ns,
            interrupted=self._interrupted,
        )

    def _wait_until(self, deadline_ns: int, *, wakeable: bool) -> bool:
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        if wakeable:
            poll.register(self._wake, select.POLLIN)
        timeout_ms = max(0, deadline_ns - time.monotonic_ns()) // 1_000_000 + 1
        return self._pidfd in {descriptor for descriptor, _ in poll.poll(timeout_ms)}


def _spawn(command: list[str], *, stdout: int, stderr: int, pass_fd: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=[pass_fd],
            start_new_session=True,
            preexec_fn=functools.partial(_die_with_parent, os.getpid()),  # noqa: PLW1509  # it takes no lock
            env={**os.environ, "RUST_BACKTRACE": "0", "RUST_LOG": "warn"},
        )
    except OSError as error:
        raise PyrometerError(
            f"cannot start {command[0]}: {error.strerror}; reinstall it with: pip install py-spy"
        ) from error


def _die_with_parent(parent: int) -> None:
    """Run in the child, between fork and exec: be killed when the thread that started us ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = OUTPUT_BYTES_MAX if hard == resource.RLIM_INFINITY else min(OUTPUT_BYTES_MAX, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def _memory_file(name: str, stack: contextlib.ExitStack) -> int:
    descriptor = os.memfd_create(name)
    stack.callback(os.close, descriptor)
    return descriptor


def _read_all(descriptor: int, limit: int) -> bytes:
    return os.pread(descriptor, min(os.fstat(descriptor).st_size, limit), 0)
