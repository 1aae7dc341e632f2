"""The parts of our stack reader, each on its own: memory, symbols, layouts, line tables, fetching and walking."""

import contextlib
import ctypes
import inspect
import json
import os
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reader_workloads import other_pythons

from agent.reader.remote.code import Code, CodeTable
from agent.reader.remote.dynamic import find_symbol, gnu_hash, read_image
from agent.reader.remote.fetch import Region, merge, plan_fetch
from agent.reader.remote.layout import COOKIE, DEBUG_OFFSETS_BYTES, TABLE, layout_from_process
from agent.reader.remote.linetable import decode_linetable
from agent.reader.remote.locate import locate_python
from agent.reader.remote.memory import BYTES_MAX, PAGE_BYTES, Memory, UnreadableError
from agent.reader.remote.walk import MissingError, TornError, Walker, frame_struct
from pyrometer.errors import RefusedError, TargetNotFoundError


class TestMemory:
    def test_ranges_come_in_their_order(self):
        """Several ranges of one call lie in the buffer one after the other."""
        first, second = ctypes.create_string_buffer(b"first"), ctypes.create_string_buffer(b"second")
        ranges = [(ctypes.addressof(second), 6), (ctypes.addressof(first), 5)]
        assert bytes(Memory(os.getpid()).gather(ranges)[:11]) == b"secondfirst"

    @pytest.mark.parametrize("address", [0, 8, 1 << 62, (1 << 64) - 8])
    def test_an_address_that_is_not_mapped_is_unreadable(self, address):
        """Addresses that a damaged or hostile structure may hold raise one error."""
        with pytest.raises(UnreadableError):
            Memory(os.getpid()).read(address, 8)

    def test_absurd_sizes_are_refused(self):
        """No structure makes us allocate more than the limit."""
        with pytest.raises(UnreadableError):
            Memory(os.getpid()).gather([(1, BYTES_MAX + 1)])

    def test_a_process_that_has_ended_is_told_apart(self):
        """Reading what is gone is not the same as reading a wrong address."""
        process = subprocess.Popen(["true"])
        process.wait()
        with pytest.raises(TargetNotFoundError):
            Memory(process.pid).read(PAGE_BYTES, 8)


class TestSymbols:
    def test_symbols_of_this_python_are_found_in_memory(self):
        """The addresses are those that the dynamic linker gives, without a look at any file."""
        located = locate_python(Memory(os.getpid()))
        assert located.runtime == ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
        assert located.code_type == id(type(inspect.currentframe().f_code))
        assert located.text_type == id(str)
        assert located.layout.version == sys.version_info[:2]

    def test_a_name_that_is_not_there_is_not_found(self):
        """A symbol that no image has gives nothing."""
        memory = Memory(os.getpid())
        maps = Path("/proc/self/maps").read_text().splitlines()
        start = next(int(line.split("-")[0], 16) for line in maps if "/libc.so" in line or "/libc-" in line)
        image = read_image(memory, start)
        assert image is not None
        assert find_symbol(memory, image, b"no_such_symbol_anywhere") is None
        assert find_symbol(memory, image, b"getpid") is not None

    def test_memory_that_is_no_image_is_none(self):
        """Any other memory is not taken for a program."""
        text = ctypes.create_string_buffer(b"\x7fELF but not really", 4096)
        assert read_image(Memory(os.getpid()), ctypes.addressof(text)) is None

    def test_the_hash_is_that_of_the_specification(self):
        """Known values of the GNU hash function."""
        assert gnu_hash(b"") == 5381
        assert gnu_hash(b"printf") == 0x156B2BB8


class TestLayout:
    def test_unknown_versions_are_refused(self):
        """Nothing is guessed for a version that is not known."""
        with pytest.raises(RefusedError, match=r"no offsets for Python 3\.99") as caught:
            layout_from_process(bytes(DEBUG_OFFSETS_BYTES), (3, 99))
        assert caught.value.reason == "version"

    def test_free_threaded_builds_are_refused(self):
        """Their threads run side by side, and their objects are laid out in another way."""
        runtime = COOKIE + struct.pack("<QQ", 3 << 24 | 13 << 16, 1) + bytes(DEBUG_OFFSETS_BYTES)
        with pytest.raises(RefusedError) as caught:
            layout_from_process(runtime, (3, 13))
        assert caught.value.reason == "free_threaded"

    @given(st.binary(min_size=DEBUG_OFFSETS_BYTES, max_size=DEBUG_OFFSETS_BYTES))
    def test_offsets_of_a_liar_are_refused(self, offsets):
        """Whatever a process says where its offsets should be is refused or bounded."""
        runtime = COOKIE + struct.pack("<QQ", 3 << 24 | 14 << 16, 0) + offsets
        with contextlib.suppress(RefusedError):
            layout = layout_from_process(runtime, (3, 14))
            assert 0 <= layout.frame_owner <= 1 << 20


