"""Single keys from the terminal, without Enter."""

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator


@contextlib.contextmanager
def key_by_key() -> Iterator[bool]:
    """Give keys at once until the end of the block; yields False where the standard input is no terminal of ours."""
    try:
        descriptor = sys.stdin.fileno()
        # A background job would be stopped by the kernel for changing the terminal.
        in_foreground = os.tcgetpgrp(descriptor) == os.getpgrp()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):
        yield False
        return
    if not in_foreground:
        yield False
        return
    try:
        tty.setcbreak(descriptor)
        yield True
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def wait_for_key(timeout_s: float, *, enabled: bool) -> str:
    """Return the next key, or an empty text after the timeout; the end of the input counts as ``q``."""
    if not enabled:
        time.sleep(timeout_s)
        return ""
    ready, _, _ = select.select([sys.stdin], [], [], timeout_s)
    if not ready:
        return ""
    return os.read(sys.stdin.fileno(), 1).decode("ascii", "replace") or "q"
