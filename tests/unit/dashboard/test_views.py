"""The pure functions behind the pages: names as text, numbers in words, tables, chart options."""

import json
import math

import pytest
from dashboard_answers import (
    HOSTILE_NAMES,
    a_change,
    a_flamegraph,
    a_function,
    a_function_change,
    a_host,
    a_point,
    a_series,
    a_service,
    an_operation_change,
    compare_answer,
    functions_answer,
    hosts_answer,
    latency_answer,
    quality,
    services_answer,
)
from hypothesis import given
from hypothesis import strategies as st

from dashboard.links import query
from dashboard.views import flamegraph, hosts, overview, regressions
from dashboard.views.text import (
    ALL_RELEASES,
    LABEL_CHARS_MAX,
    NO_COMPARISON,
    NO_NAME,
    NO_VALUE,
    change_in_words,
    label,
    labels,
    milliseconds,
    newest_first,
    signed_percent,
    visible,
)
from pyrometer.api import TimeRange, WindowQuality


def test_visible_escapes_what_cannot_be_seen():
    """Control characters and those that reorder text are written out."""
    assert r"a\x00b\x1b[31m\x0a\u{202e}\u{2028}é" == visible("a\x00b\x1b[31m\n\u202e\u2028é")


@given(st.text(max_size=600), st.integers(min_value=1, max_value=300))
def test_visible_is_one_printable_line_within_its_limit(text, chars_max):
    """Whatever comes in, what comes out is printable, of one line and not too long."""
    shown = visible(text, chars_max)
    assert len(shown) <= chars_max
    assert not any(ord(character) < 32 or character in "\x7f\u2028\u202e" for character in shown)


@given(st.lists(st.text(max_size=200), unique=True, max_size=8))
def test_labels_of_different_names_differ(names):
    """No two names share a label, and none passes for one of our own choices."""
    by_label = labels(names)
    assert names == list(by_label.values())
    assert not {ALL_RELEASES, NO_COMPARISON} & set(by_label)


def test_label_of_an_ordinary_name_is_the_name():
    """Ordinary names stay as they are, so that links are readable."""
    assert "checkout-api" == label("checkout-api")
    assert NO_NAME == label("")


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_label_is_short(name):
    """A link cannot grow with the name."""
    assert len(label(name)) <= LABEL_CHARS_MAX + len(" #123456")


def test_query_leaves_out_what_is_absent():
    """A link says only what was chosen."""
    assert {"service": "a"} == query(service="a", version=None)
    assert {"service": "a", "version": NO_NAME} == query(service="a", version="")


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(0.234, "+23%"), (-0.041, "-4.1%"), (0.0, "0%"), (0.0001, "0%"), (12.0, "+1,200%"), (-1.0, "-100%")],
)
def test_signed_percent(fraction, words):
    """Relative changes are rounded to what the eye needs, always with their sign."""
    assert words == signed_percent(fraction)


def test_change_in_words_has_its_interval():
    """A change never stands without its uncertainty."""
    assert "+23% (+18 to +28)" == change_in_words(a_change(10.0, 12.3, width=0.5))


def test_change_from_zero_is_absolute():
    """Against a baseline of zero there is no percentage, so the difference itself is given."""
    assert "+0.3 ms (+0.2 to +0.4)" == change_in_words(a_change(0.0, 0.3, width=0.1))


def test_milliseconds_of_nothing_is_a_dash():
    """A number that cannot be known is not 0."""
    assert "0" not in milliseconds(None)
    assert "12.0 ms" == milliseconds(12.0)


def test_services_table_keeps_unknown_numbers_missing():
    """A service without spans has no latency, rather than a latency of 0."""
    table = overview.services_table(services_answer(a_service(p50_ms=None, error_rate=None, requests=0)))
    assert math.isnan(table["p50"][0])
    assert math.isnan(table["errors"][0])
    assert math.isnan(table["requests"][0])
    assert "UTC" == str(table["last_seen"].dt.tz)


def test_headlines_without_requests_have_no_error_rate():
    """No requests is not an error rate of 0."""
    cards = {card.label: card.value for card in overview.headlines(services_answer(a_service(error_rate=None)))}
    assert "%" not in cards["Worst error rate"]


def test_releases_are_counted_beyond_a_few():
    """A service with many releases names the newest and counts the rest."""
    assert "9, 8, 7 and 2 more" == overview.releases_in_words(a_service(versions=["9", "8", "7", "6", "5"]))
    assert "0" not in overview.releases_in_words(a_service(versions=[""]))


