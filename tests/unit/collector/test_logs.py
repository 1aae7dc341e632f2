"""Log lines for machines."""

import json
import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from collector.logs import JsonFormatter


def a_record(message, *arguments, exc_info=None):
    return logging.LogRecord("pyrometer.collector", logging.WARNING, "x.py", 1, message, arguments, exc_info)


@given(st.text())
def test_a_record_is_one_line_of_json(text):
    """Whatever a message holds, line breaks too, is one object on one line, and is read back as it was."""
    line = JsonFormatter().format(a_record("got %s", text))
    assert line.isascii()
    assert line.isprintable()
    entry = json.loads(line)
    assert ("warning", "pyrometer.collector", f"got {text}") == (entry["level"], entry["logger"], entry["message"])


def test_an_exception_is_in_it():
    """With its traceback, in the same line."""
    try:
        int("planted")
    except ValueError:
        line = JsonFormatter().format(a_record("failed", exc_info=sys.exc_info()))
    assert "ValueError: invalid literal" in json.loads(line)["exception"]
    assert "\n" not in line
