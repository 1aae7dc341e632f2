"""A pprof body, which may be hostile, to a profile."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError

from pyrometer.errors import DecodeError
from pyrometer.formats import pprof_pb2
from pyrometer.formats.limits import (
    COUNT_MAX,
    DEFAULT_LIMITS,
    LINE_MAX,
    NANOSECONDS_PER_UNIT,
    UNKNOWN_STACK,
    DecodeLimits,
    bounded,
    cut_stack,
    guess_frame,
)
from pyrometer.formats.pprof_encode import COUNT_TYPE, THREAD_ID, THREAD_NAME
from pyrometer.values import STACK_DEPTH_MAX, Frame, Profile, Sample, Stack

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31

_Entry = TypeVar("_Entry")


def pprof_to_profile(body: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Profile:
    """
    Return the profile in a pprof body, gzipped or not.

    Its value is the default sample type, else the last that is not ``samples``; with ``samples`` alone and a period in
    time, count times period. Without ``samples``, a sample of the period's kind counts value / period, another once.

    Raises:
        DecodeError: And nothing else, whatever the bytes are.
    """
    raw = _gunzip(body, limits.bytes_max) if body[:2] == _GZIP_MAGIC else body
    if len(raw) > limits.bytes_max:
        raise DecodeError(f"the profile has {len(raw)} bytes, more than {limits.bytes_max}")
    try:
        message = pprof_pb2.Profile.FromString(raw)
    except ProtobufDecodeError:
        raise DecodeError("not a pprof profile: the protobuf cannot be parsed") from None
    if len(message.sample) > limits.samples_max:
        raise DecodeError(f"{len(message.sample)} samples, more than {limits.samples_max}")
    return _Decoder(message, limits).decode()


def _gunzip(body: bytes, bytes_max: int) -> bytes:
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        raw = stream.decompress(body, bytes_max + 1)
    except zlib.error:
        raise DecodeError("not a pprof profile: the gzip stream is damaged") from None
    if len(raw) > bytes_max:
        raise DecodeError(f"the profile has more than {bytes_max} bytes once decompressed")
    if not stream.eof:
        raise DecodeError("not a pprof profile: the gzip stream is cut short")
    return raw


class _Decoder:
    """Reads one pprof message, checking every index and id."""

    def __init__(self, message: pprof_pb2.Profile, limits: DecodeLimits) -> None:
        self._message = message
        self._limits = limits
        self._functions = {function.id: function for function in message.function}
        self._locations = {location.id: location for location in message.location}
        self._frames: dict[int, tuple[Frame, ...]] = {}
        self._stacks: dict[tuple[int, ...], Stack] = {}
        self._frames_left = limits.frames_max
        self._types = [(self._string(kind.type), self._string(kind.unit)) for kind in message.sample_type]
        if not self._types:
            raise DecodeError("not a pprof profile: it has no sample types")

    def decode(self) -> Profile:
        message = self._message
        count_at = self._types.index(COUNT_TYPE) if COUNT_TYPE in self._types else None
        value_at = self._value_position()
        sample_type, unit = self._types[value_at]
        factor = NANOSECONDS_PER_UNIT.get(unit, 1)
        period_ns = self._period_ns()
        if value_at == count_at and period_ns:
            sample_type, unit, factor = self._string(message.period_type.type) or "cpu", "nanoseconds", period_ns
        elif unit in NANOSECONDS_PER_UNIT:
            unit = "nanoseconds"
        return Profile(
            samples=tuple(self._samples(count_at, value_at, factor, period_ns)),
            sample_type=sample_type,
            unit=unit,
            start_unix_ns=bounded(message.time_nanos, "time_nanos"),
            duration_ns=bounded(message.duration_nanos, "duration_nanos"),
            period_ns=period_ns,
        )

    def _value_position(self) -> int:
        preferred = self._string(self._message.default_sample_type)
        names = [name for name, _ in self._types]
        if preferred in names and preferred != COUNT_TYPE[0]:
            return names.index(preferred)
        others = [position for position, kind in enumerate(self._types) if kind != COUNT_TYPE]
        return others[-1] if others else 0

    def _period_ns(self) -> int:
        factor = NANOSECONDS_PER_UNIT.get(self._string(self._message.period_type.unit), 0)
        return bounded(self._message.period * factor, "period")

    def _samples(self, count_at: int | None, value_at: int, factor: int, period_ns: int) -> Iterator[Sample]:
        is_timed = period_ns and self._types[value_at][0] == self._string(self._message.period_type.type)
        for sample in self._message.sample:
            if len(sample.value) != len(self._types):
                raise DecodeError(f"a sample has {len(sample.value)} values for {len(self._types)} sample types")
            count = 1 if count_at is None else sample.value[count_at]
            if count_at is None and is_timed:
                count = -(-sample.value[value_at] * factor // period_ns)
            thread_id, thread_name = self._thread(sample.label)
            yield Sample(
                stack=self._stack(tuple(sample.location_id)),
                count=bounded(count, "a sample's count", COUNT_MAX),
                value=bounded(sample.value[value_at] * factor, "a sample's value"),
                thread_id=thread_id,
                thread_name=thread_name,
            )

    def _thread(self, labels: Iterable[pprof_pb2.Label]) -> tuple[int, str]:
        thread_id, thread_name = 0, ""
        for label in labels:
            key = self._string(label.key)
            if key == THREAD_ID:
                thread_id = bounded(label.num, THREAD_ID)
            elif key == THREAD_NAME:
                thread_name = self._string(label.str)
        return thread_id, thread_name

    def _stack(self, location_ids: tuple[int, ...]) -> Stack:
        stack = self._stacks.get(location_ids)
        if stack is None:
            if len(self._stacks) >= self._limits.stacks_max:
                raise DecodeError(f"more than {self._limits.stacks_max} stacks")
            stack = self._stacks[location_ids] = self._build_stack(location_ids)
        return stack

    def _build_stack(self, location_ids: tuple[int, ...]) -> Stack:
        frames: list[Frame] = []
        for location_id in location_ids:
            frames.extend(self._location(location_id))
            if len(frames) > STACK_DEPTH_MAX:
                break
        self._frames_left -= len(frames)
        if self._frames_left < 0:
            raise DecodeError(f"more than {self._limits.frames_max} frames in all stacks")
        return cut_stack(tuple(reversed(frames))) or UNKNOWN_STACK

    def _location(self, identity: int) -> tuple[Frame, ...]:
        """Return a location's frames, innermost first."""
        frames = self._frames.get(identity)
        if frames is None:
            location = _known(self._locations, identity, "location")
            lines = location.line[: STACK_DEPTH_MAX + 1]
            frames = tuple([self._frame(line) for line in lines]) or (Frame(f"0x{location.address:x}"),)
            self._frames[identity] = frames
        return frames

    def _frame(self, line: pprof_pb2.Line) -> Frame:
        function = _known(self._functions, line.function_id, "function")
        number = bounded(line.line, "a line number", LINE_MAX)
        return guess_frame(self._string(function.name), self._string(function.filename), number)

    def _string(self, index: int) -> str:
        if index == 0:
            return ""
        if not 0 <= index < len(self._message.string_table):
            raise DecodeError(
                f"index {index} is outside string_table, which has {len(self._message.string_table)} entries"
            )
        text: str = self._message.string_table[index]
        return text[: self._limits.name_length_max]


def _known(entries: Mapping[int, _Entry], identity: int, kind: str) -> _Entry:
    entry = entries.get(identity)
    if entry is None:
        raise DecodeError(f"{kind} {identity} is not in the profile")
    return entry
