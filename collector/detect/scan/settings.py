"""What a scan reads, and when a change of it is worth a report."""

from typing import Annotated

import msgspec
from msgspec import Meta

from collector.detect.windows.settings import WindowSettings


class ScanSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    Limits and thresholds of ``/detect``.

    Attributes:
        history_hours_min: With less history than this, releases are compared, and nothing over time.
        points_max: Most steps of a series; the length of a step follows from the range.
        settle_s: What is younger than this may still be on its way, and is left out.
        functions_max: Functions searched, the largest by own time first.
        operations_max: Operations searched, those with the most requests first; and hosts, the busiest first.
        cells_max: Functions times steps that are read at a time.
        windows: When a change is a finding.
    """

    history_hours_min: Annotated[float, Meta(ge=1, le=2400)] = 6.0
    points_max: Annotated[int, Meta(ge=100, le=10_000)] = 2016
    settle_s: Annotated[int, Meta(ge=0, le=86_400)] = 60
    functions_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    operations_max: Annotated[int, Meta(ge=1, le=100_000)] = 500
    cells_max: Annotated[int, Meta(ge=10_000, le=1_000_000_000)] = 8_000_000
    windows: WindowSettings = WindowSettings()
