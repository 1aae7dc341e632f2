"""Profiles become rows whose sums add up, and content is written once a day."""

import time
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from collector.profile_rows import KnownContent, content_id, function_sums, profiles_to_rows
from pyrometer import semconv
from pyrometer.values import NOT_SAMPLED, Frame, Profile, Sample

DAY_S = 86_400
NOW_S = 20_000.5 * DAY_S
FRAMES = st.builds(
    Frame, function=st.sampled_from("abc"), file=st.sampled_from(["x.py", "y.py"]), line=st.integers(0, 3)
)
SAMPLES = st.builds(
    Sample,
    stack=st.lists(FRAMES, min_size=1, max_size=5).map(tuple),
    count=st.integers(0, 5),
    value=st.integers(0, 1000),
    thread_id=st.integers(0, 3),
)


def a_profile(*samples, **fields):
    fixed = {
        "start_unix_ns": 1_700_000_004_000_000_000,
        "duration_ns": 10_000_000_000,
        "attributes": {"service.name": "shop", "service.version": "1", "host.name": "h", "process.pid": 42},
    }
    return Profile(samples=samples, **fixed | fields)


def rows_of(rows, table):
    columns = rows.tables[table]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def rows_for(*profiles, known=None):
    return profiles_to_rows(profiles, known or KnownContent(), now_s=NOW_S)


@given(st.lists(SAMPLES, max_size=10))
def test_the_bill_adds_up(samples):
    """Samples, functions' own time and the service have the same sum of nanoseconds; so have their counts."""
    rows = rows_for(a_profile(*samples))
    [service] = rows_of(rows, "service_cost")
    total = sum(sample.value for sample in samples)
    assert (
        service["cpu_ns"]
        == sum(rows.tables["samples"]["value"])
        == sum(rows.tables["function_cost"]["self_ns"])
        == total
    )
    assert service["samples"] == sum(sample.count for sample in samples)


@given(st.lists(SAMPLES, max_size=10))
def test_a_stack_counts_once_however_deep_the_recursion(samples):
    """The total of a function is the sum of the stacks that hold it."""
    for name, (_, total_ns, count) in function_sums(samples).items():
        holding = [s for s in samples if name in {(frame.function, frame.file) for frame in s.stack}]
        assert total_ns == sum(sample.value for sample in holding)
        assert count == sum(sample.count for sample in holding)


@given(st.lists(SAMPLES, max_size=10))
def test_every_id_that_is_used_is_written(samples):
    """Each sample's stack and series, and each stack's frames, are among the content rows, once."""
    rows = rows_for(a_profile(*samples))
    stacks, frames = rows.tables["stacks"], rows.tables["frames"]
    assert set(rows.tables["samples"]["stack_id"]) == set(stacks["stack_id"])
    assert {frame for ids in stacks["frame_ids"] for frame in ids} == set(frames["frame_id"])
    for table, column in (("stacks", "stack_id"), ("frames", "frame_id"), ("series", "series_id")):
        assert max(Counter(rows.tables[table][column]).values(), default=1) == 1


def test_marker_stacks_are_time_like_any_other():
    """``[not sampled]`` has no count, and its time is in every table."""
    rows = rows_for(a_profile(Sample(stack=(NOT_SAMPLED,), count=0, value=700)))
    [cost] = rows_of(rows, "function_cost")
    assert (cost["function"], cost["self_ns"], cost["total_ns"], cost["samples"]) == ("[not sampled]", 700, 700, 0)
    assert rows_of(rows, "service_cost")[0]["cpu_ns"] == 700
    assert rows_of(rows, "frames")[0]["frame_type"] == "marker"


def test_the_bucket_is_that_of_the_windows_middle():
    """A window from 4 s to 14 s after a full ten belongs to the ten in which most of it lies."""
    rows = rows_for(a_profile(Sample(stack=(Frame("f"),), count=1, value=1)))
    assert rows_of(rows, "service_cost")[0]["bucket"] == 1_700_000_000
    later = rows_for(a_profile(start_unix_ns=1_700_000_006_000_000_000))
    assert rows_of(later, "service_cost")[0]["bucket"] == 1_700_000_010


def test_an_idle_window_is_observed_time():
    """A process without samples was watched all the same."""
    [service] = rows_of(rows_for(a_profile()), "service_cost")
    assert (service["observed_ns"], service["windows"], service["cpu_ns"]) == (10_000_000_000, 1, 0)


