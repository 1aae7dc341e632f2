"""What was seen of one process in one window, and what of it counts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from agent.reader.remote.code import CodeTable
from agent.reader.remote.roster import PythonThread
from pyrometer.errors import PyrometerError
from pyrometer.values import NATIVE_THREAD, TRUNCATED, UNSTABLE, Sample, Stack

# Different stacks kept of one window; beyond that, samples are counted as lost.
STACKS_MAX: Final = 20_000

# Thread id, whether it was on a CPU, frames root first, whether the leaf part is missing, whether the root part is.
Look = tuple[int, bool, tuple[int, ...], bool, bool]


class Tally:
    """Looks at the threads of one process, those that are alike as one."""

    def __init__(self, codes: CodeTable) -> None:
        """Begin with nothing; the code table knows the frames by number."""
        self._codes = codes
        self.counts: Counter[Look] = Counter()
        # Looks that were not kept, as there were too many different ones.
        self.lost = 0

    def clear(self) -> None:
        """Begin anew."""
        self.counts.clear()
        self.lost = 0

    def add(self, looks: Iterable[tuple[Look, int]]) -> None:
        """Count what was seen at one time, each with how many looks it stands for."""
        for look, weight in looks:
            if len(self.counts) >= STACKS_MAX and look not in self.counts:
                self.lost += weight
            else:
                self.counts[look] += weight

    def samples(self, threads: Sequence[PythonThread], period_ns: int, *, recheck: bool) -> Iterator[Sample]:
        """
        Yield what was seen, stacks that are alike as one.

        Args:
            threads: Of the process.
            period_ns: What one look stands for.
            recheck: Whether to compare the code objects of frames with memory once more.
        """
        counts = self._without_waiting(threads)
        seen = {number for _, _, frames, _, _ in counts for number in frames}
        try:
            doubtful = self._codes.changed(seen) if recheck else set()
        except PyrometerError:  # it ended just now
            doubtful = set()
        names = {thread.tid: thread.name for thread in threads}
        merged: Counter[tuple[int, Stack]] = Counter()
        for (tid, _, numbers, unstable, truncated), count in counts.items():
            merged[tid, self._stack(numbers, doubtful, unstable=unstable, truncated=truncated)] += count
        for (tid, stack), count in merged.items():
            yield Sample(
                stack=stack, count=count, value=count * period_ns, thread_id=tid, thread_name=names.get(tid, "")
            )

    def _without_waiting(self, threads: Sequence[PythonThread]) -> dict[Look, int]:
        """
        Leave out looks at a thread that waited for a CPU, where it was also seen on one, and slept in this window.

        Work between two sleeps is seldom found waiting, long work often: together they would not be in proportion.
        """
        slept = {thread.tid for thread in threads if thread.clock.slept}
        seen_on_cpu = {tid for tid, on_cpu, *_ in self.counts if on_cpu}
        return {key: count for key, count in self.counts.items() if key[1] or key[0] not in slept & seen_on_cpu}

    def _stack(self, numbers: tuple[int, ...], doubtful: set[int], *, unstable: bool, truncated: bool) -> Stack:
        certain = next((index for index, number in enumerate(numbers) if number in doubtful), len(numbers))
        table = self._codes.frames
        stack = [table[number] for number in numbers[:certain]]
        if truncated:
            stack[:1] = [TRUNCATED]
        if unstable or certain < len(numbers):
            stack.append(UNSTABLE)
        return tuple(stack) or (NATIVE_THREAD,)  # it runs, and no Python: it is just beginning or ending
