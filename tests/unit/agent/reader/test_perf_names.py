"""From addresses to names: mappings, symbols of files and of the kernel."""

import contextlib
import ctypes
import os
import shutil
import struct
from pathlib import Path

import pytest
from reader_workloads import SPIN, running

from agent.procfs import read_stat
from agent.reader.elf import ElfError, ElfFile
from agent.reader.elf_functions import read_functions
from agent.reader.perf import naming, symbols
from agent.reader.perf.kernel import KERNEL, KernelSymbols
from agent.reader.perf.naming import Namer
from agent.reader.perf.process import ProcessView, parse_code, read_code
from agent.reader.perf.record import Sighting
from agent.reader.perf.symbols import Mapped, SymbolFiles, plain_name
from pyrometer.values import FrameType


def address_of(function: str) -> int:
    return ctypes.cast(getattr(ctypes.CDLL(None), function), ctypes.c_void_p).value


def code_at(address: int) -> Mapped:
    return next(mapped for mapped in read_code(os.getpid()) if mapped.start <= address < mapped.end)


def code_with_functions() -> list[Mapped]:
    """Return a mapping of each file of this process that names more than two functions."""
    found = {}
    for mapped in read_code(os.getpid()):
        with contextlib.suppress(OSError, ElfError), ElfFile.open(mapped.path) as elf:
            if len(read_functions(elf, 3).addresses) == 3:
                found.setdefault(mapped.inode, mapped)
    return list(found.values())


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        (b"memcpy", "memcpy"),
        (b"_ZN3foo3barEv", "foo::bar"),
        (b"_ZNK5Shape4areaEi", "Shape::area"),
        (b"_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"),
        (b"_ZN3fooIiE3barEv", "_ZN3fooIiE3barEv"),
        (b"_ZN9999999999999999999foo", "_ZN9999999999999999999foo"),
        (b"_ZN", "_ZN"),
        (b"_ZN0E", "_ZN0E"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"a" * 1000, "a" * 256),
    ],
)
def test_symbols_are_written_as_people_write_them(symbol, expected):
    """Simple C++ and Rust names are taken apart; anything else stays as it is, within the limit."""
    assert expected == plain_name(symbol)


def test_only_code_is_taken_from_the_mappings():
    """Lines that are none are left out; names with spaces and of deleted files stay whole."""
    text = (
        b"55d0-55e0 r--p 00000000 fd:01 42 /usr/bin/a\n"
        b"55e0-55f0 r-xp 00001000 fd:01 42                 /usr/bin/a b (deleted)\n"
        b"7f00-7f10 rwxp 00000000 00:00 0 \n"
        b"7fff-8000 r-xp 00000000 00:00 0                  [vdso]\n"
        b"nonsense\n"
    )
    code = parse_code(text)
    assert [0x55E0, 0x7F00, 0x7FFF] == [mapped.start for mapped in code]
    assert ["a b+0x1000", "[jit]", "[vdso]"] == [mapped.anonymous_frame().function for mapped in code]


def test_a_function_of_a_library_is_named_with_its_file():
    """An address inside getpid is getpid, a native frame in libc."""
    address = address_of("getpid") + 1
    files = SymbolFiles(sightings_min=1)
    frame = files.frame(os.getpid(), code_at(address), address)
    files.end_turn()
    assert frame.function in ("getpid", "__getpid")
    assert "libc" in frame.file
    assert FrameType.NATIVE is frame.frame_type