def test_how_a_window_was_sampled_is_kept():
    """Beside what was seen of its values; zeros where the sender says nothing."""
    said = {
        semconv.WINDOW_LOOKS: 190,
        semconv.WINDOW_SAMPLED_NS: 9_900_000_000,
        semconv.WINDOW_LATE: 3,
        semconv.WINDOW_LOST: 2,
        semconv.WINDOW_ERRORS: 1,
        semconv.WINDOW_UNSTABLE: 4,
        semconv.WINDOW_CUT: 5,
    }
    samples = [Sample(stack=(Frame("f"),), count=7, value=30), Sample(stack=(NOT_SAMPLED,), count=0, value=10)]
    [told] = rows_of(rows_for(a_profile(*samples, quality=said)), "window_quality")
    [silent] = rows_of(rows_for(a_profile(*samples, sample_type="wall")), "window_quality")
    names = ("total_value", "seen_value", "samples", "sampled_ns", "looks", "late", "lost", "errors", "unstable", "cut")
    assert [told[name] for name in names] == [40, 30, 7, 9_900_000_000, 190, 3, 2, 1, 4, 5]
    assert [silent[name] for name in names] == [40, 30, 7, 0, 0, 0, 0, 0, 0, 0]
    assert (told["sample_type"], silent["sample_type"]) == ("cpu", "wall")


def test_other_types_than_cpu_have_no_cost():
    """Wall time is stored as samples and priced nowhere."""
    rows = rows_for(a_profile(Sample(stack=(Frame("f"),), count=1, value=1), sample_type="wall"))
    assert rows_of(rows, "samples")[0]["sample_type"] == "wall"
    assert rows_of(rows, "function_cost") == rows_of(rows, "service_cost") == []


def test_identity_comes_from_the_resource():
    """Service, version, host and pid; what is missing has its stated stand-in."""
    [series] = rows_of(rows_for(a_profile()), "series")
    assert (series["service"], series["version"], series["host"], series["pid"]) == ("shop", "1", "h", 42)
    assert series["attributes"]["process.pid"] == "42"
    [nameless] = rows_of(rows_for(a_profile(attributes={"process.pid": "x²"})), "series")
    assert (nameless["service"], nameless["version"], nameless["host"], nameless["pid"]) == (
        "unknown_service",
        "",
        "",
        0,
    )


def test_known_content_is_not_written_again_until_the_next_day():
    """Only after it was remembered, and only for the day."""
    known = KnownContent()
    profile = a_profile(Sample(stack=(Frame("f"),), count=1, value=1))
    first = rows_for(profile, known=known)
    again = rows_for(profile, known=known)
    assert rows_of(first, "stacks") == rows_of(again, "stacks") != []
    known.add(first.content)
    third = rows_for(profile, known=known)
    assert rows_of(third, "stacks") == rows_of(third, "frames") == rows_of(third, "series") == []
    assert rows_of(third, "samples") == rows_of(first, "samples")
    tomorrow = profiles_to_rows([profile], known, now_s=NOW_S + DAY_S)
    assert len(rows_of(tomorrow, "stacks")) == len(rows_of(tomorrow, "frames")) == len(rows_of(tomorrow, "series")) == 1


def test_known_content_is_bounded_and_keeps_what_is_used():
    """Over the limit the least recently used is forgotten."""
    known = KnownContent(size_max=2)
    known.add([("stack", 1, 0), ("stack", 2, 0)])
    assert ("stack", 1, 0) in known
    known.add([("stack", 3, 0)])
    assert ("stack", 2, 0) not in known
    assert ("stack", 1, 0) in known
    assert ("stack", 3, 0) in known


def test_ids_are_stable_and_tell_parts_apart():
    """An id of today is that of next year, and moving a character to the next part gives another."""
    assert content_id("frame", "f", "a.py", "1", "cpython") == 12869181663242195059
    assert content_id("frame", "ab", "c") != content_id("frame", "a", "bc")
    assert content_id("frame", "a") != content_id("series", "a")
    assert 0 <= content_id("frame", "\udcff") < 2**64


def test_ten_thousand_samples_take_less_than_a_second():
    """Decoding keeps up with many agents."""
    stacks = [tuple(Frame(f"f{(i * 7 + d) % 500}", "x.py", d) for d in range(30)) for i in range(2000)]
    samples = [Sample(stack=stacks[i % 2000], count=1, value=i) for i in range(10_000)]
    started = time.process_time()
    rows_for(a_profile(*samples))
    assert time.process_time() - started < 1
