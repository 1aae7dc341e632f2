"""A host full of services: some busy, some idle, whose CPU and work are known."""

import mmap
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.clocks import process_cpu_ns, thread_cpu_ns
from benchmarks.scratch import ROOT
from benchmarks.workloads.service import RECORD, SLOT_BYTES, THREADS_MAX

SERVICE_PREFIX: Final = "benchmark-"


class Fleet:
    """Starts the services on entering, and kills them on leaving."""

    def __init__(self, python: Path, *, busy: int, idle: int, environment: Mapping[str, str] | None = None) -> None:
        """
        Start nothing yet.

        Args:
            python: Runs the services.
            busy: How many serve requests as fast as they can.
            idle: How many wait.
            environment: More variables for them.
        """
        self._python = python
        self._kinds = ["busy"] * busy + ["idle"] * idle
        self._environment = dict(environment or {})
        self._processes: list[subprocess.Popen[bytes]] = []
        self._file = tempfile.NamedTemporaryFile(prefix="pyrometer-counters-")  # noqa: SIM115 (closed on leaving)
        self._file.truncate(max(1, len(self._kinds)) * SLOT_BYTES)
        self._counters = mmap.mmap(self._file.fileno(), 0)

    def __enter__(self) -> Self:
        """Start all services and wait until each says that it is up."""
        try:
            for slot, kind in enumerate(self._kinds):
                self._processes.append(self._start(slot, kind))
            for process in self._processes:
                assert process.stdout is not None
                assert process.stdout.readline() == b"up\n", "a service did not start"
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill all services."""
        self._end()

    @property
    def pids(self) -> list[int]:
        """All processes, the busy ones first."""
        return [process.pid for process in self._processes]

    def requests(self) -> int:
        """Return how many requests were served so far."""
        return sum(count for count, _ in self._records())

    def cpu_ns(self) -> int:
        """Return the CPU time of all services so far."""
        return sum(process_cpu_ns(pid) for pid in self.pids)

    def other_threads_cpu_ns(self) -> int:
        """Return the CPU time of threads that are not the services' own: those of a profiler inside."""
        own = 0
        for slot, pid in enumerate(self.pids):
            own += sum(thread_cpu_ns(pid, thread) for _, thread in self._records([slot]) if thread)
        return self.cpu_ns() - own

    def _records(self, slots: Iterable[int] | None = None) -> list[tuple[int, int]]:
        return [
            RECORD.unpack_from(self._counters, slot * SLOT_BYTES + thread * RECORD.size)
            for slot in (range(len(self._kinds)) if slots is None else slots)
            for thread in range(THREADS_MAX)
        ]

    def _start(self, slot: int, kind: str) -> subprocess.Popen[bytes]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "PYTHON"))}
        return subprocess.Popen(
            [str(self._python), "-m", "benchmarks.workloads.service", kind, self._file.name, str(slot)],
            stdout=subprocess.PIPE,
            env=inherited | self._environment | {"OTEL_SERVICE_NAME": f"{SERVICE_PREFIX}{kind}-{slot}"},
            cwd=ROOT,
        )

    def _end(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            if process.stdout:
                process.stdout.close()
        self._counters.close()
        self._file.close()