def test_files_are_closed_after_each_turn():
    """No file of a target stays open, whatever is named later."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    files = SymbolFiles(sightings_min=1)
    for name in ("getpid", "malloc", "strlen", "open"):
        address = address_of(name)
        assert files.frame(os.getpid(), code_at(address), address) is not None
        files.end_turn()
        assert before == len(list(Path("/proc/self/fd").iterdir()))


def test_tables_are_built_a_few_in_a_turn(monkeypatch):
    """What is too much for one turn is answered in the next."""
    monkeypatch.setattr(symbols, "LOADS_PER_TURN_MAX", 0)
    address = address_of("getpid")
    files = SymbolFiles(sightings_min=1)
    assert files.frame(os.getpid(), code_at(address), address) is None
    monkeypatch.setattr(symbols, "LOADS_PER_TURN_MAX", 1)
    files.end_turn()
    assert files.frame(os.getpid(), code_at(address), address) is not None
    files.end_turn()


def test_a_table_is_built_only_for_code_that_is_seen_often():
    """A program that was seen once is not worth reading all its symbols."""
    address = address_of("getpid") + 1
    files = SymbolFiles(sightings_min=3)
    found = [files.frame(os.getpid(), code_at(address), address) is not None for _ in range(4)]
    files.end_turn()
    assert [False, False, True, True] == found


@pytest.mark.parametrize(("kept_max", "is_new"), [(100_000, False), (1, True)])
def test_mappings_of_all_processes_together_are_bounded(monkeypatch, kept_max, is_new):
    """Where there are too many, a process seen again is looked at anew."""
    monkeypatch.setattr(naming, "MAPPINGS_KEPT_MAX", kept_max)
    chain = struct.pack("=2Q", 2**64 - 512, address_of("getpid"))
    namer, pid = Namer(), os.getpid()
    looks = []
    monkeypatch.setattr(naming, "ProcessView", lambda stat: looks.append(stat.pid) or ProcessView(stat))
    for turn in range(4):
        assert namer.name(Sighting(pid, pid, turn, chain)).stack
        namer.end_turn()

    assert looks == ([pid] * 3 if is_new else [pid])


@pytest.mark.parametrize(("limit", "kept"), [("FILES_MAX", 2), ("FUNCTIONS_KEPT_MAX", 1)])
def test_the_oldest_tables_are_forgotten(monkeypatch, limit, kept):
    """Memory stays within the limits of files and of functions however many are seen; the last is kept in any case."""
    monkeypatch.setattr(symbols, limit, 2)
    files = SymbolFiles(sightings_min=1)
    seen = []
    for mapped in code_with_functions():
        files.frame(os.getpid(), mapped, mapped.start)
        files.end_turn()
        seen.append((mapped.device, mapped.inode))
        assert seen[-kept:] == list(files._tables)
    assert len(seen) > kept


def test_a_damaged_file_gives_one_name_for_each_mapping(tmp_path):
    """A program whose file cannot be believed is still counted, under its own name."""
    copy = tmp_path / "damaged"
    copy.write_bytes(b"\x7fELF" + b"\xff" * 4096)
    mapped = Mapped(0x1000, 0x2000, 0x3000, "fd:01", copy.stat().st_ino, str(copy))
    files = SymbolFiles(sightings_min=1)
    frames = {files.frame(os.getpid(), mapped, address).function for address in range(0x1000, 0x2000, 64)}
    files.end_turn()
    assert {"damaged+0x3000"} == frames


def test_a_file_that_was_replaced_is_not_believed(tmp_path, monkeypatch):
    """A table belongs to one file: with another one of that name in its place, functions have no names."""
    library = tmp_path / "library"
    shutil.copy(code_at(address_of("getpid")).path, library)
    mapped = Mapped(0x1000, 0x200000, code_at(address_of("getpid")).offset, "0:1", library.stat().st_ino, str(library))
    files = SymbolFiles(sightings_min=1)
    start = mapped.start
    assert files.frame(os.getpid(), mapped, start) is not None
    files.end_turn()
    os.utime(library, (1, 1))
    names = {files.frame(os.getpid(), mapped, start + offset).function for offset in range(0, 0x100000, 0x1000)}
    files.end_turn()
    assert {f"library+{mapped.offset:#x}"} == names


def test_a_view_belongs_to_one_program():
    """After an exec the same process has other code; the mappings are read again only after a while."""
    now = [0]
    with running("-c", SPIN) as process:
        stat = read_stat(process.pid)
        view = ProcessView(stat, now_ns=lambda: now[0])
        assert view.is_same(read_stat(process.pid))
        start = read_code(process.pid)[0].start
        assert view.mapped_at(start) is not None
        assert view.mapped_at(1) is None
        assert not view.is_same(read_stat(os.getpid()))
        view._mappings.clear()
        view._starts.clear()
        assert view.mapped_at(start) is None
        now[0] = 11 * 10**9
        assert view.mapped_at(start) is not None


def test_kernel_functions_have_their_module(tmp_path):
    """An address belongs to the function that begins before it; data symbols and hidden addresses are none."""
    table = tmp_path / "kallsyms"
    table.write_text(
        "ffffffff81000000 T first\nffffffff81000100 t second\nffffffff81000180 d data\n"
        "ffffffffc0000000 t other\t[ext4]\nbroken\n"
    )
    kernel = KernelSymbols(table)
    assert ("second", "[kernel]") == _seen(kernel, 0xFFFFFFFF81000190)
    assert ("other", "[ext4]") == _seen(kernel, 0xFFFFFFFFC0000010)
    assert KERNEL == kernel.frame(0xFFFFFFFF80000000)
    assert not kernel.is_hidden


@pytest.mark.parametrize("text", ["0000000000000000 T first\n", "", "zz T x\n"])
def test_without_the_right_to_kernel_addresses_there_is_one_name(tmp_path, text):
    """All of the kernel is then one frame, and nothing is guessed."""
    table = tmp_path / "kallsyms"
    table.write_text(text)
    for path in (table, Path("/nowhere")):
        kernel = KernelSymbols(path)
        assert kernel.is_hidden
        assert KERNEL == kernel.frame(0xFFFFFFFF81000190)


def _seen(kernel: KernelSymbols, address: int) -> tuple[str, str]:
    frame = kernel.frame(address)
    assert FrameType.KERNEL is frame.frame_type
    return frame.function, frame.file
