"""Which thread holds the GIL, where the offsets tell."""

from agent.reader.remote.locate import Located
from agent.reader.remote.memory import Memory


class Gil:
    """The GIL of a process's main interpreter. Not thread-safe."""

    def __init__(self, memory: Memory, located: Located) -> None:
        """
        Look it up later.

        Args:
            memory: Of the process, for our use alone.
            located: Its Python.
        """
        self._memory = memory
        self._located = located
        self._address = 0

    def holder(self) -> int:
        """
        Return the address of the thread state that holds the GIL now, 0 where none does.

        Raises:
            UnreadableError: If that cannot be read.
        """
        layout = self._located.layout
        if not self._address:
            self._address = self._find()
        holder, locked = layout.gil_last_holder, layout.gil_locked
        start = min(holder, locked)
        state = self._memory.read(self._address + start, max(holder + 8, locked + 4) - start)
        is_locked = int.from_bytes(state[locked - start : locked - start + 4], "little", signed=True)
        return int.from_bytes(state[holder - start : holder - start + 8], "little") if is_locked == 1 else 0

    def _find(self) -> int:
        layout, runtime = self._located.layout, self._located.runtime
        if layout.version == (3, 11):
            return runtime + layout.gil
        # The list begins with the newest interpreter and ends with the main one.
        interpreter = self._memory.read_word(runtime + layout.interpreters_head)
        while following := self._memory.read_word(interpreter + layout.interpreter_next):
            interpreter = following
        return self._memory.read_word(interpreter + layout.gil)
