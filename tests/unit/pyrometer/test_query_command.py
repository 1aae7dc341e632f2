"""`pyrometer query`: what is printed of an answer."""

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pyrometer.query_command import answer_lines, command, table_lines

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_single_values_come_first_and_lists_as_tables():
    """Numbers stand to the right, what is absent is a dash, and keys that come later are columns too."""
    answer = {
        "rows": [{"name": "a", "cpu": 1.5}, {"name": "long", "cpu": 10, "more": True}],
        "start": "now",
        "none": [],
    }
    assert [
        "start: now", "none: []", "", "rows",
        "name  cpu  more",
        "a     1.5  -",
        "long   10  yes",
    ] == list(answer_lines(answer))  # fmt: skip


@given(JSON_VALUES)
def test_whatever_is_answered_can_be_printed(answer):
    """No answer breaks the table, and nothing of it reaches the terminal as a control character."""
    assert all(line.isprintable() for line in answer_lines(answer))


def test_a_long_cell_is_cut():
    """A table is for reading; JSON has it whole."""
    assert 62 > max(map(len, table_lines([{"name": "x" * 10_000}])))


@pytest.mark.parametrize("parameters", [["service"], ["=x"], ["a=1", "a=2"]])
def test_a_parameter_is_key_and_value(parameters):
    """Anything else is a usage error that shows it."""
    result = CliRunner().invoke(command, ["functions", *parameters])
    assert (2, True) == (result.exit_code, parameters[-1].partition("=")[0] in result.output)
