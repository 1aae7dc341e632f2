"""What the agent uses itself."""

import subprocess
import sys

from agent_processes import BUSY, wait_until

from agent.refusal import refusal_reason, refusal_stack
from agent.usage import read_usage, trim_memory
from pyrometer.errors import NotPythonError, PermissionDeniedError, PyrometerError, RefusedError, TargetNotFoundError

MIB = 1_048_576


def test_a_child_counts_while_it_lives_and_after(start_process):
    """CPU time and memory of a program that was started are those of the agent; its time is kept when it ends."""
    before = read_usage()
    process = start_process(sys.executable, "-c", BUSY)
    process.stdout.readline()
    wait_until(lambda: read_usage().cpu_ns - before.cpu_ns > 200_000_000)
    alive = read_usage()
    process.kill()
    process.wait()
    ended = read_usage()

    assert alive.rss_bytes - before.rss_bytes > 2 * MIB
    assert ended.cpu_ns >= alive.cpu_ns
    assert ended.rss_bytes < alive.rss_bytes


def test_own_cpu_time_and_memory_are_read():
    """Work of this process shows, and its memory lies below the most it ever had."""
    # In a process of its own: this one may have children of other tests.
    program = (
        "import resource\nfrom agent.usage import read_usage\n"
        "before = read_usage()\nsum(range(2_000_000))\nafter = read_usage()\n"
        "most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "print(after.cpu_ns - before.cpu_ns, after.rss_bytes, most)"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    cpu_ns, rss_bytes, most_bytes = map(int, printed.split())

    assert cpu_ns > 0
    assert 5 * MIB < rss_bytes <= most_bytes + MIB


def test_memory_can_be_given_back():
    """Trimming never fails."""
    trim_memory()


def test_each_refusal_has_a_name_and_a_stack():
    """Every kind of failure is told apart, by a short name and by the frame its CPU time is shown under."""
    errors = [
        NotPythonError(""),
        TargetNotFoundError(""),
        PermissionDeniedError(""),
        PyrometerError(""),
        RefusedError("", reason="free-threaded"),
    ]

    assert [refusal_reason(error) for error in errors] == [
        "not_python",
        "gone",
        "permission",
        "engine",
        "free-threaded",
    ]
    assert [refusal_stack(error)[0].function for error in errors] == ["[not sampled]"] * 5
    assert len({refusal_stack(error)[1].function for error in errors}) == 5
