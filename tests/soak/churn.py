"""
Start processes at a steady rate until killed, of every kind that is hard on a watcher; print how many, once a second.

    python churn.py RATE_PER_S

Of a thousand: most end at once; some are shells that become Python; some are Python and end while they are looked at;
some are called python and are not; some Python ones stop themselves, or stay as zombies for a while.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

_LIVES_S = 3.0
_STEP_S_MAX = 0.1
_BUSY = f"""
import time
end_s = time.monotonic() + {_LIVES_S}
while time.monotonic() < end_s:
    sum(range(1000))
    time.sleep(0.02)
"""
# Of each thousand: how many are of a kind; the rest is /bin/true.
_KINDS = (("become", 1), ("python", 2), ("fork", 4), ("liar", 3), ("stop", 1), ("zombie", 4), ("sleep", 5))


def main() -> None:
    """Start processes until killed."""
    rate = float(sys.argv[1])
    folder = Path(tempfile.mkdtemp(prefix="pyrometer-churn-"))
    liar = folder / "python3"
    shutil.copy("/bin/sleep", liar)
    plan = [kind for kind, count in _KINDS for _ in range(count)]
    ends: list[tuple[float, int]] = []
    started, owed, told_s, last_s = 0, 0.0, 0.0, time.monotonic()
    while True:
        now_s = time.monotonic()
        # A machine that cannot keep up starts fewer; it does not fall further and further behind.
        owed = min(owed + (now_s - last_s) * rate, rate * _STEP_S_MAX)
        last_s = now_s
        while owed >= 1:
            owed -= 1
            kind = plan[started % 1000] if started % 1000 < len(plan) else "true"
            started += 1
            if pid := start(kind, liar):
                ends.append((now_s + _LIVES_S, pid))
            if started % 500 == 0:  # in between the dead pile up as zombies
                reap()
        end_old(ends, now_s)
        if now_s - told_s >= 1.0:
            told_s = now_s
            sys.stdout.write(f"{started}\n")
            sys.stdout.flush()
        time.sleep(0.005)


def start(kind: str, liar: Path) -> int:
    """Start a process; return its pid where it is to be ended later."""
    if kind == "true":
        spawn("/bin/true")
        return 0
    if kind == "become":
        return spawn("/bin/sh", "-c", f'sleep 1.5; exec "{sys.executable}" -c "{_BUSY}"')
    if kind == "python":
        return spawn(sys.executable, "-c", _BUSY)
    if kind == "liar":
        return spawn(str(liar), "60")
    if kind == "sleep":
        return spawn("/bin/sleep", "60")
    pid = os.fork()
    if pid == 0:
        child(kind)
    return 0 if kind == "zombie" else pid


def child(kind: str) -> None:
    """Be a Python process that burns a little, stops itself, or has ended."""
    if kind == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    end_s = time.monotonic() + (0.0 if kind == "zombie" else _LIVES_S)
    while time.monotonic() < end_s:
        sum(range(1000))
        time.sleep(0.02)
    os._exit(0)


def spawn(*command: str) -> int:
    """Start a program without a copy of ourselves."""
    return os.posix_spawn(command[0], command, {"PATH": "/usr/bin:/bin", "OTEL_SERVICE_NAME": "churn"})


def end_old(ends: list[tuple[float, int]], now_s: float) -> None:
    """End those that have lived long enough."""
    while ends and ends[0][0] <= now_s:
        with contextlib.suppress(ProcessLookupError):
            os.kill(ends.pop(0)[1], signal.SIGKILL)


def reap() -> None:
    """Take leave of the dead."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main()
