"""OTLP profiles: what is sent comes back, what others send is read, and what is wrong is refused."""

import struct

import pytest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest

from pyrometer import semconv
from pyrometer.errors import DecodeError
from pyrometer.formats.limits import DecodeLimits
from pyrometer.formats.otlp import otlp_to_profiles, profiles_to_otlp
from pyrometer.values import STACK_DEPTH_MAX, TRUNCATED, Frame, FrameType, Sample
from tests.builders import a_profile, a_rich_profile, a_stack


def a_request() -> ExportProfilesServiceRequest:
    """Return what we send, to be spoiled."""
    return ExportProfilesServiceRequest.FromString(profiles_to_otlp([a_profile()]))


def profiles_in(request):
    return request.resource_profiles[0].scope_profiles[0].profiles


def decode(request, **limits):
    return otlp_to_profiles(request.SerializeToString(), DecodeLimits(**limits))


def test_profiles_come_back_as_they_were():
    """Everything a Profile holds survives the wire, several processes in one request included."""
    profiles = [a_profile(), a_rich_profile(), a_profile({}, attributes={"service.name": "empty"})]
    assert profiles == otlp_to_profiles(profiles_to_otlp(profiles))


def test_how_a_window_was_sampled_goes_along():
    """Looks, losses and unstable samples are attributes of the profile, not of its resource; unknown ones are left."""
    quality = {semconv.WINDOW_LOOKS: 190, semconv.WINDOW_UNSTABLE: 3, semconv.WINDOW_LOST: 0}
    body = profiles_to_otlp([a_profile(quality=quality | {"of.another.kind": 7})])
    [profile] = otlp_to_profiles(body)

    assert quality == profile.quality
    assert set(profile.attributes) == {"service.name", "process.pid"}


def test_a_window_is_two_profiles_of_the_same_samples():
    """On the wire each process has samples/count and cpu/nanoseconds with the same identities, leaf first."""
    request = a_request()
    strings = request.dictionary.string_table
    kinds = [(strings[p.sample_type.type_strindex], strings[p.sample_type.unit_strindex]) for p in profiles_in(request)]
    assert kinds == [("samples", "count"), ("cpu", "nanoseconds")]
    counts, values = profiles_in(request)
    assert [s.stack_index for s in counts.samples] == [s.stack_index for s in values.samples]
    deepest = request.dictionary.stack_table[values.samples[0].stack_index]
    leaf = request.dictionary.location_table[deepest.location_indices[0]]
    assert strings[request.dictionary.function_table[leaf.lines[0].function_index].name_strindex] == "read"


def test_index_zero_of_every_table_is_its_zero_value():
    """The format reserves it, and readers rely on it."""
    dictionary = a_request().dictionary
    for name, table in dictionary.ListFields():
        entry = table[0]
        assert entry == "" if name.name == "string_table" else not entry.ByteSize(), name.name


def test_wall_profiles_keep_their_type():
    """A profile of waiting time is not taken for CPU time."""
    profile = a_profile(sample_type="wall")
    assert [profile] == otlp_to_profiles(profiles_to_otlp([profile]))


def test_counts_alone_become_cpu_time_by_their_period():
    """A sampler that only counts, as eBPF profilers do, is read as count times period."""
    request = a_request()
    del profiles_in(request)[1]
    (profile,) = decode(request)
    assert (profile.sample_type, profile.unit) == ("cpu", "nanoseconds")
    assert [(s.count, s.value) for s in profile.samples] == [(3, 30_000_000), (5, 50_000_000), (1, 10_000_000)]


def test_counts_without_a_period_stay_counts():
    """Without a period nothing is made up."""
    request = a_request()
    del profiles_in(request)[1]
    profiles_in(request)[0].ClearField("period_type")
    (profile,) = decode(request)
    assert (profile.sample_type, profile.unit) == ("samples", "count")
    assert [s.value for s in profile.samples] == [3, 5, 1]


def test_values_alone_count_their_timestamps():
    """Each timestamp is one time the stack was seen."""
    request = a_request()
    del profiles_in(request)[0]
    profiles_in(request)[0].samples[0].timestamps_unix_nano.extend([1, 2, 3, 4])
    (profile,) = decode(request)
    assert [s.count for s in profile.samples] == [4, 1, 1]


def test_timestamps_without_values_are_one_each():
    """The timestamped shape of the format has no values."""
    request = a_request()
    del profiles_in(request)[1]
    sample = profiles_in(request)[0].samples[0]
    sample.ClearField("values")
    sample.timestamps_unix_nano.extend([5, 6])
    assert [s.count for s in decode(request)[0].samples] == [2, 5, 1]


