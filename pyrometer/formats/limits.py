"""What every decoder refuses or cuts, and what every encoder makes of text that is not valid Unicode."""

from dataclasses import dataclass

from pyrometer.errors import DecodeError
from pyrometer.values import (
    NATIVE_THREAD,
    NOT_SAMPLED,
    OTHER_PROCESS,
    STACK_DEPTH_MAX,
    TRUNCATED,
    UNSTABLE,
    Frame,
    FrameType,
    Stack,
)

# Columns of the store: a count is a UInt32, a value an Int64, a line a UInt32.
COUNT_MAX = 2**32 - 1
VALUE_MAX = 2**63 - 1
LINE_MAX = 2**32 - 1

# A sample whose sender gave no stack.
UNKNOWN_STACK: Stack = (Frame("[unknown]", frame_type=FrameType.MARKER),)

_MARKERS = {
    frame.function: frame for frame in (NOT_SAMPLED, TRUNCATED, UNSTABLE, NATIVE_THREAD, OTHER_PROCESS, *UNKNOWN_STACK)
}

# Factors to nanoseconds; the words are those that pprof, speedscope and OTLP senders use.
NANOSECONDS_PER_UNIT = {
    "nanoseconds": 1,
    "nanosecond": 1,
    "ns": 1,
    "microseconds": 1_000,
    "us": 1_000,
    "milliseconds": 1_000_000,
    "ms": 1_000_000,
    "seconds": 1_000_000_000,
    "s": 1_000_000_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """
    How much one body may hold. What is over a ``_max`` is refused; long names are cut.

    Attributes:
        bytes_max: Of the body, after decompression.
        profiles_max: Profiles in a body.
        samples_max: Samples in a body, over all its profiles.
        stacks_max: Different stacks in a body.
        frames_max: Frames of all different stacks of a body together.
        attributes_max: Attributes of one resource.
        name_length_max: Characters kept of a function, file, thread or attribute text.
    """

    bytes_max: int = 64 * 2**20
    profiles_max: int = 10_000
    samples_max: int = 1_000_000
    stacks_max: int = 200_000
    frames_max: int = 4_000_000
    attributes_max: int = 1_024
    name_length_max: int = 10_000


DEFAULT_LIMITS = DecodeLimits()


def cut_stack(stack: Stack) -> Stack:
    """Return the stack, root first, cut at the root to STACK_DEPTH_MAX frames of which the first says so."""
    if len(stack) <= STACK_DEPTH_MAX:
        return stack
    return (TRUNCATED, *stack[-(STACK_DEPTH_MAX - 1) :])


def valid_text(text: str) -> str:
    """Return the text with lone surrogates (names that were not UTF-8 in the process) replaced by ``?``."""
    return text.encode("utf-8", "replace").decode("utf-8")


def guess_frame(function: str, file: str, line: int) -> Frame:
    """Return a frame whose sender does not say what it is: one of our markers, Python, or native by its file's name."""
    marker = _MARKERS.get(function)
    if marker is not None and not file:
        return marker
    is_python = not file or file.endswith((".py", ".pyx")) or file.startswith("<")
    return Frame(function, file, line, FrameType.CPYTHON if is_python else FrameType.NATIVE)


def bounded(number: int, name: str, maximum: int = VALUE_MAX) -> int:
    """Return the number, or raise DecodeError where it is not 0 to *maximum*."""
    if not 0 <= number <= maximum:
        raise DecodeError(f"{name} is {number}, outside 0 to {maximum}")
    return number
