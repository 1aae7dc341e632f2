"""Delays before a restart."""

from pyrometer.up.backoff import Backoff


def test_delays_double_up_to_the_limit():
    """Without jitter the delays are the first, doubled each time, and never above the limit."""
    backoff = Backoff(first_s=0.5, max_s=3.0, random_fraction=lambda: 1.0)

    assert [0.5, 1.0, 2.0, 3.0, 3.0] == [backoff.next_delay_s() for _ in range(5)]


def test_jitter_takes_off_at_most_half():
    """The smallest jitter leaves half of the full delay, so a part never comes back at once."""
    backoff = Backoff(first_s=0.5, max_s=3.0, random_fraction=lambda: 0.0)

    assert [0.25, 0.5, 1.0, 1.5] == [backoff.next_delay_s() for _ in range(4)]


def test_reset_starts_over():
    """A part that was well for long gets the first delay again."""
    backoff = Backoff(first_s=0.5, max_s=3.0, random_fraction=lambda: 1.0)
    for _ in range(4):
        backoff.next_delay_s()

    backoff.reset()

    assert backoff.next_delay_s() == 0.5


def test_many_failures_stay_at_the_limit():
    """Thousands of failures overflow nothing."""
    backoff = Backoff(random_fraction=lambda: 1.0)
    for _ in range(5_000):
        delay_s = backoff.next_delay_s()

    assert delay_s == 30.0
