"""What clients accept."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.api.negotiation import accepts_gzip, choose_type

OFFERED = ["application/json", "application/vnd.apache.arrow.stream"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", OFFERED[0]),
        ("*/*", OFFERED[0]),
        ("application/*", OFFERED[0]),
        ("text/html, */*;q=0.1", OFFERED[0]),
        ("application/vnd.apache.arrow.stream", OFFERED[1]),
        ("Application/JSON;q=0.5, application/vnd.apache.arrow.stream;q=0.9", OFFERED[1]),
        ("application/json;q=0, */*", OFFERED[1]),
        ("text/html", None),
        ("*/*;q=nan", None),
    ],
)
def test_the_client_s_preference_decides(accept, expected):
    """Quality first, then the server's order; nothing where nothing fits."""
    assert choose_type(accept, OFFERED) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [("gzip, br", True), ("*", True), ("", False), ("identity", False), ("gzip;q=0", False), ("*;q=0, gzip", True)],
)
def test_gzip_is_only_sent_where_it_is_taken(header, expected):
    """Silence is no consent."""
    assert accepts_gzip(header) == expected


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=100))
def test_any_header_is_read(header):
    """No header raises."""
    choose_type(header, OFFERED)
    accepts_gzip(header)
