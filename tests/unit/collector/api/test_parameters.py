"""Query strings to parameters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.api.parameters import CompareQuery, FlamegraphQuery, LatencyQuery, ServicesQuery, parse_query
from collector.api.problems import ProblemError


def test_defaults_stand_where_nothing_is_given():
    """The last hour, all releases, CPU."""
    query = parse_query(b"service=shop", FlamegraphQuery)
    assert (query.start, query.end, query.version, query.sample_type) == ("-1h", "now", None, "cpu")
    assert query.versions == []


def test_an_empty_version_is_the_release_without_a_version():
    """Absent means all releases; empty means what was sent without one."""
    assert parse_query(b"service=shop&version=", FlamegraphQuery).versions == [""]


def test_text_is_percent_decoded_and_otherwise_untouched():
    """A hostile name arrives as it was sent."""
    query = parse_query(b"service=%3Cb%3E%27%3B--%00%0A%C3%A9+x", FlamegraphQuery)
    assert query.service == "<b>';--\x00\né x"


@pytest.mark.parametrize(
    ("query_string", "query_type", "complaint"),
    [
        (b"", FlamegraphQuery, "parameter service: is required"),
        (b"service=", FlamegraphQuery, "parameter service: .*length >= 1"),
        (b"service=a&service=b", FlamegraphQuery, "parameter service: is given more than once"),
        (b"service=a&max_nodes=x", FlamegraphQuery, "parameter max_nodes: Expected `int`"),
        (b"service=a&max_nodes=1", FlamegraphQuery, "parameter max_nodes: Expected `int` >= 2"),
        (b"service=a&max_nodes=131073", FlamegraphQuery, "parameter max_nodes: Expected `int` <= 131072"),
        (b"service=a&step=15", LatencyQuery, "parameter step: .*multiple of 10"),
        (b"strat=-1h", ServicesQuery, "'strat'.*did you mean start"),
        (b"service=%FF", FlamegraphQuery, "UTF-8"),
        (b"service=\xff", FlamegraphQuery, "UTF-8"),
        (b"&".join(b"a=1" for _ in range(100)), ServicesQuery, "query string"),
        (b"service=a&baseline=1", CompareQuery, "parameter candidate: is required"),
        (b"service=" + b"x" * 10_001, FlamegraphQuery, "parameter service: .*length <= 10000"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(query_string, query_type, complaint):
    """The problem names the parameter and the rule."""
    with pytest.raises(ProblemError, match=complaint):
        parse_query(query_string, query_type)


def test_an_unknown_name_is_not_echoed_at_length():
    """A problem stays short, whatever was sent."""
    with pytest.raises(ProblemError) as caught:
        parse_query(b"x" * 60_000 + b"=1", ServicesQuery)
    assert len(caught.value.detail) < 200


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(query_string):
    """Whatever is sent, the outcome is parameters or a problem."""
    try:
        parse_query(query_string, LatencyQuery)
    except ProblemError:
        return
