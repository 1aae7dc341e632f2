"""Which functions use the time: of the last window, and since the beginning."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agent.reader.engine import Window
from pyrometer.tree import function_totals
from pyrometer.units import NS_PER_S
from pyrometer.values import Profile

# More distinct functions than this are seen in no terminal; those with the least time are forgotten.
FUNCTIONS_MAX: Final = 20_000

Function = tuple[str, str]


class Order(StrEnum):
    """What a table is sorted by."""

    SELF_SHARE = "self_share"
    TOTAL_SHARE = "total_share"
    SELF_TIME = "self_s"
    TOTAL_TIME = "total_s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    A function in the table. Both texts are hostile.

    Attributes:
        function: Its qualified name.
        file: Where it is.
        self_share: Time in the function itself in the last window, as a fraction of one CPU (or of wall time).
        total_share: The same with everything it called.
        self_s: Time in the function itself since the beginning, seconds.
        total_s: The same with everything it called.
    """

    function: str
    file: str
    self_share: float
    total_share: float
    self_s: float
    total_s: float


class Ranking:
    """
    Adds up windows by function.

    Attributes:
        windows: Windows added.
        samples: Stacks seen since the beginning.
        errors: Samples that could not be read, since the beginning.
        lost: Samples that were not taken because the reader was behind, since the beginning.
        busy_share: Time of all threads in the last window, as a fraction of one CPU.
        threads: Threads seen in the last window.
    """

    def __init__(self) -> None:
        self.windows = 0
        self.samples = 0
        self.errors = 0
        self.lost = 0
        self.busy_share = 0.0
        self.threads = 0
        self._last: dict[Function, tuple[float, float]] = {}
        self._last_ns = 1
        self._sums: dict[Function, tuple[float, float]] = {}

    def add(self, window: Window) -> None:
        """Add a window, which becomes the last one."""
        self.windows += 1
        values = Profile(samples=window.samples).values()
        self.samples += sum(sample.count for sample in window.samples)
        self.errors += window.errors
        self.lost += window.lost
        self.threads = len({sample.thread_id for sample in window.samples if sample.count})
        self._last = function_totals(values)
        self._last_ns = max(1, window.duration_ns)
        self.busy_share = sum(values.values()) / self._last_ns
        for function, (self_ns, total_ns) in self._last.items():
            self_sum, total_sum = self._sums.get(function, (0.0, 0.0))
            self._sums[function] = (self_sum + self_ns, total_sum + total_ns)
        if len(self._sums) > FUNCTIONS_MAX:
            kept = sorted(self._sums, key=lambda function: self._sums[function], reverse=True)[: FUNCTIONS_MAX // 2]
            self._sums = {function: self._sums[function] for function in kept}

    def rows(self, order: Order, limit: int) -> list[Row]:
        """Return the first functions in this order; equal ones by the other columns, then by name."""
        rows = [self._row(function, *sums) for function, sums in self._sums.items()]
        first = order.value
        rows.sort(
            key=lambda row: (-getattr(row, first), -row.self_share, -row.self_s, -row.total_s, row.function, row.file)
        )
        return rows[:limit]

    def _row(self, function: Function, self_ns: float, total_ns: float) -> Row:
        last_self_ns, last_total_ns = self._last.get(function, (0.0, 0.0))
        name, file = function
        return Row(
            function=name,
            file=file,
            self_share=last_self_ns / self._last_ns,
            total_share=last_total_ns / self._last_ns,
            self_s=self_ns / NS_PER_S,
            total_s=total_ns / NS_PER_S,
        )
