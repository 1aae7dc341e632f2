"""CSV files as people write them, and as they break."""

import io

import numpy as np
import pytest

from collector.series_csv import BROKEN_NAMED_MAX, LINE_LENGTH_MAX, SeriesCsv
from pyrometer.errors import ConfigError


def read(text, **limits):
    return SeriesCsv(io.StringIO(text), **limits)


def test_series_come_in_the_order_of_their_first_row():
    """Rows of several series may be mixed."""
    content = read("series,timestamp,value\nb,1,10\na,1,20\nb,2,11\n")
    assert [("b", [10.0, 11.0]), ("a", [20.0])] == [(one.name, one.values.tolist()) for one in content.series()]


def test_columns_may_stand_in_any_order_with_others_between():
    """The header decides; unknown columns are ignored."""
    (one,) = read("Weight, host ,value,TIMESTAMP,series\n3,h,1.5,7,a\n").series()
    assert ([7_000_000_000], [1.5], [3.0]) == (one.times_ns.tolist(), one.values.tolist(), one.weights.tolist())


@pytest.mark.parametrize(
    ("text", "seconds", "is_date"),
    [
        ("0", 0, False),
        ("-1", -1, False),
        ("1700000000", 1_700_000_000, False),
        ("1700000000.25", 1_700_000_000.25, False),
        ("1.7e9", 1_700_000_000, False),
        ("2023-11-14T22:13:20Z", 1_700_000_000, True),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000, True),
        ("2023-11-14 22:13:20", 1_700_000_000, True),
        ("2023-11-14T22:13:20.250000Z", 1_700_000_000.25, True),
        (' "2023-11-14T22:13:20Z"'.strip(), 1_700_000_000, True),
    ],
)
def test_timestamps_are_rfc_3339_or_epoch_seconds(text, seconds, is_date):
    """Both forms give the same nanoseconds; a date without an offset is UTC."""
    content = read(f"series,timestamp,value\na,{text},1\n")
    (one,) = content.series()
    assert [round(seconds * 1000) * 1_000_000] == one.times_ns.tolist()
    assert is_date == content.has_dates("a")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,1", "2 cells"),
        ("a,yesterday,1", "neither RFC 3339 nor epoch seconds"),
        ("a,2024-13-01T00:00:00Z,1", "neither RFC 3339 nor epoch seconds"),
        ("a,0001-01-01T00:00:00Z,1", "1678"),
        ("a,1700000000000,1", "epoch seconds"),
        ("a,nan,1", "epoch seconds"),
        ("a,,1", "neither"),
        ("a,1,many", "value 'many': not a number"),
        ("a,1,\x1b[31m", "not a number"),
        ('"a,1,2', "not CSV"),
        ("x" * LINE_LENGTH_MAX + ",1,2", "longer"),
    ],
)
def test_a_broken_row_is_named_by_its_line_and_the_rest_goes_on(row, reason):
    """The rows before and after are read; the reason cannot steer a terminal."""
    content = read(f"series,timestamp,value\na,1,10\n{row}\na,3,30\n")
    (one,) = content.series()
    assert [10.0, 30.0] == one.values.tolist()
    assert [3] == [broken.line for broken in content.broken]
    assert reason in content.broken[0].reason
    assert "\x1b" not in content.broken[0].reason


@pytest.mark.parametrize("weight", ["-1", "nan", "inf", "", "x"])
def test_a_weight_that_is_none_breaks_its_row(weight):
    """A weight is a number of samples: at least 0."""
    content = read(f"series,timestamp,value,weight\na,1,10,{weight}\n")
    assert [2] == [broken.line for broken in content.broken]


@pytest.mark.parametrize("value", ["", "NaN", "null", "NA"])
def test_no_value_is_a_missing_one(value):
    """The row stays, so that its place counts."""
    (one,) = read(f"series,timestamp,value\na,1,{value}\n").series()
    assert np.isnan(one.values).tolist() == [True]


def test_names_may_hold_commas_quotes_and_nothing():
    """A quoted cell is one cell; an empty name is a name."""
    content = read('series,timestamp,value\n"a, ""b""",1,2\n,1,3\n')
    assert ['a, "b"', ""] == [one.name for one in content.series()]


def test_blank_lines_and_windows_ends_do_no_harm():
    """Empty lines are no rows."""
    content = read("series,timestamp,value\r\n\r\na,1,2\r\n\n")
    assert content.n_broken == 0
    assert [[2.0]] == [one.values.tolist() for one in content.series()]


@pytest.mark.parametrize("text", ["", "\n", "a,1,2\n", "series,value\n"])
def test_a_file_without_the_columns_is_refused(text):
    """The text says which are absent."""
    with pytest.raises(ConfigError, match="timestamp"):
        read(text)


def test_too_many_rows_are_refused():
    """A limit stands before memory does."""
    with pytest.raises(ConfigError, match="more than 2 rows"):
        read("series,timestamp,value\na,1,1\na,2,1\na,3,1\n", rows_max=2)


def test_broken_rows_beyond_a_limit_are_counted_only():
    """A file of another kind does not fill memory with complaints."""
    content = read("series,timestamp,value\n" + "broken\n" * (BROKEN_NAMED_MAX + 5))
    assert (BROKEN_NAMED_MAX, BROKEN_NAMED_MAX + 5) == (len(content.broken), content.n_broken)
