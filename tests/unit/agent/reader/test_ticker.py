"""Who is looked at when: at random times at the rate that was asked for, several together, nobody twice in one go."""

import itertools
import random

import pytest

from agent.reader.pace import Pace
from agent.reader.remote.ticker import Schedule

RATE_HZ = 20.0


class Watched:
    def __init__(self, seed):
        self.pace = Pace(RATE_HZ, uniform=random.Random(seed).random)

    def tick(self):
        """Do nothing."""


def run(schedule, seconds, *, step_s=None):
    """Serve a schedule, waking when it says so or at a step; return the times and who was looked at."""
    now, wakes = 0.0, []
    while now < seconds:
        now += step_s or max(0.0, schedule.wait_s(now))
        if schedule.wait_s(now) <= 0:
            wakes.append((now, schedule.take(now)))
    return wakes


def test_each_is_looked_at_at_the_rate_once_in_a_wake_up_and_many_share_it():
    """Twenty at 20 Hz: 400 looks a second, in fewer than 60 wake-ups."""
    schedule, watched = Schedule(), [Watched(seed) for seed in range(20)]
    for each in watched:
        schedule.add(each, 0.0)
    wakes = run(schedule, 100.0)
    for _, taken in wakes:
        assert len(set(taken)) == len(taken)
    for each in watched:
        assert sum(each in taken for _, taken in wakes) == pytest.approx(100 * RATE_HZ, rel=0.05)
        assert schedule.remove(each) == (0, 0)
    assert len(wakes) < 100 * 60
    assert schedule.wait_s(100.0) is None


def test_times_of_one_are_spread_evenly_around_the_mean():
    """From half of it to one and a half, so that no rhythm of the work is hit or missed always."""
    schedule = Schedule()
    schedule.add(Watched(1), 0.0)
    times = [now for now, _ in run(schedule, 200.0)]
    gaps = [(after - before) * RATE_HZ for before, after in itertools.pairwise(times)]
    assert 0.5 <= min(gaps) < 0.52
    assert 1.48 < max(gaps) <= 1.5
    assert sum(gap < 1 for gap in gaps) / len(gaps) == pytest.approx(0.5, abs=0.05)


def test_what_comes_too_late_is_counted():
    """A reader that wakes every 400 ms at 20 Hz is late each time, and leaves out seven looks of eight."""
    schedule, watched = Schedule(), Watched(2)
    schedule.add(watched, 0.0)
    wakes = run(schedule, 100.0, step_s=0.4)
    late, lost = schedule.remove(watched)
    assert late == pytest.approx(len(wakes), rel=0.02)
    assert lost == pytest.approx(7 * len(wakes), rel=0.15)
