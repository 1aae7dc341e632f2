"""The table of top: numbers, order, and text that cannot steer a terminal."""

import io

import pytest
from rich.console import Console

from agent.adhoc import ranking as ranking_module
from agent.adhoc.ranking import Order, Ranking
from agent.adhoc.top_view import Heading, cells, keep_end, live_table, plain_table
from agent.reader.engine import Window
from pyrometer.units import NS_PER_S
from pyrometer.values import Frame, Sample

HEADING = Heading(service="shop", pid=7, rate_hz=100, time_name="CPU")


def a_window(stacks: dict[str, float], *, seconds: float = 1.0, errors: int = 0, lost: int = 0) -> Window:
    """Build a window: ``{"main;f": 0.5}`` is half a second in f, called by main."""
    samples = tuple(
        Sample(
            stack=tuple(Frame(name, f"{name}.py", 1) for name in path.split(";")),
            count=1,
            value=int(value * NS_PER_S),
            thread_id=number,
        )
        for number, (path, value) in enumerate(stacks.items(), 1)
    )
    return Window(
        samples=samples,
        start_unix_ns=0,
        duration_ns=int(seconds * NS_PER_S),
        period_ns=10,
        errors=errors,
        lost=lost,
    )


def a_ranking(*windows: Window) -> Ranking:
    ranking = Ranking()
    for window in windows:
        ranking.add(window)
    return ranking


def test_shares_are_of_the_last_window_and_seconds_of_all():
    """A function that was busy before and is not now has seconds and no share."""
    ranking = a_ranking(a_window({"main;f": 1.0}), a_window({"main;g": 0.5}, seconds=2.0))
    rows = {row.function: row for row in ranking.rows(Order.SELF_SHARE, 10)}
    assert (0.0, 0.0, 1.0, 1.0) == _numbers(rows["f"])
    assert (0.25, 0.25, 0.5, 0.5) == _numbers(rows["g"])
    assert (0.0, 0.25, 0.0, 1.5) == _numbers(rows["main"])
    assert 0.25 == ranking.busy_share


def _numbers(row):
    return row.self_share, row.total_share, row.self_s, row.total_s


def test_recursion_is_counted_once():
    """A function that calls itself has no more than all the time."""
    (row,) = a_ranking(a_window({"f;f;f": 1.0})).rows(Order.SELF_SHARE, 10)
    assert (1.0, 1.0) == (row.self_share, row.total_share)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.SELF_SHARE, ["now", "before", "main"]),
        (Order.TOTAL_SHARE, ["now", "main", "before"]),
        (Order.SELF_TIME, ["before", "now", "main"]),
        (Order.TOTAL_TIME, ["main", "before", "now"]),
    ],
)
def test_rows_come_in_the_order_asked_for(order, expected):
    """Each key sorts by its own column, the largest first."""
    ranking = a_ranking(a_window({"main;before": 1.0}), a_window({"main;now": 0.5}))
    assert expected == [row.function for row in ranking.rows(order, 10)]
    assert expected[:1] == [row.function for row in ranking.rows(order, 1)]


def test_functions_without_number_do_not_fill_the_memory(monkeypatch):
    """Those with the least time are forgotten."""
    monkeypatch.setattr(ranking_module, "FUNCTIONS_MAX", 4)
    ranking = a_ranking(a_window({f"f{number}": number / 10 for number in range(1, 8)}))
    assert ["f7", "f6"] == [row.function for row in ranking.rows(Order.SELF_TIME, 10)]


def test_errors_and_lost_samples_are_in_the_heading():
    """A table that misses something says so."""
    ranking = a_ranking(a_window({"f": 0.5}, errors=3), a_window({"f": 0.25}, lost=4))
    heading = plain_table(HEADING, ranking, []).splitlines()[0]
    assert "shop (pid 7): CPU 25%, 1 thread running; 2 samples at 100 Hz, 3 errors, 4 lost" == heading


@pytest.mark.parametrize("name", ["\x1b[31m", "[bold]x[/bold]", "a\nb", "\u202e", "\x9b2J"])
def test_hostile_names_are_shown_as_text(name):
    """Neither escape sequences nor the markup of our own library act."""
    ranking = a_ranking(a_window({name: 1.0}))
    output = io.StringIO()
    console = Console(file=output, width=120, height=20, force_terminal=False)
    console.print(live_table(HEADING, ranking, Order.SELF_SHARE, width=120, height=20))
    plain = plain_table(HEADING, ranking, ranking.rows(Order.SELF_SHARE, 5))
    shown = cells(ranking.rows(Order.SELF_SHARE, 1)[0])[4]
    for text in (output.getvalue(), plain):
        assert all(character.isprintable() or character == "\n" for character in text)
        assert shown in text
    assert shown == (name if name.isprintable() else name.encode("unicode_escape").decode())


def test_a_screen_holds_the_table():
    """No more rows than there are lines."""
    ranking = a_ranking(a_window({f"f{number:02}": 0.01 for number in range(50)}))
    output = io.StringIO()
    console = Console(file=output, width=100, height=12)
    console.print(live_table(HEADING, ranking, Order.SELF_SHARE, width=100, height=12))
    assert len(output.getvalue().splitlines()) <= 12


def test_a_path_is_cut_at_its_beginning():
    """The file says more than the directories above it."""
    assert "…c/d.py" == keep_end("/a/b/c/d.py", 7)
    assert "/d.py" == keep_end("/d.py", 5)
