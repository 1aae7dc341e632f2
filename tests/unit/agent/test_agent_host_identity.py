"""Which machine this is."""

from agent.host_identity import read_host_identity


def test_host_identity_names_the_machine():
    """Host name, architecture and boot time are known, and the agent's own environment can rename the host."""
    host = read_host_identity(
        {"OTEL_RESOURCE_ATTRIBUTES": "host.name=renamed,service.name=no,host.type=m7i.large,cloud.region=eu-1"}
    )

    assert host.attributes["host.name"] == "renamed"
    assert host.attributes["os.type"] == "linux"
    assert host.attributes["host.arch"] in {"amd64", "arm64"}
    assert (host.attributes["host.type"], host.attributes["cloud.region"]) == ("m7i.large", "eu-1")
    assert "service.name" not in host.attributes
    assert host.boot_time_s > 1_500_000_000
