"""
Where the fields of CPython's structures lie, by version.

From 3.13 on a process carries the offsets itself (`_Py_DebugOffsets` at the start of `_PyRuntime`). For 3.11 and 3.12
they are in a table, made from the headers by ``scripts/python_layout.py``; x86-64 and aarch64 agree on all of them.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pyrometer.errors import RefusedError

COOKIE: Final = b"xdebugpy"
VERSIONS: Final = ((3, 11), (3, 12), (3, 13), (3, 14), (3, 15))
# Enough of _PyRuntime for the offsets of every version known.
DEBUG_OFFSETS_BYTES: Final = 1024
_OFFSET_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """
    Offsets in bytes, by structure; None where a version has no such field.

    Attributes:
        version: Major and minor.
        interpreters_head: In ``_PyRuntimeState``.
        interpreter_next: In ``PyInterpreterState``.
        threads_head: In ``PyInterpreterState``.
        gil: Of the pointer to the GIL in ``PyInterpreterState``, or of the GIL itself in ``_PyRuntimeState`` (3.11).
        gil_last_holder: In ``struct _gil_runtime_state``.
        gil_locked: In ``struct _gil_runtime_state``.
        thread_next: In ``PyThreadState``, as all with ``thread_``.
        thread_interpreter: See above.
        thread_native_id: See above.
        thread_chunk: Of ``datastack_chunk``; top and limit of the data stack follow it.
        thread_current: Of the current frame, or of the ``cframe`` that holds it (3.11, 3.12).
        cframe_current: Of the current frame in ``_PyCFrame``; None where the thread state has it itself.
        frame_code: In ``_PyInterpreterFrame``, as all with ``frame_``.
        frame_previous: See above.
        frame_instruction: See above.
        frame_stack: Of ``stacktop`` (32 bits, -1 while the frame runs) or ``stackpointer`` (64 bits, 0 while it runs).
        frame_stack_is_pointer: Which of the two.
        frame_entry: Of ``is_entry``; None where frames entered from C have one of their own below them (3.12 on).
        frame_owner: One byte.
        frame_bytes: Size of the part before the locals.
        code_filename: In ``PyCodeObject``, as all with ``code_``.
        code_qualname: See above.
        code_linetable: See above.
        code_firstlineno: See above.
        code_bytecode: Of ``co_code_adaptive``.
        text_state: Of the 32 state bits in ``PyASCIIObject``: interned (2 bits), kind (3), compact, ascii.
        text_ascii_bytes: Size of ``PyASCIIObject``.
        text_compact_bytes: Size of ``PyCompactUnicodeObject``.
        bytes_data: Of the data in ``PyBytesObject``.
    """

    version: tuple[int, int]
    interpreters_head: int
    interpreter_next: int
    threads_head: int
    gil: int
    gil_last_holder: int
    gil_locked: int
    thread_next: int
    thread_interpreter: int
    thread_native_id: int
    thread_chunk: int
    thread_current: int
    cframe_current: int | None
    frame_code: int
    frame_previous: int
    frame_instruction: int
    frame_stack: int
    frame_stack_is_pointer: bool
    frame_entry: int | None
    frame_owner: int
    frame_bytes: int
    code_filename: int
    code_qualname: int
    code_linetable: int
    code_firstlineno: int
    code_bytecode: int
    text_state: int = 32
    text_ascii_bytes: int = 40
    text_compact_bytes: int = 56
    bytes_data: int = 32

    @property
    def thread_bytes(self) -> int:
        """How much of a thread state holds every field that is read."""
        ends = (self.thread_next, self.thread_interpreter, self.thread_native_id, self.thread_current)
        return max(*(end + 8 for end in ends), self.thread_chunk + 24)

    @property
    def code_bytes(self) -> int:
        """How much of a code object comes before its bytecode."""
        return self.code_bytecode


TABLE: Final[Mapping[tuple[int, int], Layout]] = {
    (3, 11): Layout(
        version=(3, 11),
        interpreters_head=40,
        interpreter_next=0,
        threads_head=16,
        gil=360,
        gil_last_holder=8,
        gil_locked=16,
        thread_next=8,
        thread_interpreter=16,
        thread_native_id=160,
        thread_chunk=296,
        thread_current=56,
        cframe_current=8,
        frame_code=32,
        frame_previous=48,
        frame_instruction=56,
        frame_stack=64,
        frame_stack_is_pointer=False,
        frame_entry=68,
        frame_owner=69,
        frame_bytes=72,
        code_filename=112,
        code_qualname=128,
        code_linetable=136,
        code_firstlineno=72,
        code_bytecode=184,
        text_ascii_bytes=48,
        text_compact_bytes=72,
    ),
    (3, 12): Layout(
        version=(3, 12),
        interpreters_head=40,
        interpreter_next=0,
        threads_head=72,
        gil=384,
        gil_last_holder=8,
        gil_locked=16,
        thread_next=8,
        thread_interpreter=16,
        thread_native_id=144,
        thread_chunk=232,
        thread_current=56,
        cframe_current=0,
        frame_code=0,
        frame_previous=8,
        frame_instruction=56,
        frame_stack=64,
        frame_stack_is_pointer=False,
        frame_entry=None,
        frame_owner=70,
        frame_bytes=72,
        code_filename=112,
        code_qualname=128,
        code_linetable=136,
        code_firstlineno=68,
        code_bytecode=192,
    ),
}

# The leading fields of `_Py_DebugOffsets` after cookie, version and the free-threading flag, in their order; what
# follows them is not used. Source: Include/internal/pycore_runtime.h (3.13), pycore_debug_offsets.h (3.14 and later).
_RUNTIME = "size finalizing interpreters_head"
_GIL = "ceval_gil gil_runtime_state gil_runtime_state_enabled gil_runtime_state_locked gil_runtime_state_holder"
_INTERPRETER_END = f"gc imports_modules sysdict builtins {_GIL}"
_INTERPRETER_3_14 = f"size id next threads_head threads_main {_INTERPRETER_END} code_object_generation tlbc_generation"
_FRAME = "size previous executable instr_ptr localsplus owner"
_CODE = "size filename name qualname linetable firstlineno argcount localsplusnames localspluskinds co_code_adaptive"
_THREAD_END = "thread_id native_thread_id datastack_chunk status"
_DEBUG_FIELDS: Final[Mapping[tuple[int, int], Mapping[str, str]]] = {
    (3, 13): {
        "runtime": _RUNTIME,
        "interpreter": f"size id next threads_head {_INTERPRETER_END}",
        "thread": f"size prev next interp current_frame {_THREAD_END}",
        "frame": _FRAME,
        "code": _CODE,
    },
    (3, 14): {
        "runtime": _RUNTIME,
        "interpreter": _INTERPRETER_3_14,
        "thread": f"size prev next interp current_frame {_THREAD_END}",
        "frame": f"{_FRAME} stackpointer tlbc_index",
        "code": f"{_CODE} co_tlbc",
    },
    (3, 15): {
        "runtime": _RUNTIME,
        "interpreter": _INTERPRETER_3_14,
        "thread": (
            "size prev next interp current_frame base_frame last_profiled_frame last_profiled_frame_seq "
            f"{_THREAD_END} holds_gil gil_requested current_exception exc_state"
        ),
        "exception": "exc_value",
        "frame": f"{_FRAME} stackpointer tlbc_index",
        "code": f"{_CODE} co_tlbc",
    },
}


def layout_from_process(runtime: bytes, version: tuple[int, int]) -> Layout:
    """
    Return the layout of a process.

    Args:
        runtime: The first DEBUG_OFFSETS_BYTES of its ``_PyRuntime``.
        version: Major and minor, as the process itself has them in ``Py_Version``.

    Raises:
        RefusedError: If the version is not known, the build is free-threaded, or the offsets cannot be right.
    """
    if version in TABLE:
        return TABLE[version]
    if version not in _DEBUG_FIELDS:
        raise RefusedError(f"no offsets for Python {version[0]}.{version[1]}", reason="version")
    if not runtime.startswith(COOKIE):
        raise RefusedError("the process does not carry its offsets where it should", reason="offsets")
    said, free_threaded = struct.unpack_from("<QQ", runtime, 8)
    if (said >> 24, said >> 16 & 0xFF) != version:
        raise RefusedError("the process's offsets are of another version", reason="offsets")
    if free_threaded:
        raise RefusedError("a free-threaded build", reason="free_threaded")
    names = [f"{group}.{name}" for group, fields in _DEBUG_FIELDS[version].items() for name in fields.split()]
    offsets = dict(zip(names, struct.unpack_from(f"<{len(names)}Q", runtime, 24), strict=True))
    # An unset tlbc_index is all ones.
    if max(value for name, value in offsets.items() if name != "frame.tlbc_index") > _OFFSET_MAX:
        raise RefusedError("the process's offsets are out of range", reason="offsets")
    return _from_debug_offsets(version, offsets)


def _from_debug_offsets(version: tuple[int, int], offsets: Mapping[str, int]) -> Layout:
    gil = offsets["interpreter.gil_runtime_state"]
    has_pointer = "frame.stackpointer" in offsets
    return Layout(
        version=version,
        interpreters_head=offsets["runtime.interpreters_head"],
        interpreter_next=offsets["interpreter.next"],
        threads_head=offsets["interpreter.threads_head"],
        gil=offsets["interpreter.ceval_gil"],
        gil_last_holder=offsets["interpreter.gil_runtime_state_holder"] - gil,
        gil_locked=offsets["interpreter.gil_runtime_state_locked"] - gil,
        thread_next=offsets["thread.next"],
        thread_interpreter=offsets["thread.interp"],
        thread_native_id=offsets["thread.native_thread_id"],
        thread_chunk=offsets["thread.datastack_chunk"],
        thread_current=offsets["thread.current_frame"],
        cframe_current=None,
        frame_code=offsets["frame.executable"],
        frame_previous=offsets["frame.previous"],
        frame_instruction=offsets["frame.instr_ptr"],
        # 3.13 has no offset for stacktop: it follows the instruction pointer.
        frame_stack=offsets["frame.stackpointer"] if has_pointer else offsets["frame.instr_ptr"] + 8,
        frame_stack_is_pointer=has_pointer,
        frame_entry=None,
        frame_owner=offsets["frame.owner"],
        frame_bytes=offsets["frame.localsplus"],
        code_filename=offsets["code.filename"],
        code_qualname=offsets["code.qualname"],
        code_linetable=offsets["code.linetable"],
        code_firstlineno=offsets["code.firstlineno"],
        code_bytecode=offsets["code.co_code_adaptive"],
    )
