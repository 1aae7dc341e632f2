"""What is shown while parts start."""

import io
import os
import pty
import threading

from rich.console import Console

from pyrometer.up.plan import Part
from pyrometer.up.report import PlainReporter, TerminalReporter, ready_line, reporter_for

DASHBOARD = Part(name="dashboard", command=("true",), address="http://127.0.0.1:8501")


def test_the_ready_line_has_name_address_and_time():
    """One line, in columns."""
    assert ready_line(DASHBOARD, 2.14) == "dashboard   http://127.0.0.1:8501  ready in 2.1 s"


def test_a_part_without_an_address_has_a_dash():
    """A part that answers nowhere, like the load, still has its line."""
    assert ready_line(Part(name="load", command=("true",)), 0.0).split() == ["load", "-", "ready", "in", "0.0", "s"]


def test_plain_output_has_no_progress():
    """A log gets events only."""
    stream = io.StringIO()
    reporter = reporter_for(stream)

    reporter.waiting([(DASHBOARD, 1.0)])
    reporter.line("done")
    reporter.close()

    assert isinstance(reporter, PlainReporter)
    assert stream.getvalue() == "done\n"


def test_a_terminal_shows_what_is_waited_for_without_a_thread():
    """The live display names the part and its seconds, and starts no thread: children are started from this process."""
    stream = io.StringIO()
    reporter = TerminalReporter(Console(file=stream, force_terminal=True, width=100))
    threads = threading.active_count()

    reporter.waiting([(DASHBOARD, 3.0)])
    shown = stream.getvalue()
    assert threading.active_count() == threads
    reporter.waiting([])
    reporter.close()

    assert "dashboard   http://127.0.0.1:8501  starting, 3 s" in shown


def test_markup_and_control_sequences_in_lines_are_text():
    """A line from a log is printed as it is, though it looks like markup."""
    stream = io.StringIO()
    reporter = TerminalReporter(Console(file=stream, force_terminal=True, width=100))

    reporter.line("[bold]not bold[/bold] [/]")

    assert "[bold]not bold[/bold] [/]" in stream.getvalue()


def test_a_real_terminal_gets_the_live_display(monkeypatch):
    """On a pseudo-terminal the terminal reporter is chosen."""
    monkeypatch.setenv("TERM", "xterm")
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb"), os.fdopen(follower, "w") as stream:
        assert isinstance(reporter_for(stream), TerminalReporter)
