"""Why a process could not be read: its short name for the metrics, and the frame its CPU time is shown under."""

from typing import Final

from pyrometer.errors import (
    NotPythonError,
    PermissionDeniedError,
    PyrometerError,
    RefusedError,
    TargetNotFoundError,
)
from pyrometer.values import NOT_SAMPLED, Frame, FrameType, Stack

NOT_PYTHON: Final = "not_python"
GONE: Final = "gone"
# The first that fits names the failure.
_REASONS: Final[tuple[tuple[type[PyrometerError], str, str], ...]] = (
    (NotPythonError, NOT_PYTHON, "[no Python that can be read]"),
    (TargetNotFoundError, GONE, "[ended]"),
    (PermissionDeniedError, "permission", "[no right to read]"),
    (PyrometerError, "engine", "[engine failed]"),
)


def refusal_reason(error: PyrometerError) -> str:
    """Return the short name of a failure, from a bounded set."""
    if isinstance(error, RefusedError):
        return error.reason
    return next(reason for kind, reason, _ in _REASONS if isinstance(error, kind))


def refusal_stack(error: PyrometerError) -> Stack:
    """Return the stack that stands for CPU time of a process that could not be read."""
    if isinstance(error, RefusedError):
        text = f"[refused: {error.reason}]"
    else:
        text = next(text for kind, _, text in _REASONS if isinstance(error, kind))
    return (NOT_SAMPLED, Frame(text, frame_type=FrameType.MARKER))