def test_counts_in_another_order_find_their_samples():
    """Both profiles of a window are joined by stack and attributes, and a count without a value is kept."""
    request = a_request()
    counts, values = profiles_in(request)
    counts.samples.reverse()
    del values.samples[2]
    samples = {s.stack[-1].function: (s.count, s.value) for s in decode(request)[0].samples}
    assert samples == {"read": (3, 30_000_000), "work": (5, 50_000_000), "idle": (1, 0)}


def test_other_units_of_time_become_nanoseconds():
    """A sender may count milliseconds."""
    request = a_request()
    request.dictionary.string_table.append("milliseconds")
    profiles_in(request)[1].sample_type.unit_strindex = len(request.dictionary.string_table) - 1
    profiles_in(request)[1].samples[0].values[0] = 7
    profile = decode(request)[0]
    assert (profile.unit, profile.samples[0].value) == ("nanoseconds", 7_000_000)


def test_deep_stacks_are_cut_at_the_root():
    """The leaf is what costs: the root goes, and the first frame says so. Either end cuts alike."""
    deep = tuple(Frame(f"f{level}", "deep.py", level + 1) for level in range(STACK_DEPTH_MAX + 100))
    profile = a_profile(samples=(Sample(stack=deep, count=1, value=1),))
    (decoded,) = otlp_to_profiles(profiles_to_otlp([profile]))
    assert decoded.samples[0].stack == (TRUNCATED, *deep[-(STACK_DEPTH_MAX - 1) :])
    request = ExportProfilesServiceRequest.FromString(profiles_to_otlp([a_profile({"main": 1})]))
    request.dictionary.stack_table[1].location_indices.extend([1] * 100_000)
    stack = decode(request)[0].samples[0].stack
    assert len(stack) == STACK_DEPTH_MAX
    assert stack[0] == TRUNCATED


def test_inlined_functions_become_frames_of_their_own():
    """The first line of a location is the innermost function."""
    request = ExportProfilesServiceRequest.FromString(profiles_to_otlp([a_profile({"main;inlined": 1})]))
    dictionary = request.dictionary
    inner, outer = dictionary.location_table[1], dictionary.location_table[2]
    inner.lines.extend(outer.lines)
    del dictionary.stack_table[1].location_indices[1]
    assert decode(request)[0].samples[0].stack == a_stack("main;inlined")


def test_a_location_without_symbols_is_its_address():
    """Native frames without symbols stay apart, by address and mapping."""
    request = a_request()
    dictionary = request.dictionary
    dictionary.string_table.append("/lib/libz.so")
    dictionary.mapping_table.add(filename_strindex=len(dictionary.string_table) - 1)
    location = dictionary.location_table[1]
    location.ClearField("lines")
    location.ClearField("attribute_indices")
    location.address, location.mapping_index = 0xBEEF, 1
    assert decode(request)[0].samples[0].stack[-1] == Frame("0xbeef", "/lib/libz.so", 0, FrameType.NATIVE)


def test_a_sample_without_stack_is_kept():
    """Its time was spent, even when nobody knows where."""
    request = a_request()
    for profile in profiles_in(request):
        profile.samples[0].stack_index = 0
    assert decode(request)[0].samples[0].stack[0].function == "[unknown]"


def test_attributes_of_other_kinds_become_text():
    """Int and string stay; the store has no place for more."""
    request = a_request()
    attributes = request.resource_profiles[0].resource.attributes
    attributes.add(key="bool").value.bool_value = True
    attributes.add(key="double").value.double_value = 1.5
    attributes.add(key="bytes").value.bytes_value = b"\xff"
    attributes.add(key="list").value.array_value.values.add().int_value = 3
    attributes.add(key="empty")
    request.dictionary.string_table.append("interned")
    attributes.add(key="string").value.string_value_strindex = len(request.dictionary.string_table) - 1
    expected = {"bool": "true", "double": "1.5", "bytes": "ff", "list": "[3]", "empty": "", "string": "interned"}
    assert decode(request)[0].attributes == a_profile().attributes | expected


def test_names_that_are_not_unicode_are_mended():
    """A process may hold any bytes in a name; the wire takes only Unicode."""
    name = "a\udcffb"
    stack = (Frame(name, "x.py"),)
    profile = a_profile(samples=(Sample(stack=stack, count=1, value=1),), attributes={"service.name": name})
    (decoded,) = otlp_to_profiles(profiles_to_otlp([profile]))
    assert decoded.samples[0].stack[0].function == "a?b"
    assert decoded.attributes == {"service.name": "a?b"}


def test_long_names_are_cut():
    """A name of a megabyte is kept as far as the store keeps it."""
    profile = a_profile(samples=(Sample(stack=(Frame("x" * 20_000),), count=1, value=1),))
    (decoded,) = otlp_to_profiles(profiles_to_otlp([profile]))
    assert len(decoded.samples[0].stack[0].function) == DecodeLimits().name_length_max


