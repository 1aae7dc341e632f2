"""How a process is to be read, as the flags say it, and the engines for that."""

from dataclasses import dataclass, field
from typing import Final, Literal

from agent.adhoc.clock_watch import ClockWatch
from agent.reader.engine import Attachment, Target
from agent.reader.pace import Pace
from agent.reader.pyspy import PySpyEngine
from agent.reader.pyspy_process import find_pyspy
from agent.reader.remote import RemoteEngine
from pyrometer.errors import ConfigError, NotPythonError, RefusedError

EngineName = Literal["auto", "remote", "py-spy"]
ENGINES: Final[tuple[EngineName, ...]] = ("auto", "remote", "py-spy")
# Longest window, cut shorter by whoever takes it.
_WINDOW_S_MAX: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What was asked for.

    Attributes:
        engine: Which reads; with ``auto`` our own, and py-spy where that refuses or cannot do what is asked.
        rate_hz: Samples a second.
        idle: Also stacks of threads that wait; values are wall time.
        gil: Only stacks of threads that hold the GIL.
        native: Also native frames; only py-spy has them.
        blocking: Stop the process for each sample; only py-spy does.
        nonblocking: Never stop it, also where py-spy reads.
        subprocesses: Also read the processes below it.
        first_lines: Give the line where a function begins, in place of the line that runs.
        line_numbers: Give lines at all.
        full_filenames: Give whole paths, in place of the part below the package.
        threads: Put a frame for the thread at each root.
    """

    engine: EngineName = "auto"
    rate_hz: int = 100
    idle: bool = False
    gil: bool = False
    native: bool = False
    blocking: bool = False
    nonblocking: bool = False
    subprocesses: bool = False
    first_lines: bool = False
    line_numbers: bool = True
    full_filenames: bool = True
    threads: bool = False

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.native and self.nonblocking:
            raise ConfigError("native frames need blocking reads: leave out either --native or --nonblocking")
        if self.blocking and self.nonblocking:
            raise ConfigError("--blocking and --nonblocking contradict each other: leave out one")
        if self.engine == "remote" and (self.native or self.blocking):
            flag = "--native" if self.native else "--blocking"
            raise ConfigError(f"only py-spy can do what {flag} asks for: leave out either {flag} or --engine remote")
        if self.needs_pyspy:
            find_pyspy()

    @property
    def needs_pyspy(self) -> bool:
        """Whether our own engine cannot do this."""
        return self.engine == "py-spy" or self.native or self.blocking

    @property
    def is_cpu_time(self) -> bool:
        """Whether values are CPU time, as the kernel accounts it; else they are samples times the period."""
        return not (self.idle or self.gil)


@dataclass(slots=True)
class PlannedEngine:
    """
    The engines of a plan as one.

    Attributes:
        plan: What was asked for.
        refusals: Why our own engine did not serve, each reason once.
        clocks: Of the processes that are being read.
    """

    plan: Plan
    refusals: dict[str, str] = field(default_factory=dict)
    clocks: ClockWatch = field(default_factory=ClockWatch)
    _remote: RemoteEngine = field(init=False)
    _pyspy: PySpyEngine = field(init=False)

    def __post_init__(self) -> None:
        """Set both up; neither reads anything yet."""
        plan = self.plan
        self._remote = RemoteEngine(
            pace=Pace(plan.rate_hz),
            window_s=_WINDOW_S_MAX,
            mode="gil" if plan.gil else "wall" if plan.idle else "cpu",
            first_lines=plan.first_lines,
        )
        self._pyspy = PySpyEngine(
            rate_hz=plan.rate_hz,
            window_s=_WINDOW_S_MAX,
            blocking=not plan.nonblocking,
            idle=plan.idle,
            native=plan.native,
            gil=plan.gil,
            first_lines=plan.first_lines,
        )

    @property
    def name(self) -> str:
        """The name in messages."""
        return "py-spy" if self.plan.needs_pyspy else "remote"

    def attach(self, target: Target, *, doubt: bool = True) -> Attachment:
        """
        Begin to read a target; see `Engine.attach`.

        Args:
            target: Which.
            doubt: Whether to ask py-spy where our own engine sees no Python: it knows older ones too.
        """
        if self.plan.needs_pyspy:
            return self._pyspy.attach(target)
        try:
            return self._remote.attach(target)
        except RefusedError as error:
            if self.plan.engine == "remote":
                raise
            self.refusals.setdefault(error.reason, str(error))
        except NotPythonError:
            if self.plan.engine == "remote" or not doubt:
                raise
        return self._pyspy.attach(target)
