"""Addresses a recording may be sent to."""

import pytest

from agent.adhoc.upload import profiles_url
from pyrometer.errors import ConfigError


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1development/profiles"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1development/profiles"),
        ("https://host/otlp/?x=1#y", "https://host/otlp/v1development/profiles"),
        ("http://[::1]:4318/v1development/profiles", "http://[::1]:4318/v1development/profiles"),
    ],
)
def test_the_path_of_profiles_is_added_to_a_base_address(endpoint, expected):
    """As OTLP has it for its base endpoint; a whole address stays as it is."""
    assert expected == profiles_url(endpoint)


@pytest.mark.parametrize(
    "endpoint", ["", "host:4318", "ftp://h", "http://", "http://h:x", "http://h:99999", "http://["]
)
def test_what_is_no_address_is_refused(endpoint):
    """Before anything is recorded."""
    with pytest.raises(ConfigError, match="not an address; write it as http://HOST:PORT"):
        profiles_url(endpoint)
