"""An OTLP ``ExportProfilesServiceRequest``, which may be hostile, to profiles."""

from collections.abc import Iterator, Sequence

from google.protobuf.message import DecodeError as ProtobufDecodeError
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest
from opentelemetry.proto.profiles.v1development.profiles_pb2 import (
    Profile as OtlpProfile,
)
from opentelemetry.proto.profiles.v1development.profiles_pb2 import (
    ResourceProfiles,
    ValueType,
)
from opentelemetry.proto.profiles.v1development.profiles_pb2 import (
    Sample as OtlpSample,
)

from pyrometer import semconv
from pyrometer.errors import DecodeError
from pyrometer.formats.limits import COUNT_MAX, DEFAULT_LIMITS, NANOSECONDS_PER_UNIT, DecodeLimits, bounded
from pyrometer.formats.otlp_dictionary import CheckedDictionary
from pyrometer.formats.otlp_layout import OLDER_LAYOUT, refuse_older_layout
from pyrometer.values import Profile, Sample

_PROFILE_ATTRIBUTES_MAX = 64
_COUNT_TYPE = ("samples", "count")
# What tells one sample of a window from another, alike in all profiles of that window.
_Identity = tuple[int, tuple[int, ...]]


def otlp_to_profiles(body: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> list[Profile]:
    """
    Return the profiles of an export request.

    A ``samples``/``count`` profile gives the counts of the other profiles of the same scope and window. Alone, it
    becomes a profile of its period's type, such as ``cpu``, with count times period as value. A profile that no counts
    belong to counts its timestamps, or else its values.

    Raises:
        DecodeError: And nothing else, whatever the bytes are.
    """
    if len(body) > limits.bytes_max:
        raise DecodeError(f"the body has {len(body)} bytes, more than {limits.bytes_max}")
    try:
        request = ExportProfilesServiceRequest.FromString(body)
    except ProtobufDecodeError:
        raise DecodeError("not an OTLP profiles request: the protobuf cannot be parsed") from None
    _check_size(request, limits)
    tables = CheckedDictionary(request.dictionary, limits)
    return [
        profile for resource in request.resource_profiles for profile in _resource_profiles(resource, tables, limits)
    ]


def _check_size(request: ExportProfilesServiceRequest, limits: DecodeLimits) -> None:
    profiles = [
        profile
        for resource in request.resource_profiles
        for scope in resource.scope_profiles
        for profile in scope.profiles
    ]
    if len(profiles) > limits.profiles_max:
        raise DecodeError(f"{len(profiles)} profiles in one request, more than {limits.profiles_max}")
    samples = sum(len(profile.samples) for profile in profiles)
    if samples > limits.samples_max:
        raise DecodeError(f"{samples} samples in one request, more than {limits.samples_max}")


def _resource_profiles(
    resource: ResourceProfiles, tables: CheckedDictionary, limits: DecodeLimits
) -> Iterator[Profile]:
    attributes = _resource_attributes(resource, tables, limits)
    for scope in resource.scope_profiles:
        for counts, values in _pair_up(scope.profiles, tables):
            yield _build_profile(counts, values, attributes, tables)


def _resource_attributes(
    resource: ResourceProfiles, tables: CheckedDictionary, limits: DecodeLimits
) -> dict[str, str | int]:
    received = resource.resource.attributes
    if len(received) > limits.attributes_max:
        raise DecodeError(f"{len(received)} attributes on one resource, more than {limits.attributes_max}")
    attributes: dict[str, str | int] = {}
    for attribute in received:
        key = attribute.key or tables.string(attribute.key_strindex)
        attributes[key[: limits.name_length_max]] = tables.plain_value(attribute.value)
    return attributes


def _pair_up(
    profiles: Sequence[OtlpProfile], tables: CheckedDictionary
) -> list[tuple[OtlpProfile | None, OtlpProfile | None]]:
    """Return (counts, values) pairs: the n-th of a type goes with the n-th ``samples`` profile of the same window."""
    counts: dict[tuple[int, int, int], OtlpProfile] = {}
    others: list[tuple[tuple[int, int, int], OtlpProfile]] = []
    seen: dict[tuple[int, int, tuple[str, str]], int] = {}
    for profile in profiles:
        window = (profile.time_unix_nano, profile.duration_nano)
        kind = _value_type(profile.sample_type, tables)
        number = seen.get((*window, kind), 0)
        seen[*window, kind] = number + 1
        if kind == _COUNT_TYPE:
            counts[*window, number] = profile
        else:
            others.append(((*window, number), profile))
    pairs: list[tuple[OtlpProfile | None, OtlpProfile | None]] = [(counts.get(key), profile) for key, profile in others]
    paired = {key for key, _ in others}
    return pairs + [(profile, None) for key, profile in counts.items() if key not in paired]


def _build_profile(
    counts: OtlpProfile | None,
    values: OtlpProfile | None,
    attributes: dict[str, str | int],
    tables: CheckedDictionary,
) -> Profile:
    leader = values if values is not None else counts
    assert leader is not None  # noqa: S101  # _pair_up never leaves both out
    sample_type, unit, factor = _target_type(leader, tables)
    return Profile(
        samples=tuple(_samples(leader, counts, factor, tables)),
        sample_type=sample_type,
        unit=unit,
        start_unix_ns=bounded(leader.time_unix_nano, "time_unix_nano"),
        duration_ns=bounded(leader.duration_nano, "duration_nano"),
        period_ns=_period_ns(leader, tables),
        attributes=attributes,
        quality=_quality(leader, tables),
    )


def _quality(profile: OtlpProfile, tables: CheckedDictionary) -> dict[str, int]:
    """Return how a window was sampled, as far as its sender says so in names that we know."""
    found = dict(tables.attribute(index) for index in profile.attribute_indices[:_PROFILE_ATTRIBUTES_MAX])
    return {
        key: bounded(value, key)
        for key, value in found.items()
        if key in semconv.WINDOW_ATTRIBUTES and isinstance(value, int)
    }


def _target_type(profile: OtlpProfile, tables: CheckedDictionary) -> tuple[str, str, int]:
    """Return the type and unit that the profile becomes, and the factor that its values are multiplied with."""
    name, unit = _value_type(profile.sample_type, tables)
    period_ns = _period_ns(profile, tables)
    if (name, unit) == _COUNT_TYPE and period_ns:
        return _value_type(profile.period_type, tables)[0] or "cpu", "nanoseconds", period_ns
    if unit in NANOSECONDS_PER_UNIT:
        return name, "nanoseconds", NANOSECONDS_PER_UNIT[unit]
    return name, unit, 1


def _period_ns(profile: OtlpProfile, tables: CheckedDictionary) -> int:
    _, unit = _value_type(profile.period_type, tables)
    factor = NANOSECONDS_PER_UNIT.get(unit, 0)
    return bounded(profile.period * factor, "period")


def _samples(
    leader: OtlpProfile, counts: OtlpProfile | None, factor: int, tables: CheckedDictionary
) -> Iterator[Sample]:
    refuse_older_layout(leader.samples)
    if counts is None or counts is leader:
        for sample in leader.samples:
            value = _sample_value(sample)
            count = value if counts is leader else len(sample.timestamps_unix_nano) or len(sample.values)
            yield _build_sample(sample, count, value * factor, tables)
        return
    refuse_older_layout(counts.samples)
    if _are_aligned(leader, counts):
        for sample, counted_sample in zip(leader.samples, counts.samples, strict=True):
            yield _build_sample(sample, _sample_value(counted_sample), _sample_value(sample) * factor, tables)
        return
    counted = _counts_by_identity(counts)
    for sample in leader.samples:
        # Each count is given once, should the sender have split a stack over several samples.
        count, _ = counted.pop(_identity(sample), (0, sample))
        yield _build_sample(sample, count, _sample_value(sample) * factor, tables)
    for count, sample in counted.values():
        yield _build_sample(sample, count, 0, tables)


def _are_aligned(leader: OtlpProfile, counts: OtlpProfile) -> bool:
    """Return whether both profiles have the same samples in the same order, as Pyrometer itself sends them."""
    return len(leader.samples) == len(counts.samples) and all(
        sample.stack_index == other.stack_index and sample.attribute_indices == other.attribute_indices
        for sample, other in zip(leader.samples, counts.samples, strict=True)
    )


def _build_sample(sample: OtlpSample, count: int, value: int, tables: CheckedDictionary) -> Sample:
    thread_id, thread_name = _thread(sample, tables)
    return Sample(
        stack=tables.stack(sample.stack_index),
        count=bounded(count, "a sample's count", COUNT_MAX),
        value=bounded(value, "a sample's value"),
        thread_id=thread_id,
        thread_name=thread_name,
    )


def _counts_by_identity(profile: OtlpProfile) -> dict[_Identity, tuple[int, OtlpSample]]:
    counts: dict[_Identity, tuple[int, OtlpSample]] = {}
    for sample in profile.samples:
        identity = _identity(sample)
        before, _ = counts.get(identity, (0, sample))
        counts[identity] = (before + _sample_value(sample), sample)
    return counts


def _identity(sample: OtlpSample) -> _Identity:
    return sample.stack_index, tuple(sample.attribute_indices)


def _sample_value(sample: OtlpSample) -> int:
    """Return the sum of a sample's values; a timestamp without a value stands for 1."""
    values = sample.values
    if not values:
        if not sample.timestamps_unix_nano:
            raise DecodeError(OLDER_LAYOUT if sample.attribute_indices else "a sample has neither values nor times")
        return len(sample.timestamps_unix_nano)
    if min(values) < 0:
        raise DecodeError(f"a sample's value of {min(values)} is negative")
    return sum(values)


def _thread(sample: OtlpSample, tables: CheckedDictionary) -> tuple[int, str]:
    thread_id, thread_name = 0, ""
    if not 0 <= sample.link_index < max(tables.link_count, 1):
        raise DecodeError(f"index {sample.link_index} is outside link_table, which has {tables.link_count} entries")
    if len(set(sample.attribute_indices)) < len(sample.attribute_indices):
        raise DecodeError(f"a sample names one attribute twice; or, {OLDER_LAYOUT}")
    for index in sample.attribute_indices:
        if not 0 <= index < tables.attribute_count:
            raise DecodeError(f"a sample's attribute {index} is not in attribute_table; or, {OLDER_LAYOUT}")
        key, value = tables.attribute(index)
        if key == "thread.id" and isinstance(value, int):
            thread_id = bounded(value, "thread.id")
        elif key == "thread.name":
            thread_name = str(value)
    return thread_id, thread_name


def _value_type(value_type: ValueType, tables: CheckedDictionary) -> tuple[str, str]:
    return tables.string(value_type.type_strindex), tables.string(value_type.unit_strindex)
