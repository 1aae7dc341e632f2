"""
One watched process over time: what CPU time was already reported, so that every second is reported once.

CPU time waits for the next window in which its thread is seen, up to a limit. How much of what waits a window's
samples may stand for is decided by time, not by need: what the thread used in the window itself, times how long it has
not been seen over the length of the window. So a process that is sampled one time in ten stands for itself ten times,
and a burst that nobody saw is never put on the quiet code that ran after it. See docs/explanation/cpu-time.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.carry import NO_THREAD, Carry
from agent.cpu_truth import fit_clocks, share_by_count
from agent.procfs import clock_deltas
from agent.python_process import PythonProcess
from pyrometer.units import NS_PER_S
from pyrometer.values import NATIVE_THREAD, NOT_SAMPLED, Frame, FrameType, Profile, Sample, Stack

# A share of a core is taken over one to two of these, so that one tick of the clock does not make a process busy.
_LOOK_NS = 10 * NS_PER_S
_RECENT_NS = NS_PER_S // 10
_UNNAMED = "[unnamed]"


@dataclass(frozen=True, slots=True)
class Moment:
    """
    A reading of all clocks at once.

    Attributes:
        monotonic_ns: For durations.
        unix_ns: UTC.
    """

    monotonic_ns: int
    unix_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """
    What an engine saw in a window.

    Attributes:
        samples: Not yet scaled.
        period_ns: Nominal time between two.
        clocks_before: CPU clock of each thread where sampling began, nanoseconds.
        clocks_after: And when it ended.
        python_threads: Those known to run Python; empty where the engine does not know.
        names: The kernel's names of other threads.
        quality: How the window was sampled; see `Profile.quality`.
    """

    samples: tuple[Sample, ...]
    period_ns: int
    clocks_before: Mapping[int, int] = field(default_factory=dict)
    clocks_after: Mapping[int, int] = field(default_factory=dict)
    python_threads: frozenset[int] = frozenset()
    names: Mapping[int, str] = field(default_factory=dict)
    quality: Mapping[str, int] = field(default_factory=dict)


class Account:
    """The CPU time of one process, cut into windows that follow each other without gap or overlap."""

    def __init__(
        self,
        process: PythonProcess,
        *,
        start: Moment,
        start_cpu_ns: int,
        carry_s_max: float,
        clocks: Mapping[int, int] | None = None,
    ) -> None:
        """
        Begin to account.

        Args:
            process: Whose clock is read; the caller refreshes it.
            start: Where the first window begins: the start of the process, or the present for one met on the way.
            start_cpu_ns: What it had used by then.
            carry_s_max: How long CPU time may wait for a sample.
            clocks: Of its threads at *start*; None where they were not read.
        """
        self._process = process
        self._carry_ns_max = int(carry_s_max * NS_PER_S)
        self._opened_at = start
        self._read_cpu_ns = start_cpu_ns
        self._clocks = clocks
        self._clocks_at = start.monotonic_ns
        self._carry = Carry()
        self._begun = (start.monotonic_ns, start_cpu_ns)
        # When each thread's time was last given to samples of it, and the moment that counts for the others.
        self._paid_at: dict[int, int] = {}
        self._paid_all_at = start.monotonic_ns
        self._looks = ((start.monotonic_ns, start_cpu_ns), (start.monotonic_ns, start_cpu_ns))

    def open_ns(self, now: Moment) -> int:
        """Return how long the window that is open now has lasted."""
        return max(0, now.monotonic_ns - self._opened_at.monotonic_ns)

    def unreported_ns(self) -> int:
        """Return the CPU time that was used and not reported yet."""
        return self._unread_ns() + self._carry.total_ns()

    def busy_share(self, now: Moment) -> float:
        """Return the share of one core used over the last ten to twenty seconds."""
        earlier, later = self._looks
        if now.monotonic_ns - later[0] >= _LOOK_NS:
            self._looks = (later, (now.monotonic_ns, self._process.stat.cpu_ns))
        elapsed_ns = now.monotonic_ns - earlier[0]
        return max(0, self._process.stat.cpu_ns - earlier[1]) / elapsed_ns if elapsed_ns > 0 else 0.0

    def begin(self, now: Moment) -> None:
        """Mark where an engine begins to look."""
        self._begun = (now.monotonic_ns, self._process.stat.cpu_ns)

    def recent_clocks(self, now: Moment) -> Mapping[int, int] | None:
        """Return the threads' clocks where they were read just now, as at the end of the window before."""
        return self._clocks if now.monotonic_ns - self._clocks_at <= _RECENT_NS else None

    def close(
        self, now: Moment, stack: Stack = (NOT_SAMPLED,), clocks: Mapping[int, int] | None = None
    ) -> Profile | None:
        """
        Close the open window with all that waits, on one stack of count 0, and begin the next.

        Args:
            now: Where the window ends.
            stack: Says why nobody looked.
            clocks: Of the threads, where a later window is to know which of them used what until it begins.

        Returns:
            Its profile, idle or not: observed time is what CPU time is divided by. None for an empty window.
        """
        amount_ns = self._read() + self._carry.take_all()
        if amount_ns == 0 == self.open_ns(now):
            return None
        self._clocks, self._clocks_at = clocks, now.monotonic_ns
        self._paid_at.clear()
        self._paid_all_at = now.monotonic_ns
        return self._profile(now, (Sample(stack=stack, count=0, value=amount_ns),))

    def settle(self, now: Moment, seen: Seen) -> Profile | None:
        """
        Give samples the CPU time that they stand for, and begin the next window.

        Returns:
            A profile; None where nothing was seen that CPU time could be given to: the window stays open, and what was
            used waits.
        """
        clocks = self._usable_clocks(seen)
        used_in_window = self._read_threads(now, seen, clocks)
        values = [0] * len(seen.samples)
        by_thread: dict[int, list[int]] = {}
        for index, sample in enumerate(seen.samples):
            if sample.count > 0:
                by_thread.setdefault(sample.thread_id if sample.thread_id in clocks else NO_THREAD, []).append(index)
        for thread, indices in by_thread.items():
            nominal_ns = sum(seen.samples[index].count for index in indices) * seen.period_ns
            amount_ns = self._carry.take(thread, self._payable_ns(thread, now, used_in_window, nominal_ns))
            share_by_count(values, seen.samples, indices, amount_ns)
            self._paid_at[thread] = now.monotonic_ns
        samples = [replace(sample, value=value) for sample, value in zip(seen.samples, values, strict=True)]
        samples += self._native(seen, by_thread)
        for thread, amount_ns in self._carry.take_older(now.monotonic_ns - self._carry_ns_max).items():
            samples.append(Sample(stack=(NOT_SAMPLED,), count=0, value=amount_ns, thread_id=thread))
        if not samples:
            return None
        return self._profile(now, tuple(samples), seen)

    def _profile(self, now: Moment, samples: tuple[Sample, ...], seen: Seen | None = None) -> Profile:
        duration_ns, self._opened_at = self.open_ns(now), now
        return Profile(
            samples=samples,
            start_unix_ns=now.unix_ns - duration_ns,
            duration_ns=duration_ns,
            period_ns=seen.period_ns if seen else 0,
            attributes=self._process.attributes,
            quality=seen.quality if seen else {},
        )

    def _unread_ns(self) -> int:
        return max(0, self._process.stat.cpu_ns - self._read_cpu_ns)

    def _read(self) -> int:
        """Return what the process used since the last reading."""
        used_ns = self._unread_ns()
        self._read_cpu_ns += used_ns
        return used_ns

    @staticmethod
    def _usable_clocks(seen: Seen) -> Mapping[int, int]:
        """Return the threads' clocks, or none where they and the samples speak of different threads."""
        threads = {sample.thread_id for sample in seen.samples if sample.count > 0}
        return {} if threads and threads.isdisjoint(seen.clocks_after) else seen.clocks_after

    def _read_threads(self, now: Moment, seen: Seen, clocks: Mapping[int, int]) -> dict[int, int]:
        """Let all that was used since the last reading wait, by thread; return what each used in the window itself."""
        used_ns = self._read()
        before = seen.clocks_before if self._clocks is None else self._clocks
        used = clock_deltas(before, clocks)
        # The process's clock ticks in 10 ms, a thread's in 1 ns: where the threads are ahead, the rounding of earlier
        # windows pays for it.
        used = fit_clocks(used, used_ns + self._carry.take(NO_THREAD, max(0, sum(used.values()) - used_ns)))
        for thread, cpu_ns in used.items():
            self._carry.put(thread, now.monotonic_ns, cpu_ns)
        self._carry.put(NO_THREAD, now.monotonic_ns, used_ns - sum(used.values()))
        self._carry.forget_threads(clocks)
        self._clocks, self._clocks_at = seen.clocks_after or None, now.monotonic_ns
        self._paid_at = {thread: at for thread, at in self._paid_at.items() if thread in clocks or thread == NO_THREAD}
        in_window = clock_deltas(seen.clocks_before, clocks)
        if not clocks:
            in_window[NO_THREAD] = max(0, self._read_cpu_ns - self._begun[1])
        return in_window

    def _payable_ns(self, thread: int, now: Moment, used_in_window: Mapping[int, int], nominal_ns: int) -> int | None:
        """
        Return how much the samples of a thread may stand for: what it used while it was seen, over the time unseen.

        At least what samples nominally stand for: clocks tick too rarely to show a short run. None: without a limit.
        """
        if thread not in used_in_window:
            return None
        window_ns = max(1, now.monotonic_ns - self._begun[0])
        span_ns = max(window_ns, now.monotonic_ns - self._paid_at.get(thread, self._paid_all_at))
        return max(nominal_ns, used_in_window[thread] * span_ns // window_ns)

    def _native(self, seen: Seen, by_thread: Mapping[int, list[int]]) -> list[Sample]:
        """Take the time of threads that run no Python: no later window will see them either."""
        if not seen.python_threads:
            return []
        samples: list[Sample] = []
        for thread in self._carry.threads():
            if thread == NO_THREAD or thread in seen.python_threads or thread in by_thread:
                continue
            name = Frame(seen.names.get(thread) or _UNNAMED, frame_type=FrameType.MARKER)
            amount_ns = self._carry.take(thread)
            samples.append(Sample(stack=(NATIVE_THREAD, name), count=0, value=amount_ns, thread_id=thread))
        return samples
