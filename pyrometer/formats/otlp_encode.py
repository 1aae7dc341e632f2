"""Profiles to an OTLP ``ExportProfilesServiceRequest``."""

from collections.abc import Mapping, Sequence

from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.profiles.v1development.profiles_pb2 import (
    Profile as OtlpProfile,
)
from opentelemetry.proto.profiles.v1development.profiles_pb2 import (
    ProfilesDictionary,
    ResourceProfiles,
)

from pyrometer import __version__
from pyrometer.formats.limits import cut_stack, valid_text
from pyrometer.values import Frame, Profile, Sample, Stack

SCOPE_NAME = "pyrometer"


def profiles_to_otlp(profiles: Sequence[Profile]) -> bytes:
    """
    Return one export request that holds all *profiles*, which share its dictionary.

    Text that is not valid Unicode is mended, and stacks deeper than STACK_DEPTH_MAX are cut at the root.
    """
    request = ExportProfilesServiceRequest()
    tables = _Tables(request.dictionary)
    for profile in profiles:
        _fill_resource(request.resource_profiles.add(), profile, tables)
    body: bytes = request.SerializeToString()
    return body


def _fill_resource(resource_profiles: ResourceProfiles, profile: Profile, tables: "_Tables") -> None:
    for key, value in profile.attributes.items():
        attribute = resource_profiles.resource.attributes.add(key=valid_text(key))
        attribute.value.CopyFrom(_any_value(value))
    scope = resource_profiles.scope_profiles.add()
    scope.scope.name = SCOPE_NAME
    scope.scope.version = __version__
    identities = [(tables.stack(sample.stack), tables.thread(sample)) for sample in profile.samples]
    counts = _add_profile(scope.profiles.add(), profile, tables, "samples", "count")
    values = _add_profile(scope.profiles.add(), profile, tables, profile.sample_type, profile.unit)
    values.attribute_indices.extend(tables.attribute(key, number) for key, number in profile.quality.items())
    for (stack_index, thread), sample in zip(identities, profile.samples, strict=True):
        counts.samples.add(stack_index=stack_index, attribute_indices=thread, values=(sample.count,))
        values.samples.add(stack_index=stack_index, attribute_indices=thread, values=(sample.value,))


def _add_profile(target: OtlpProfile, profile: Profile, tables: "_Tables", sample_type: str, unit: str) -> OtlpProfile:
    target.sample_type.type_strindex = tables.string(sample_type)
    target.sample_type.unit_strindex = tables.string(unit)
    target.time_unix_nano = profile.start_unix_ns
    target.duration_nano = profile.duration_ns
    if profile.period_ns:
        target.period_type.type_strindex = tables.string(profile.sample_type)
        target.period_type.unit_strindex = tables.string("nanoseconds")
        target.period = profile.period_ns
    return target


def _any_value(value: str | int) -> AnyValue:
    return AnyValue(string_value=valid_text(value)) if isinstance(value, str) else AnyValue(int_value=value)


class _Tables:
    """Fills a dictionary, each entry once. Index 0 of every table is its zero value, as the format demands."""

    def __init__(self, dictionary: ProfilesDictionary) -> None:
        self._dictionary = dictionary
        for table in (
            dictionary.mapping_table,
            dictionary.location_table,
            dictionary.function_table,
            dictionary.link_table,
            dictionary.attribute_table,
            dictionary.stack_table,
        ):
            table.add()
        dictionary.string_table.append("")
        self._strings: dict[str, int] = {"": 0}
        self._functions: dict[tuple[int, int], int] = {}
        self._locations: dict[tuple[int, int, int], int] = {}
        self._stacks: dict[tuple[int, ...], int] = {}
        self._attributes: dict[tuple[str, str | int], int] = {}
        # Engines share Frame objects between stacks, and hashing one costs ten times a look at its address.
        # The frames are kept, so that an address is not reused while this object lives.
        self._location_of_frame: dict[int, int] = {}
        self._kept: list[Frame] = []

    def string(self, text: str) -> int:
        """Return the index of a string."""
        index = self._strings.get(text)
        if index is None:
            index = self._strings[text] = len(self._dictionary.string_table)
            self._dictionary.string_table.append(valid_text(text))
        return index

    def stack(self, stack: Stack) -> int:
        """Return the index of a stack that is given root first."""
        key = tuple([self._location(frame) for frame in reversed(cut_stack(stack))])
        index = self._stacks.get(key)
        if index is None:
            index = self._stacks[key] = len(self._dictionary.stack_table)
            self._dictionary.stack_table.add(location_indices=key)
        return index

    def thread(self, sample: Sample) -> list[int]:
        """Return the indices of the attributes that name a sample's thread, where it is known."""
        known: Mapping[str, str | int] = {"thread.id": sample.thread_id, "thread.name": sample.thread_name}
        return [self.attribute(key, value) for key, value in known.items() if value]

    def attribute(self, key: str, value: str | int) -> int:
        """Return the index of an attribute."""
        index = self._attributes.get((key, value))
        if index is None:
            index = self._attributes[key, value] = len(self._dictionary.attribute_table)
            self._dictionary.attribute_table.add(key_strindex=self.string(key), value=_any_value(value))
        return index

    def _location(self, frame: Frame) -> int:
        index = self._location_of_frame.get(id(frame))
        if index is None:
            index = self._location_of_frame[id(frame)] = self._add_location(frame)
            self._kept.append(frame)
        return index

    def _add_location(self, frame: Frame) -> int:
        frame_type = self.attribute("profile.frame.type", frame.frame_type.value)
        key = (self._function(frame), frame.line, frame_type)
        index = self._locations.get(key)
        if index is None:
            index = self._locations[key] = len(self._dictionary.location_table)
            location = self._dictionary.location_table.add(attribute_indices=(frame_type,))
            location.lines.add(function_index=key[0], line=frame.line)
        return index

    def _function(self, frame: Frame) -> int:
        key = (self.string(frame.function), self.string(frame.file))
        index = self._functions.get(key)
        if index is None:
            index = self._functions[key] = len(self._dictionary.function_table)
            self._dictionary.function_table.add(name_strindex=key[0], filename_strindex=key[1])
        return index
