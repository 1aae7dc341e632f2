"""CPU time of one process that was used and that no sample stands for yet, by thread and by age."""

from collections.abc import Container

# Time that no thread is known for: of threads that ended, and the rounding between a process's clock and its threads'.
NO_THREAD = 0


class Carry:
    """
    What waits for a later window. Bounded: a thread has at most one part for each window of the longest wait.

    The youngest is given first: it lies nearest to what the samples saw. What nobody asked for in time is given up.
    """

    def __init__(self) -> None:
        # By thread: (when it was used, monotonic ns; how much, ns), oldest first.
        self._parts: dict[int, list[tuple[int, int]]] = {}

    def put(self, thread: int, used_at_ns: int, cpu_ns: int) -> None:
        """Add time that a thread used until a moment that is not before the last one."""
        if cpu_ns > 0:
            self._parts.setdefault(thread, []).append((used_at_ns, cpu_ns))

    def threads(self) -> list[int]:
        """Return the threads that time waits for, ascending."""
        return sorted(self._parts)

    def total_ns(self, thread: int | None = None) -> int:
        """Return what waits for one thread, or for all."""
        threads = list(self._parts) if thread is None else [thread]
        return sum(cpu_ns for each in threads for _, cpu_ns in self._parts.get(each, ()))

    def take(self, thread: int, at_most_ns: int | None = None) -> int:
        """Remove up to this much of a thread's time, or all of it, the youngest first, and return how much it was."""
        parts = self._parts.pop(thread, [])
        wanted_ns = sum(cpu_ns for _, cpu_ns in parts) if at_most_ns is None else at_most_ns
        taken_ns = 0
        while parts and taken_ns < wanted_ns:
            used_at_ns, cpu_ns = parts.pop()
            taken_ns += cpu_ns
            if taken_ns > wanted_ns:
                parts.append((used_at_ns, taken_ns - wanted_ns))
                taken_ns = wanted_ns
        if parts:
            self._parts[thread] = parts
        return taken_ns

    def take_older(self, moment_ns: int) -> dict[int, int]:
        """Remove all time that was used before a moment, and return it by thread."""
        taken: dict[int, int] = {}
        for thread, parts in list(self._parts.items()):
            if parts[0][0] < moment_ns:
                taken[thread] = sum(cpu_ns for used_at_ns, cpu_ns in parts if used_at_ns < moment_ns)
                self._replace(thread, [part for part in parts if part[0] >= moment_ns])
        return taken

    def take_all(self) -> int:
        """Remove everything, and return how much it was."""
        total_ns = self.total_ns()
        self._parts.clear()
        return total_ns

    def forget_threads(self, alive: Container[int]) -> None:
        """Keep the time of threads that ended, and forget whose it was."""
        orphans = [thread for thread in self._parts if thread != NO_THREAD and thread not in alive]
        if orphans:
            parts = [part for thread in (*orphans, NO_THREAD) for part in self._parts.pop(thread, ())]
            merged: dict[int, int] = {}
            for used_at_ns, cpu_ns in sorted(parts):
                merged[used_at_ns] = merged.get(used_at_ns, 0) + cpu_ns
            self._parts[NO_THREAD] = list(merged.items())

    def _replace(self, thread: int, parts: list[tuple[int, int]]) -> None:
        if parts:
            self._parts[thread] = parts
        else:
            del self._parts[thread]
