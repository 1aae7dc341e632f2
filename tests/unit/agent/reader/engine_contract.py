"""What every stack engine must do, in the same words for each: which engines there are, and what they are judged by."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from agent.reader.engine import Engine, Window
from agent.reader.perf.engine import PerfEngine
from agent.reader.perf.reader import PerfReader
from agent.reader.perf.refusal import PerfRefusedError
from agent.reader.pyspy import PySpyEngine
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
    """

    name: str
    build: Callable[[float], AbstractContextManager[Engine]]
    python_only: bool = True

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
    remote = pytest.importorskip("agent.reader.remote")
    from agent.reader.pace import Pace  # noqa: PLC0415

    if not hasattr(remote, "RemoteEngine"):
        pytest.skip("there is no such engine yet")
    engine = remote.RemoteEngine(pace=Pace(RATE_HZ), window_s=window_s)
    try:
        yield engine
    finally:
        close = getattr(engine, "close", None)
        if close:
            close()


CASES = [
    EngineCase("py-spy", _pyspy),
    EngineCase("perf", _perf, python_only=False),
    EngineCase("remote", _remote),
]


def hottest(window: Window) -> Sample:
    """Return the sample that was seen most."""
    return max(window.samples, key=lambda sample: sample.count)


def count_of(window: Window) -> int:
    """Return how many sightings a window holds."""
    return sum(sample.count for sample in window.samples)
