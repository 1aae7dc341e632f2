"""Rows of the store as the arrays that the tests of a comparison take: functions, buckets, requests."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collector.detect.bootstrap import Requests
from collector.detect.cpu import Costs
from collector.detect.scan.source import texts

FloatArray = NDArray[np.float64]
# Rows of one release, by bucket.
Buckets = dict[int, dict[str, Any]]
# Lists of one length for each function, and ``sides``.
_CELLS: Final = ("buckets", "self_ns", "total_ns", "samples")


def bucket_column(buckets: Buckets, starts: Sequence[int], name: str) -> FloatArray:
    """Return one number per bucket, 0 where a bucket has no row; shape (n_buckets,)."""
    return np.array([buckets[start][name] if start in buckets else 0 for start in starts], dtype=np.float64)


class FunctionCells:
    """
    CPU of functions in both releases, as ``compare_functions`` gives it: a cell for each bucket in which one was seen.

    Flat columns, because 5,000 functions in 60 buckets of two releases are 600,000 cells.
    """

    def __init__(self, table: pa.Table) -> None:
        lists = {name: table.column(name).combine_chunks() for name in ("sides", *_CELLS)}
        self.names = list(zip(texts(table, "function"), texts(table, "file"), strict=True))
        self._columns = {name: column.flatten().to_numpy(zero_copy_only=False) for name, column in lists.items()}
        lengths = lists["buckets"].value_lengths().to_numpy(zero_copy_only=False)
        self._function = np.repeat(np.arange(len(self.names)), lengths)

    def costs(self, side: int, starts: Sequence[int], *, cpu_ns: FloatArray, work: FloatArray) -> Costs:
        """
        Return one release.

        Args:
            side: 0 for the baseline, 1 for the candidate.
            starts: Of the buckets to compare, Unix seconds, ascending.
            cpu_ns: Of the service in them, shape (n_buckets,).
            work: Done in them, shape (n_buckets,).
        """
        buckets = self._columns["buckets"].astype(np.int64)
        wanted = np.asarray(starts, dtype=np.int64)
        place = np.searchsorted(wanted, buckets)
        place[place == len(wanted)] = 0
        inside = self._columns["sides"] == side
        inside &= wanted[place] == buckets if len(wanted) else False
        where = (self._function[inside], place[inside])
        shape = (len(self.names), len(wanted))
        self_ns, total_ns = np.zeros(shape), np.zeros(shape)
        self_ns[where] = self._columns["self_ns"][inside]
        total_ns[where] = self._columns["total_ns"][inside]
        samples = np.bincount(where[0], weights=self._columns["samples"][inside], minlength=len(self.names)).astype(
            np.float64
        )
        return Costs(cpu_ns=cpu_ns, work=work, self_ns=self_ns, total_ns=total_ns, function_samples=samples)


def bucket_requests(
    row: Mapping[str, Any], version: str, starts: Sequence[int], *, first_index: int, n_bins: int
) -> Requests:
    """Return the requests of an operation in one release, in the buckets that start at *starts*."""
    place = {start: number for number, start in enumerate(starts)}
    histogram = np.zeros((len(starts), n_bins))
    duration_ns, errors = np.zeros(len(starts)), np.zeros(len(starts))
    columns = ("versions", "buckets", "hist_indexes", "requests", "errors", "duration_ns")
    for one_version, bucket, index, count, failed, spent in zip(*(row[name] for name in columns), strict=True):
        if one_version == version and bucket in place:
            number = place[bucket]
            histogram[number, index - first_index] += count
            errors[number] += failed
            duration_ns[number] += spent
    return Requests(histogram=histogram, duration_ns=duration_ns, errors=errors)
