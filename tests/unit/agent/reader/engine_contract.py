"""What every stack engine must do, in the same words for each: which engines there are, and what they are judged by."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest
from reader_workloads import DEADLINE_S

from agent.reader.engine import Attachment, Engine, Window
from agent.reader.pace import Pace
from agent.reader.perf.engine import PerfEngine
from agent.reader.perf.reader import PerfReader
from agent.reader.perf.refusal import PerfRefusedError
from agent.reader.pyspy import PySpyEngine
from agent.reader.remote.engine import RemoteEngine
from pyrometer.values import Frame, FrameType, Sample

RATE_HZ = 50
# A process whose one busy thread runs `hot`, and whose other thread waits in `idle` all the time.
BUSY_AND_IDLE = """
import threading, time
def hot(until):
    while time.monotonic() < until:
        sum(range(500))
def idle():
    threading.Event().wait(60)
threading.Thread(target=idle, name="idler", daemon=True).start()
print("ready", flush=True)
hot(time.monotonic() + 60)
"""


@dataclass(frozen=True)
class EngineCase:
    """
    One engine under test.

    Attributes:
        name: As the engine says it.
        build: Gives the engine for windows of so many seconds; skips the test where it cannot run.
        python_only: It reads only processes that run Python, and names their functions.
        sees_all: It sees a share of the moments on a CPU that does not depend on what else the host does. One that
            itself needs a CPU to look may push the thread off it, on a host with too much to do, and sees less then.
    """

    name: str
    build: Callable[[float], AbstractContextManager[Engine]]
    python_only: bool = True
    sees_all: bool = True

    def is_hot(self, frame: Frame) -> bool:
        """Return whether a leaf is the busy function, or the interpreter that runs it."""
        if self.python_only:
            return frame.function == "hot"
        return frame.frame_type in (FrameType.NATIVE, FrameType.KERNEL)


@contextmanager
def _pyspy(window_s: float) -> Iterator[Engine]:
    yield PySpyEngine(rate_hz=RATE_HZ, window_s=window_s)


@contextmanager
def _perf(window_s: float) -> Iterator[Engine]:
    reader = PerfReader(rate_hz=RATE_HZ, samples_per_s_max=10_000)
    try:
        reader.start()
    except PerfRefusedError as error:
        pytest.skip(str(error))
    try:
        yield PerfEngine(reader=reader, window_s=window_s)
    finally:
        reader.close()


@contextmanager
def _remote(window_s: float) -> Iterator[Engine]:
    yield RemoteEngine(pace=Pace(RATE_HZ), window_s=window_s)


CASES = [
    EngineCase("py-spy", _pyspy),
    EngineCase("perf", _perf, python_only=False),
    EngineCase("remote", _remote, sees_all=False),
]


def sample_until_seen(attachment: Attachment) -> Window:
    """Return the first window that holds a sample: a thread that gets no CPU time in one is not seen in it."""
    deadline = time.monotonic() + DEADLINE_S
    while not (window := attachment.sample()).samples:
        assert time.monotonic() < deadline, f"nothing seen within {DEADLINE_S} s"
    return window


def hottest(window: Window) -> Sample:
    """Return the sample that was seen most."""
    return max(window.samples, key=lambda sample: sample.count)


def count_of(window: Window) -> int:
    """Return how many sightings a window holds."""
    return sum(sample.count for sample in window.samples)
