"""
Clears up after a supervisor that was killed and could not do it itself.

Run as a program by its path, with the standard library only, so that it stays small: ``guard.py MARK GRACE_S``. It
waits for the end of its standard input, whose other end only the supervisor holds. By then the parts have got SIGTERM
from the kernel; what carries the mark in its environment and is still there after the grace is killed.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

# A process that is still there so long after SIGKILL hangs in the kernel: nothing here can end it.
GIVE_UP_AFTER_S: Final = 30.0


def marked_processes(mark: bytes) -> list[int]:
    """Return the pids, without our own, whose environment at their start held *mark*."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            with suppress(OSError):
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
    return found


def clear(mark: bytes, grace_s: float) -> None:
    """Wait until every marked process has gone; kill those that take longer than *grace_s*."""
    kill_at = time.monotonic() + grace_s
    give_up_at = kill_at + GIVE_UP_AFTER_S
    while (pids := marked_processes(mark)) and time.monotonic() < give_up_at:
        if time.monotonic() > kill_at:
            for pid in pids:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def main() -> None:
    """Wait for the supervisor's end, then clear."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    clear(sys.argv[1].encode(), float(sys.argv[2]))


if __name__ == "__main__":
    main()
