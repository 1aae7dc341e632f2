"""
Print where the fields of CPython 3.11's or 3.12's structures lie, as `agent/reader/remote/layout.py` has them.

    python scripts/python_layout.py PYTHON [COMPILER]      # its headers and a C compiler must be there

3.13 and later carry their offsets themselves. Another compiler, such as aarch64-linux-gnu-gcc, gives the layout of
another machine. Ends with 3, and says why, where the headers or the compiler are missing or the version has no table.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

# Our name -> structure and field.
_FIELDS: Final = {
    "interpreters_head": ("_PyRuntimeState", "interpreters.head"),
    "interpreter_next": ("PyInterpreterState", "next"),
    "threads_head": ("PyInterpreterState", "threads.head"),
    "gil_last_holder": ("struct _gil_runtime_state", "last_holder"),
    "gil_locked": ("struct _gil_runtime_state", "locked"),
    "thread_next": ("PyThreadState", "next"),
    "thread_interpreter": ("PyThreadState", "interp"),
    "thread_native_id": ("PyThreadState", "native_thread_id"),
    "thread_chunk": ("PyThreadState", "datastack_chunk"),
    "thread_current": ("PyThreadState", "cframe"),
    "cframe_current": ("_PyCFrame", "current_frame"),
    "frame_code": ("_PyInterpreterFrame", "f_code"),
    "frame_previous": ("_PyInterpreterFrame", "previous"),
    "frame_instruction": ("_PyInterpreterFrame", "prev_instr"),
    "frame_stack": ("_PyInterpreterFrame", "stacktop"),
    "frame_owner": ("_PyInterpreterFrame", "owner"),
    "frame_bytes": ("_PyInterpreterFrame", "localsplus"),
    "code_filename": ("PyCodeObject", "co_filename"),
    "code_qualname": ("PyCodeObject", "co_qualname"),
    "code_linetable": ("PyCodeObject", "co_linetable"),
    "code_firstlineno": ("PyCodeObject", "co_firstlineno"),
    "code_bytecode": ("PyCodeObject", "co_code_adaptive"),
}
_OF_VERSION: Final = {
    (3, 11): {"gil": ("_PyRuntimeState", "ceval.gil"), "frame_entry": ("_PyInterpreterFrame", "is_entry")},
    (3, 12): {"gil": ("PyInterpreterState", "ceval.gil")},
}
_SOURCE: Final = """
#define Py_BUILD_CORE 1
#include "Python.h"
#include <stddef.h>
#include "internal/pycore_runtime.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_frame.h"
"""
_UNAVAILABLE: Final = 3


class UnavailableError(Exception):
    """What is needed is not here."""


def read_layout(python: str, compiler: str) -> dict[str, object]:
    """Return the offsets of a Python, by our names."""
    code = "import sys, sysconfig; print(*sys.version_info[:2], sysconfig.get_path('include'))"
    major, minor, include = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    version = (int(major), int(minor))
    if version not in _OF_VERSION:
        raise UnavailableError(f"Python {major}.{minor} carries its offsets itself")
    if not Path(include, "internal", "pycore_frame.h").exists():
        raise UnavailableError(f"no headers in {include}")
    fields = {**_FIELDS, **_OF_VERSION[version]}
    # The assembler's text is read, so that nothing has to run: the compiler may be for another machine.
    lines = [f"const long of_{name} = offsetof({structure}, {field});" for name, (structure, field) in fields.items()]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "layout.c")
        source.write_text(_SOURCE + "\n".join(lines), encoding="ascii")
        command = [compiler, "-w", f"-I{include}", f"-I{include}/internal", "-S", "-O0", "-fno-zero-initialized-in-bss"]
        try:
            done = subprocess.run([*command, "-o", "-", str(source)], capture_output=True, text=True, check=False)
        except OSError as error:
            raise UnavailableError(f"{compiler}: {error.strerror}") from error
    if done.returncode:
        raise UnavailableError(done.stderr.strip().splitlines()[0])
    found = re.findall(r"^of_(\w+):\s+\.(quad|xword|zero)\s+(\d+)", done.stdout, re.MULTILINE)
    offsets = {name: 0 if directive == "zero" else int(value) for name, directive, value in found}
    return {"version": version, **{name: offsets[name] for name in fields}}


def main() -> int:
    """Print the layout as JSON."""
    if len(sys.argv) not in (2, 3):
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        layout = read_layout(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "gcc")  # noqa: PLR2004
    except UnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return _UNAVAILABLE
    sys.stdout.write(json.dumps(layout) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
