"""Profiles to the rows of the tables that hold them."""

import hashlib
import struct
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pyrometer import semconv
from pyrometer.units import NS_PER_MS, NS_PER_S
from pyrometer.values import Frame, Profile, Sample, Stack

# The roll-ups' bucket.
BUCKET_S: Final = 10
_SECONDS_PER_DAY: Final = 86_400
_UINT32_MAX: Final = 2**32 - 1
_UNKNOWN_SERVICE: Final = "unknown_service"

Columns = dict[str, list[Any]]
# A kind of row that stands for content (series, stack, frame), its id, and the day it was written.
ContentKey = tuple[str, int, int]

_TABLE_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "series": ("series_id", "service", "version", "host", "pid", "attributes", "last_seen"),
    "frames": ("frame_id", "function", "file", "line", "frame_type", "last_seen"),
    "stacks": ("stack_id", "frame_ids", "last_seen"),
    "samples": (
        *("service", "version", "sample_type", "stack_id", "series_id"),
        *("ts", "duration_ms", "thread_id", "count", "value"),
    ),
    "function_cost": ("service", "version", "bucket", "function", "file", "self_ns", "total_ns", "samples"),
    "service_cost": ("service", "version", "host", "bucket", "cpu_ns", "samples", "observed_ns", "windows"),
    "window_quality": (
        *("service", "sample_type", "version", "host", "bucket", "total_value", "seen_value", "samples"),
        *("sampled_ns", "looks", "late", "lost", "errors", "unstable", "cut"),
    ),
}
# Of `Profile.quality`, in the order of the last columns of window_quality.
_QUALITY: Final = (
    *(semconv.WINDOW_SAMPLED_NS, semconv.WINDOW_LOOKS, semconv.WINDOW_LATE, semconv.WINDOW_LOST),
    *(semconv.WINDOW_ERRORS, semconv.WINDOW_UNSTABLE, semconv.WINDOW_CUT),
)


class KnownContent:
    """Which series, stacks and frames are in the database today, as far as this process inserted them; bounded."""

    def __init__(self, size_max: int = 500_000) -> None:
        self._size_max = size_max
        self._keys: OrderedDict[ContentKey, None] = OrderedDict()

    def __contains__(self, key: ContentKey) -> bool:
        if key not in self._keys:
            return False
        self._keys.move_to_end(key)
        return True

    def add(self, keys: Iterable[ContentKey]) -> None:
        """Remember keys; only after their insert was confirmed."""
        for key in keys:
            self._keys[key] = None
            self._keys.move_to_end(key)
        while len(self._keys) > self._size_max:
            self._keys.popitem(last=False)


@dataclass(slots=True)
class ProfileRows:
    """
    Rows by table, and what of their content is new.

    Attributes:
        tables: In the order to insert them: what is referred to comes first.
        content: To be remembered once they are inserted.
    """

    tables: dict[str, Columns] = field(
        default_factory=lambda: {table: {name: [] for name in names} for table, names in _TABLE_COLUMNS.items()}
    )
    content: set[ContentKey] = field(default_factory=set)

    def add(self, table: str, *values: Any) -> None:
        """Append one row, its values in the order of the table's columns."""
        for column, value in zip(self.tables[table].values(), values, strict=True):
            column.append(value)


def profiles_to_rows(profiles: Sequence[Profile], known: KnownContent, *, now_s: float | None = None) -> ProfileRows:
    """Return the rows of profiles; content that is known today is left out."""
    return _Builder(known, time.time() if now_s is None else now_s).build(profiles)


