"""The program that is recorded from its start: our child, with our terminal, ended when the recording ends."""

import ctypes
import errno
import os
import signal
import subprocess
from types import TracebackType
from typing import Final, Self

from pyrometer.errors import PermissionDeniedError, PyrometerError, TargetNotFoundError
from pyrometer.text import printable

# How long it may take to end by itself, before and after it is asked to.
END_GRACE_S: Final = 5.0

_PR_SET_PTRACER: Final = 0x59616D61
_prctl = ctypes.CDLL(None).prctl


class Program:
    """A child process; the end of the ``with`` block ends it."""

    def __init__(self, arguments: list[str]) -> None:
        """
        Start it with our standard input, output and error.

        Raises:
            TargetNotFoundError: If there is no such program.
            PermissionDeniedError: If it may not be run.
        """
        shown = printable(arguments[0])
        try:
            self._process = subprocess.Popen(arguments, preexec_fn=_allow_reading)  # noqa: PLW1509  # takes no lock
        except (FileNotFoundError, NotADirectoryError) as error:
            raise TargetNotFoundError(f"cannot start {shown}: no such program; check the name and PATH") from error
        except PermissionError as error:
            raise PermissionDeniedError(f"cannot start {shown}: not executable by this user; check chmod +x") from error
        except (OSError, ValueError) as error:
            reason = "not a program this system can run" if _is_bad_format(error) else printable(str(error))
            raise PyrometerError(f"cannot start {shown}: {reason}") from error

    def __enter__(self) -> Self:
        """Return the running program."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, unless `end` has done so."""
        self.end(ending_by_itself=False)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return how it ended, as `subprocess` has it; None while it runs."""
        return self._process.poll()

    def forward(self, number: int) -> None:
        """Send it a signal that we received and it did not."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def end(self, *, ending_by_itself: bool) -> int:
        """
        Return its exit code, as `subprocess` has it, after it has ended: by itself, by SIGTERM, or at last by SIGKILL.

        Args:
            ending_by_itself: It has closed already or was sent a signal: wait before asking it again.
        """
        for number in (None, signal.SIGTERM) if ending_by_itself else (signal.SIGTERM,):
            if number is not None and self._process.poll() is None:
                self._process.send_signal(number)
            try:
                return self._process.wait(END_GRACE_S)
            except subprocess.TimeoutExpired:
                continue
        self._process.kill()
        return self._process.wait()


def describe_exit(code: int) -> str:
    """Return how a program ended, for a person."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _allow_reading() -> None:
    """Run in the child before its exec: where Yama restricts ptrace, let us and our children read it."""
    _prctl(_PR_SET_PTRACER, ctypes.c_ulong(os.getppid()), 0, 0, 0)


def _is_bad_format(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ENOEXEC