def test_latency_frame_leaves_out_the_step_that_still_goes_on():
    """The last step reaches past the end of the range: its requests have not all come yet."""
    answer = latency_answer(a_point(9), a_point(10), a_point(11))
    assert [9, 10, 11] == [minute_of(time) for time in overview.latency_frame(answer)["time"]]
    answer.range = TimeRange(start="2026-11-22T10:00:00Z", end="2026-11-22T10:11:30Z")
    assert [9, 10] == [minute_of(time) for time in overview.latency_frame(answer)["time"]]


def minute_of(time):
    return int(time[14:16])


def test_latency_frame_turns_counts_into_rates():
    """Traffic is per second, whatever the step."""
    frame = overview.latency_frame(latency_answer(a_point(0, requests=600, errors=6)))
    assert (10.0, 0.1) == (frame["requests/s"][0], frame["errors/s"][0])


def test_functions_table_keeps_the_order_of_the_answer():
    """The most expensive function stands first, as the collector ordered them."""
    answer = functions_answer(a_function("b", self_share=0.5), a_function("a", self_share=0.1))
    table = flamegraph.functions_table(answer)
    assert [("b", 50.0), ("a", 10.0)] == list(zip(table["function"], table["self"], strict=True))


def test_newest_first_reads_numbers_as_numbers():
    """Release 1.10 is newer than 1.9, a release is newer than its candidates, no name is oldest."""
    assert ["1.10", "1.9.1", "1.9", "1.9-rc2", "1.9-rc1", ""] == newest_first(
        ["1.9-rc1", "", "1.9", "1.10", "1.9-rc2", "1.9.1"]
    )


@given(st.lists(st.text(max_size=20), max_size=6))
def test_newest_first_keeps_every_release(versions):
    """Whatever releases are called, all of them are kept, and the order does not depend on how they came."""
    assert sorted(versions) == sorted(newest_first(versions))
    assert newest_first(versions) == newest_first(versions[::-1])


def test_summary_counts_what_was_folded():
    """The page says how much a pruned graph does not show."""
    answer = a_flamegraph()
    assert "folded" not in flamegraph.summary(answer)
    answer.folded = 1234
    assert "1,234 smallest folded" in flamegraph.summary(answer)


def test_what_is_shown_says_how_it_was_sampled():
    """Rate, coverage and the share of unstable samples always, what went wrong where it did; nothing where unknown."""
    assert flamegraph.sampling(quality()) == ["19 looks a second", "93% of the time seen in stacks", "0.12% unstable"]
    assert "19 looks a second · 93% of the time seen in stacks · 0.12% unstable" in flamegraph.summary(a_flamegraph())
    worse = flamegraph.sampling(quality(cut_share=0.05, lost=1200, errors=34))
    assert worse[3:] == ["5.00% cut at the root", "1,234 looks lost"]
    assert flamegraph.sampling(WindowQuality(samples=10)) == []


def test_hosts_table_keeps_unknown_numbers_missing():
    """A host without metrics shows no utilisation, rather than 0."""
    table = hosts.hosts_table(hosts_answer(a_host(cpu_utilization=None, memory_limit_bytes=None, cost_per_month=None)))
    assert math.isnan(table["cpu"][0])
    assert math.isnan(table["cost"][0])
    assert "GiB" not in table["memory_size"][0]


def test_metric_charts_put_cpu_and_memory_first():
    """The most telling metrics come first, the others by name."""
    series = [a_series("system.uptime", "s"), a_series("a.metric"), a_series("system.cpu.utilization")]
    assert ["system.cpu.utilization", "a.metric", "system.uptime"] == [
        chart.metric for chart in hosts.metric_charts(series)
    ]


def test_metric_charts_are_bounded_and_say_so():
    """A metric of a thousand series draws the largest few and counts the rest."""
    series = [a_series(core=f"{number:04d}") for number in range(1000)]
    (chart,) = hosts.metric_charts(series)
    assert hosts.LINES_MAX == len(chart.options["series"])
    assert 1000 - hosts.LINES_MAX == chart.hidden
    many = [a_series(f"metric.{number}") for number in range(200)]
    assert hosts.CHARTS_MAX == len(hosts.metric_charts(many))
    assert 200 - hosts.CHARTS_MAX == hosts.metrics_hidden(many)
    assert hosts.metrics_hidden(series) == 0


def test_units_and_containers_are_named_by_the_end_of_their_path():
    """What tells them apart in a legend; the container's id is in the name already."""
    attributes = {"process.linux.cgroup": "/system.slice/shop.service", "cpu.mode": "user"}
    container = {"process.linux.cgroup": "/system.slice/docker-12.scope", "container.id": "12"}

    assert [hosts.line_name(a_series(**one)) for one in (attributes, container)] == [
        "user · shop.service",
        "docker-12.scope",
    ]


