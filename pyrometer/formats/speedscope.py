"""
The speedscope file format: JSON with shared frames.

Two profiles are written, threads merged: the value, which the viewer shows first, and the counts of the same stacks.
Source: https://www.speedscope.app/file-format-schema.json.
"""

from typing import Any

import msgspec

from pyrometer import __version__
from pyrometer.errors import DecodeError
from pyrometer.formats.limits import (
    COUNT_MAX,
    DEFAULT_LIMITS,
    LINE_MAX,
    NANOSECONDS_PER_UNIT,
    UNKNOWN_STACK,
    VALUE_MAX,
    DecodeLimits,
    cut_stack,
    guess_frame,
    valid_text,
)
from pyrometer.values import Frame, Profile, Sample, Stack

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = ("bytes", "microseconds", "milliseconds", "nanoseconds", "seconds")
_COUNTS_SUFFIX = " (samples)"


class _SampledProfile(msgspec.Struct):
    type: str
    name: str
    unit: str
    samples: list[list[int]] = []
    weights: list[int | float] = []


class _FileFrame(msgspec.Struct):
    name: str
    file: str | None = None
    line: float | None = None


class _Shared(msgspec.Struct):
    frames: list[_FileFrame]


class _File(msgspec.Struct):
    shared: _Shared
    profiles: list[_SampledProfile]


def profile_to_speedscope(profile: Profile, name: str) -> bytes:
    """Return the profile as speedscope JSON under *name*, the same bytes for the same profile."""
    values, counts = profile.values(), profile.counts()
    stacks = sorted(values, key=lambda stack: [(frame.function, frame.file, frame.line) for frame in stack])
    frame_ids: dict[tuple[str, str, int], int] = {}
    samples = [[_frame_id(frame, frame_ids) for frame in cut_stack(stack)] for stack in stacks]
    unit = profile.unit if profile.unit in _UNITS else "none"
    title = valid_text(name)
    file = {
        "$schema": _SCHEMA,
        "exporter": f"pyrometer@{__version__}",
        "name": title,
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame_object(*key) for key in frame_ids]},
        "profiles": [
            _sampled(title, unit, samples, [values[stack] for stack in stacks]),
            _sampled(title + _COUNTS_SUFFIX, "none", samples, [counts[stack] for stack in stacks]),
        ],
    }
    return msgspec.json.encode(file)


def speedscope_to_profile(body: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Profile:
    """
    Return the profile in a speedscope file, its profiles of the first one's unit merged.

    Counts come from a profile of the same samples named ``… (samples)``, else every sample counts once.

    Raises:
        DecodeError: And nothing else, whatever the bytes are.
    """
    if len(body) > limits.bytes_max:
        raise DecodeError(f"the file has {len(body)} bytes, more than {limits.bytes_max}")
    try:
        file = msgspec.json.decode(body, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"not a speedscope file: {error}") from None
    return _Decoder(file, limits).decode()


def _frame_id(frame: Frame, frame_ids: dict[tuple[str, str, int], int]) -> int:
    return frame_ids.setdefault((frame.function, frame.file, frame.line), len(frame_ids))


def _frame_object(function: str, file: str, line: int) -> dict[str, str | int]:
    frame: dict[str, str | int] = {"name": valid_text(function)}
    if file:
        frame["file"] = valid_text(file)
    if line:
        frame["line"] = line
    return frame


def _sampled(name: str, unit: str, samples: list[list[int]], weights: list[int]) -> dict[str, Any]:
    return {
        "type": "sampled",
        "name": name,
        "unit": unit,
        "startValue": 0,
        "endValue": sum(weights),
        "samples": samples,
        "weights": weights,
    }


class _Decoder:
    """Reads one file, checking every index."""

    def __init__(self, file: _File, limits: DecodeLimits) -> None:
        if not file.profiles:
            raise DecodeError("not a speedscope file: it has no profiles")
        if sum(len(profile.samples) for profile in file.profiles) > limits.samples_max:
            raise DecodeError(f"more than {limits.samples_max} samples")
        if sum(len(frames) for profile in file.profiles for frames in profile.samples) > 2 * limits.frames_max:
            raise DecodeError(f"more than {2 * limits.frames_max} frames in all stacks")
        self._file = file
        length = limits.name_length_max
        self._frames = [
            guess_frame(frame.name[:length], (frame.file or "")[:length], _line(frame.line))
            for frame in file.shared.frames
        ]

    def decode(self) -> Profile:
        first = self._file.profiles[0]
        if first.unit in NANOSECONDS_PER_UNIT:
            sample_type, unit, factor = "cpu", "nanoseconds", NANOSECONDS_PER_UNIT[first.unit]
        else:
            sample_type, unit, factor = "samples", "count" if first.unit == "none" else first.unit, 1
        counted = {profile.name: profile for profile in self._file.profiles if profile.name.endswith(_COUNTS_SUFFIX)}
        samples: list[Sample] = []
        for profile in self._file.profiles:
            if profile.unit == first.unit and (profile is first or profile.name not in counted):
                samples.extend(self._samples(profile, counted.get(profile.name + _COUNTS_SUFFIX), factor))
        return Profile(samples=tuple(samples), sample_type=sample_type, unit=unit)

    def _samples(self, profile: _SampledProfile, counted: _SampledProfile | None, factor: int) -> list[Sample]:
        if profile.type != "sampled":
            raise DecodeError(f"profile type {profile.type!r} is not supported: only 'sampled' is")
        if len(profile.samples) != len(profile.weights):
            raise DecodeError(f"{len(profile.samples)} samples with {len(profile.weights)} weights")
        counts: list[int | float] = [1] * len(profile.samples)
        if counted is not None and counted.samples == profile.samples and len(counted.weights) == len(counts):
            counts = counted.weights
        return [
            Sample(
                stack=self._stack(frames),
                count=_whole(count, 1, COUNT_MAX, "a count"),
                value=_whole(weight, factor, VALUE_MAX, "a weight"),
            )
            for frames, weight, count in zip(profile.samples, profile.weights, counts, strict=True)
        ]

    def _stack(self, indices: list[int]) -> Stack:
        if indices and not 0 <= min(indices) <= max(indices) < len(self._frames):
            raise DecodeError(f"a sample names a frame outside the {len(self._frames)} of the file")
        return cut_stack(tuple([self._frames[index] for index in indices])) or UNKNOWN_STACK


def _line(line: float | None) -> int:
    return _whole(line or 0, 1, LINE_MAX, "a line number")


def _whole(number: float, factor: int, maximum: int, name: str) -> int:
    # Integers are kept exact; a float is compared before it is converted, so that an infinite one is refused.
    scaled = number * factor
    if not 0 <= scaled <= maximum:
        raise DecodeError(f"{name} is {number}, outside 0 to {maximum // factor}")
    return min(round(scaled), maximum)
