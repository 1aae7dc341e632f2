"""Flags that contradict each other are refused, and each plan is read by the engine that can."""

import pytest

from agent.adhoc.plan import Plan
from pyrometer.errors import ConfigError


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"native": True, "nonblocking": True}, "native frames need blocking reads"),
        ({"blocking": True, "nonblocking": True}, "contradict each other"),
        ({"engine": "remote", "native": True}, "--native"),
        ({"engine": "remote", "blocking": True}, "--blocking"),
    ],
)
def test_contradictions_are_refused(flags, words):
    """One line names the flags."""
    with pytest.raises(ConfigError, match=words):
        Plan(**flags)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [({}, False), ({"nonblocking": True}, False), ({"native": True}, True), ({"blocking": True}, True)],
)
def test_only_py_spy_stops_a_process_and_reads_native_frames(flags, expected):
    """Everything else is for our own engine."""
    assert expected == Plan(**flags).needs_pyspy
    assert Plan(engine="py-spy").needs_pyspy
