"""Rows as columns: encoded as an Arrow stream with the types that a table's columns have, and read from one."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from collector.store.protocol import StoreError

_SIMPLE_TYPES: Final[Mapping[str, pa.DataType]] = {
    "String": pa.string(),
    "Bool": pa.bool_(),
    "DateTime": pa.uint32(),
    **{f"UInt{bits}": getattr(pa, f"uint{bits}")() for bits in (8, 16, 32, 64)},
    **{f"Int{bits}": getattr(pa, f"int{bits}")() for bits in (8, 16, 32, 64)},
    "Float32": pa.float32(),
    "Float64": pa.float64(),
}
# How an answer is asked for as Arrow: names are whatever was sent, not always UTF-8.
ARROW_SETTINGS: Final[Mapping[str, str | int]] = {"output_format_arrow_string_as_string": 0}
_TIME_UNITS: Final = {"3": "ms", "6": "us", "9": "ns"}


def columns_to_arrow(columns: Mapping[str, Sequence[Any]], types: Mapping[str, str]) -> bytes:
    """
    Return columns as the bytes of an Arrow stream.

    Args:
        columns: Values per column, all of one length.
        types: ClickHouse type per column of the table.

    Raises:
        StoreError: If the table has no such column, or a value does not fit its column.
    """
    if unknown := sorted(set(columns) - set(types)):
        raise StoreError(f"the table has no column {unknown[0]}")
    fields = [pa.field(name, arrow_type(types[name]), nullable=False) for name in columns]
    try:
        arrays = [pa.array(values, type=field.type) for field, values in zip(fields, columns.values(), strict=True)]
    except (pa.ArrowException, OverflowError, UnicodeEncodeError) as error:
        raise StoreError(f"a value does not fit its column: {error}") from error
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def arrow_to_table(answer: bytes) -> pa.Table:
    """
    Return the table that an engine's answer holds.

    Raises:
        StoreError: If it is not an Arrow stream.
    """
    try:
        with pa.ipc.open_stream(answer) as reader:
            return reader.read_all()
    except pa.ArrowException as error:
        raise StoreError(f"the engine's answer is not Arrow: {error}") from error


def arrow_type(type_name: str) -> pa.DataType:
    """Return the Arrow type whose values ClickHouse reads into a column of the named type without loss."""
    name = type_name.replace(" ", "")
    if name in _SIMPLE_TYPES:
        return _SIMPLE_TYPES[name]
    if found := re.fullmatch(r"LowCardinality\((.+)\)", name):
        return arrow_type(found.group(1))
    if found := re.fullmatch(r"Array\((.+)\)", name):
        return pa.list_(pa.field("item", arrow_type(found.group(1)), nullable=False))
    if found := re.fullmatch(r"Map\((String|LowCardinality\(String\)),String\)", name):
        return pa.map_(pa.string(), pa.field("value", pa.string(), nullable=False))
    if found := re.fullmatch(r"DateTime64\((\d),'UTC'\)", name):
        return pa.timestamp(_TIME_UNITS[found.group(1)], tz="UTC")
    if re.fullmatch(r"DateTime\('UTC'\)", name):
        return pa.uint32()
    raise ValueError(f"no Arrow type is known for {type_name}")
