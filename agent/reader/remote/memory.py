"""Another process's memory, read without stopping it: many ranges in one system call, in order, into one buffer."""

import array
import ctypes
import errno
import os
from typing import Final

from agent.reader.pyspy_failure import permission_denied
from pyrometer.errors import RefusedError, TargetNotFoundError

# Ranges of one call (the kernel takes 1024), and bytes of one read.
RANGES_MAX: Final = 512
BYTES_MAX: Final = 1 << 20
PAGE_BYTES: Final = 4096

_libc = ctypes.CDLL(None, use_errno=True)
_process_vm_readv = _libc.process_vm_readv
_process_vm_readv.restype = ctypes.c_ssize_t
_process_vm_readv.argtypes = (
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_ulong,
)


class UnreadableError(Exception):
    """An address that is not mapped, or no longer: the memory changed under us, or it was never what we took it for."""


class Memory:
    """
    The memory of one process. Not thread-safe: one thread reads.

    Source: process_vm_readv(2). The ranges of one call are copied in their order. As measured on one machine, copying a
    page takes some 50 ns, and from one range to the next some 350 ns pass.
    """

    def __init__(self, pid: int) -> None:
        """Remember the process; nothing is read yet."""
        self.pid = pid
        self._remote = array.array("Q", bytes(16 * RANGES_MAX))
        self._local = array.array("Q", bytes(16))
        self._remote_address = self._remote.buffer_info()[0]
        self._local_address = self._local.buffer_info()[0]
        # What the last `gather` read; its contents are overwritten by the next call.
        self.buffer = bytearray()
        self._resize(1 << 16)

    def _resize(self, size: int) -> None:
        self.buffer = bytearray(size)
        self._local[0] = ctypes.addressof(ctypes.c_char.from_buffer(self.buffer))

    def gather(self, ranges: list[tuple[int, int]]) -> bytearray:
        """
        Read ranges, one after the other, in one call.

        Args:
            ranges: (address, bytes) of each.

        Returns:
            The buffer, which holds them without gaps; it may be longer.

        Raises:
            UnreadableError: If any of it could not be read.
            TargetNotFoundError: The process has ended.
            PermissionDeniedError: A right is missing.
        """
        remote = self._remote
        position = total = 0
        for address, size in ranges:
            remote[position] = address
            remote[position + 1] = size
            position += 2
            total += size
        if total > len(self.buffer):
            if total > BYTES_MAX:
                raise UnreadableError
            self._resize(min(BYTES_MAX, 2 * total))
        self._local[1] = total
        done = _process_vm_readv(self.pid, self._local_address, 1, self._remote_address, position >> 1, 0)
        if done != total:
            self._fail(done)
        return self.buffer

    def _fail(self, done: int) -> None:
        code = ctypes.get_errno() if done < 0 else errno.EFAULT
        if code == errno.ESRCH:
            raise TargetNotFoundError(f"process {self.pid} has ended")
        if code == errno.EPERM:
            raise permission_denied(self.pid)
        if code == errno.ENOSYS:
            raise RefusedError("this kernel, or a seccomp filter, lacks process_vm_readv", reason="no_vm_read")
        raise UnreadableError(os.strerror(code))

    def read(self, address: int, size: int) -> bytes:
        """Return the bytes at an address; errors as `gather`."""
        if not 0 < size <= BYTES_MAX or not 0 < address < 1 << 63:
            raise UnreadableError
        return bytes(self.gather([(address, size)])[:size])

    def read_up_to(self, address: int, size: int) -> bytes:
        """Return at most *size* bytes: less where the next page is not mapped. Errors as `gather`."""
        try:
            return self.read(address, size)
        except UnreadableError:
            rest_of_page = PAGE_BYTES - address % PAGE_BYTES
            if rest_of_page >= size:
                raise
            return self.read(address, rest_of_page)

    def read_word(self, address: int) -> int:
        """Return the 64-bit number at an address; errors as `gather`."""
        return int.from_bytes(self.read(address, 8), "little")


class AddressSpace:
    """
    All the memory that a process has when this is opened, and has no longer once it has become another program.

    Source: proc_pid_mem(5): the file stays with the memory it was opened on, and shows nothing of what an exec gave.
    """

    def __init__(self, pid: int, address: int) -> None:
        """
        Keep hold of it.

        Args:
            pid: Whose.
            address: Of any byte in it that stays mapped.

        Raises:
            TargetNotFoundError: The process has ended.
            PermissionDeniedError: A right is missing.
        """
        self._address = address
        self._descriptor = -1
        try:
            self._descriptor = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        except PermissionError:
            raise permission_denied(pid) from None
        except OSError:
            raise TargetNotFoundError(f"process {pid} has ended") from None

    def is_in_use(self) -> bool:
        """Return whether the process still runs in it: what was read of the process just before is of this memory."""
        try:
            return bool(os.pread(self._descriptor, 1, self._address))
        except OSError:
            return self._descriptor >= 0  # it is there, and the address no longer mapped

    def close(self) -> None:
        """Let go of it; safe more than once."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
