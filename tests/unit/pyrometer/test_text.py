"""Hostile text cannot steer a terminal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyrometer.text import printable


@settings(deadline=None)
@given(st.text(max_size=80), st.integers(2, 40))
def test_whatever_comes_in_what_comes_out_prints_and_is_bounded(text, limit):
    """No control, no line break, no override of direction, no lone surrogate; and no more than asked for."""
    shown = printable(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é 漢", "plain é 漢"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb", r"a\r\nb"),
        ("\u202e\ud800", r"\u202e\ud800"),
        ("C:\\x", "C:\\x"),
    ],
)
def test_what_does_not_print_is_spelled_out(text, expected):
    """So that a person can still tell what it was."""
    assert expected == printable(text)


def test_a_long_text_ends_in_an_ellipsis():
    """It is seen that something is missing."""
    assert "abc…" == printable("abcdef", 4)
    assert "abcd" == printable("abcd", 4)
