"""Times in queries."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.api.problems import ProblemError
from collector.api.times import parse_span

NOW_S = 1_767_268_800.0  # 2026-01-01T12:00:00Z


def span(start, end="now", days_max=92):
    return parse_span(start, end, now_s=NOW_S, days_max=days_max)


@pytest.mark.parametrize(
    ("start", "end", "start_s", "end_s"),
    [
        ("-15m", "now", NOW_S - 900, NOW_S),
        ("now-2h", "-1h", NOW_S - 7200, NOW_S - 3600),
        ("-7d", "", None, None),
        ("2026-01-01T11:00:00Z", "2026-01-01T13:30:00+01:00", NOW_S - 3600, NOW_S + 1800),
        # Widened to the whole buckets that roll-ups are kept in.
        ("2026-01-01T11:59:33.5Z", "2026-01-01T11:59:51Z", NOW_S - 30, NOW_S),
    ],
)
def test_times_are_relative_or_absolute(start, end, start_s, end_s):
    """Both forms mix; an empty text is no time."""
    if start_s is None:
        with pytest.raises(ProblemError, match="parameter end"):
            span(start, end)
        return
    found = span(start, end)
    assert (found.start_s, found.end_s) == (start_s, end_s)


@pytest.mark.parametrize(
    ("start", "end", "complaint"),
    [
        ("yesterday", "now", "parameter start: must be RFC 3339"),
        ("2026-01-01T11:00:00", "now", "no offset"),
        ("now", "-1h", "before end"),
        ("-1h", "-1h", "before end"),
        ("-93d", "now", "92 days"),
        ("1969-01-01T00:00:00Z", "now", "between the years"),
        ("-99999999w", "now", "between the years"),
        ("0001-01-01T00:00:00+23:59", "now", "parameter start"),
        ("-1h", "2026-13-01T00:00:00Z", "parameter end"),
        ("-\u0661h", "now", "must be RFC 3339"),
    ],
)
def test_what_is_no_range_is_refused_by_name(start, end, complaint):
    """The problem names the parameter and the rule."""
    with pytest.raises(ProblemError, match=complaint):
        span(start, end)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_does_more_than_be_refused(start, end):
    """Whatever is sent, the outcome is a range or a problem."""
    try:
        found = span(start, end)
    except ProblemError:
        return
    assert found.start_s < found.end_s
