"""Starts parts in order, waits until they are ready, restarts those that die, and stops all of them."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from pathlib import Path
from typing import Final

import urllib3

from pyrometer.errors import ConfigError
from pyrometer.up import guard
from pyrometer.up.backoff import STABLE_AFTER_S, Backoff
from pyrometer.up.child import Child, ChildLog, describe_exit
from pyrometer.up.plan import Part, stop_deadlines
from pyrometer.up.processes import MARK_VARIABLE, adopt_orphans, children, end_orphans
from pyrometer.up.report import Reporter, ready_line
from pyrometer.up.stopping import StopRequest, stop_requests

TICK_S: Final = 0.1
READY_TIMEOUT_S: Final = 120.0
STOP_TOTAL_S: Final = 9.0  # of the 10 s promised; the rest is for killing and reaping
SWEEP_EVERY_S: Final = 2.0
GUARD_GRACE_S: Final = 5.0  # every part stops in less after SIGTERM
# A part that says "my configuration is wrong" this often in a row, after it once ran, will not run again.
CONFIG_FAILURES_MAX: Final = 3
_CONFIG_EXIT: Final = ConfigError.exit_code
_LOG_LINES_SHOWN: Final = 12
_PROBE_TIMEOUT_S: Final = 0.5


class PartState(Enum):
    """Where a part is in its life."""

    WAITING = auto()  # for the parts it needs
    STARTING = auto()  # runs, and does not answer yet
    READY = auto()
    BACKING_OFF = auto()  # died, and will be started again


@dataclass(slots=True)
class _Slot:
    """
    A part and what has become of it.

    Attributes:
        since: Monotonic seconds of the last change of state; while backing off, of the next start.
    """

    part: Part
    log: ChildLog | None
    state: PartState = PartState.WAITING
    child: Child | None = None
    since: float = 0.0
    was_ready: bool = False
    config_failures: int = 0
    backoff: Backoff = field(default_factory=Backoff)


class _CannotRunError(Exception):
    """A part will not run however often it is started. The text is for a person."""


def answers_ready(part: Part, http: urllib3.PoolManager) -> bool:
    """Return whether all addresses by which a part says that it is ready answer 200."""
    try:
        return all(http.request("GET", url).status == HTTPStatus.OK for url in part.ready_urls)
    except urllib3.exceptions.HTTPError:
        return False


class Supervisor:
    """
    Runs parts until it is asked to stop.

    Args:
        parts: In the order to start.
        reporter: Told of everything a person wants to know.
        log_directory: Where the output of the parts goes; None: it goes where ours goes.
        when_ready: Called once, when all parts are ready for the first time.
        stop_total_s: Time for all parts to stop, together.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        reporter: Reporter,
        log_directory: Path | None = None,
        when_ready: Callable[[], None] | None = None,
        stop_total_s: float = STOP_TOTAL_S,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        self._slots = [
            _Slot(part=part, log=ChildLog(log_directory / f"{part.name}.log") if log_directory else None)
            for part in parts
        ]
        self._reporter = reporter
        self._when_ready = when_ready
        self._stop_total_s = stop_total_s
        self._ready_timeout_s = ready_timeout_s
        self._next_sweep = 0.0
        self._mark = os.environ.get(MARK_VARIABLE, "")
        # Children that are not ours to end: those there were before us, and the guard.
        self._foreign: set[int] = set()
        self._http = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(total=_PROBE_TIMEOUT_S), headers={"Connection": "close"}
        )

    def run(self) -> int:
        """
        Start everything, watch it, and stop everything.

        Returns:
            The exit code: 0 after SIGTERM, 130 after Ctrl-C, 2 where a part cannot run.
        """
        self._foreign = children()
        adopt_orphans()
        with stop_requests() as request, self._guarded():
            code: int | None = None
            try:
                while request.first is None:
                    self._tick()
                    request.wait(TICK_S)
            except _CannotRunError as error:
                self._reporter.line(str(error))
                code = _CONFIG_EXIT
            finally:
                self._stop_all(request)
                self._reporter.close()
            return request.exit_code if code is None else code

    def _tick(self) -> None:
        for slot in self._slots:
            self._advance(slot, time.monotonic())
            if slot.log:
                slot.log.rotate()
        now = time.monotonic()
        if now >= self._next_sweep:
            end_orphans(self._known_children())
            self._next_sweep = now + SWEEP_EVERY_S
        self._reporter.waiting([(s.part, now - s.since) for s in self._slots if s.state is PartState.STARTING])
        if self._when_ready and all(slot.state is PartState.READY for slot in self._slots):
            self._when_ready()
            self._when_ready = None

    def _advance(self, slot: _Slot, now: float) -> None:
        match slot.state:
            case PartState.WAITING:
                if all(other.was_ready for other in self._slots if other.part.name in slot.part.needs):
                    self._start(slot)
            case PartState.BACKING_OFF:
                if now >= slot.since:
                    self._start(slot)
            case PartState.STARTING:
                self._advance_starting(slot, now)
            case PartState.READY:
                if self._exit_code(slot) is not None:
                    self._restart_later(slot)
                elif now - slot.since > STABLE_AFTER_S:
                    slot.backoff.reset()
                    slot.config_failures = 0

    def _advance_starting(self, slot: _Slot, now: float) -> None:
        if self._exit_code(slot) is not None:
            self._restart_later(slot)
        elif answers_ready(slot.part, self._http):
            self._reporter.line(ready_line(slot.part, now - slot.since))
            slot.state, slot.since, slot.was_ready = PartState.READY, now, True
        elif now - slot.since > self._ready_timeout_s:
            self._reporter.line(f"{slot.part.name} is not ready after {self._ready_timeout_s:.0f} s; ending it")
            self._kill(slot)
            self._restart_later(slot)

    def _start(self, slot: _Slot) -> None:
        environment = {**slot.part.environment, MARK_VARIABLE: self._mark, "PYTHONUNBUFFERED": "1"}
        try:
            slot.child = Child(slot.part.command, environment=environment, log=slot.log)
        except OSError as error:
            raise _CannotRunError(f"{slot.part.name} cannot be started: {error}") from error
        slot.state, slot.since = PartState.STARTING, time.monotonic()

    def _restart_later(self, slot: _Slot) -> None:
        code = self._exit_code(slot)
        how = describe_exit(code) if code is not None else "did not end"
        self._kill(slot)  # what is left of its group
        slot.child = None
        slot.config_failures = slot.config_failures + 1 if code == _CONFIG_EXIT else 0
        if slot.config_failures and (not slot.was_ready or slot.config_failures >= CONFIG_FAILURES_MAX):
            raise _CannotRunError(_with_log(slot, f"{slot.part.name} cannot run: it {how}, a matter of configuration"))
        delay_s = slot.backoff.next_delay_s()
        text = f"{slot.part.name} {how}; starting it again in {delay_s:.1f} s"
        self._reporter.line(text if slot.state is PartState.READY else _with_log(slot, text))
        slot.state, slot.since = PartState.BACKING_OFF, time.monotonic() + delay_s

    def _stop_all(self, request: StopRequest) -> None:
        running = [slot for slot in reversed(self._slots) if slot.child]
        started = time.monotonic()
        deadlines = stop_deadlines((slot.part for slot in running), now=started, total_s=self._stop_total_s)
        for slot, deadline in zip(running, deadlines, strict=True):
            self._stop(slot, deadline, request)
        self._end_descendants()

    def _stop(self, slot: _Slot, deadline: float, request: StopRequest) -> None:
        if slot.child is None:
            return
        started = time.monotonic()
        slot.child.ask_to_stop()
        while slot.child.exit_code() is None and time.monotonic() < deadline and not request.insisted:
            request.wait(TICK_S)
        stopped = slot.child.exit_code() is not None
        self._kill(slot)
        how = "stopped in" if stopped else "did not stop, killed after"
        self._reporter.line(f"{slot.part.name:<11} {how} {time.monotonic() - started:.1f} s")

    def _end_descendants(self) -> None:
        """Kill what our children started and left, generation by generation."""
        deadline = time.monotonic() + 1.0
        while children() - self._foreign and time.monotonic() < deadline:
            end_orphans(self._foreign)
            time.sleep(0.01)

    def _known_children(self) -> set[int]:
        return self._foreign | {slot.child.pid for slot in self._slots if slot.child}

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Have a guard clear up should we be killed; where we are supervised ourselves, there is one already."""
        if self._mark:
            yield
            return
        self._mark = uuid.uuid4().hex
        process = subprocess.Popen(
            (sys.executable, "-I", "-S", guard.__file__, f"{MARK_VARIABLE}={self._mark}", str(GUARD_GRACE_S)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._foreign.add(process.pid)
        try:
            yield
        finally:
            # It ends at once where nothing is left, and otherwise without us.
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=0.5)

    @staticmethod
    def _exit_code(slot: _Slot) -> int | None:
        return slot.child.exit_code() if slot.child else None

    @staticmethod
    def _kill(slot: _Slot) -> None:
        if slot.child:
            slot.child.kill()


def _with_log(slot: _Slot, text: str) -> str:
    lines = slot.log.last_lines(_LOG_LINES_SHOWN) if slot.log else []
    if not slot.log or not lines:
        return text
    return "\n".join([f"{text}; the end of {slot.log.path}:", *(f"    {line}" for line in lines)])
