"""
The errors that cross module boundaries, and the exit code each one ends a command with.

    PyrometerError (1)
    ├── ConfigError (2)             a setting, flag or file is wrong; nothing was done
    ├── PermissionDeniedError (3)   a right is missing
    ├── TargetNotFoundError (4)     no such process, or it has gone
    │   └── NotPythonError (4)      the process is there but is not a Python process we can read
    ├── RefusedError (1)            an engine does not read this target; another may
    ├── DecodeError (1)             bytes that are not what they claim to be
    └── UnreachableError (1)        the other program does not answer

Exit codes: 0 ok, 1 failure, 2 usage or config, 3 permission, 4 target not found or gone, 5 regression found, 130
interrupted.
"""

from typing import ClassVar

# Ends `pyrometer check`.
REGRESSION_FOUND = 5

EXIT_CODES: dict[int, str] = {
    0: "success (SIGTERM after a clean shutdown included)",
    1: "runtime failure",
    2: "usage or configuration",
    3: "permission denied or missing capability",
    4: "target not found or gone",
    REGRESSION_FOUND: "regression found",
    130: "interrupted",
}


class PyrometerError(Exception):
    """The root: its text is one line for a person, and says what to do."""

    exit_code: ClassVar[int] = 1


class ConfigError(PyrometerError):
    """A setting, flag or file is wrong. The text names the key, the value, where it came from and the rule."""

    exit_code = 2


class PermissionDeniedError(PyrometerError):
    """A right is missing. The text names the right and how to get it."""

    exit_code = 3


class TargetNotFoundError(PyrometerError):
    """No such process, or it has gone."""

    exit_code = 4


class NotPythonError(TargetNotFoundError):
    """The process exists, and is not a Python process that can be read."""


class RefusedError(PyrometerError):
    """
    An engine will not read a target rather than guess, and another engine may.

    Attributes:
        reason: A short name for the metrics, from a bounded set.
    """

    def __init__(self, text: str, *, reason: str) -> None:
        """Take the line for a person, and the short name."""
        super().__init__(text)
        self.reason = reason


class DecodeError(PyrometerError):
    """Bytes that are not what they claim to be. Decoders raise nothing else on bad input."""


class UnreachableError(PyrometerError):
    """The other program does not answer. The text names its address."""