class _Builder:
    def __init__(self, known: KnownContent, now_s: float) -> None:
        self._known = known
        self._now_ms = int(now_s * 1000)
        self._day = int(now_s) // _SECONDS_PER_DAY
        self._rows = ProfileRows()
        self._frame_ids: dict[Frame, int] = {}
        self._stack_ids: dict[Stack, int] = {}

    def build(self, profiles: Sequence[Profile]) -> ProfileRows:
        for profile in profiles:
            self._add_profile(profile)
        return self._rows

    def _add_profile(self, profile: Profile) -> None:
        attributes = {key: str(value) for key, value in profile.attributes.items()}
        service = attributes.get("service.name") or _UNKNOWN_SERVICE
        version = attributes.get("service.version", "")
        host = attributes.get("host.name", "")
        series_id = self._add_series(service, version, host, attributes)
        ts_ms, duration_ms = profile.start_unix_ns // NS_PER_MS, min(profile.duration_ns // NS_PER_MS, _UINT32_MAX)
        for sample in profile.samples:
            self._rows.add(
                "samples",
                *(service, version, profile.sample_type, self._stack_id(sample.stack), series_id),
                *(ts_ms, duration_ms, sample.thread_id, sample.count, sample.value),
            )
        middle_s = (profile.start_unix_ns + profile.duration_ns // 2) // NS_PER_S
        bucket = middle_s - middle_s % BUCKET_S
        self._add_quality(profile, service, version, host, bucket)
        if profile.sample_type == "cpu":
            self._add_costs(profile, service, version, host, bucket)

    def _add_quality(self, profile: Profile, service: str, version: str, host: str, bucket: int) -> None:
        self._rows.add(
            "window_quality",
            *(service, profile.sample_type, version, host, bucket),
            sum(sample.value for sample in profile.samples),
            # What no look saw is accounted on stacks of count 0.
            sum(sample.value for sample in profile.samples if sample.count),
            sum(sample.count for sample in profile.samples),
            *(profile.quality.get(name, 0) for name in _QUALITY),
        )

    def _add_costs(self, profile: Profile, service: str, version: str, host: str, bucket: int) -> None:
        for (function, file), (self_ns, total_ns, count) in sorted(function_sums(profile.samples).items()):
            self._rows.add("function_cost", service, version, bucket, function, file, self_ns, total_ns, count)
        cpu_ns = sum(sample.value for sample in profile.samples)
        count = sum(sample.count for sample in profile.samples)
        self._rows.add("service_cost", service, version, host, bucket, cpu_ns, count, profile.duration_ns, 1)

    def _add_series(self, service: str, version: str, host: str, attributes: dict[str, str]) -> int:
        parts = [part for pair in sorted(attributes.items()) for part in pair]
        series_id = content_id("series", *parts)
        pid = attributes.get("process.pid", "")
        if self._is_new("series", series_id):
            number = int(pid) if pid.isascii() and pid.isdigit() else 0
            self._rows.add(
                "series", series_id, service, version, host, min(number, _UINT32_MAX), attributes, self._now_ms
            )
        return series_id

    def _stack_id(self, stack: Stack) -> int:
        found = self._stack_ids.get(stack)
        if found is not None:
            return found
        frame_ids = [self._frame_id(frame) for frame in stack]
        stack_id = _hash(struct.pack(f"<{len(frame_ids)}Q", *frame_ids), person=b"stack")
        self._stack_ids[stack] = stack_id
        if self._is_new("stack", stack_id):
            self._rows.add("stacks", stack_id, frame_ids, self._now_ms)
        return stack_id

    def _frame_id(self, frame: Frame) -> int:
        found = self._frame_ids.get(frame)
        if found is not None:
            return found
        frame_id = content_id("frame", frame.function, frame.file, str(frame.line), frame.frame_type)
        self._frame_ids[frame] = frame_id
        if self._is_new("frame", frame_id):
            self._rows.add(
                "frames", frame_id, frame.function, frame.file, frame.line, frame.frame_type.value, self._now_ms
            )
        return frame_id

    def _is_new(self, kind: str, content: int) -> bool:
        key = (kind, content, self._day)
        if key in self._known or key in self._rows.content:
            return False
        self._rows.content.add(key)
        return True


def function_sums(samples: Iterable[Sample]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """
    Return (self, total, count) per (function, file).

    Self is what has the function at the leaf. A stack counts once for the total of a function, however often it is in
    it; the count is of the stacks that hold it.
    """
    sums: dict[tuple[str, str], list[int]] = {}
    for sample in samples:
        for name in {(frame.function, frame.file) for frame in sample.stack}:
            row = sums.setdefault(name, [0, 0, 0])
            row[1] += sample.value
            row[2] += sample.count
        leaf = sample.stack[-1]
        sums[leaf.function, leaf.file][0] += sample.value
    return {name: (row[0], row[1], row[2]) for name, row in sums.items()}


def content_id(kind: str, *parts: str) -> int:
    """Return the stable 64-bit id of content; no two lists of parts are alike to it."""
    encoded = [part.encode("utf-8", "replace") for part in parts]
    return _hash(b"".join(struct.pack("<I", len(part)) + part for part in encoded), person=kind.encode())


def _hash(content: bytes, *, person: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8, person=person).digest(), "little")
