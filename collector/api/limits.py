"""What one request to the query API may ask for and use."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from collector.detect.scan.settings import ScanSettings
from collector.detect.settings import CompareSettings

# No setting may go beyond this: more nodes than a browser draws in a second are no flame graph any more.
NODES_MAX: Final = 2**17

Positive = Annotated[int, Meta(ge=1)]


class ApiLimits(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    Limits of the query API.

    Attributes:
        threads: Requests that are answered at a time; more wait for one of these to end.
        timeout_s: A request that takes longer is answered with 504.
        requests_max: Requests at work at a time, those waiting for a thread included; one more is answered with 503.
        query_bytes_max: Longest query string; a longer one is answered with 414.
        body_bytes_max: Largest body of a request to write, decompressed; a larger one is answered with 413.
        body_timeout_s: A body that takes longer is answered with 408.
        range_days_max: Longest time range.
        rows_max: Most rows of one list, whatever ``limit`` asks for.
        nodes_max: Most nodes of a flame graph, whatever ``max_nodes`` asks for.
        stacks_max: Most distinct stacks merged into a flame graph, the largest first; the rest shows as "(other)".
        points_max: Most steps of one series over time.
        series_max: Most series of one host.
        gzip_bytes_min: Shorter answers are sent as they are.
        compare: What the comparison of two releases asks for.
        detect: What a scan reads and asks for.
    """

    threads: Annotated[int, Meta(ge=1, le=256)] = 4
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 30.0
    requests_max: Positive = 32
    query_bytes_max: Positive = 64 * 1024
    body_bytes_max: Annotated[int, Meta(ge=1024, le=1024**3)] = 4 * 1024**2
    body_timeout_s: Annotated[float, Meta(gt=0, le=600)] = 10.0
    range_days_max: Positive = 92
    rows_max: Positive = 10_000
    nodes_max: Annotated[int, Meta(ge=2, le=NODES_MAX)] = NODES_MAX
    stacks_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
    points_max: Positive = 1000
    series_max: Positive = 500
    gzip_bytes_min: Positive = 8192
    compare: CompareSettings = CompareSettings()
    detect: ScanSettings = ScanSettings()
