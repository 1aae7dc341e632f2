"""
One perf event on one CPU: opened through the system call, its ring of records read from shared memory.

Source: perf_event_open(2) and include/uapi/linux/perf_event.h of Linux 4.8 and later.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import struct
import threading
from typing import Final

from agent.reader.perf.refusal import PerfRefusedError, explain_refusal

# One sample takes at most 32 bytes and 8 for each of STACK_MAX addresses and 2 marks between them.
STACK_MAX: Final = 64
RECORD_BYTES_MAX: Final = 32 + 8 * (STACK_MAX + 2)
RING_BYTES: Final = 65_536

_SYSTEM_CALLS: Final = {"x86_64": 298, "aarch64": 241}
# perf_event_attr as of Linux 4.8 (PERF_ATTR_SIZE_VER5).
_ATTRIBUTES: Final = struct.Struct("=2I5Q2I2Q2QIiQI2H")
_SOFTWARE, _CPU_CLOCK = 1, 0
_SAMPLE_TID, _SAMPLE_TIME, _SAMPLE_CALLCHAIN = 2, 4, 32
_EXCLUDE_HYPERVISOR, _EXCLUDE_IDLE, _WATERMARK, _USE_CLOCK = 1 << 6, 1 << 7, 1 << 14, 1 << 25
_CLOCK_MONOTONIC: Final = 1
_CLOSE_ON_EXEC: Final = 8
_ANY_PROCESS, _NO_GROUP = -1, -1
_SET_PERIOD: Final = 0x40082404
# Words of the first page: where the kernel writes next, and where we read next.
_HEAD, _TAIL = 1024 // 8, 1032 // 8
_GONE: Final = (errno.ENODEV, errno.ENXIO)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class CpuEvent:
    """Samples of whatever runs on one CPU, at a period of the CPU's clock; an idle CPU gives none."""

    def __init__(self, cpu: int, period_ns: int) -> None:
        """
        Open the event and its ring; sampling begins at once.

        Raises:
            PerfRefusedError: If the kernel does not allow it, or has no such thing.
            LookupError: If there is no such CPU now.
        """
        self._descriptor = _open(cpu, period_ns)
        page = mmap.PAGESIZE
        try:
            self._map = mmap.mmap(self._descriptor, page + RING_BYTES)
        except OSError as error:
            os.close(self._descriptor)
            raise explain_refusal(error.errno or 0) from error
        self._bytes = memoryview(self._map)
        self._data = self._bytes[page:]
        # As 64-bit words, so that each is read and written whole.
        self._words = self._bytes[:page].cast("Q")
        self._barrier = threading.Lock()
        self._last_clock_ns = -1

    def drain(self) -> bytes:
        """Return the records since the last call, whole ones, in order."""
        head, tail = self._words[_HEAD], self._words[_TAIL]
        # Taking a lock keeps the processor from reading the data before the head.
        with self._barrier:
            start, size = tail % RING_BYTES, min(head - tail, RING_BYTES)
            data = bytes(self._data[start : start + size])
            if len(data) < size:
                data += bytes(self._data[: size - len(data)])
        self._words[_TAIL] = head
        return data

    def set_period(self, period_ns: int) -> None:
        """Sample at another period from now on."""
        fcntl.ioctl(self._descriptor, _SET_PERIOD, struct.pack("=Q", period_ns))

    def is_running(self) -> bool:
        """Return whether its clock went on since the last call: the event of a CPU that went off line is dead."""
        try:
            clock_ns = int.from_bytes(os.read(self._descriptor, 8), "little")
        except OSError:
            return False
        last_ns, self._last_clock_ns = self._last_clock_ns, clock_ns
        return clock_ns != last_ns

    def close(self) -> None:
        """End sampling and give everything back."""
        for view in (self._words, self._data, self._bytes):
            view.release()
        self._map.close()
        os.close(self._descriptor)


def online_cpus(text: str | None = None) -> list[int]:
    """Return the numbers of the CPUs that are on line, ascending; *text* stands for the kernel's list of ranges."""
    if text is None:
        with open("/sys/devices/system/cpu/online", encoding="ascii") as file:  # noqa: PTH123 (read every few seconds)
            text = file.read(4096)
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


def _open(cpu: int, period_ns: int) -> int:
    number = _SYSTEM_CALLS.get(platform.machine())
    if number is None:
        raise PerfRefusedError(f"perf events are not read on {platform.machine()} machines", reason="machine")
    attributes = _ATTRIBUTES.pack(
        _SOFTWARE,
        _ATTRIBUTES.size,
        _CPU_CLOCK,
        period_ns,
        _SAMPLE_TID | _SAMPLE_TIME | _SAMPLE_CALLCHAIN,
        0,  # read_format: the plain count
        _EXCLUDE_HYPERVISOR | _EXCLUDE_IDLE | _WATERMARK | _USE_CLOCK,
        RING_BYTES,  # wake nobody: the ring is read by the clock
        *(0, 0, 0, 0, 0, 0),
        _CLOCK_MONOTONIC,
        *(0, 0),
        STACK_MAX,
        0,
    )
    arguments = (ctypes.c_int(_ANY_PROCESS), ctypes.c_int(cpu), ctypes.c_int(_NO_GROUP), ctypes.c_ulong(_CLOSE_ON_EXEC))
    descriptor: int = _libc.syscall(ctypes.c_long(number), attributes, *arguments)
    if descriptor >= 0:
        return descriptor
    code = ctypes.get_errno()
    if code in _GONE:
        raise LookupError(f"CPU {cpu} is not there")
    raise explain_refusal(code)