@pytest.mark.parametrize(
    ("unit", "largest", "shown"),
    [("1", 0.5, (50.0, "%")), ("By", 3 * 2**30, (3.0, "GiB")), ("By/s", 2048, (2.0, "KiB/s")), ("s", 7, (7.0, "s"))],
)
def test_metric_charts_scale_values_with_their_unit(unit, largest, shown):
    """Fractions become percent, bytes become the unit that fits; the axis says which."""
    series = a_series(unit=unit)
    series.points[-1].value = largest
    for point in series.points[:-1]:
        point.value = 0.0
    (chart,) = hosts.metric_charts([series])
    assert shown == (chart.options["series"][0]["data"][-1][1], chart.options["yAxis"]["name"])


def test_chart_options_are_plain_json():
    """Options of any name and unit can be sent to the browser."""
    series = [a_series(name, name, key=name) for name in HOSTILE_NAMES]
    charts = hosts.metric_charts(series)
    json.dumps([chart.options for chart in charts])
    assert len(charts) == len({chart.metric for chart in charts})


def test_function_changes_name_their_verdict():
    """The verdict is a word with a sign, so that colour is not needed."""
    rows = [a_function_change(self_cpu=a_change(verdict=verdict)) for verdict in regressions.VERDICT_NAMES]
    table = regressions.functions_table(compare_answer(functions=rows))
    assert [[name] for name in regressions.VERDICT_NAMES.values()] == list(table["verdict"])


def test_cards_count_and_judge():
    """One regression among improvements makes the card a regression."""
    rows = [a_function_change(), a_function_change(self_cpu=a_change(10, 8, verdict="improvement"))]
    card = regressions.cards(compare_answer(functions=rows))[2]
    assert ("1 slower, 1 faster", "regression") == (card.value, card.verdict)


def test_cards_of_an_empty_comparison_say_too_little_data():
    """Nothing to compare is not 'no change'."""
    cards = regressions.cards(
        compare_answer(functions=[], operations=[], cpu=a_change(0.0, 0.0, verdict="not_enough_data"))
    )
    assert {"not_enough_data"} == {card.verdict for card in cards}


def test_notes_are_bounded():
    """Endless remarks are cut and counted."""
    shown = regressions.notes(compare_answer(notes=[f"note {number}" for number in range(100)]))
    assert "… and 80 more" == shown.splitlines()[-1]


def test_method_says_how_releases_were_compared():
    """The reader learns the denominator, the windows and the traffic that prices assume."""
    words = regressions.method(compare_answer(paired=False, matching="apart", denominator="second"))
    assert "one after the other" in words
    assert "second of process time" in words
    assert "95%" in words


def test_functions_table_says_how_certain_a_finding_is():
    """Settled however often one looks, provisional, or no finding; and what the data would have shown."""
    changes = (
        a_change(is_settled=True, mde=0.5),
        a_change(is_settled=False),
        a_change(verdict="no_change"),
    )
    table = regressions.functions_table(compare_answer(functions=[a_function_change(self_cpu=c) for c in changes]))
    assert ["settled", "provisional", ""] == list(table["certainty"])
    assert 0.5 == table["mde"][0]


def test_operations_table_shows_tail_before_and_after():
    """The 99th percentile is given with its unit on both sides."""
    table = regressions.operations_table(compare_answer(operations=[an_operation_change()]))
    assert "100 ms → 180 ms" == table["p99_values"][0]


def test_price_per_nanosecond_is_what_the_rows_say():
    """The price of a box follows from the priced functions; without any there is none."""
    answer = functions_answer(a_function(self_cpu_seconds=3.0, self_cost_per_month=6.0))
    assert 2e-9 == pytest.approx(flamegraph.price_per_nanosecond(answer))
    assert flamegraph.price_per_nanosecond(functions_answer()) is None


def test_change_between_nothing_and_nothing_is_a_dash():
    """A function that ran in neither release has no change to report, and no price."""
    row = a_function_change(self_cpu=a_change(0.0, 0.0, width=0.0), price_per_month=0.0, price_low=0.0, price_high=0.0)
    table = regressions.functions_table(compare_answer(functions=[row]))
    assert NO_VALUE == table["change"][0] == table["price_interval"][0]
    assert math.isnan(table["price"][0])


def test_narrow_interval_keeps_a_digit():
    """An interval that would round to one number is given more exactly."""
    assert "+23% (+22.9 to +23.1)" == change_in_words(a_change(10.0, 12.3, width=0.01))
