"""
Bodies that nobody honest sends, made from a seed: the same seed makes the same.

Messages are filled field by field from their descriptions with the worst values of each type, then some are damaged as
bytes. Nothing here knows what the collector makes of them.
"""

import base64
import gzip
import json
import math
import random
import time
from typing import Any

import zstandard
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

DEPTH_MAX = 12
_TEXTS = ("", "a", "service.name", "\x00", "\n;'\"\\`<b>", "é" * 50, "\U0001f525" * 20, "x" * 10_000, "{x:String}")
_INTEGERS = (0, 1, -1, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63))
_DOUBLES = (0.0, -0.0, 1.5, 5e-324, 1.7e308, -1.7e308, math.inf, -math.inf, math.nan)
_JSON_VALUES = (None, True, [], {}, "", "x", -1, 0, 2**70, 1e308, -0.0, "9" * 30, [[]], {"": None}, "\ud800", "NaN")
_SECOND_NS = 10**9
_TIMES_S = (0, 1, 60, -(10 * 365 * 86_400), 10 * 365 * 86_400, 20 * 86_400, -2 * 86_400)


class Hostile:
    """Makes bodies."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def message(self, message_type: type[Message]) -> Any:
        """A message with any of its fields, and any values in them."""
        message = message_type()
        self._fill(message, message.DESCRIPTOR, 0)
        return message

    def protobuf(self, message_type: type[Message]) -> bytes:
        """Bytes that are such a message, nearly such a message, or nothing at all."""
        match self.random.randrange(8):
            case 0:
                return self.random.randbytes(self.random.randrange(2000))
            case 1:
                return self._wire(0)
            case 2:
                return self._nested(self.random.choice((5, 99, 101, 10_000)))
            case 3:
                return self._damaged(self.message(message_type).SerializeToString())
            case _:
                return bytes(self.message(message_type).SerializeToString())

    def json(self, tree: Any) -> bytes:
        """JSON that is such a tree with other values in places, or nearly JSON."""
        match self.random.randrange(6):
            case 0:
                opening = self.random.choice(("[", '{"a":', '{"resourceSpans":[', '{"resourceMetrics":['))
                return (opening * self.random.choice((10, 1001, 100_000))).encode()
            case 1:
                return self._damaged(json.dumps(self._twisted(tree)).encode())
            case _:
                return json.dumps(self._twisted(tree)).encode()

    def text(self) -> str:
        """A name."""
        return self.random.choice(_TEXTS)

    def encoded(self, body: bytes) -> tuple[bytes, str]:
        """The body as it is sent, and the content encoding that is claimed."""
        match self.random.randrange(10):
            case 0:
                return gzip.compress(body, 1), "gzip"
            case 1:
                return zstandard.compress(body), "zstd"
            case 2:
                return self._damaged(gzip.compress(body, 1)), "gzip"
            case 3:
                return body, self.random.choice(("gzip", "zstd", "br"))
            case _:
                return body, "identity"

    def _fill(self, message: Any, descriptor: Descriptor, depth: int) -> None:
        for field in descriptor.fields:
            if self.random.random() < (0.6 if depth < 4 else 0.35):
                self._fill_field(message, field, depth)

    def _fill_field(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        count = self.random.choice((0, 1, 1, 2, 3)) if field.is_repeated else 1
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for _ in range(count if depth < DEPTH_MAX else 0):
                child = getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name)
                child.SetInParent()
                self._fill(child, field.message_type, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend(self._scalar(field) for _ in range(count))
        else:
            setattr(message, field.name, self._scalar(field))

    def _scalar(self, field: FieldDescriptor) -> Any:
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            if field.type == FieldDescriptor.TYPE_STRING:
                return self.text()
            return self.random.randbytes(self.random.choice((0, 1, 8, 16, 17)))
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return self.random.random() < 0.5
        if field.cpp_type in {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}:
            return self.random.choice(_DOUBLES)
        if field.name.endswith("_unix_nano") and self.random.random() < 0.8:
            return max(0, time.time_ns() + self.random.choice(_TIMES_S) * _SECOND_NS)
        return self._integer(field)

    def _integer(self, field: FieldDescriptor) -> int:
        # Small ones are often indexes that exist.
        number = self.random.choice(_INTEGERS) if self.random.random() < 0.4 else self.random.randrange(3)
        if field.cpp_type == FieldDescriptor.CPPTYPE_UINT64:
            return number % 2**64
        if field.cpp_type == FieldDescriptor.CPPTYPE_UINT32:
            return number % 2**32
        bits = 64 if field.cpp_type == FieldDescriptor.CPPTYPE_INT64 else 32
        return (number + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)

    def _wire(self, depth: int) -> bytes:
        """Fields of any number and wire type, groups and forbidden ones too."""
        parts = []
        for _ in range(self.random.randrange(8)):
            number, kind = self.random.choice((1, 2, 3, 4, 7, 16, 2**28)), self.random.randrange(8)
            parts.append(varint(number << 3 | kind))
            if kind == 0:
                parts.append(varint(self.random.choice((0, 1, 2**32, 2**64 - 1))))
            elif kind == 1:
                parts.append(self.random.randbytes(8))
            elif kind == 2:
                inner = self._wire(depth + 1) if depth < DEPTH_MAX else b"\xff"
                length = len(inner) if self.random.random() < 0.9 else self.random.choice((2**31, 2**63, 1))
                parts.append(varint(length) + inner)
            elif kind == 5:
                parts.append(self.random.randbytes(4))
        return b"".join(parts)

    @staticmethod
    def _nested(levels: int) -> bytes:
        """Key-value lists in key-value lists, as deep, in the attributes of a resource."""
        body = b""
        for _ in range(levels):
            value = sized(6, sized(1, sized(1, b"k") + sized(2, body)))  # kvlist_value { values { key, value } }
            body = value
        return sized(1, sized(1, sized(1, sized(1, b"deep") + sized(2, body))))

    def _damaged(self, body: bytes) -> bytes:
        damaged = bytearray(body or b"\x00")
        at = self.random.randrange(len(damaged))
        match self.random.randrange(5):
            case 0:
                del damaged[at:]
            case 1:
                damaged[at] ^= 1 << self.random.randrange(8)
            case 2:
                damaged[at:at] = self.random.choice((b"\xff" * 11, b"\xc3\x28", b"\x00" * 100, b"\xed\xa0\x80"))
            case 3:
                damaged[at:at] = damaged[: self.random.randrange(1, 200)]
            case _:
                for _ in range(20):
                    damaged[self.random.randrange(len(damaged))] = self.random.randrange(256)
        return bytes(damaged)

    def _twisted(self, tree: Any) -> Any:
        if self.random.random() < 0.03:
            return self.random.choice(_JSON_VALUES)
        if isinstance(tree, dict):
            return {key: self._twisted(value) for key, value in tree.items()}
        if isinstance(tree, list):
            return [self._twisted(item) for item in tree] * self.random.choice((1, 1, 1, 2))
        return tree


def otlp_json(message: Message) -> Any:
    """A message as a tree of OTLP's JSON."""
    tree: dict[str, Any] = {}
    for field, value in message.ListFields():
        read = _json_value(field)
        tree[field.json_name] = [read(item) for item in value] if field.is_repeated else read(value)
    return tree


def _json_value(field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return otlp_json
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes.hex if field.name.endswith("_id") else lambda value: base64.b64encode(value).decode()
    if field.cpp_type in {FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64}:
        return str
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return lambda value: value if math.isfinite(value) else str(value)
    return lambda value: value


def varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes(parts) + bytes([number])


def sized(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content
