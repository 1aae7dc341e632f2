"""Saying which right is missing."""

import pytest

from agent.rights import has_ptrace_capability, missing_rights

ALL = "Name:\tx\nCapEff:\t000001ffffffffff\n"
NONE = "Name:\tx\nCapEff:\t0000000000000000\n"
ONLY_PTRACE = "CapEff:\t0000000000080000\n"


@pytest.mark.parametrize(("status", "expected"), [(ALL, True), (ONLY_PTRACE, True), (NONE, False), ("", False)])
def test_the_capability_is_read_from_its_bit(status, expected):
    """CAP_SYS_PTRACE is bit 19 of CapEff."""
    assert has_ptrace_capability(status) is expected


def test_with_the_capability_nothing_is_missing():
    """Root, or an agent that was granted the capability, has nothing to be told."""
    assert missing_rights(ALL, 3) == ""


def test_a_ptrace_scope_is_named_with_its_remedy():
    """The line names the kernel setting, its value, and what to grant."""
    text = missing_rights(NONE, 1)

    assert "kernel.yama.ptrace_scope is 1" in text
    assert "CAP_SYS_PTRACE" in text
    assert "\n" not in text


def test_without_the_scope_own_processes_can_be_read():
    """Where the kernel does not restrict it, only other users' processes are out of reach."""
    assert "only processes of its own user" in missing_rights(NONE, 0)
