"""Checked look-ups in the dictionary of a received OTLP profiles request: every index, every length."""

import json
from collections.abc import Sequence
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.profiles.v1development.profiles_pb2 import Line, Location, ProfilesDictionary

from pyrometer.errors import DecodeError
from pyrometer.formats.limits import LINE_MAX, UNKNOWN_STACK, DecodeLimits, bounded, cut_stack, guess_frame
from pyrometer.values import STACK_DEPTH_MAX, Frame, FrameType, Stack

_FRAME_TYPES = {str(frame_type): frame_type for frame_type in FrameType}


class CheckedDictionary:
    """Reads stacks and attributes out of a ``ProfilesDictionary``; each is built once, when first asked for."""

    def __init__(self, dictionary: ProfilesDictionary, limits: DecodeLimits) -> None:
        self._limits = limits
        self._strings: Sequence[str] = dictionary.string_table
        self._functions = dictionary.function_table
        self._locations = dictionary.location_table
        self._stacks = dictionary.stack_table
        self._attributes = dictionary.attribute_table
        self._mappings = dictionary.mapping_table
        self._stack_of_index: dict[int, Stack] = {}
        self._frames_of_location: dict[int, tuple[Frame, ...]] = {}
        self._attribute_of_index: dict[int, tuple[str, str | int]] = {}
        self._frames_left = limits.frames_max
        # Lists may name one string many times: the text built for them is bounded as the body is.
        self._list_text_left = limits.bytes_max
        self.attribute_count = len(dictionary.attribute_table)
        self.link_count = len(dictionary.link_table)
        if self._strings and self._strings[0]:
            raise DecodeError("string_table[0] is not the empty string: the dictionary is not an OTLP profiles one")

    def string(self, index: int) -> str:
        """Return a string, cut to the longest that is kept; index 0 is empty even in an empty table."""
        if index == 0:
            return ""
        text: str = _entry(self._strings, index, "string_table")
        return text[: self._limits.name_length_max]

    def stack(self, index: int) -> Stack:
        """Return a stack, root first, never empty."""
        known = self._stack_of_index.get(index)
        if known is not None:
            return known
        if len(self._stack_of_index) >= self._limits.stacks_max:
            raise DecodeError(f"more than {self._limits.stacks_max} stacks in one request")
        stack = self._build_stack(index) or UNKNOWN_STACK
        self._frames_left -= len(stack)
        if self._frames_left < 0:
            raise DecodeError(f"more than {self._limits.frames_max} frames in the stacks of one request")
        self._stack_of_index[index] = stack
        return stack

    def attribute(self, index: int) -> tuple[str, str | int]:
        """Return the key and value of an attribute."""
        known = self._attribute_of_index.get(index)
        if known is None:
            entry = _entry(self._attributes, index, "attribute_table")
            known = (self.string(entry.key_strindex), self.plain_value(entry.value))
            self._attribute_of_index[index] = known
        return known

    def plain_value(self, value: AnyValue) -> str | int:
        """Return an attribute's value: int and string as they are, any other kind as text."""
        plain = self._any(value)
        if isinstance(plain, int) and not isinstance(plain, bool):
            return plain
        text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
        return text[: self._limits.name_length_max]

    def _any(self, value: AnyValue) -> Any:
        kind = value.WhichOneof("value")
        if kind is None:
            return ""
        if kind == "string_value_strindex":
            return self._list_string(value.string_value_strindex)
        if kind == "bytes_value":
            return value.bytes_value.hex()
        if kind == "array_value":
            return [self._any(item) for item in value.array_value.values]
        if kind == "kvlist_value":
            items = value.kvlist_value.values
            return {item.key or self._list_string(item.key_strindex): self._any(item.value) for item in items}
        return getattr(value, kind)

    def _list_string(self, index: int) -> str:
        text = self.string(index)
        self._list_text_left -= len(text)
        if self._list_text_left < 0:
            raise DecodeError("the attribute values of one request are longer than a request may be")
        return text

    def _build_stack(self, index: int) -> Stack:
        if index == 0 and not self._stacks:
            return ()
        entry = _entry(self._stacks, index, "stack_table")
        frames: list[Frame] = []
        for location_index in entry.location_indices:
            frames.extend(self._location_frames(location_index))
            # One frame over the limit is enough for cut_stack to see that there were more.
            if len(frames) > STACK_DEPTH_MAX:
                break
        del frames[STACK_DEPTH_MAX + 1 :]
        frames.reverse()
        return cut_stack(tuple(frames))

    def _location_frames(self, index: int) -> tuple[Frame, ...]:
        frames = self._frames_of_location.get(index)
        if frames is None:
            location = _entry(self._locations, index, "location_table")
            frames = tuple(self._build_frames(location))
            self._frames_of_location[index] = frames
            self._frames_left -= len(frames)
        return frames

    def _build_frames(self, location: Location) -> list[Frame]:
        """Return the frames of a location, innermost first: more than one where functions were inlined."""
        frame_type: FrameType | None = None
        for attribute_index in location.attribute_indices:
            key, value = self.attribute(attribute_index)
            if key == "profile.frame.type":
                frame_type = _FRAME_TYPES.get(str(value), FrameType.NATIVE)
        if not location.lines:
            return [self._address_frame(location, frame_type)]
        return [self._line_frame(line, frame_type) for line in location.lines[: STACK_DEPTH_MAX + 1]]

    def _line_frame(self, line: Line, frame_type: FrameType | None) -> Frame:
        bounded(line.line, "a line number", LINE_MAX)
        if line.function_index == 0 and not self._functions:
            return Frame("", "", line.line, frame_type or FrameType.NATIVE)
        function = _entry(self._functions, line.function_index, "function_table")
        name = self.string(function.name_strindex) or self.string(function.system_name_strindex)
        file = self.string(function.filename_strindex)
        if frame_type is None:
            return guess_frame(name, file, line.line)
        return Frame(name, file, line.line, frame_type)

    def _address_frame(self, location: Location, frame_type: FrameType | None) -> Frame:
        """Return the frame of a location without symbols: its address, in the file that was mapped there."""
        file = ""
        if location.mapping_index:
            file = self.string(_entry(self._mappings, location.mapping_index, "mapping_table").filename_strindex)
        return Frame(f"0x{location.address:x}", file, 0, frame_type or FrameType.NATIVE)


def _entry(table: Sequence[Any], index: int, name: str) -> Any:
    if not 0 <= index < len(table):
        raise DecodeError(f"index {index} is outside {name}, which has {len(table)} entries")
    return table[index]
