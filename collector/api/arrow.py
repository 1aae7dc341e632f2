"""
The flame graph as an Arrow stream: its columns as one record batch, everything else as JSON in the schema's metadata.

Columns: ``depth`` and ``parent`` int32; ``name`` and ``file`` dictionary(int32, string), one dictionary each, both the
answer's ``strings``; ``start``, ``total``, ``self`` and, with a baseline, ``base_total`` and ``base_self`` float64.
The metadata key ``pyrometer`` holds the other fields of FlamegraphAnswer.
"""

from typing import Final

import msgspec
import pyarrow as pa

from pyrometer.api import FlamegraphAnswer

ARROW_TYPE: Final = "application/vnd.apache.arrow.stream"
_COLUMNS: Final = {"depth": pa.int32(), "parent": pa.int32(), "start": pa.float64(), "total": pa.float64()} | {
    name: pa.float64() for name in ("self", "base_total", "base_self")
}
_ENCODED: Final = ("name", "file")


def flamegraph_to_arrow(answer: FlamegraphAnswer) -> bytes:
    """Return the answer as the bytes of an Arrow IPC stream."""
    strings = pa.array(answer.strings, type=pa.string())
    columns = {
        name: pa.DictionaryArray.from_arrays(pa.array(getattr(answer, name), type=pa.int32()), strings)
        for name in _ENCODED
    }
    for name, arrow_type in _COLUMNS.items():
        values = getattr(answer, name)
        if values is not None:
            columns[name] = pa.array(values, type=arrow_type)
    metadata = {"pyrometer": msgspec.json.encode(_other_fields(answer))}
    batch = pa.record_batch(columns).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _other_fields(answer: FlamegraphAnswer) -> dict[str, object]:
    columns = {*_COLUMNS, *_ENCODED, "strings"}
    return {name: getattr(answer, name) for name in answer.__struct_fields__ if name not in columns}
