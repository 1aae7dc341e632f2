"""A profile to pprof."""

import gzip

from pyrometer.formats import pprof_pb2
from pyrometer.formats.limits import cut_stack, valid_text
from pyrometer.values import Frame, Profile, Sample

COUNT_TYPE = ("samples", "count")
THREAD_ID, THREAD_NAME = "thread_id", "thread_name"


def profile_to_pprof(profile: Profile) -> bytes:
    """Return the profile as gzipped pprof, the same bytes for the same profile."""
    return gzip.compress(_Encoder(profile).encode(), mtime=0)


class _Encoder:
    """Fills one pprof message; strings, functions and locations stand once each."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._message = pprof_pb2.Profile(string_table=[""])
        self._strings: dict[str, int] = {"": 0}
        self._functions: dict[tuple[str, str], int] = {}
        self._locations: dict[tuple[int, int], int] = {}

    def encode(self) -> bytes:
        profile, message = self._profile, self._message
        for name, unit in (COUNT_TYPE, (profile.sample_type, profile.unit)):
            message.sample_type.add(type=self._string(name), unit=self._string(unit))
        message.default_sample_type = self._string(profile.sample_type)
        message.time_nanos = profile.start_unix_ns
        message.duration_nanos = profile.duration_ns
        if profile.period_ns:
            message.period_type.type = self._string(profile.sample_type)
            message.period_type.unit = self._string("nanoseconds")
            message.period = profile.period_ns
        message.comment.extend(self._string(f"{key}={value}") for key, value in sorted(profile.attributes.items()))
        for sample in profile.samples:
            self._add_sample(sample)
        body: bytes = message.SerializeToString(deterministic=True)
        return body

    def _add_sample(self, sample: Sample) -> None:
        target = self._message.sample.add(value=(sample.count, sample.value))
        target.location_id.extend(self._location(frame) for frame in reversed(cut_stack(sample.stack)))
        if sample.thread_id:
            target.label.add(key=self._string(THREAD_ID), num=sample.thread_id)
        if sample.thread_name:
            target.label.add(key=self._string(THREAD_NAME), str=self._string(sample.thread_name))

    def _location(self, frame: Frame) -> int:
        key = (self._function(frame.function, frame.file), frame.line)
        identity = self._locations.get(key)
        if identity is None:
            identity = self._locations[key] = len(self._locations) + 1
            self._message.location.add(id=identity).line.add(function_id=key[0], line=frame.line)
        return identity

    def _function(self, function: str, file: str) -> int:
        identity = self._functions.get((function, file))
        if identity is None:
            identity = self._functions[function, file] = len(self._functions) + 1
            name = self._string(function)
            self._message.function.add(id=identity, name=name, system_name=name, filename=self._string(file))
        return identity

    def _string(self, text: str) -> int:
        index = self._strings.get(text)
        if index is None:
            index = self._strings[text] = len(self._strings)
            self._message.string_table.append(valid_text(text))
        return index
