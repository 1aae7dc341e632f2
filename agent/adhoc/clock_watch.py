"""Looks at the clocks of the processes that are being read, so that one which ends takes little unseen time with it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from agent.python_process import PythonProcess

# What a process used since the last look is lost when its parent learns of its end first. A look costs some 10 µs.
_INTERVAL_S: Final = 0.02


class ClockWatch:
    """One thread for all; it sleeps while nothing is watched."""

    def __init__(self) -> None:
        """Begin with nothing to watch, and without the thread."""
        self._watched: set[PythonProcess] = set()
        # Held while a clock is read, so that nobody closes its file meanwhile.
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, process: PythonProcess) -> Iterator[None]:
        """Keep the clock of a process fresh for the length of a ``with`` block."""
        with self._changed:
            self._watched.add(process)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="clock-watch", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.discard(process)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            with self._changed:
                while not self._watched:
                    self._changed.wait()
                for process in self._watched:
                    process.refresh()
            pause.wait(_INTERVAL_S)
