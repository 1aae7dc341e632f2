"""What holds for every test."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# A collector that a test starts brings what it received into the database sooner than the default 5 s.
os.environ["PYROMETER_COLLECTOR_LOG__SEGMENT_AGE_MAX_S"] = "0.3"
# Collectors of tests run side by side: those that serve gRPC say where.
os.environ["PYROMETER_COLLECTOR_GRPC__ADDRESS"] = '""'
# What a test finds recorded is what it recorded.
os.environ["PYROMETER_COLLECTOR_WATCH__INTERVAL_S"] = "0"
# As in the real dashboard: Streamlit would parse each page for bare expressions, which two threads cannot do at once.
os.environ["STREAMLIT_RUNNER_MAGIC_ENABLED"] = "false"
# Started in the background, a shell hands down an ignored SIGINT; the tests of Ctrl-C need it as a terminal gives it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Their tests start processes that start others.
_WATCHED = ("tests/unit/agent/", "tests/e2e/")
_PR_SET_CHILD_SUBREAPER = 36
# For what was told to end and does.
_ENDING_S = 20.0


@pytest.fixture(autouse=True, scope="module")
def nothing_stays_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail where a module's tests leave a process behind, and end it: it would use the CPU that later tests need."""
    if not request.node.nodeid.startswith(_WATCHED):
        yield
        return
    # A process whose parent ends becomes a child of this one, however deep below.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = _descendants()
    yield
    deadline = time.monotonic() + _ENDING_S
    while (left := {pid: command for pid, command in _descendants().items() if pid not in before}) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.1)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, f"still running after the tests of {request.node.nodeid}"


def _descendants() -> dict[int, str]:
    """Return the processes below this one that run, with their command lines."""
    parents, commands = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (path / "stat").read_text().rpartition(") ")[2].split()[:2]
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if state not in "ZX":
            parents[int(path.name)], commands[int(path.name)] = int(parent), command
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: commands[pid] for pid in found - {os.getpid()}}
