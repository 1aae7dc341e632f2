"""Ctrl-C is noted once; a second one, later, ends the program as usual."""

import os
import signal

import pytest

from agent.adhoc import interrupts as interrupts_module
from agent.adhoc.interrupts import noted_interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noted_and_nothing_else_happens(number):
    """The recording can still be written."""
    with noted_interrupts() as interrupts:
        assert interrupts.first is None
        os.kill(os.getpid(), number)
        assert number == interrupts.first


def test_an_echo_of_ctrl_c_is_the_same_ctrl_c():
    """timeout(1) sends a signal twice within microseconds."""
    with noted_interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert signal.SIGINT == interrupts.first


def test_a_later_ctrl_c_means_now(monkeypatch):
    """Somebody who presses it again does not want to wait for the file."""
    monkeypatch.setattr(interrupts_module, "ECHO_NS", 0)
    with noted_interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_those_of_before_afterwards():
    """A signal that was ignored, as under nohup, stays ignored all along."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupt_before = signal.getsignal(signal.SIGINT)
    try:
        with noted_interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            assert interrupts.first is None
        assert signal.SIG_IGN == signal.getsignal(signal.SIGHUP)
        assert interrupt_before == signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGHUP, before)