class TestLines:
    @pytest.mark.parametrize("module", [json, inspect, textwrap, subprocess])
    def test_lines_are_those_of_python_itself(self, module):
        """Every instruction of real code objects has the line that Python gives it."""
        pending = [compile(inspect.getsource(module), "source", "exec")]
        while pending:
            code = pending.pop()
            pending += [constant for constant in code.co_consts if inspect.iscode(constant)]
            ends, lines = decode_linetable(code.co_linetable, code.co_firstlineno)
            read = Code(
                address=0,
                name="",
                file="",
                bytecode=1000,
                first_line=1,
                ends=ends,
                lines=lines,
                identity=b"",
                hidden=False,
            )
            for start, end, line in code.co_lines():
                for offset in range(start, end, 2):
                    assert read.line(1000 + offset) == (line or 0)

    @given(st.binary(max_size=400), st.integers(-(2**31), 2**31 - 1))
    def test_any_bytes_are_a_line_table(self, table, first_line):
        """Damaged tables end early, and no line is negative."""
        ends, lines = decode_linetable(table, first_line)
        assert len(ends) == len(lines)
        assert ends == sorted(ends)
        assert all(line >= 0 for line in lines)


class TestCodeTable:
    def table(self) -> CodeTable:
        memory = Memory(os.getpid())
        located = locate_python(memory)
        return CodeTable(memory, located.layout, code_type=located.code_type, text_type=located.text_type)

    def test_names_and_files_are_read(self):
        """A code object's qualified name and file are those that Python shows."""
        code = self.table().find(id(json.JSONDecoder.decode.__code__))
        assert (code.name, code.file) == ("JSONDecoder.decode", json.decoder.__file__)

    @pytest.mark.parametrize("name", ["naïve", "число", "\U00010330\U00010331", "x" * 3000])
    def test_names_beyond_ascii_are_read(self, name):
        """All three widths of text are understood, and very long names are cut."""
        namespace = {}
        exec(f"def {name}(): pass", namespace)  # noqa: S102
        function = next(value for value in namespace.values() if inspect.isfunction(value))
        assert self.table().find(id(function.__code__)).name == function.__qualname__[:1024]

    @pytest.mark.parametrize("thing", [object(), 12345678901, "text", sys])
    def test_other_objects_are_no_code(self, thing):
        """What is not a code object is refused, not read as one."""
        with pytest.raises(UnreadableError):
            self.table().find(id(thing))

    def test_a_code_object_that_went_away_is_noticed(self):
        """A name is not given to what came to lie at the same address."""
        table = self.table()
        buffer = ctypes.create_string_buffer(ctypes.string_at(id(json.dumps.__code__), table._layout.code_bytes))
        address = (ctypes.addressof(buffer) + 7) & ~7
        ctypes.memmove(address, id(json.dumps.__code__), table._layout.code_bytes - 8)
        code = table.find(address)
        assert code.name == "dumps"
        number = table.frame_number(code, code.bytecode)
        assert table.verify([code])
        assert table.changed([number]) == set()
        assert code.trusted
        ctypes.memset(address + table._layout.code_filename, 0, 8)
        assert table.changed([number]) == {number}
        assert not table.verify([code])
        assert address not in table.codes


class TestFetch:
    def test_addresses_near_each_other_are_one_range(self):
        """Ranges are merged across small gaps, and not across large ones."""
        assert merge([10_000, 1000, 1072, 5000], 72) == [(1000, 4072), (10_000, 72)]

    @given(
        st.lists(st.integers(1, 60).map(lambda page: page * 65_536), unique=True, min_size=1, max_size=8),
        st.lists(st.integers(61, 200).map(lambda page: page * 65_536), unique=True, max_size=8),
        st.data(),
    )
    def test_every_address_is_where_the_plan_says(self, chunks, scattered, data):
        """Both copies of every region lie where the plan places them, mirrored around the middle."""
        path = data.draw(st.permutations(chunks + scattered))
        fetch = plan_fetch(
            [(8, 16)],
            [(start, 6000) for start in chunks],
            [(start, 72) for start in scattered],
            [(8, 16)],
            path=path,
            frame_bytes=72,
        )
        placed, position = {}, 0
        for address, size in fetch.ranges:
            placed.setdefault(address, []).append(position)
            position += size
        assert placed[8] == [0, fetch.tail]
        middle = fetch.regions[0]
        assert middle.start == path[0]
        for region in fetch.regions:
            copies = [region.start + region.shift]
            if region.again:
                copies.append(copies[0] + region.again)
            assert placed[region.start] == copies
            if region is not middle:
                assert copies[0] < placed[middle.start][0] <= placed[middle.start][-1] < copies[1]


