"""The flags that the commands for one process share. Letters and meanings are py-spy's."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from agent.adhoc.plan import ENGINES
from agent.reader.pyspy import RATE_HZ_MAX

_Function = TypeVar("_Function", bound=Callable[..., Any])

PID_MAX: Final = 2**22


class PidType(click.ParamType):  # type: ignore[type-arg]  # generic only in newer click
    """A process id, decimal or hexadecimal."""

    name = "pid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        try:
            pid = value if isinstance(value, int) else int(value, base=0)
        except ValueError:
            self.fail(f"{value!r} is not a process id: give a number, as ps and pgrep print it", param, ctx)
        if not 0 < pid <= PID_MAX:
            self.fail(f"{value} is not a process id: they go from 1 to {PID_MAX}", param, ctx)
        return pid


class DurationType(click.ParamType):  # type: ignore[type-arg]  # generic only in newer click
    """Seconds, or ``unlimited``."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Return the seconds, or None for no end."""
        if value is None or value == "unlimited":
            return None
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number of seconds, nor the word unlimited", param, ctx)
        if not 0 < seconds <= 1e9:  # noqa: PLR2004  # also refuses nan
            self.fail(f"{value} is not above 0", param, ctx)
        return seconds


pid_option: Final = click.option("-p", "--pid", type=PidType(), help="Process id of a running Python program.")
required_pid_option: Final = click.option(
    "-p", "--pid", type=PidType(), required=True, help="Process id of a running Python program."
)
rate_option: Final = click.option(
    "-r",
    "--rate",
    type=click.IntRange(1, RATE_HZ_MAX),
    default=100,
    show_default=True,
    help="Samples a second.",
)


def _switch(*names: str, help_text: str) -> Callable[[_Function], _Function]:
    return click.option(*names, is_flag=True, help=help_text)


subprocesses_option: Final = _switch("-s", "--subprocesses", help_text="Also read its child processes.")
engine_option: Final = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="What reads: our own engine (remote), or py-spy; auto takes py-spy where our own refuses.",
)
native_option: Final = _switch(
    "-n", "--native", help_text="Also show frames of C, C++ and Cython extensions; read by py-spy."
)
gil_option: Final = _switch("-g", "--gil", help_text="Only stacks of threads that hold the GIL.")
idle_option: Final = _switch("-i", "--idle", help_text="Also stacks of threads that wait; values are wall time.")
blocking_option: Final = _switch("--blocking", help_text="Stop the program for each sample; read by py-spy.")
nonblocking_option: Final = _switch(
    "--nonblocking",
    help_text="Never stop the program, not even where py-spy reads it; its stacks may come out torn then.",
)
full_filenames_option: Final = _switch(
    "--full-filenames",
    help_text="Whole paths, in place of the part below the package.",
)
