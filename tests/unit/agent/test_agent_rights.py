"""Saying which right is missing."""

import pytest

from agent.rights import CAP_SYS_PTRACE, has_capability, missing_right

ALL = "Name:\tx\nCapEff:\t000001ffffffffff\n"
NONE = "Name:\tx\nCapEff:\t0000000000000000\n"
ONLY_PTRACE = "CapEff:\t0000000000080000\n"


@pytest.mark.parametrize(("status", "expected"), [(ALL, True), (ONLY_PTRACE, True), (NONE, False), ("", False)])
def test_the_capability_is_read_from_its_bit(status, expected):
    """CAP_SYS_PTRACE is bit 19 of CapEff."""
    assert has_capability(CAP_SYS_PTRACE, status) is expected


def test_with_the_capability_nothing_is_missing():
    """Root, or an agent that was granted the capability, has nothing to be told."""
    assert missing_right(ALL, 3) is None


def test_a_ptrace_scope_is_named_with_its_remedy():
    """The line names the kernel setting, its value, and what to grant."""
    missing = missing_right(NONE, 1)

    assert missing.blinding
    assert "kernel.yama.ptrace_scope is 1" in missing.what
    assert "CAP_SYS_PTRACE" in missing.mend


def test_without_the_scope_own_processes_can_be_read():
    """Where the kernel does not restrict it, only other users' processes are out of reach."""
    missing = missing_right(NONE, 0)

    assert not missing.blinding
    assert "only processes of its own user" in missing.what
