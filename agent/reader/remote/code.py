"""
Code objects of another process: name, file and line of an instruction, each code object read once and checked again.

A code object that was freed can leave its address to another one. So what is remembered of one is compared with the
process's memory again: at each look as long as it is new (`CodeTable.verify`), then at the end of every window
(`CodeTable.changed`).
"""

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from agent.reader.remote.layout import Layout
from agent.reader.remote.linetable import decode_linetable
from agent.reader.remote.memory import PAGE_BYTES, Memory, UnreadableError
from pyrometer.values import Frame

# Code objects remembered for one process, and frames (code and line) of it.
CODES_MAX: Final = 20_000
FRAMES_MAX: Final = 100_000
NAME_CHARS_MAX: Final = 1024
LINETABLE_BYTES_MAX: Final = 1 << 18
_TEXT_GUESS_BYTES: Final = 192
_ENCODINGS: Final = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}
_INTERNED_BITS: Final = 2
_RECHECK_RANGES: Final = 128
# What the interpreter itself runs around a class's __init__; it has neither file nor line.
_SHIM: Final = "__init__"


@dataclass(eq=False, slots=True)
class Code:
    """
    One code object.

    Attributes:
        address: Where it lies.
        name: Qualified name.
        file: As the process names it.
        bytecode: Address of its first instruction.
        first_line: Where it begins.
        ends: Where each line entry ends, code units from the first instruction, ascending.
        lines: Line of each entry; 0 for none.
        identity: The bytes that tell it from another at the same address.
        hidden: Whether it stands for nothing a person wrote.
        frames: Number of the frame, by instruction address; filled as they are seen.
        numbers: The same by line.
        trusted: Whether it was there for a whole window; most that go away, like those of modules, go soon.
    """

    address: int
    name: str
    file: str
    bytecode: int
    first_line: int
    ends: list[int]
    lines: list[int]
    identity: bytes
    hidden: bool
    frames: dict[int, int] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    trusted: bool = False

    def line(self, instruction: int) -> int:
        """Return the line of an instruction, 0 where it has none."""
        unit = (instruction - self.bytecode) >> 1
        index = bisect_right(self.ends, max(unit, 0))
        return self.lines[index] if index < len(self.lines) else 0


