"""From p-values to verdicts."""

import pytest

from collector.detect.settings import CompareSettings
from collector.detect.verdicts import Jury, a_change, untested, worst


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