class Frames:
    """Made-up frames of Python 3.12 in a buffer, for walks."""

    BASE = 0x10000

    def __init__(self) -> None:
        self.layout = TABLE[3, 12]
        self.buffer = bytearray(PAGE_BYTES)
        self.struct = frame_struct(self.layout)
        self.codes = CodeTable(Memory(os.getpid()), self.layout, code_type=1, text_type=1)
        self.regions = [Region(self.BASE, self.BASE + PAGE_BYTES - 71, -self.BASE, 0, 0, ordered=True)]

    def put(self, index: int, caller: int | None, *, runs: bool = False, owner: int = 0, name: str = "") -> int:
        address = self.BASE + 128 * index
        code_address = 0x900000 + 8 * index
        name = name or f"f{index}"
        self.codes.codes[code_address] = Code(
            address=code_address,
            name=name,
            file="",
            bytecode=0,
            first_line=1,
            ends=[],
            lines=[],
            identity=b"",
            hidden=False,
        )
        previous = 0 if caller is None else self.BASE + 128 * caller
        self.struct.pack_into(self.buffer, 128 * index, code_address, previous, 0, -1 if runs else 2, owner)
        return address

    def walk(self, current: int, depth_max: int = 100):
        return Walker(self.layout, self.codes, depth_max=depth_max).walk(current, self.buffer, self.regions)

    def names(self, current: int) -> list[str]:
        return [code.name for code in self.walk(current).codes]


class TestWalk:
    def test_the_stack_ends_at_the_frame_that_runs(self):
        """Frames above it have returned: they are left out, whatever the current frame was a moment ago."""
        frames = Frames()
        frames.put(0, None, owner=3)
        frames.put(1, 0)
        frames.put(2, 1, runs=True)
        frames.put(3, 2)
        stale = frames.put(4, 3)
        walk = frames.walk(stale)
        assert [code.name for code in walk.codes] == ["f2", "f1"]
        assert walk.running

    def test_a_leaf_that_does_not_run_is_not_certain(self):
        """A frame that is just called or left is not taken for the leaf at first sight."""
        frames = Frames()
        frames.put(0, None, owner=3)
        assert not frames.walk(frames.put(1, 0)).running

    def test_a_stack_without_its_root_is_torn(self):
        """A frame that nobody called, and that C did not call either, is just being made."""
        frames = Frames()
        with pytest.raises(TornError):
            frames.walk(frames.put(1, None, runs=True))

    def test_a_frame_that_calls_c_may_run_below_others(self):
        """Behind a border from C the caller is marked as running, and stays a part of the stack."""
        frames = Frames()
        frames.put(0, None, owner=3)
        frames.put(1, 0, runs=True)
        frames.put(2, 1, owner=3)
        leaf = frames.put(3, 2, runs=True)
        walk = frames.walk(leaf)
        assert ([code.name for code in walk.codes], walk.running) == (["f3", "f1"], True)

    def test_a_caller_above_what_it_called_is_torn(self):
        """In a data stack callers lie below."""
        frames = Frames()
        frames.put(5, None)
        with pytest.raises(TornError):
            frames.walk(frames.put(1, 5))

    def test_a_loop_is_torn(self):
        """A chain without an end is not followed for ever."""
        frames = Frames()
        frames.regions = [Region(frames.BASE, frames.BASE + 4000, -frames.BASE, 0, 0, ordered=False)]
        frames.put(0, 1)
        with pytest.raises(TornError):
            frames.walk(frames.put(1, 0))

    def test_a_generator_at_rest_is_no_root(self):
        """A generator that nobody resumed cannot be where a stack begins."""
        frames = Frames()
        with pytest.raises(TornError):
            frames.walk(frames.put(0, None, owner=1, runs=True))

    @pytest.mark.parametrize("owner", [5, 99, 255])
    def test_an_owner_that_does_not_exist_is_torn(self, owner):
        """A frame must be somebody's."""
        frames = Frames()
        with pytest.raises(TornError):
            frames.walk(frames.put(0, None, owner=owner))

    def test_a_frame_elsewhere_is_missing(self):
        """A caller outside of what was fetched is named, so that it can be fetched."""
        frames = Frames()
        leaf = frames.put(0, 1_000_000)
        with pytest.raises(MissingError) as caught:
            frames.walk(leaf)
        assert caught.value.address == frames.BASE + 128_000_000

    def test_depth_is_limited_from_the_leaf(self):
        """A stack that is too deep loses its root, and says so."""
        frames = Frames()
        frames.put(0, None)
        for index in range(1, 20):
            leaf = frames.put(index, index - 1, runs=index == 19)
        walk = frames.walk(leaf, depth_max=5)
        assert walk.truncated
        assert [code.name for code in walk.codes] == ["f19", "f18", "f17", "f16", "f15"]

    @given(st.binary(min_size=512, max_size=512))
    def test_random_memory_raises_nothing_else(self, content):
        """Whatever memory holds, a walk ends with a stack or one of its two errors."""
        frames = Frames()
        frames.buffer[:512] = content
        with contextlib.suppress(TornError, MissingError):
            frames.walk(frames.BASE)


@pytest.mark.parametrize("python", [sys.executable, *other_pythons()])
def test_the_table_agrees_with_the_headers(python):
    """Offsets of 3.11 and 3.12 are what a compiler makes of that Python's own headers."""
    script = Path(__file__).parents[4] / "scripts" / "python_layout.py"
    finished = subprocess.run([sys.executable, str(script), python], capture_output=True, text=True, check=False)
    if finished.returncode == 3:
        pytest.skip(finished.stderr.strip())
    assert finished.returncode == 0, finished.stderr
    said = json.loads(finished.stdout)
    layout = TABLE[tuple(said.pop("version"))]
    assert said == {name: getattr(layout, name) for name in said}
