"""The engine for each target: our own where it can read the process, py-spy where it refuses."""

from collections.abc import Callable

from agent.reader.engine import Attachment, Engine, Target
from pyrometer.errors import RefusedError


class AutoEngine:
    """Tries one engine, and the other where the first refuses. Any other failure is the first one's to report."""

    def __init__(self, first: Engine, other: Engine, *, refused: Callable[[str], None] = lambda _: None) -> None:
        """
        Prepare.

        Args:
            first: Tried first.
            other: Takes what the first refuses.
            refused: Told the reason of each refusal, a short name from a bounded set.
        """
        self._first = first
        self._other = other
        self._refused = refused

    @property
    def name(self) -> str:
        """The name in logs and metrics."""
        return f"{self._first.name}, else {self._other.name}"

    def attach(self, target: Target) -> Attachment:
        """Begin to read a target; see `Engine.attach`."""
        try:
            return self._first.attach(target)
        except RefusedError as error:
            self._refused(error.reason)
            return self._other.attach(target)
