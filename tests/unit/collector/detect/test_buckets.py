"""Which buckets are compared."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.detect.buckets import Extent, bucket_seconds, intersection, select_buckets, whole_buckets


@settings(deadline=None, max_examples=60)
@given(st.integers(300, 60 * 43_200))
def test_there_are_thirty_to_sixty_buckets_or_nearly(span_s):
    """A step is a multiple of 10 s that cuts a span of 5 min or more into 20 to 60 buckets."""
    step = bucket_seconds(span_s)
    assert step % 10 == 0
    assert 20 <= span_s / step <= 60


@pytest.mark.parametrize(("span_s", "step_s"), [(10, 10), (600, 10), (900, 20), (3600, 60), (86_400, 1800)])
def test_steps_are_those_of_a_clock(span_s, step_s):
    """Usual ranges get usual steps."""
    assert bucket_seconds(span_s) == step_s


HOUR_S, DAY_S = 3_600, 86_400


def test_the_partial_buckets_at_both_ends_are_left_out():
    """A release that was seen from 25 s to 95 s has whole buckets from 40 s to 80 s."""
    seen = {20, 40, 60, 80}
    assert whole_buckets(seen, Extent(first_s=20, last_s=90), 20) == {40, 60}


def test_a_bucket_that_was_not_seen_is_not_compared():
    """A gap in the middle, such as a restart of the agent, stays a gap."""
    assert whole_buckets({0, 10, 40, 50}, Extent(first_s=0, last_s=50), 10) == {10, 40}


def test_releases_side_by_side_are_compared_in_their_common_buckets():
    """What only one of them has is left out, so that both felt the same moments."""
    selection = select_buckets(set(range(0, 100, 10)), set(range(20, 130, 10)), buckets_min=6, bucket_s=10)
    assert selection.paired
    assert selection.baseline == selection.candidate == list(range(20, 100, 10))


def test_releases_one_after_the_other_keep_all_their_buckets():
    """A short overlap at a rollout does not make them side by side."""
    selection = select_buckets(set(range(0, 300, 10)), set(range(280, 600, 10)), buckets_min=6, bucket_s=10)
    assert not selection.paired
    assert (len(selection.baseline), len(selection.candidate)) == (30, 32)


def test_releases_of_different_weeks_are_matched_by_the_hour_of_the_week():
    """Each hour of the candidate's week with the same one of the baseline's, the newest week that has most of them."""
    week = set(range(0, 7 * DAY_S, HOUR_S))
    candidate = {start + 14 * DAY_S for start in week if start > 2 * DAY_S}
    selection = select_buckets(week, candidate, buckets_min=6, bucket_s=HOUR_S)
    assert (selection.matching, selection.paired) == ("hour_of_week", True)
    assert selection.candidate == sorted(candidate)
    assert {after - before for before, after in zip(selection.baseline, selection.candidate, strict=True)} == {
        14 * DAY_S
    }


def test_releases_of_different_days_are_matched_by_the_hour_of_the_day():
    """A day each, two days apart; and when the candidate is the older one, the other way round."""
    first, second = set(range(0, DAY_S, HOUR_S)), set(range(2 * DAY_S, 3 * DAY_S, HOUR_S))
    forth = select_buckets(first, second, buckets_min=6, bucket_s=HOUR_S)
    back = select_buckets(second, first, buckets_min=6, bucket_s=HOUR_S)
    assert forth.matching == back.matching == "hour_of_day"
    assert forth.baseline == back.candidate == sorted(first)


def test_buckets_of_a_day_have_no_hour_to_match():
    """Two days that follow each other are not the same hour of anything."""
    first, second = set(range(0, 10 * DAY_S, DAY_S)), set(range(10 * DAY_S, 14 * DAY_S, DAY_S))
    assert select_buckets(first, second, buckets_min=3, bucket_s=DAY_S).matching in {"hour_of_week", "apart"}


def test_extents_meet_where_both_were_seen():
    """CPU per request needs both profiles and spans."""
    assert intersection(Extent(first_s=0, last_s=50), Extent(first_s=30, last_s=90)) == Extent(first_s=30, last_s=50)
    assert intersection(Extent(first_s=0, last_s=20), Extent(first_s=30, last_s=90)) is None
    assert intersection(None, Extent(first_s=30, last_s=90)) is None
