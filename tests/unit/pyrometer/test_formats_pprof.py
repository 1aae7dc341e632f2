"""pprof: what is written is read back, by us and by the format's rules, and what is wrong is refused."""

import gzip

import pytest

from pyrometer.errors import DecodeError
from pyrometer.formats import pprof_pb2
from pyrometer.formats.limits import DecodeLimits
from pyrometer.formats.pprof import pprof_to_profile, profile_to_pprof
from pyrometer.values import STACK_DEPTH_MAX, TRUNCATED, Frame, Sample
from tests.builders import a_profile, a_rich_profile, a_stack


def a_message() -> pprof_pb2.Profile:
    return pprof_pb2.Profile.FromString(gzip.decompress(profile_to_pprof(a_profile())))


def decode(message, **limits):
    return pprof_to_profile(message.SerializeToString(), DecodeLimits(**limits))


def test_profiles_come_back_without_their_attributes():
    """Samples, times, threads and the period survive; resource attributes are only comments."""
    for profile in (a_profile(), a_rich_profile(), a_profile({})):
        back = pprof_to_profile(profile_to_pprof(profile))
        assert back == a_profile(samples=profile.samples, attributes={})


def test_the_file_follows_the_format():
    """Leaf first, an empty first string, samples/count before the value, ids from 1, comments for identity."""
    message = a_message()
    strings = message.string_table
    assert strings[0] == ""
    assert [(strings[t.type], strings[t.unit]) for t in message.sample_type] == [
        ("samples", "count"),
        ("cpu", "nanoseconds"),
    ]
    assert (strings[message.default_sample_type], message.period) == ("cpu", 10_000_000)
    assert (message.time_nanos, message.duration_nanos) == (1_795_000_000_000_000_000, 10_000_000_000)
    functions = {function.id: strings[function.name] for function in message.function}
    locations = {location.id: functions[location.line[0].function_id] for location in message.location}
    assert [locations[identity] for identity in message.sample[0].location_id] == ["read", "work", "main"]
    assert 0 not in functions | locations
    assert {strings[comment] for comment in message.comment} == {"service.name=shop", "process.pid=4711"}


def test_the_same_profile_gives_the_same_bytes():
    """Files can be compared; the gzip header holds no time."""
    assert profile_to_pprof(a_rich_profile()) == profile_to_pprof(a_rich_profile())


def test_the_default_sample_type_is_the_value():
    """A profile of several values says which one it is about."""
    message = a_message()
    message.string_table.append("alloc")
    message.sample_type.add(type=len(message.string_table) - 1, unit=message.sample_type[0].unit)
    for sample in message.sample:
        sample.value.append(99)
    assert decode(message).sample_type == "cpu"
    message.default_sample_type = len(message.string_table) - 1
    profile = decode(message)
    assert (profile.sample_type, profile.unit, profile.samples[0].value) == ("alloc", "count", 99)


def test_counts_alone_become_cpu_time_by_their_period():
    """Count times period, as in OTLP."""
    message = a_message()
    del message.sample_type[1]
    for sample in message.sample:
        del sample.value[1]
    assert [(s.count, s.value) for s in decode(message).samples] == [(3, 30_000_000), (5, 50_000_000), (1, 10_000_000)]


def test_a_profile_without_counts_counts_each_sample_once():
    """Heap profiles and some CPU profilers give one value only."""
    message = a_message()
    message.ClearField("period_type")
    del message.sample_type[0]
    for sample in message.sample:
        del sample.value[0]
    assert [s.count for s in decode(message).samples] == [1, 1, 1]


def test_a_profile_without_counts_counts_the_periods_in_its_values():
    """Pyroscope's SDK sends nanoseconds alone; a period that has begun counts."""
    message = a_message()
    del message.sample_type[0]
    for sample, periods in zip(message.sample, (1, 2.5, 0), strict=True):
        sample.value[:] = [round(periods * message.period)]
    assert [s.count for s in decode(message).samples] == [1, 3, 0]


def test_inlined_lines_are_frames_innermost_first():
    """A location may stand for several functions."""
    message = pprof_pb2.Profile.FromString(gzip.decompress(profile_to_pprof(a_profile({"main;inlined": 1}))))
    message.location[0].line.extend(message.location[1].line)
    del message.sample[0].location_id[1]
    assert decode(message).samples[0].stack == a_stack("main;inlined")


def test_deep_stacks_are_cut_at_the_root():
    """As everywhere."""
    deep = tuple(Frame(f"f{level}", "deep.py", 1) for level in range(STACK_DEPTH_MAX + 9))
    back = pprof_to_profile(profile_to_pprof(a_profile(samples=(Sample(stack=deep, count=1, value=1),))))
    assert back.samples[0].stack == (TRUNCATED, *deep[-(STACK_DEPTH_MAX - 1) :])


def test_a_gzip_bomb_is_refused_without_unpacking_it():
    """A small body that unpacks to more than the limit is refused."""
    bomb = gzip.compress(b"\0" * 10_000_000)
    with pytest.raises(DecodeError, match="more than 1000000 bytes"):
        pprof_to_profile(bomb, DecodeLimits(bytes_max=1_000_000))


@pytest.mark.parametrize(
    "body",
    [b"", b"\x1f\x8b", b"\x1f\x8bnot gzip", profile_to_pprof(a_profile())[:-20], gzip.compress(b"\xff\xff", mtime=0)],
)
def test_bytes_that_are_no_profile_are_refused(body):
    """Empty, cut and damaged files are refused."""
    with pytest.raises(DecodeError):
        pprof_to_profile(body)


def unknown_location(message):
    message.sample[0].location_id[0] = 999


def unknown_function(message):
    message.location[0].line[0].function_id = 999


def string_out_of_range(message):
    message.function[0].name = -1


def negative_value(message):
    message.sample[0].value[1] = -1


def negative_line(message):
    message.location[0].line[0].line = -4


def too_few_values(message):
    del message.sample[0].value[1]


def negative_thread(message):
    message.sample[0].label[0].num = -1


@pytest.mark.parametrize(
    "spoil",
    [
        unknown_location,
        unknown_function,
        string_out_of_range,
        negative_value,
        negative_line,
        too_few_values,
        negative_thread,
    ],
)
def test_what_cannot_be_true_is_refused(spoil):
    """Every id, index and sign is checked."""
    message = a_message()
    spoil(message)
    with pytest.raises(DecodeError):
        decode(message)


@pytest.mark.parametrize(
    ("limit", "value"), [("bytes_max", 50), ("samples_max", 2), ("stacks_max", 2), ("frames_max", 4)]
)
def test_more_than_a_limit_is_refused(limit, value):
    """With the limit in the text."""
    with pytest.raises(DecodeError, match=str(value)):
        decode(a_message(), **{limit: value})
