"""Which threads of a process run Python: the interpreters' own lists, joined to the kernel's thread ids."""

import os
from dataclasses import dataclass, replace
from typing import Final

from agent.procfs import read_start
from agent.reader.remote.clock import KEPT_MAX, ThreadClock, ThreadGoneError
from agent.reader.remote.learn import ThreadState
from agent.reader.remote.locate import Located
from agent.reader.remote.memory import Memory, UnreadableError

INTERPRETERS_MAX: Final = 64
THREADS_MAX: Final = 4096
_NAME_BYTES_MAX: Final = 64
# From this version on a thread that enters another interpreter gets a state with its own id there.
_IDS_ARE_KEPT_RIGHT: Final = (3, 13)


@dataclass(frozen=True, slots=True)
class PythonThread:
    """
    A thread that runs Python.

    Attributes:
        tid: Its kernel id, in our pid namespace.
        name: As the kernel has it.
        states: As its interpreters have it, the innermost first: a thread that runs another interpreter has several.
        clock: As the scheduler has it.
    """

    tid: int
    name: str
    states: tuple[ThreadState, ...]
    clock: ThreadClock


class Roster:
    """The threads of one process. Not thread-safe."""

    def __init__(self, memory: Memory, located: Located) -> None:
        """
        List nothing yet.

        Args:
            memory: Of the process, for our use alone.
            located: Its Python.
        """
        self._memory = memory
        self._located = located
        self._layout = located.layout
        self._heads: list[tuple[int, int]] = []
        self._heads_seen = b""
        self._threads: dict[int, PythonThread] = {}
        self._other_namespace = _pid_namespace(memory.pid) != _pid_namespace(os.getpid())

    @property
    def threads(self) -> list[PythonThread]:
        """Those of the last listing."""
        return list(self._threads.values())

    def close(self) -> None:
        """Give every descriptor back."""
        for thread in self._threads.values():
            thread.clock.close()
        self._threads.clear()
        self._heads_seen = b""

    def refresh(self) -> None:
        """
        List the threads again if any was added, which shows at the head of a list; see `forget` for those that ended.

        Raises:
            UnreadableError: If the lists cannot be read.
        """
        if self._heads_seen:
            size = 8 * len(self._heads)
            if bytes(self._memory.gather(self._heads)[:size]) == self._heads_seen:
                return
        self._list()

    @property
    def heads(self) -> tuple[list[tuple[int, int]], bytes]:
        """The heads of the lists, as ranges of memory, and what they held at the last listing."""
        return self._heads, self._heads_seen

    def forget(self) -> None:
        """List anew next time: a thread has ended."""
        self._heads_seen = b""

    def _list(self) -> None:
        layout = self._layout
        found: dict[tuple[int, int], int] = {}
        heads = [(self._located.runtime + layout.interpreters_head, 8)]
        tids = self._tids()
        interpreter = self._memory.read_word(heads[0][0])
        seen = [interpreter]
        while interpreter and len(heads) <= INTERPRETERS_MAX:
            heads.append((interpreter + layout.threads_head, 8))
            first = self._memory.read_word(heads[-1][0])
            seen.append(first)
            for address, native_id in self._list_interpreter(interpreter, first):
                found[address, native_id] = tids.get(native_id, 0)
            interpreter = self._memory.read_word(interpreter + layout.interpreter_next)
        self._match_single(found, tids)
        self._take(found)
        self._heads = heads
        self._heads_seen = b"".join(value.to_bytes(8, "little") for value in seen)

    def _list_interpreter(self, interpreter: int, address: int) -> list[tuple[int, int]]:
        layout = self._layout
        threads: list[tuple[int, int]] = []
        while address and len(threads) < THREADS_MAX:
            state = self._memory.read(address, layout.thread_bytes)
            if _word(state, layout.thread_interpreter) != interpreter:
                raise UnreadableError
            threads.append((address, _word(state, layout.thread_native_id)))
            address = _word(state, layout.thread_next)
        return threads

    def _tids(self) -> dict[int, int]:
        """Return our thread ids by those of the process's own pid namespace."""
        try:
            names = os.listdir(f"/proc/{self._memory.pid}/task")  # noqa: PTH208 (a Path each is slow)
        except OSError:
            return {}
        tids = [int(name) for name in names[:THREADS_MAX]]
        if not self._other_namespace:
            return {tid: tid for tid in tids}
        return {_innermost_id(self._memory.pid, tid): tid for tid in tids}

    @staticmethod
    def _match_single(found: dict[tuple[int, int], int], tids: dict[int, int]) -> None:
        """Match the one state and the one thread that are left: a fork may keep the parent's thread id."""
        left = [key for key, tid in found.items() if not tid]
        free = set(tids.values()) - set(found.values())
        if len(left) == 1 and len(free) == 1:
            found[left[0]] = free.pop()

    def _take(self, found: dict[tuple[int, int], int]) -> None:
        """Take over who is known already; the interpreters, and so the states, come with the newest first."""
        by_tid: dict[int, list[tuple[int, int]]] = {}
        for key, tid in found.items():
            if tid:  # else it is not running yet, or no longer
                by_tid.setdefault(tid, []).append(key)
        before = self._threads
        states = {(state.address, state.native_id): state for thread in before.values() for state in thread.states}
        self._threads = {}
        for tid, keys in by_tid.items():
            if self._layout.version < _IDS_ARE_KEPT_RIGHT:
                # A state of another interpreter may bear the id of the thread that made it, not of who runs it.
                del keys[:-1]
            mine = tuple(states.get(key) or ThreadState(*key) for key in keys)
            known = before.pop(tid, None)
            if known is not None:
                self._threads[tid] = known if known.states == mine else replace(known, states=mine)
            else:
                self._begin(tid, mine)
        for thread in before.values():
            thread.clock.close()

    def _begin(self, tid: int, states: tuple[ThreadState, ...]) -> None:
        pid = self._memory.pid
        try:
            clock = ThreadClock(pid, tid, keep=len(self._threads) < KEPT_MAX)
        except ThreadGoneError:
            return
        name = read_start(f"/proc/{pid}/task/{tid}/comm", _NAME_BYTES_MAX).decode("utf-8", "replace").rstrip("\n")
        self._threads[tid] = PythonThread(tid, name, states, clock)


def _innermost_id(pid: int, tid: int) -> int:
    for line in read_start(f"/proc/{pid}/task/{tid}/status", 4096).splitlines():
        if line.startswith(b"NSpid:"):
            return int(line.split()[-1])
    return tid


def _pid_namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115
    except OSError:
        return ""


def _word(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 8], "little")
