"""The ELF reader on real files, and on files that lie."""

import contextlib
import ctypes
import os
import random
import shutil
import struct
import sys
from array import array
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.reader.elf import ElfError, ElfFile
from agent.reader.elf_functions import Functions, read_functions

LIBC = next(
    (line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith("libc.so.6")), ""
)
TRUE = Path(shutil.which("true") or "/bin/true").resolve()
SMALL = TRUE.read_bytes()


def mapping_of(name: str) -> tuple[int, int, str]:
    """Return start, offset and path of the executable mapping of a file in this process."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].endswith(name) and "x" in fields[1]:
            return int(fields[0].partition("-")[0], 16), int(fields[2], 16), fields[5]
    raise LookupError(name)


@pytest.fixture
def write(tmp_path):
    """Write bytes to a file and return its path."""

    def write_file(data: bytes) -> str:
        path = tmp_path / "file"
        path.write_bytes(data)
        return str(path)

    return write_file


def test_a_function_of_libc_is_where_the_process_has_it():
    """The address that the dynamic linker gave a function, less the load bias, is that function's in the file."""
    start, offset, path = mapping_of("libc.so.6")
    real = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value
    with ElfFile.open(path) as elf:
        functions = read_functions(elf)
        index = functions.find(real - elf.load_bias(start, offset))
        assert index is not None
        assert elf.text(functions.names[index]) in (b"getpid", b"__getpid")


def test_every_mapping_of_a_file_gives_the_same_bias():
    """Whichever part of a library is looked at, it lies where the whole lies."""
    rows = [line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines()]
    mapped = [(int(r[0].partition("-")[0], 16), int(r[2], 16)) for r in rows if len(r) == 6 and r[5] == LIBC]
    with ElfFile.open(LIBC) as elf:
        assert 1 == len({elf.load_bias(start, offset) for start, offset in mapped})


def test_the_runtime_section_of_a_python_is_found():
    """An executable or library of CPython has `.PyRuntime`, which begins with the symbol `_PyRuntime`."""
    runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    rows = [line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines()]
    path = next(
        row[5] for row in rows if int(row[0].partition("-")[0], 16) <= runtime < int(row[0].partition("-")[2], 16)
    )
    start, offset, _ = mapping_of(path)
    with ElfFile.open(path) as elf:
        section = elf.section(b".PyRuntime")
        assert section is not None, f"{path}, which {sys.executable} runs from, has none"
        assert runtime == elf.load_bias(start, offset) + section.address
        assert section.size > 1000


def test_names_that_are_not_there_are_none():
    """A section is not made up; a part of a name is not a name, and an address outside is in no function."""
    with ElfFile.open(LIBC) as elf:
        assert elf.section(b".no") is None
        assert elf.section(b".tex") is None
        assert read_functions(elf).find(1) is None


def test_functions_are_limited():
    """Beyond the limit the rest is left out, and the table says so."""
    with ElfFile.open(LIBC) as elf:
        functions = read_functions(elf, count_max=10)
        assert (10, False) == (len(functions.addresses), functions.complete)
        assert list(functions.addresses) == sorted(functions.addresses)


def test_a_function_without_size_ends_at_the_next_only_where_all_are_known():
    """Assembly without sizes is named, but never guessed in a table that was cut."""
    columns = array("Q", [100, 200]), array("I", [0, 10]), array("Q", [1, 2])
    whole, cut = Functions(*columns, complete=True), Functions(*columns, complete=False)
    assert [None, 0, 0, 1, None] == [whole.find(at) for at in (99, 100, 199, 209, 210)]
    assert [None, None, 1] == [cut.find(at) for at in (100, 199, 209)]


def test_what_is_not_such_a_file_is_refused(write, tmp_path):
    """Text, an empty file, another word size or byte order, a folder, a pipe."""
    for data in (b"", b"#!/bin/sh\n", SMALL[:40], b"\x7fELF\x01" + SMALL[5:], b"\x7fELF\x02\x02" + SMALL[6:]):
        with pytest.raises(ElfError):
            ElfFile.open(write(data))
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(ElfError, match="not a regular file"):
            ElfFile.open(str(path))
    with pytest.raises(FileNotFoundError):
        ElfFile.open(str(tmp_path / "none"))


def test_a_file_that_shrinks_while_it_is_open_is_an_error(write):
    """No signal kills the reader: what is missing is an ElfError."""
    path = write(SMALL)
    with ElfFile.open(path) as elf:
        os.truncate(path, 100)
        with pytest.raises(ElfError, match="cut short"):
            read_functions(elf)


def test_an_offset_that_is_not_loaded_is_an_error():
    """A mapping that does not belong to the file gives no bias; a fixed executable has none."""
    with ElfFile.open(LIBC) as elf, pytest.raises(ElfError, match="nothing of it is loaded"):
        elf.load_bias(0x7F00_0000_0000, 1 << 40)
    with ElfFile.open(str(TRUE)) as elf:
        elf.elf_type = 2  # ET_EXEC
        assert 0 == elf.load_bias(0x400000, 0)


def use_all(path: str) -> None:
    with ElfFile.open(path) as elf:
        elf.section(b".text")
        functions = read_functions(elf)
        for address in functions.addresses[:50]:
            index = functions.find(address)
            if index is not None:
                elf.text(functions.names[index])
        elf.load_bias(0x1000, 0)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_an_error_or_harmless(data, tmp_path_factory):
    """Whatever bytes of a file are changed, nothing but ElfError comes of it."""
    damaged = bytearray(SMALL)
    random_source = random.Random(data.draw(st.integers(0, 2**32)))
    (header,) = struct.unpack_from("<Q", SMALL, 0x28)
    starts = [(0, 64), (64, 600), (header, len(SMALL) - header)]
    for _ in range(data.draw(st.integers(1, 12))):
        start, length = random_source.choice(starts)
        damaged[start + random_source.randrange(length)] = random_source.choice((0, 1, 0x7F, 0xFF, 0x80))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(SMALL))))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged[:cut])
    with contextlib.suppress(ElfError):
        use_all(str(path))


@given(noise=st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_noise_after_a_good_beginning_is_an_error_or_harmless(noise, tmp_path_factory):
    """Random tables behind a valid magic number."""
    path = tmp_path_factory.getbasetemp() / "noise"
    path.write_bytes(SMALL[:16] + noise)
    with contextlib.suppress(ElfError):
        use_all(str(path))
