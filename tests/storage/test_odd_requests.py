"""Requests that are valid protobuf and unusual: what the receivers let through, the database takes."""

import os
import time

import pytest

from collector.receive.payloads import SIGNALS
from tests.storage.plain_decoder import bytes_json


def varint(number: int) -> bytes:
    parts = bytearray()
    number &= 2**64 - 1
    while number >= 128:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def sized(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def fixed64(field: int, value: int) -> bytes:
    return varint(field << 3 | 1) + value.to_bytes(8, "little")


def group(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 3) + content + varint(field << 3 | 4)


def attribute(value: bytes) -> bytes:
    return sized(9, sized(1, b"k") + value)


def nested_list(depth: int) -> bytes:
    value = sized(1, b"leaf")
    for _ in range(depth):
        value = sized(5, sized(1, value))
    return value


# What is added to a plain span, and the operation, kind and attributes that are then stored.
ODD = {
    "unknown group": (group(50, group(51, number(1, 1))), "op", "unspecified", {}),
    "unknown fields": (number(100, -1) + fixed64(101, 1) + sized(102, b"x"), "op", "unspecified", {}),
    "a number in the place of the name": (number(5, 3), "op", "unspecified", {}),
    "text in the place of the kind": (sized(6, b"abc"), "op", "unspecified", {}),
    "a name given twice": (sized(5, b"second"), "second", "unspecified", {}),
    "a negative kind": (number(6, -1), "op", "unspecified", {}),
    "a kind wider than its type": (number(6, 2**40 + 2), "op", "server", {}),
    "a varint longer than needed": (varint(6 << 3) + b"\x82\x80\x80\x80\x00", "op", "server", {}),
    "a count wider than its type": (number(10, 2**63), "op", "unspecified", {}),
    "a bool that is 2": (attribute(sized(2, number(2, 2))), "op", "unspecified", {"k": "true"}),
    "two values of a oneof": (attribute(sized(2, sized(1, b"s") + number(3, 5))), "op", "unspecified", {"k": "5"}),
    "a list in two parts": (
        attribute(sized(2, sized(5, sized(1, sized(1, b"a"))) + sized(5, sized(1, sized(1, b"b"))))),
        *("op", "unspecified", {"k": '["a","b"]'}),
    ),
    "a deep list": (
        attribute(sized(2, nested_list(20))),
        *("op", "unspecified", {"k": f'[{{"protobuf":{bytes_json(nested_list(19)[2:])}}}]'}),
    ),
    "an attribute without a value": (attribute(b""), "op", "unspecified", {"k": ""}),
    "an end before all time": (fixed64(8, 0), "op", "unspecified", {}),
    "an end after all time": (fixed64(8, 2**64 - 1), "op", "unspecified", {}),
    "an event after all time": (sized(11, fixed64(1, 2**64 - 1)), "op", "unspecified", {}),
    "a long trace id": (sized(1, b"x" * 1000), "op", "unspecified", {}),
    "zeros in the name": (sized(5, b"a\0b\0"), "a\0b\0", "unspecified", {}),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_spans_are_stored(store, case):
    """Each is stored once, as the protobuf specification reads it."""
    extra, operation, kind, attributes = ODD[case]
    now_ns = time.time_ns()
    span = (
        sized(1, os.urandom(16)) + sized(2, os.urandom(8)) + sized(5, b"op") + fixed64(7, now_ns) + fixed64(8, now_ns)
    )
    checked = SIGNALS["/v1/traces"].check(sized(1, sized(2, sized(2, span + extra))))
    store.insert_otlp("traces", checked.plain, token="t")
    stored = store.select("SELECT operation, kind FROM spans")
    details = store.select("SELECT attributes FROM span_details")
    assert checked.rows == 1
    assert (stored, details) == ([{"operation": operation, "kind": kind}], [{"attributes": attributes}])


def test_durations_cannot_overflow(store):
    """A span that lasts for ages is stored as lasting 30 days, one that ends before it starts as lasting 0."""
    now_ns = time.time_ns()
    spans = [fixed64(7, now_ns) + fixed64(8, end) for end in (2**64 - 1, 0)]
    checked = SIGNALS["/v1/traces"].check(b"".join(sized(1, sized(2, sized(2, span))) for span in spans))
    store.insert_otlp("traces", checked.plain, token="t")
    durations = store.select("SELECT duration_ns FROM spans ORDER BY duration_ns")
    assert durations == [{"duration_ns": 0}, {"duration_ns": 30 * 86_400 * 10**9}]
