"""Work beside the servers: a thread from the beginning of a block to its end."""

import abc
import threading
from types import TracebackType
from typing import Self


class Background(abc.ABC):
    """
    Works within its block, in a thread of its own, where there is anything to do.

    Args:
        name: Of the thread.
        end_s: How long the end of the block waits for the thread; None: until it has ended.
        stopping: Set when the block ends; one of its own where none is given.
    """

    def __init__(self, name: str, *, end_s: float | None = 1.0, stopping: threading.Event | None = None) -> None:
        self._stopping = threading.Event() if stopping is None else stopping
        self._end_s = end_s
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        """Begin, where there is anything to do."""
        if self._is_needed():
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(self._end_s)

    @abc.abstractmethod
    def _is_needed(self) -> bool:
        """Return whether there is anything to do."""

    @abc.abstractmethod
    def _run(self) -> None:
        """Work until ``_stopping`` is set."""
