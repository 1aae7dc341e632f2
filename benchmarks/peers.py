"""
Other profilers, run as they are meant to be run, so that a comparison is fair.

py-spy and austin are programs that read one process each: a fleet agent starts one for every process. Pyroscope's SDK
lives inside the process. All are told the same rate, to take what is on a CPU, and to write where it costs nothing.
"""

import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from agent.reader.pyspy_process import find_pyspy
from benchmarks.clocks import process_cpu_ns
from benchmarks.scratch import Interpreter, UnavailableError, scratch_python
from pyrometer.units import NS_PER_S

# The last austin that runs on Debian 12's C library.
AUSTIN: Final = "austin-dist<4"
SDK: Final = "pyroscope-io>=1.4"
NUMPY: Final = "numpy>=2"
GUNICORN: Final = "gunicorn>=23"
_END_TIMEOUT_S: Final = 20
_FOREVER_S: Final = 86_400
_COUNT: Final = re.compile(rb" (\d+)$", re.MULTILINE)


class Reader(Protocol):
    """A profiler that reads processes from outside, started on entering and ended on leaving."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def cpu_ns(self) -> int:
        """Return the CPU time it has used so far."""

    def samples(self) -> int:
        """Return how many samples it has taken; where it tells only at its end, 0 until then."""


class Programs:
    """One program for each process it reads."""

    def __init__(self, commands: Sequence[Sequence[str]], folder: tempfile.TemporaryDirectory[str]) -> None:
        """
        Start nothing yet.

        Args:
            commands: One for each process.
            folder: Where they write; removed at the end.
        """
        self._commands = commands
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Start all."""
        for command in self._commands:
            self._processes.append(
                subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all, and remove what they wrote."""
        self.end()
        self._folder.cleanup()

    def cpu_ns(self) -> int:
        """Return their CPU time so far."""
        return sum(process_cpu_ns(process.pid) for process in self._processes)

    def alive(self) -> int:
        """Return how many still run."""
        return sum(process.poll() is None for process in self._processes)

    def end(self) -> None:
        """Ask all to end, as by Ctrl-C, so that they write what they have."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + _END_TIMEOUT_S
        for process in self._processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def samples(self) -> int:
        """Return how many samples were written so far."""
        return sum(self._count(path.read_bytes()) for path in Path(self._folder.name).iterdir())

    def _count(self, text: bytes) -> int:
        return sum(map(int, _COUNT.findall(text)))


class PySpyPrograms(Programs):
    """py-spy, as fleet agents run it: one ``record`` a process, without stopping it, collapsed stacks out."""

    def __init__(self, pids: Sequence[int], rate_hz: int) -> None:
        """Start nothing yet."""
        program = find_pyspy()
        folder = tempfile.TemporaryDirectory(prefix="pyrometer-py-spy-")
        options = ["--rate", str(rate_hz), "--duration", str(_FOREVER_S), "--nonblocking", "--format", "raw"]
        super().__init__(
            [[program, "record", "--pid", str(pid), *options, "--output", f"{folder.name}/{pid}"] for pid in pids],
            folder,
        )


class AustinPrograms(Programs):
    """austin, one a process, threads that wait left out (``--sleepless``); it writes a line for each sample."""

    def __init__(self, pids: Sequence[int], rate_hz: int, interpreter: Interpreter) -> None:
        """
        Start nothing yet.

        Raises:
            UnavailableError: austin cannot be had, or does not run here.
        """
        program = scratch_python(interpreter, AUSTIN).with_name("austin")
        if subprocess.run([program, "--version"], capture_output=True, check=False).returncode:
            raise UnavailableError("austin does not run on this system")
        folder = tempfile.TemporaryDirectory(prefix="pyrometer-austin-")
        options = ["--sleepless", "--interval", f"{10**6 // rate_hz}us"]
        super().__init__(
            [[str(program), *options, "--pid", str(pid), "--output", f"{folder.name}/{pid}"] for pid in pids], folder
        )

    def _count(self, text: bytes) -> int:
        return text.count(b"\nP")


def percent_of_core(cpu_ns: int, seconds: float) -> float:
    """Return CPU time as a percentage of one core."""
    return 100 * cpu_ns / NS_PER_S / seconds