def negative_value(request):
    profiles_in(request)[1].samples[0].values[0] = -1


def huge_count(request):
    profiles_in(request)[0].samples[0].values[0] = 2**40


def sum_over_the_column(request):
    profiles_in(request)[1].samples[0].values.extend([2**63 - 1])


def stack_out_of_range(request):
    profiles_in(request)[1].samples[0].stack_index = 999


def negative_stack(request):
    profiles_in(request)[1].samples[0].stack_index = -1


def link_out_of_range(request):
    profiles_in(request)[1].samples[0].link_index = 1


def location_out_of_range(request):
    request.dictionary.stack_table[1].location_indices[0] = 999


def function_out_of_range(request):
    request.dictionary.location_table[1].lines[0].function_index = -5


def string_out_of_range(request):
    request.dictionary.function_table[1].name_strindex = 999


def attribute_out_of_range(request):
    profiles_in(request)[1].samples[0].attribute_indices[0] = 999


def attribute_twice(request):
    profiles_in(request)[1].samples[0].attribute_indices.append(profiles_in(request)[1].samples[0].attribute_indices[0])


def mapping_out_of_range(request):
    request.dictionary.location_table[1].mapping_index = 5
    request.dictionary.location_table[1].ClearField("lines")


def negative_line(request):
    request.dictionary.location_table[1].lines[0].line = -1


def negative_period(request):
    profiles_in(request)[1].period = -1


def late_time(request):
    for profile in profiles_in(request):
        profile.time_unix_nano = 2**64 - 1


def first_string_not_empty(request):
    request.dictionary.string_table[0] = "x"


@pytest.mark.parametrize(
    "spoil",
    [
        negative_value,
        huge_count,
        sum_over_the_column,
        stack_out_of_range,
        negative_stack,
        link_out_of_range,
        location_out_of_range,
        function_out_of_range,
        string_out_of_range,
        attribute_out_of_range,
        attribute_twice,
        mapping_out_of_range,
        negative_line,
        negative_period,
        late_time,
        first_string_not_empty,
    ],
)
def test_what_cannot_be_true_is_refused(spoil):
    """Every index, sign and size is checked."""
    request = a_request()
    spoil(request)
    with pytest.raises(DecodeError):
        decode(request)


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("bytes_max", 100),
        ("profiles_max", 1),
        ("samples_max", 5),
        ("stacks_max", 2),
        ("frames_max", 4),
        ("attributes_max", 1),
    ],
)
def test_more_than_a_limit_is_refused(limit, value):
    """A body over a limit is refused as a whole, with the limit in the text."""
    with pytest.raises(DecodeError, match=str(value)):
        decode(a_request(), **{limit: value})


def test_text_multiplied_by_lists_is_refused():
    """A small body cannot name a long string a million times."""
    request = a_request()
    request.dictionary.string_table.append("x" * 1_000)
    values = request.resource_profiles[0].resource.attributes.add(key="bomb").value.array_value.values
    for _ in range(200):
        values.add().string_value_strindex = len(request.dictionary.string_table) - 1
    with pytest.raises(DecodeError, match="attribute values"):
        decode(request, bytes_max=100_000)


@pytest.mark.parametrize("body", [b"\xff", b"not protobuf at all", profiles_to_otlp([a_profile()])[:-7]])
def test_bytes_that_are_no_request_are_refused(body):
    """Random text and cut bodies are refused."""
    with pytest.raises(DecodeError):
        otlp_to_profiles(body)


def varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def message(field: int, body: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(body)) + body


def older_body(*, attributes: bool, link: bool, timestamps: bool) -> bytes:
    """Return a request in the layout of the proto v1.9: values 2, attribute_indices 3, link_index 4, timestamps 5."""
    sample = varint(1 << 3) + varint(1) + message(2, varint(10_000_000))
    if attributes:
        sample += message(3, varint(1))
    if link:
        sample += varint(4 << 3) + varint(1)
    if timestamps:
        sample += message(5, struct.pack("<Q", 1_795_000_000_000_000_000))
    dictionary = message(7, b"") + message(7, message(1, varint(0))) + message(5, b"") + message(6, b"") * 2
    return message(1, message(2, message(2, message(2, sample)))) + message(2, dictionary)


@pytest.mark.parametrize("timestamps", [False, True])
@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("attributes", [False, True])
def test_the_older_layout_is_refused_by_name(attributes, link, timestamps):
    """A body whose fields were renumbered since is never stored with its values lost: it says what to send instead."""
    body = older_body(attributes=attributes, link=link, timestamps=timestamps)
    with pytest.raises(DecodeError, match=r"v1\.9 or older.*OTLP profiles v1\.10 \(opentelemetry-proto 1\.45\)"):
        otlp_to_profiles(body)
