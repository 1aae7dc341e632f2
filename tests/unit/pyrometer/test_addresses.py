"""Addresses to listen on: split, and loopback unless somebody says otherwise."""

import pytest

from agent.settings import HttpSettings as AgentHttp
from collector.settings import HttpSettings as CollectorHttp
from pyrometer.addresses import parse_address, parse_listen_address
from pyrometer.errors import ConfigError


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1:7072", ("127.0.0.1", 7072)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)
def test_loopback_addresses_are_split(address, expected):
    """By number, by name, and IPv6 in brackets."""
    assert expected == parse_listen_address(address, key="http.address", insecure=False)


@pytest.mark.parametrize(
    "address",
    ["", "7072", ":7072", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "a b:1", "h:1x", "h:²", "h:-1"],
)
def test_what_is_no_address_is_refused(address):
    """The text names the key, the value and the rule."""
    with pytest.raises(ConfigError) as error:
        parse_address(address, key="http.address")
    assert str(error.value).startswith(f"http.address = {address!r}: must be HOST:PORT")


def test_a_port_may_have_to_be_named():
    """Port 0 is refused where the address must be known beforehand."""
    assert ("h", 1) == parse_address("h:1", key="address", port_min=1)
    with pytest.raises(ConfigError, match="from 1 to 65535"):
        parse_address("h:0", key="address", port_min=1)


@pytest.mark.parametrize("address", ["0.0.0.0:4318", "[::]:4318", "192.0.2.1:1", "example.org:1"])
def test_other_addresses_need_a_word(address):
    """What the network can reach is served only when the settings say so, in every program."""
    with pytest.raises(ConfigError, match="insecure_listen: true"):
        parse_listen_address(address, key="address", insecure=False)
    for settings in (AgentHttp, CollectorHttp):
        with pytest.raises(ConfigError, match=r"http\.insecure_listen: true"):
            settings(address=address).host_and_port()
        assert 0 < settings(address=address, insecure_listen=True).host_and_port()[1]
    with pytest.raises(ConfigError, match=r"http\.api_address"):
        CollectorHttp(api_address=address).api_host_and_port()
