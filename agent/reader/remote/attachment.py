"""One process being read: a look at its threads at every tick, and what was seen, window by window."""

import threading
import time
from typing import Literal

from agent.reader.engine import Target, Window
from agent.reader.pace import Pace
from agent.reader.remote.clock import ThreadGoneError
from agent.reader.remote.code import CodeTable
from agent.reader.remote.gil import Gil
from agent.reader.remote.learn import ChangedError
from agent.reader.remote.locate import Located
from agent.reader.remote.memory import AddressSpace, Memory, UnreadableError
from agent.reader.remote.roster import PythonThread, Roster
from agent.reader.remote.stack import StackReader
from agent.reader.remote.tally import Look, Tally
from agent.reader.remote.ticker import Ticker
from pyrometer.errors import PyrometerError, TargetNotFoundError
from pyrometer.units import NS_PER_S
from pyrometer.values import TRUNCATED, UNSTABLE

# Which threads are looked at: those on a CPU, all, or the one that holds the GIL.
Mode = Literal["cpu", "wall", "gil"]


class RemoteAttachment:
    """See `agent.reader.engine.Attachment`."""

    def __init__(
        self,
        target: Target,
        located: Located,
        *,
        ticker: Ticker,
        pace: Pace,
        window_s: float,
        mode: Mode,
        depth_max: int,
        first_lines: bool = False,
        off_cpu_every: int = 1,
    ) -> None:
        """
        Prepare; nothing is read before the first `sample`.

        Args:
            target: Which process.
            located: Where its Python is.
            ticker: Calls `tick`.
            pace: How often.
            window_s: Length of a window.
            mode: Which threads are looked at.
            depth_max: Frames at most of one stack.
            first_lines: Give the line where a function begins, in place of the line that runs.
            off_cpu_every: See `agent.reader.remote.engine.RemoteEngine`.
        """
        self._target = target
        self._ticker = ticker
        self._window_s = window_s
        self._mode = mode
        self._off_cpu_every = off_cpu_every
        self._space = AddressSpace(target.pid, located.runtime)
        # The stack reader has a memory of its own, as looking a thing up must not overwrite what it fetched.
        side = Memory(target.pid)
        self._codes = CodeTable(
            side,
            located.layout,
            code_type=located.code_type,
            text_type=located.text_type,
            first_lines=first_lines,
        )
        self._stacks = StackReader(target.pid, located.layout, self._codes, depth_max=depth_max)
        self._roster = Roster(side, located)
        self._gil = Gil(side, located)
        self.pace = pace
        # Held while a look is taken, and while a window is opened or closed.
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._detached = False
        self._failure: PyrometerError | None = None
        self._tally = Tally(self._codes)
        # Of the look that is being taken.
        self._seen: list[tuple[Look, int]] = []
        self._ticks = self._errors = 0

    def check(self) -> None:
        """
        Read all threads once, to see that this process can be read at all.

        Raises:
            UnreadableError: It cannot, as far as this one try shows.
            PyrometerError: It cannot, and it is known why.
        """
        self._roster.refresh()
        threads = self._roster.threads
        if not threads:
            raise UnreadableError
        if not any(self._is_readable(thread) for thread in threads):
            raise UnreadableError

    def _is_readable(self, thread: PythonThread) -> bool:
        try:
            return self._stacks.read_innermost(thread.states) is not None
        except (UnreadableError, ChangedError):
            return False

    def sample(self, window_s: float | None = None) -> Window:
        """Block for one window, or a shorter one; see `Attachment.sample`."""
        start_unix_ns, started_ns = time.time_ns(), time.monotonic_ns()
        with self._lock:
            self._tally.clear()
            self._ticks = self._errors = 0
            self._failure = None
            for thread in self._roster.threads:
                thread.clock.slept = False
            if not self._detached:
                self._over.clear()
        self._ticker.add(self)
        try:
            self._over.wait(min(window_s or self._window_s, self._window_s))
        finally:
            late, lost = self._ticker.remove(self)
        with self._lock:
            return self._close(start_unix_ns, time.monotonic_ns() - started_ns, late, lost)

    def detach(self) -> None:
        """End the wait and give everything back; see `Attachment.detach`."""
        self._detached = True
        self._over.set()
        self._ticker.remove(self)
        with self._lock:
            self._roster.close()
            self._space.close()

    def tick(self) -> None:
        """Look at the process once; called by the ticker's thread."""
        with self._lock:
            if self._over.is_set():
                return
            self._seen.clear()
            try:
                self._look()
            except UnreadableError:
                self._errors += 1
                self._roster.forget()
                if not self._target.is_alive():
                    self._end(TargetNotFoundError(f"process {self._target.pid} has ended"))
            except PyrometerError as error:
                self._end(error)
            except Exception as error:  # noqa: BLE001 (a defect must end this window, and not the ticker that serves all)
                self._end(PyrometerError(f"reading process {self._target.pid}: {type(error).__name__}: {error}"))
            if self._seen:
                self._keep()

    def _keep(self) -> None:
        """Count what was seen, unless it may be of another program, which an exec put there meanwhile."""
        if not self._space.is_in_use():
            self._end(TargetNotFoundError(f"process {self._target.pid} has ended or become another program"))
            return
        self._tally.add(self._seen)

    def _end(self, error: PyrometerError) -> None:
        self._failure = error
        self._over.set()

    def _look(self) -> None:
        self._ticks += 1
        if self._mode == "gil":
            self._list_threads()
            holder = self._gil.holder()
            self._look_at_all(
                [thread for thread in self._roster.threads if any(state.address == holder for state in thread.states)]
            )
            return
        # Whether threads came is fetched along with stacks; where there was none to fetch, it is asked for.
        seen = self._roster.threads
        fetched = self._look_at_all(seen)
        if not fetched or self._stacks.has_changed:
            self._list_threads()
            known = {thread.tid for thread in seen}
            self._look_at_all([thread for thread in self._roster.threads if thread.tid not in known])

    def _list_threads(self) -> None:
        self._roster.refresh()
        if self._stacks.fetch_along(*self._roster.heads):
            for thread in self._roster.threads:
                for state in thread.states:
                    state.fetch = None

    def _look_at_all(self, threads: list[PythonThread]) -> bool:
        """Look at threads; return whether a stack of any was fetched."""
        fetched = False
        for thread in threads:
            try:
                fetched |= self._look_at(thread)
            except ThreadGoneError:
                self._roster.forget()
                self._stacks.has_changed = True
            except ChangedError:
                self._errors += 1
                self._roster.forget()
                self._stacks.has_changed = True
            except UnreadableError:
                self._errors += 1
        return fetched

    def _look_at(self, thread: PythonThread) -> bool:
        """Look at one thread; return whether its stack was fetched."""
        before = self._stacks.fetches
        weight = 1
        if self._mode == "cpu":
            if not thread.clock.has_run():
                return False
            if self._off_cpu_every > 1 and thread.clock.is_off_cpu():
                if not self.pace.draws(self._off_cpu_every):
                    return False
                weight = self._off_cpu_every
            reading = self._stacks.read_innermost(thread.states, thread.clock)
        elif thread.clock.has_run() or thread.states[0].reading is None:
            reading = thread.states[0].reading = self._stacks.read_innermost(thread.states)
            thread.clock.is_running()
        else:
            reading = thread.states[0].reading  # it has not run since: its stack is the same
        if reading is not None:
            look = (thread.tid, thread.clock.on_cpu, reading.frames, reading.unstable, reading.truncated)
            self._seen.append((look, weight))
        return self._stacks.fetches > before

    def _close(self, start_unix_ns: int, duration_ns: int, late: int, lost: int) -> Window:
        alive = self._failure is None and self._target.is_alive() and (self._detached or self._space.is_in_use())
        if self._failure is not None and not isinstance(self._failure, TargetNotFoundError):
            raise self._failure
        if not alive and not self._tally.counts:
            what = "became another program" if self._target.is_alive() else "ended"
            raise TargetNotFoundError(f"process {self._target.pid} {what} before anything of it was seen")
        period_ns = max(1, duration_ns // self._ticks) if self._ticks else int(NS_PER_S / self.pace.rate_hz)
        samples = tuple(self._tally.samples(self._roster.threads, period_ns, recheck=alive))
        window = Window(
            samples=samples,
            start_unix_ns=start_unix_ns,
            duration_ns=duration_ns,
            period_ns=period_ns,
            errors=self._errors,
            late=late,
            lost=lost + self._tally.lost,
            unstable=sum(sample.count for sample in samples if sample.stack[-1] is UNSTABLE),
            cut=sum(sample.count for sample in samples if sample.stack[0] is TRUNCATED),
            ticks=self._ticks,
            python_threads=frozenset(thread.tid for thread in self._roster.threads),
            ended=self._detached or not alive,
        )
        self._tally.clear()
        if self._codes.trim():
            for thread in self._roster.threads:
                thread.states[0].reading = None
        return window
