"""What the agent tells systemd, received on a real socket."""

import os
import socket

import pytest

from agent.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """Listen where systemd would; return the socket and what NOTIFY_SOCKET says."""
    name = f"pyrometer-test-{os.getpid()}"
    address, told = (f"\0{name}", f"@{name}") if request.param == "abstract" else (str(tmp_path / "s"),) * 2
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(5)
        yield listener, told


def test_each_state_is_one_message(manager):
    """Ready with a status, reloading with the clock systemd compares, stopping, and the watchdog's beat."""
    listener, told = manager
    notifier = Notifier({"NOTIFY_SOCKET": told, "WATCHDOG_USEC": "30000000"})
    notifier.ready("watching")
    notifier.reloading()
    notifier.alive()
    notifier.stopping()

    assert b"READY=1\nSTATUS=watching" == listener.recv(1000)
    first, _, clock = listener.recv(1000).decode().partition("\nMONOTONIC_USEC=")
    assert "RELOADING=1" == first
    assert int(clock) > 0
    assert b"WATCHDOG=1" == listener.recv(1000)
    assert b"STOPPING=1" == listener.recv(1000)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_asked_for_by_this_process_alone(environment, expected):
    """Half its time is the beat; nonsense, and what is meant for another process, is none."""
    assert expected == Notifier(environment, pid=42).beat_s


@pytest.mark.parametrize("address", ["", "relative/path", "/nonexistent/socket"])
def test_nobody_listens(address):
    """Without systemd, or with one that has gone, nothing happens and nothing fails."""
    Notifier({"NOTIFY_SOCKET": address}).ready("watching")
