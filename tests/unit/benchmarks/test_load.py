"""What the benchmark of load sends and counts, without a collector."""

import random

from benchmarks.load import POINTS_EACH, PROCESSES, STACKS, Agent, Played, metrics_template, report
from collector.receive.payloads import SIGNALS
from pyrometer.formats.otlp import otlp_to_profiles


def test_a_template_is_sent_with_the_times_of_the_moment():
    """Nothing but its times differs from what was built."""
    template = metrics_template(random.Random(1))
    one, other = template.at(1_700_000_000 * 10**9), template.at(1_700_000_001 * 10**9)
    assert one != other
    assert len(one) == len(other)
    checked = SIGNALS["/v1/metrics"].check(one)
    assert (checked.rows, checked.rejected) == (POINTS_EACH, POINTS_EACH)  # that long ago


def test_an_agent_sends_as_many_samples_as_are_counted():
    """Four processes, each with its stacks and its window."""
    profiles = otlp_to_profiles(Agent(7, 0, Played()).profiles.at(1_700_000_000 * 10**9))
    assert [len(profile.samples) for profile in profiles] == [STACKS] * PROCESSES
    assert {profile.start_unix_ns for profile in profiles} == {1_700_000_000 * 10**9}
    assert len({profile.attributes["process.pid"] for profile in profiles}) == PROCESSES


def test_what_is_missing_and_what_is_stored_twice_stand_apart():
    """A row too few of one table is not made good by one too many of another."""
    played = Played(answers_s=[0.001, 0.002], samples=80, points=200)
    assert "| lost; stored twice | 1; 2 |" in report(1, played, [10**8] * 8, 0.5, [79, 202])
