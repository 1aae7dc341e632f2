"""The nouns every part shares. Each is defined here once, frozen, and checked where it is built."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

# Deeper stacks are cut at the root, with TRUNCATED as their first frame.
STACK_DEPTH_MAX = 512


class FrameType(StrEnum):
    """What kind of code a frame is. Source: OTel semantic conventions, ``profile.frame.type``."""

    CPYTHON = "cpython"
    NATIVE = "native"
    KERNEL = "kernel"
    # Ours: a frame that stands for something that was not read, such as ``[not sampled]``.
    MARKER = "marker"


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One level of a stack.

    Attributes:
        function: Qualified name where the reader knows it. Hostile text: escape it where it is shown.
        file: Source path as the process names it; empty where unknown. Hostile text too.
        line: Line being executed, 1-based; 0 where unknown.
        frame_type: What kind of code this is.
    """

    function: str
    file: str = ""
    line: int = 0
    frame_type: FrameType = FrameType.CPYTHON


# Root first, leaf last.
Stack = tuple[Frame, ...]

NOT_SAMPLED = Frame("[not sampled]", frame_type=FrameType.MARKER)
TRUNCATED = Frame("[truncated]", frame_type=FrameType.MARKER)
# Ends a stack whose leaf part changed while it was read: what stands before it is certain, what came after is not.
UNSTABLE = Frame("[unstable]", frame_type=FrameType.MARKER)
# CPU time of a thread that runs no Python, and of a process that is not watched.
NATIVE_THREAD = Frame("[native thread]", frame_type=FrameType.MARKER)
OTHER_PROCESS = Frame("[other process]", frame_type=FrameType.MARKER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    A stack that was seen in one thread, and how much it stands for.

    Attributes:
        stack: Root first; never empty.
        count: Times it was seen; 0 for a stack that only carries accounted time, such as ``[not sampled]``.
        value: In the profile's unit; for ``cpu`` the CPU nanoseconds this stack stands for.
        thread_id: Kernel thread id; 0 where unknown.
        thread_name: Empty where unknown.
    """

    stack: Stack
    count: int
    value: int
    thread_id: int = 0
    thread_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """
    What one process did in one window of time.

    Attributes:
        samples: Any order; a stack may stand more than once (two threads).
        sample_type: ``cpu`` or ``wall``.
        unit: Of ``Sample.value``.
        start_unix_ns: Start of the window, UTC, nanoseconds.
        duration_ns: Real length of the window, nanoseconds.
        period_ns: Nominal time between two samples, nanoseconds; 0 where unknown.
        attributes: Resource attributes under their semantic-convention names.
        quality: How it was sampled, under `semconv.WINDOW_ATTRIBUTES`: looks taken, and the nanoseconds in which; looks
            late and lost; samples that failed, that are unstable, and that were cut. Empty where nobody sampled or
            knows.
    """

    samples: tuple[Sample, ...]
    sample_type: str = "cpu"
    unit: str = "nanoseconds"
    start_unix_ns: int = 0
    duration_ns: int = 0
    period_ns: int = 0
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    quality: Mapping[str, int] = field(default_factory=dict)

    def counts(self) -> dict[Stack, int]:
        """Return samples seen per stack, threads merged."""
        return _sum_by_stack((sample.stack, sample.count) for sample in self.samples)

    def values(self) -> dict[Stack, int]:
        """Return the value per stack, in the profile's unit, threads merged."""
        return _sum_by_stack((sample.stack, sample.value) for sample in self.samples)


def _sum_by_stack(pairs: Iterable[tuple[Stack, int]]) -> dict[Stack, int]:
    sums: dict[Stack, int] = {}
    for stack, number in pairs:
        sums[stack] = sums.get(stack, 0) + number
    return sums
