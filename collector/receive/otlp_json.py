"""
OTLP's JSON to protobuf.

It differs from protobuf's own JSON: ids are hex, enumerations are numbers, unknown fields are ignored. Messages are
filled field by field, in less than half of the time that ``json_format`` takes.
Source: OTLP specification, "JSON Protobuf Encoding"; protobuf, "ProtoJSON Format".
"""

import binascii
import functools
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import EncodeError, Message

from pyrometer.errors import DecodeError

# The C parser refuses deeper messages too.
_DEPTH_MAX: Final = 100
_HEX_FIELDS: Final = frozenset({"trace_id", "span_id", "parent_span_id", "profile_id"})
_WHOLE: Final = re.compile(r"-?[0-9]{1,20}")
# What a message in an error shows of a wrong value.
_SHOWN_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class _Field:
    """One field: its name, whether it is a list, and what reads a value; None for a message, which is filled."""

    name: str
    is_repeated: bool
    read: Callable[[Any], Any] | None


def json_to_protobuf(message_type: type[Message], body: bytes) -> bytes:
    """
    Return the protobuf of a request in OTLP's JSON.

    Raises:
        DecodeError: If it is not such a request, with the name of the field at fault.
    """
    message = message_type()
    try:
        _fill(message, msgspec.json.decode(body), _DEPTH_MAX)
        return message.SerializeToString()
    except (ValueError, TypeError, OverflowError, RecursionError, EncodeError, msgspec.DecodeError) as error:
        raise DecodeError(f"not an {message_type.__name__} in JSON: {error}") from error


def _fill(message: Any, tree: Any, depth: int) -> None:
    if not isinstance(tree, dict):
        raise TypeError(f"{message.DESCRIPTOR.name} must be an object, not {_shown(tree)}")
    if depth == 0:
        raise ValueError(f"it is nested deeper than {_DEPTH_MAX} levels")
    fields = _fields(message.DESCRIPTOR)
    for key, value in tree.items():
        field = fields.get(key)
        if field is None or value is None:
            continue
        if field.is_repeated:
            _fill_list(getattr(message, field.name), field, value, depth)
        elif field.read is None:
            child = getattr(message, field.name)
            child.SetInParent()
            _fill(child, value, depth - 1)
        else:
            _set(message, field, value)


def _fill_list(target: Any, field: _Field, values: Any, depth: int) -> None:
    if not isinstance(values, list):
        raise TypeError(f"{field.name} must be an array, not {_shown(values)}")
    if field.read is not None:
        target.extend([_read(field, value) for value in values])
        return
    for value in values:
        _fill(target.add(), value, depth - 1)


def _set(message: Any, field: _Field, value: Any) -> None:
    try:
        setattr(message, field.name, _read(field, value))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{field.name} cannot be {_shown(value)}") from error


def _read(field: _Field, value: Any) -> Any:
    assert field.read is not None  # noqa: S101 - the callers' condition
    try:
        return field.read(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{field.name} cannot be {_shown(value)}") from error


@functools.cache
def _fields(descriptor: Descriptor) -> Mapping[str, _Field]:
    """Return a message's fields by both of their names: lowerCamelCase, and as in the .proto file."""
    fields: dict[str, _Field] = {}
    for described in descriptor.fields:
        field = _Field(described.name, described.is_repeated, _reader(described))
        fields[described.name] = fields[described.json_name] = field
    return fields


def _reader(field: FieldDescriptor) -> Callable[[Any], Any] | None:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return None
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _from_hex if field.name in _HEX_FIELDS else _from_base64
    if field.enum_type is not None:
        numbers = {name: value.number for name, value in field.enum_type.values_by_name.items()}
        return lambda value: numbers[value] if value in numbers else _whole(value)
    reader: Callable[[Any], Any] = _READERS.get(field.cpp_type, _whole)
    return reader


def _whole(value: Any) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise TypeError
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _from_hex(value: Any) -> bytes:
    return binascii.unhexlify(_text(value))


def _from_base64(value: Any) -> bytes:
    standard = _text(value).translate(_URL_SAFE)
    return b64decode(standard + "=" * (-len(standard) % 4), validate=True)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _shown(value: Any) -> str:
    return f"{value!r:.{_SHOWN_MAX}}"


_URL_SAFE: Final = str.maketrans("-_", "+/")
_READERS: Final[Mapping[int, Callable[[Any], Any]]] = {
    FieldDescriptor.CPPTYPE_STRING: _text,
    FieldDescriptor.CPPTYPE_BOOL: _truth,
    FieldDescriptor.CPPTYPE_DOUBLE: _float,
    FieldDescriptor.CPPTYPE_FLOAT: _float,
}