class CodeTable:
    """The code objects of one process that were seen, and the frames made of them, each with a small number."""

    def __init__(
        self, memory: Memory, layout: Layout, *, code_type: int, text_type: int, first_lines: bool = False
    ) -> None:
        """
        Know nothing yet.

        Args:
            memory: Of the process.
            layout: Of its structures.
            code_type: Address of ``PyCode_Type``: what does not point there is no code object.
            text_type: Address of ``PyUnicode_Type``.
            first_lines: Give the line where a function begins, in place of the line that runs.
        """
        self._memory = memory
        self._layout = layout
        self._first_lines = first_lines
        self._code_type = code_type
        self._text_type = text_type
        self.codes: dict[int, Code] = {}
        # By number: the frame, and the code object it was made of.
        self.frames: list[Frame] = []
        self._origins: list[Code] = []

    def find(self, address: int) -> Code:
        """
        Return the code object at an address.

        Raises:
            UnreadableError: If there is none.
        """
        code = self.codes.get(address)
        if code is None:
            if len(self.codes) >= 2 * CODES_MAX:
                raise UnreadableError
            code = self.codes[address] = self._read(address)
        return code

    def frame_number(self, code: Code, instruction: int) -> int:
        """Return the number of the frame of an instruction: its index in `frames`."""
        number = code.frames.get(instruction)
        if number is None:
            line = max(code.first_line, 0) if self._first_lines else code.line(instruction)
            number = code.numbers.get(line)
            if number is None:
                number = code.numbers[line] = len(self.frames)
                self.frames.append(Frame(code.name, code.file, line))
                self._origins.append(code)
            code.frames[instruction] = number
        return number

    def verify(self, codes: list[Code]) -> bool:
        """Return whether these are still the code objects at their addresses; those that are not are forgotten."""
        gone = [code for code, same in self._compare(codes) if not same]
        for code in gone:
            self.codes.pop(code.address, None)
        return not gone

    def changed(self, numbers: Iterable[int]) -> set[int]:
        """
        Compare the code objects of a window's frames with the process's memory; those that changed are forgotten.

        Args:
            numbers: Of the frames.

        Returns:
            Those whose code object was trusted and is another by now, or none: what they were called is not certain.
        """
        by_code: dict[int, list[int]] = {}
        for number in numbers:
            by_code.setdefault(id(self._origins[number]), []).append(number)
        codes = [self._origins[members[0]] for members in by_code.values()]
        changed: set[int] = set()
        for code, same in self._compare(codes):
            if same and self.codes.get(code.address) is code:
                code.trusted = True
                continue
            if code.trusted:
                changed.update(by_code[id(code)])
            if self.codes.get(code.address) is code:
                del self.codes[code.address]
        return changed

    def _compare(self, codes: list[Code]) -> Iterator[tuple[Code, bool]]:
        size = self._layout.code_bytes
        for start in range(0, len(codes), _RECHECK_RANGES):
            batch = codes[start : start + _RECHECK_RANGES]
            try:
                buffer = bytes(self._memory.gather([(code.address, size) for code in batch])[: size * len(batch)])
            except UnreadableError:
                buffer = b"".join(self._read_or_nothing(code.address, size) for code in batch)
            for index, code in enumerate(batch):
                yield code, self._identity(buffer[index * size : (index + 1) * size]) == code.identity

    def trim(self) -> bool:
        """Forget everything, all numbers too, where it is more than it may be; return whether that was so."""
        if len(self.codes) <= CODES_MAX and len(self.frames) <= FRAMES_MAX:
            return False
        self.codes.clear()
        self.frames.clear()
        self._origins.clear()
        return True

    def _read_or_nothing(self, address: int, size: int) -> bytes:
        try:
            return self._memory.read(address, size)
        except UnreadableError:
            return bytes(size)

    def _identity(self, header: bytes) -> bytes:
        layout = self._layout
        first = header[layout.code_firstlineno : layout.code_firstlineno + 4]
        # Type, then file, name, qualified name and line table, which lie side by side in every version.
        return header[8:16] + first + header[layout.code_filename : layout.code_linetable + 8]

    def _read(self, address: int) -> Code:
        if address & 7 or address < PAGE_BYTES:
            raise UnreadableError
        layout = self._layout
        header = self._memory.read(address, layout.code_bytes)
        kind = int.from_bytes(header[8:16], "little")
        if kind != self._code_type:
            raise UnreadableError
        name = self._text(_word(header, layout.code_qualname))
        file = self._text(_word(header, layout.code_filename))
        first_line = struct.unpack_from("<i", header, layout.code_firstlineno)[0]
        ends, lines = decode_linetable(self._bytes(_word(header, layout.code_linetable)), first_line)
        return Code(
            address=address,
            name=name,
            file=file,
            bytecode=address + layout.code_bytecode,
            first_line=first_line,
            ends=ends,
            lines=lines,
            identity=self._identity(header),
            hidden=(name == _SHIM and file == _SHIM),
        )

    def _text(self, address: int) -> str:
        """Return a str object's text, cut at NAME_CHARS_MAX."""
        layout = self._layout
        start = self._memory.read_up_to(address, _TEXT_GUESS_BYTES)
        if len(start) < layout.text_compact_bytes:
            start = self._memory.read(address, layout.text_compact_bytes)
        if _word(start, 8) != self._text_type:
            raise UnreadableError
        length = _word(start, 16)
        state = struct.unpack_from("<I", start, layout.text_state)[0] >> _INTERNED_BITS
        kind, compact, ascii_only = state & 7, state >> 3 & 1, state >> 4 & 1
        if kind not in _ENCODINGS or not compact or length >> 32:
            raise UnreadableError
        offset = layout.text_ascii_bytes if ascii_only else layout.text_compact_bytes
        size = min(length, NAME_CHARS_MAX) * kind
        data = start[offset : offset + size]
        if len(data) < size:
            data = self._memory.read(address + offset, size)
        return data.decode(_ENCODINGS[kind], "replace")

    def _bytes(self, address: int) -> bytes:
        """Return a bytes object's data; nothing where it is too long to be a line table."""
        header = self._memory.read(address, self._layout.bytes_data)
        size = _word(header, 16)
        if not 0 < size <= LINETABLE_BYTES_MAX:
            return b""
        return self._memory.read(address + self._layout.bytes_data, size)


def _word(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 8], "little")
