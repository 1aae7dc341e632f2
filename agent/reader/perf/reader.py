"""The one reader of the host's perf events: a thread that empties the rings, names the stacks and fills the windows."""

import contextlib
import logging
import random
import threading
import time
from collections.abc import Collection
from typing import Final

from agent.reader.engine import Target
from agent.reader.perf.event import RECORD_BYTES_MAX, RING_BYTES, CpuEvent, online_cpus
from agent.reader.perf.naming import Namer
from agent.reader.perf.record import Lost, Sighting, parse_records
from agent.reader.perf.refusal import PerfRefusedError
from agent.reader.perf.tally import HostTally, HostWindow, Seen, Watch
from pyrometer.errors import PyrometerError
from pyrometer.units import NS_PER_S

_LOG = logging.getLogger(__name__)
RATE_HZ_MAX: Final = 999
_TURN_S_MAX: Final = 2.0
# A ring is emptied when it may be half full at the worst.
_RING_SHARE: Final = 0.5
_CPUS_CHECKED_S: Final = 10.0
# Periods differ from CPU to CPU and from time to time: a fixed rhythm would see only a part of work with the same one.
# Not by much, as every sighting stands for the same time.
_SPREAD: Final = 0.03
_STOP_S: Final = 1.0


class PerfReader:
    """Samples all CPUs from `start` to `close`; windows may be opened and taken from any thread."""

    def __init__(self, rate_hz: float = 19, samples_per_s_max: float = 50) -> None:
        """
        Prepare; nothing is opened before `start`.

        Args:
            rate_hz: Looks at each CPU a second.
            samples_per_s_max: Looks at all CPUs together: on a machine with many the rate is lower.
        """
        self._rate_hz = min(rate_hz, RATE_HZ_MAX)
        self._samples_per_s_max = samples_per_s_max
        self._events: dict[int, CpuEvent] = {}
        self._cpus_checked_at_ns = 0
        self._regular_at_ns = 0
        self._namer: Namer | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._watches: list[Watch] = []
        self._host: HostTally | None = None
        self._random = random.Random()  # noqa: S311 (it hides nothing)
        self._share, self._is_rate_new = 1.0, False
        self.period_ns = NS_PER_S
        self.lost = 0

    def start(self) -> None:
        """
        Begin to sample.

        Raises:
            PerfRefusedError: If the host does not let us; its text says why and what to do.
        """
        try:
            cpus = online_cpus()
        except (OSError, ValueError) as error:
            raise PerfRefusedError(f"the list of CPUs cannot be read: {error}; mount /sys", reason="kernel") from error
        self._set_rate(len(cpus))
        try:
            self._open_events(cpus)
        except PerfRefusedError:
            self._close_events()
            raise
        self._thread = threading.Thread(target=self._run, name="perf-reader", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End sampling; windows that are open end as they are."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping = True
        self._wake.set()
        thread.join(_STOP_S)

    @property
    def is_running(self) -> bool:
        """Whether samples are being taken."""
        return self._thread is not None and self._thread.is_alive()

    def watch(self, target: Target, window_s: float) -> Watch:
        """
        Open a window of one process; its `finished` is set when it is over.

        Raises:
            PyrometerError: If the reader does not run.
        """
        watch = Watch(target, window_s)
        with self._lock:
            if not self.is_running:
                raise PyrometerError("perf events are not being read")
            self._watches.append(watch)
        self._wake.set()
        return watch

    def end(self, watch: Watch) -> None:
        """End a window now, from any thread."""
        watch.end_ns = min(watch.end_ns, time.monotonic_ns())
        self._wake.set()

    def take_host(self, unwanted: Collection[int] = ()) -> HostWindow | None:
        """
        Close the host's window and open the next; None for the first call.

        Args:
            unwanted: Processes whose stacks are not wanted in the next window, as another engine reads them.
        """
        opened = HostTally(unwanted=frozenset(unwanted))
        with self._lock:
            closed, self._host = self._host, opened
        return closed.close(self.period_ns) if closed else None

    def slow_down(self, share: float) -> None:
        """Look at this share of the full rate from now on, and on the next turn at the latest; from any thread."""
        if share != self._share:
            self._share = share
            self._set_rate(len(self._events))
            self._is_rate_new = True

    def _set_rate(self, cpus: int) -> None:
        rate_hz = self._share * min(self._rate_hz, self._samples_per_s_max / max(1, cpus))
        self.period_ns = int(NS_PER_S / rate_hz)
        records = RING_BYTES * _RING_SHARE / RECORD_BYTES_MAX
        self._turn_s = min(_TURN_S_MAX, records / rate_hz)

    def _open_events(self, cpus: Collection[int]) -> None:
        """Have an event on each CPU that is on line, and on no other."""
        for cpu in [cpu for cpu in self._events if cpu not in cpus or not self._events[cpu].is_running()]:
            self._events.pop(cpu).close()
        for cpu in cpus:
            if cpu not in self._events:
                with contextlib.suppress(LookupError):
                    self._events[cpu] = CpuEvent(cpu, self._random_period_ns())
        self._cpus_checked_at_ns = time.monotonic_ns()

    def _close_events(self) -> None:
        while self._events:
            self._events.popitem()[1].close()

    def _run(self) -> None:
        try:
            self._namer = Namer()
            while not self._stopping:
                self._wake.wait(self._next_s())
                self._wake.clear()
                self._turn()
        except Exception:  # noqa: BLE001 (a defect here must end no more than the events)
            _LOG.exception("perf events are read no more")
        finally:
            with self._lock:
                self._thread = None
                left, self._watches = self._watches, []
            for watch in left:
                watch.finish()
            self._close_events()

    def _next_s(self) -> float:
        with self._lock:
            ends_ns = min((watch.end_ns for watch in self._watches), default=2**63)
        return max(0.0, min(self._turn_s, (ends_ns - time.monotonic_ns()) / NS_PER_S))

    def _turn(self) -> None:
        """Empty all rings, give each sighting to the windows that want it, and end the windows that are over."""
        now_ns = time.monotonic_ns()
        regular = now_ns - self._regular_at_ns >= self._turn_s * NS_PER_S
        sightings, lost = self._drain()
        with self._lock:
            watches = list(self._watches)
            wanted = {watch.target.pid for watch in watches}
            host, unwanted = self._host is not None, self._host.unwanted if self._host else frozenset()
        seen = [
            self._name(sighting, wanted=sighting.pid in wanted or (host and sighting.pid not in unwanted))
            for sighting in sightings
        ]
        if self._namer:
            self._namer.end_turn()
        with self._lock:
            self._count(seen, lost, watches)
        ended = [watch for watch in watches if now_ns >= watch.end_ns]
        if regular:
            self._regular_at_ns = now_ns
            ended += [watch for watch in watches if watch not in ended and not watch.target.is_alive()]
            if now_ns - self._cpus_checked_at_ns > _CPUS_CHECKED_S * NS_PER_S:
                self._open_events(online_cpus())
                self._is_rate_new = True
            if self._is_rate_new:
                self._is_rate_new = False
                self._vary_period()
        self._finish(ended)

    def _drain(self) -> tuple[list[Sighting], int]:
        sightings: list[Sighting] = []
        lost = 0
        for event in self._events.values():
            for record in parse_records(event.drain()):
                if isinstance(record, Lost):
                    lost += record.count
                else:
                    sightings.append(record)
        self.lost += lost
        return sightings, lost

    def _name(self, sighting: Sighting, *, wanted: bool) -> Seen:
        if wanted and self._namer:
            return self._namer.name(sighting)
        return Seen(pid=sighting.pid, thread_id=sighting.thread_id, time_ns=sighting.time_ns, stack=())

    def _count(self, seen: list[Seen], lost: int, watches: list[Watch]) -> None:
        by_pid: dict[int, list[Watch]] = {}
        for watch in watches:
            watch.lost += lost
            by_pid.setdefault(watch.target.pid, []).append(watch)
        if self._host:
            self._host.lost += lost
        for one in seen:
            if self._host:
                self._host.add(one)
            for watch in by_pid.get(one.pid, ()):
                watch.add(one)

    def _vary_period(self) -> None:
        """Set new periods; not often, as it interrupts each CPU."""
        for event in self._events.values():
            event.set_period(self._random_period_ns())

    def _random_period_ns(self) -> int:
        return int(self.period_ns * self._random.uniform(1 - _SPREAD, 1 + _SPREAD))

    def _finish(self, ended: list[Watch]) -> None:
        with self._lock:
            self._watches = [watch for watch in self._watches if watch not in ended]
        for watch in ended:
            watch.finish(gone=not watch.target.is_alive())
