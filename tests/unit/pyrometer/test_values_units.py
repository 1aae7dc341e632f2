"""The shared nouns, and numbers as people read them."""

import pytest

from pyrometer import units
from pyrometer.values import Frame, Profile, Sample

MAIN, WORK = Frame("main", "app.py", 1), Frame("work", "app.py", 9)


def test_counts_and_values_merge_threads():
    """The same stack in two threads is one entry with both added."""
    profile = Profile(
        samples=(
            Sample(stack=(MAIN, WORK), count=2, value=20, thread_id=1),
            Sample(stack=(MAIN, WORK), count=3, value=31, thread_id=2),
            Sample(stack=(MAIN,), count=1, value=9, thread_id=1),
        )
    )
    assert {(MAIN, WORK): 5, (MAIN,): 1} == profile.counts()
    assert {(MAIN, WORK): 51, (MAIN,): 9} == profile.values()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.00 µs"), (4.2e-5, "42.0 µs"), (0.00123, "1.23 ms"), (0.25, "250 ms"), (45, "45.0 s"), (9000, "2.50 h")],
)
def test_durations_have_three_digits_and_a_unit(seconds, text):
    """A duration picks the unit a person would."""
    assert text == units.format_duration(seconds)


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1536, "1.50 KiB"), (3 * 1024**4, "3.00 TiB")])
def test_bytes_are_binary(count, text):
    """Sizes are in powers of 1024 and say so."""
    assert text == units.format_bytes(count)


@pytest.mark.parametrize(("amount", "text"), [(0, "0.00 USD"), (-12.3, "-12.30 USD"), (1234.5, "1,234 USD")])
def test_money_names_its_currency(amount, text):
    """An amount is never shown without its currency."""
    assert text == units.format_money(amount, "USD")


def test_times_are_rfc_3339_in_utc():
    """A time is UTC with milliseconds and a Z."""
    assert "2026-11-22T10:20:30.500Z" == units.format_time(1_795_342_830_500_000_000)
