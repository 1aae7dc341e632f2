"""Choosing ports."""

import os
import socket
from contextlib import closing

import pytest

from pyrometer.errors import ConfigError
from pyrometer.up.ports import PortWish, choose_ports, free_ports, is_free


def listening_socket(host: str = "127.0.0.1") -> socket.socket:
    return socket.create_server((host, 0))


def test_a_free_port_is_kept():
    """A wish for a free port is granted."""
    port = free_ports(1)

    assert choose_ports([PortWish("collector", "--http-port", port)], automatic=False) == {"collector": port}


def test_a_taken_port_is_reported_with_its_part_holder_and_flag():
    """The message names the port, who wants it, who has it, and both ways out."""
    with closing(listening_socket()) as server:
        port = server.getsockname()[1]

        with pytest.raises(ConfigError) as caught:
            choose_ports([PortWish("collector", "--http-port", port)], automatic=False)

    message = str(caught.value)
    assert f"port {port} (collector) is taken by pid {os.getpid()} " in message
    assert "--http-port" in message
    assert "--auto-ports" in message


def test_every_taken_port_is_reported_at_once():
    """Two taken ports make two lines, so nobody has to try twice."""
    with closing(listening_socket()) as one, closing(listening_socket()) as two:
        wishes = [
            PortWish("collector", "--http-port", one.getsockname()[1]),
            PortWish("dashboard", "--dashboard-port", two.getsockname()[1]),
        ]

        with pytest.raises(ConfigError) as caught:
            choose_ports(wishes, automatic=False)

    assert [("collector" in line, "dashboard" in line) for line in str(caught.value).splitlines()] == [
        (True, False),
        (False, True),
    ]


def test_automatic_replaces_only_what_is_taken():
    """With automatic ports, a taken one is replaced by a free one, and a free one is kept."""
    free = free_ports(1)
    with closing(listening_socket()) as server:
        taken = server.getsockname()[1]
        wishes = [PortWish("collector", "--http-port", taken), PortWish("agent", "--agent-port", free)]

        ports = choose_ports(wishes, automatic=True)

        assert ports["agent"] == free
        assert ports["collector"] not in {taken, free}
        assert is_free(ports["collector"])


def test_the_same_port_twice_is_a_mistake():
    """Two parts that ask for one port are told so, though nobody listens on it."""
    port = free_ports(1)
    wishes = [PortWish("collector", "--http-port", port), PortWish("agent", "--agent-port", port)]

    with pytest.raises(ConfigError, match=r"\(agent\) is also asked for by collector"):
        choose_ports(wishes, automatic=False)


def test_zero_asks_for_any():
    """Port 0 is replaced by a free one, automatic or not."""
    ports = choose_ports(
        [PortWish("collector", "--http-port", 0), PortWish("agent", "--agent-port", 0)], automatic=False
    )

    assert 0 not in ports.values()
    assert len(set(ports.values())) == 2


def test_a_listener_on_all_addresses_takes_the_port():
    """A port that is taken on 0.0.0.0 is not free on the loopback address."""
    with closing(listening_socket("0.0.0.0")) as server:
        assert not is_free(server.getsockname()[1])


def test_neighbours_are_all_free_and_not_spoken_for():
    """Neighbouring ports avoid those that were given away and not yet used."""
    first = free_ports(2)

    second = free_ports(2, taken=[first, first + 1])

    assert {first, first + 1}.isdisjoint({second, second + 1})
    assert is_free(second)
    assert is_free(second + 1)
