"""Profiles on their way into requests."""

from agent.destination import Signal
from agent.profile_export import ProfileExport
from pyrometer.formats.otlp import otlp_to_profiles, profiles_to_otlp
from pyrometer.values import Frame, Profile, Sample


class KeepingExporter:
    def __init__(self):
        self.bodies = []

    def offer(self, signal, body):
        assert signal is Signal.PROFILES
        self.bodies.append(body)
        return True


def a_profile(name: str) -> Profile:
    samples = tuple(Sample(stack=(Frame(f"{name}-{i}" * 10),), count=1, value=5) for i in range(20))
    return Profile(samples=samples, start_unix_ns=1, duration_ns=10, period_ns=3, attributes={"service.name": name})


def services(bodies: list[bytes]) -> list[str]:
    return [profile.attributes["service.name"] for body in bodies for profile in otlp_to_profiles(body)]


def test_profiles_of_one_round_share_a_request():
    """What is settled together is sent together."""
    exporter = KeepingExporter()
    ProfileExport(exporter, batch_bytes_max=10**6).deliver([a_profile("a"), a_profile("b")])

    assert len(exporter.bodies) == 1
    assert services(exporter.bodies) == ["a", "b"]


def test_a_request_beyond_the_limit_is_split():
    """No request with several profiles is larger than allowed, and none is lost or doubled."""
    exporter = KeepingExporter()
    profiles = [a_profile(name) for name in "abcdefg"]
    limit = len(profiles_to_otlp(profiles)) // 3
    ProfileExport(exporter, batch_bytes_max=limit).deliver(profiles)

    assert len(exporter.bodies) > 2
    assert max(map(len, exporter.bodies)) <= limit
    assert services(exporter.bodies) == list("abcdefg")


def test_nothing_is_sent_for_nothing():
    """An empty round makes no request."""
    exporter = KeepingExporter()
    ProfileExport(exporter, batch_bytes_max=10**6).deliver([])

    assert exporter.bodies == []
