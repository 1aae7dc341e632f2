"""Starts parts in order, waits until they are ready, restarts those that die, and stops all of them."""

import os
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Final

import urllib3

from pyrometer.errors import ConfigError
from pyrometer.up.backoff import STABLE_AFTER_S
from pyrometer.up.child import Child, ChildLog
from pyrometer.up.plan import Part, stop_deadlines, stop_waves
from pyrometer.up.processes import MARK_VARIABLE, adopt_orphans, children, end_orphans, guarded
from pyrometer.up.report import Reporter, ready_line
from pyrometer.up.slot import CannotRunError, PartState, Slot
from pyrometer.up.stopping import StopRequest, stop_requests

TICK_S: Final = 0.1
SWEEP_EVERY_S: Final = 2.0
READY_TIMEOUT_S: Final = 120.0
STOP_TOTAL_S: Final = 9.0  # of the 10 s promised; the rest is for killing and reaping
_PROBE_TIMEOUT_S: Final = 0.5


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
        ready_timeout_s: A part that takes longer to become ready is ended and started again.
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
            Slot(part=part, log=ChildLog(log_directory / f"{part.name}.log") if log_directory else None)
            for part in parts
        ]
        self._reporter = reporter
        self._when_ready = when_ready
        self._stop_total_s = stop_total_s
        self._ready_timeout_s = ready_timeout_s
        # Children that are not ours to end: those there were before us, and the guard.
        self._foreign: set[int] = set()
        self._next_sweep = 0.0
        self._mark = os.environ.get(MARK_VARIABLE, "")
        self._http = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(total=_PROBE_TIMEOUT_S), headers={"Connection": "close"}
        )

    def run(self) -> int:
        """
        Start everything, watch it, and stop everything.

        Returns:
            The exit code: 0 after SIGTERM, 130 after Ctrl-C, 1 or 2 where a part cannot run.
        """
        self._foreign = children()
        adopt_orphans()
        with stop_requests() as request, ExitStack() as stack:
            if not self._mark:  # where we are supervised ourselves, there is a guard already
                self._mark = uuid.uuid4().hex
                self._foreign.add(stack.enter_context(guarded(self._mark)))
            code: int | None = None
            try:
                while request.first is None:
                    self._tick()
                    request.wait(TICK_S)
            except CannotRunError as error:
                self._reporter.line(str(error))
                code = error.exit_code
            finally:
                self._reporter.close()
                self._stop_all(request)
            return request.exit_code if code is None else code

    def _tick(self) -> None:
        for slot in self._slots:
            self._advance(slot, time.monotonic())
            if slot.log:
                slot.log.rotate()
        now = time.monotonic()
        if now >= self._next_sweep:
            end_orphans(self._foreign | {slot.child.pid for slot in self._slots if slot.child})
            self._next_sweep = now + SWEEP_EVERY_S
        self._reporter.waiting([(s.part, now - s.since) for s in self._slots if s.state is PartState.STARTING])
        if self._when_ready and all(slot.state is PartState.READY for slot in self._slots):
            self._when_ready()
            self._when_ready = None

    def _advance(self, slot: Slot, now: float) -> None:
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
                if slot.exit_code() is not None:
                    self._restart_later(slot)
                elif now - slot.since > STABLE_AFTER_S:
                    slot.stayed_well()

    def _advance_starting(self, slot: Slot, now: float) -> None:
        if slot.exit_code() is not None or now - slot.since > self._ready_timeout_s:
            self._restart_later(slot)
        elif answers_ready(slot.part, self._http):
            self._reporter.line(ready_line(slot.part, now - slot.since))
            slot.became_ready(now)

    def _start(self, slot: Slot) -> None:
        environment = {**slot.part.environment, MARK_VARIABLE: self._mark, "PYTHONUNBUFFERED": "1"}
        try:
            slot.child = Child(slot.part.command, environment=environment, log=slot.log)
        except OSError as error:
            text = f"{slot.part.name} cannot be started: {error}"
            raise CannotRunError(text, exit_code=ConfigError.exit_code) from error
        slot.state, slot.since = PartState.STARTING, time.monotonic()

    def _restart_later(self, slot: Slot) -> None:
        code = slot.exit_code()
        slot.kill()  # what is left of its group
        self._reporter.line(slot.died(code, time.monotonic()))

    def _stop_all(self, request: StopRequest) -> None:
        running = {slot.part.name: slot for slot in self._slots if slot.child}
        waves = stop_waves(slot.part for slot in running.values())
        deadlines = stop_deadlines(waves, now=time.monotonic(), total_s=self._stop_total_s)
        for wave, deadline in zip(waves, deadlines, strict=True):
            self._stop([running[part.name] for part in wave], deadline, request)
        self._end_descendants()

    def _stop(self, slots: list[Slot], deadline: float, request: StopRequest) -> None:
        started = time.monotonic()
        for slot in slots:
            slot.ask_to_stop()
        while slots:
            in_time = time.monotonic() < deadline and not request.insisted
            for slot in [slot for slot in slots if slot.exit_code() is not None or not in_time]:
                how = "stopped in" if slot.exit_code() is not None else "did not stop, killed after"
                slot.kill()
                self._reporter.line(f"{slot.part.name:<11} {how} {time.monotonic() - started:.1f} s")
                slots.remove(slot)
            if slots:
                request.wait(TICK_S)

    def _end_descendants(self) -> None:
        """Kill what our children started and left, generation by generation."""
        deadline = time.monotonic() + 1.0
        while children() - self._foreign and time.monotonic() < deadline:
            end_orphans(self._foreign)
            time.sleep(0.01)
