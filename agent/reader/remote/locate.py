"""Finds the Python in a process: its runtime structure, its version, and the types that objects are checked against."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.procfs import MAPS_BYTES_MAX, read_start
from agent.reader.elf import ElfError, ElfFile
from agent.reader.pyspy_failure import permission_denied
from agent.reader.remote.dynamic import find_symbol, read_image
from agent.reader.remote.layout import DEBUG_OFFSETS_BYTES, VERSIONS, Layout, layout_from_process
from agent.reader.remote.memory import Memory, UnreadableError
from pyrometer.errors import NotPythonError, RefusedError, TargetNotFoundError

_LIBRARY: Final = re.compile(r"libpython\d[\d.]*[a-z]*\.so")
_IMAGES_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """
    The Python of a process.

    Attributes:
        runtime: Address of ``_PyRuntime``.
        layout: Of its structures.
        code_type: Address of ``PyCode_Type``.
        text_type: Address of ``PyUnicode_Type``.
    """

    runtime: int
    layout: Layout
    code_type: int
    text_type: int


@dataclass(frozen=True, slots=True)
class _Mapping:
    start: int
    path: str


def locate_python(memory: Memory) -> Located:
    """
    Return where the Python of a process is.

    Raises:
        NotPythonError: No image in the process has a Python runtime.
        RefusedError: It has one that is not known well enough.
        TargetNotFoundError: The process has ended.
        PermissionDeniedError: A right is missing.
    """
    reason = ""
    for mapping in _candidates(memory.pid):
        try:
            found = _locate_in(memory, mapping)
        except UnreadableError:
            reason = reason or "an image in it cannot be read"
            continue
        if found is not None:
            return found
    try:
        os.close(os.open(f"/proc/{memory.pid}/maps", os.O_RDONLY | os.O_CLOEXEC))
    except PermissionError:
        raise permission_denied(memory.pid) from None
    except OSError:
        raise TargetNotFoundError(f"process {memory.pid} has ended") from None
    raise NotPythonError(f"process {memory.pid} has no CPython runtime in it{': ' + reason if reason else ''}")


def _candidates(pid: int) -> Iterator[_Mapping]:
    """Yield the images that may be Python: libraries by that name first, then the program itself."""
    text = read_start(f"/proc/{pid}/maps", MAPS_BYTES_MAX).decode("utf-8", "replace")
    try:
        program = os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115 (a Path would normalise it)
    except OSError:
        program = ""
    libraries: list[_Mapping] = []
    programs: list[_Mapping] = []
    for line in text.splitlines():
        fields = line.split(None, 5)
        if len(fields) != 6 or int(fields[2], 16) != 0 or not fields[5].startswith("/"):  # noqa: PLR2004
            continue
        mapping = _Mapping(int(fields[0].partition("-")[0], 16), fields[5])
        if _LIBRARY.match(os.path.basename(mapping.path)):  # noqa: PTH119
            libraries.append(mapping)
        elif mapping.path == program and not programs:
            programs.append(mapping)
    yield from (libraries + programs)[:_IMAGES_MAX]


def _locate_in(memory: Memory, mapping: _Mapping) -> Located | None:
    image = read_image(memory, mapping.start)
    if image is None:
        return None
    runtime = find_symbol(memory, image, b"_PyRuntime") or _runtime_section(memory.pid, mapping, image.bias)
    if runtime is None:
        return None
    version_address = find_symbol(memory, image, b"Py_Version")
    if version_address is None:  # new in 3.11
        raise RefusedError("a Python before 3.11, or one that hides its version", reason="version")
    number = memory.read_word(version_address)
    version = (number >> 24, number >> 16 & 0xFF)
    if version not in VERSIONS:
        raise RefusedError(f"no offsets for Python {version[0]}.{version[1]}", reason="version")
    types = [find_symbol(memory, image, name) for name in (b"PyCode_Type", b"PyUnicode_Type")]
    if types[0] is None or types[1] is None:
        raise RefusedError("its Python does not export the types to check against", reason="symbols")
    layout = layout_from_process(memory.read(runtime, DEBUG_OFFSETS_BYTES), version)
    return Located(runtime=runtime, layout=layout, code_type=types[0], text_type=types[1])


def _runtime_section(pid: int, mapping: _Mapping, bias: int) -> int | None:
    """Return the address of ``_PyRuntime`` by its section's name in the file, for programs that export no symbols."""
    try:
        with ElfFile.open(f"/proc/{pid}/root{mapping.path}") as file:
            section = file.section(b".PyRuntime")
    except (ElfError, OSError):
        return None
    return bias + section.address if section else None
