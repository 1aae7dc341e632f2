"""Rows of a comparison as arrays."""

import numpy as np
import pyarrow as pa

from collector.api.compare_columns import FunctionCells


def a_table(names: list[bytes], cells: list[list[tuple[int, int, int]]]) -> pa.Table:
    # Of each function: (side, bucket, samples) a cell.
    columns = {"function": names, "file": [b"app.py"] * len(names)}
    columns["sides"] = [[side for side, _, _ in row] for row in cells]
    columns["buckets"] = [[bucket for _, bucket, _ in row] for row in cells]
    for factor, name in ((10, "self_ns"), (20, "total_ns"), (1, "samples")):
        columns[name] = [[samples * factor for _, _, samples in row] for row in cells]
    ints = pa.list_(pa.int64())
    types = dict.fromkeys(columns, ints) | {"function": pa.binary(), "file": pa.binary()}
    return pa.table({name: pa.array(values, type=types[name]) for name, values in columns.items()})


def costs(cells: FunctionCells, side: int, starts: list[int]):
    return cells.costs(side, starts, cpu_ns=np.ones(len(starts)), work=np.ones(len(starts)))


def test_cells_go_to_their_function_side_and_bucket():
    """Buckets that are not compared are left out, those without a cell are 0, and samples count in what is compared."""
    table = a_table([b"f", b"g"], [[(0, 20, 3), (1, 30, 5), (0, 99, 7)], [(1, 20, 2)]])
    cells = FunctionCells(table)
    before, after = (costs(cells, side, [20, 30]) for side in (0, 1))
    assert before.self_ns.tolist() == [[30, 0], [0, 0]]
    assert after.self_ns.tolist() == [[0, 50], [20, 0]]
    assert after.total_ns.tolist() == [[0, 100], [40, 0]]
    assert (before.function_samples.tolist(), after.function_samples.tolist()) == ([3, 0], [5, 2])


def test_nothing_to_compare_is_no_error():
    """No functions, and no buckets in common."""
    assert costs(FunctionCells(a_table([], [])), 0, [20]).self_ns.shape == (0, 1)
    assert costs(FunctionCells(a_table([b"f"], [[(0, 20, 3)]])), 0, []).self_ns.shape == (1, 0)


def test_names_that_are_not_utf_8_are_shown_as_far_as_they_can_be():
    """Bytes of any kind become text."""
    assert FunctionCells(a_table([b"\xff<f>"], [[]])).names == [("\ufffd<f>", "app.py")]
