"""Attributes from OTEL_RESOURCE_ATTRIBUTES."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.resource_attributes import ATTRIBUTES_MAX, KEY_CHARS_MAX, VALUE_CHARS_MAX, parse_resource_attributes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("service.name=shop,service.version=1.2", {"service.name": "shop", "service.version": "1.2"}),
        (" service.name = shop , a=b ", {"service.name": "shop", "a": "b"}),
        ("service.name=my%20shop%2C%20ltd", {"service.name": "my shop, ltd"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=%zz", {"a": "%zz"}),
        ("novalue,=x,,a=", {"a": ""}),
        ("", {}),
    ],
)
def test_resource_attributes_are_parsed_as_the_specification_says(text, expected):
    """Pairs are trimmed and percent-decoded; what is not a pair is left out."""
    assert parse_resource_attributes(text) == expected


@given(st.text(max_size=300))
def test_any_text_is_parsed_within_the_limits(text):
    """Hostile text raises nothing and cannot grow past the limits."""
    found = parse_resource_attributes(text)

    assert len(found) <= ATTRIBUTES_MAX
    assert all(0 < len(key) <= KEY_CHARS_MAX and len(value) <= VALUE_CHARS_MAX for key, value in found.items())


def test_too_many_and_too_long_attributes_are_cut():
    """The number of attributes, and the length of each, is bounded."""
    many = parse_resource_attributes(",".join(f"k{i}={'v' * 5000}" for i in range(1000)))

    assert len(many) == ATTRIBUTES_MAX
    assert set(map(len, many.values())) == {VALUE_CHARS_MAX}
    assert parse_resource_attributes(f"{'k' * 300}=v") == {}
