"""One supervised part over its life, and what becomes of it when it dies."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from pyrometer.errors import ConfigError, PyrometerError
from pyrometer.up.backoff import Backoff
from pyrometer.up.child import Child, ChildLog, describe_exit
from pyrometer.up.plan import Part

# A part that never became ready in so many starts has a fault that another start does not mend.
START_FAILURES_MAX: Final = 5
# The same for a part that ran, and now says that its configuration is wrong (its port, perhaps, is taken for a moment).
CONFIG_FAILURES_MAX: Final = 3
_CONFIG_EXIT: Final = ConfigError.exit_code
_LOG_LINES_SHOWN: Final = 12


class PartState(Enum):
    """Where a part is in its life."""

    WAITING = auto()  # for the parts it needs
    STARTING = auto()  # runs, and does not answer yet
    READY = auto()
    BACKING_OFF = auto()  # died, and will be started again


class CannotRunError(Exception):
    """A part will not run however often it is started. The text is for a person."""

    def __init__(self, text: str, *, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(slots=True)
class Slot:
    """
    A part and what has become of it.

    Attributes:
        since: Monotonic seconds of the last change of state; while backing off, of the next start.
        was_ready: Whether it ever was.
        failures: Deaths in a row before it was ready.
        config_failures: Deaths in a row by exit code 2.
        told: The last log lines that were shown, so as not to show the same twice.
    """

    part: Part
    log: ChildLog | None
    state: PartState = PartState.WAITING
    child: Child | None = None
    since: float = 0.0
    was_ready: bool = False
    failures: int = 0
    config_failures: int = 0
    told: list[str] = field(default_factory=list)
    backoff: Backoff = field(default_factory=Backoff)

    def exit_code(self) -> int | None:
        """Return how the child ended, or None where it runs or there is none."""
        return self.child.exit_code() if self.child else None

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the child."""
        if self.child:
            self.child.ask_to_stop()

    def kill(self) -> None:
        """Kill the child and what is left of its group."""
        if self.child:
            self.child.kill()

    def became_ready(self, now: float) -> None:
        """Note that the part answers."""
        self.state, self.since, self.was_ready, self.failures = PartState.READY, now, True, 0

    def stayed_well(self) -> None:
        """Forget what went wrong before."""
        self.backoff.reset()
        self.config_failures = 0

    def died(self, code: int | None, now: float) -> str:
        """
        Decide when to start the part again.

        Args:
            code: How it ended; None where we ended it, as it did not become ready.
            now: Monotonic seconds.

        Returns:
            What to tell a person; with the end of the log where the part had not become ready.

        Raises:
            CannotRunError: If another start is useless.
        """
        how = describe_exit(code) if code is not None else "did not become ready"
        was_starting = self.state is not PartState.READY
        self.failures += was_starting
        self.config_failures = self.config_failures + 1 if code == _CONFIG_EXIT else 0
        self.child = None
        self._give_up_where_useless(how)
        delay_s = self.backoff.next_delay_s()
        self.state, self.since = PartState.BACKING_OFF, now + delay_s
        text = f"{self.part.name} {how}; starting it again in {delay_s:.1f} s"
        return self._with_log(text) if was_starting else text

    def _give_up_where_useless(self, how: str) -> None:
        if self.config_failures and (not self.was_ready or self.config_failures >= CONFIG_FAILURES_MAX):
            text = f"{self.part.name} cannot run: it {how}, a matter of its configuration"
            raise CannotRunError(self._with_log(text), exit_code=_CONFIG_EXIT)
        if not self.was_ready and self.failures >= START_FAILURES_MAX:
            text = f"{self.part.name} cannot run: it {how}, for the {self.failures}th time before it was ready"
            raise CannotRunError(self._with_log(text), exit_code=PyrometerError.exit_code)

    def _with_log(self, text: str) -> str:
        lines = self.log.last_lines(_LOG_LINES_SHOWN) if self.log else []
        if not self.log or not lines or lines == self.told:
            return text
        self.told = lines
        return "\n".join([f"{text}; the end of {self.log.path}:", *(f"    {line}" for line in lines)])
