"""What a scan asks of the store."""

from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from collector.detect.windows.panel import FloatArray
from collector.store.protocol import Parameter


class Source(Protocol):
    """Runs queries by name, within limits."""

    def rows(self, name: str, **parameters: Parameter) -> list[dict[str, Any]]:
        """Return the rows of a query."""

    def table(self, name: str, **parameters: Parameter) -> pa.Table:
        """Return the rows of a query as columns."""


def matrix(table: pa.Table, column: str, n_steps: int) -> FloatArray:
    """Return a column of arrays of one length as a matrix, shape (n_rows, n_steps)."""
    flat = _flat(table, column)
    return np.asarray(flat.reshape(table.num_rows, n_steps), dtype=np.float64)


def scattered(table: pa.Table, column: str, steps: str, n_steps: int) -> FloatArray:
    """
    Return a column of arrays as a matrix, each value at its step, 0 elsewhere; shape (n_rows, n_steps).

    Args:
        table: The rows.
        column: Arrays of values.
        steps: Column of arrays of the same lengths: at which step each value is, in [0, n_steps).
        n_steps: Columns of the matrix.
    """
    chunks = table[column].combine_chunks()
    rows = np.repeat(np.arange(table.num_rows), np.asarray(chunks.value_lengths()))
    values = np.zeros((table.num_rows, n_steps))
    values[rows, _flat(table, steps)] = _flat(table, column)
    return values


def texts(table: pa.Table, column: str) -> list[str]:
    """Return a column of texts; what is not UTF-8 in them is replaced."""
    return [value.decode("utf-8", errors="replace") for value in table[column].to_pylist()]


def _flat(table: pa.Table, column: str) -> Any:
    return table[column].combine_chunks().flatten().to_numpy(zero_copy_only=False)
