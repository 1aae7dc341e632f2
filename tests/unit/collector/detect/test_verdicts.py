"""From p-values to verdicts."""

import pytest

from collector.detect.settings import CompareSettings
from collector.detect.verdicts import Evidence, Jury, a_change, untested, worst


def judged(*, baseline, candidate, p_value, absolute_min=0.0, others=0):
    jury = Jury(CompareSettings())
    change = a_change(
        baseline=baseline, candidate=candidate, low=0.0, high=0.0, p_value=p_value, verdict="not_enough_data"
    )
    jury.test(change, absolute_min=absolute_min)
    for _ in range(others):
        jury.test(a_change(baseline=1, candidate=1, low=0, high=0, p_value=0.9, verdict="not_enough_data"))
    jury.judge()
    return change


@pytest.mark.parametrize(
    ("baseline", "candidate", "p_value", "expected"),
    [
        (10.0, 12.0, 0.001, "regression"),
        (10.0, 8.0, 0.001, "improvement"),
        (10.0, 12.0, 0.2, "no_change"),
        # Certain, and too small to matter.
        (10.0, 10.1, 1e-9, "no_change"),
        # New in the candidate: there is no relative change, and any certain change counts.
        (0.0, 0.5, 0.001, "regression"),
        (0.0, 0.0, 1.0, "no_change"),
    ],
)
def test_a_finding_is_certain_and_large_enough(baseline, candidate, p_value, expected):
    """More is a regression, less an improvement; doubt or smallness is neither."""
    assert judged(baseline=baseline, candidate=candidate, p_value=p_value).verdict == expected


def test_the_more_is_tested_the_surer_a_finding_must_be():
    """A p-value of 0.01 is a finding alone, and none among 100 tests."""
    assert judged(baseline=1, candidate=2, p_value=0.01).verdict == "regression"
    among_many = judged(baseline=1, candidate=2, p_value=0.01, others=99)
    assert among_many.verdict == "no_change"
    assert among_many.q_value == pytest.approx(0.9)


def test_an_absolute_minimum_holds_too():
    """An error rate that grows from one in a million to two is doubled, and no finding."""
    assert judged(baseline=1e-6, candidate=2e-6, p_value=1e-9, absolute_min=0.001).verdict == "no_change"


def test_relative_change_of_nothing_is_unknown():
    """Where the baseline is 0 the relative change is null, not infinite."""
    assert untested(0.0, 3.0).relative is None


def test_the_worst_part_decides_for_the_whole():
    """One regression makes the operation one; a part without enough data does not hide the others."""
    assert worst(["no_change", "regression", "improvement"]) == "regression"
    assert worst(["no_change", "not_enough_data"]) == "no_change"
    assert worst(["improvement", "no_change"]) == "improvement"


def settled(*, statistic, buckets):
    jury = Jury(CompareSettings())
    change = a_change(baseline=10, candidate=12, low=1, high=3, p_value=1e-4, verdict="not_enough_data")
    evidence = Evidence(statistic=statistic, error=2 / statistic, degrees=0.6 * buckets, information=float(buckets))
    jury.test(change, evidence=evidence)
    jury.judge()
    return change


def test_a_finding_is_provisional_until_it_holds_at_any_time():
    """Few standard errors are enough for one look, more for all looks; the interval for all looks is the wider one."""
    provisional, certain = settled(statistic=3.2, buckets=12), settled(statistic=12.0, buckets=60)
    assert (provisional.verdict, provisional.is_settled) == ("regression", False)
    assert (certain.verdict, certain.is_settled) == ("regression", True)
    assert certain.anytime_q < 0.05 < provisional.anytime_q
    assert certain.always_low > 0
    assert 0 < certain.mde < provisional.mde


def test_a_test_of_one_look_settles_nothing():
    """What is tested once, such as profile files, has a verdict, and none for who looks again."""
    change = judged(baseline=10.0, candidate=12.0, p_value=1e-9)
    assert (change.verdict, change.is_settled, change.anytime_q, change.mde) == ("regression", False, None, None)
