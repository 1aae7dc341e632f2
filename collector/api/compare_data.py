"""Reads two releases of a service from the store, as the arrays that the tests take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from collector.api.compare_columns import Buckets, FunctionCells, bucket_column, bucket_requests
from collector.api.context import Context, parameters, seen_seconds
from collector.api.parameters import CompareQuery
from collector.api.times import Span
from collector.detect.bootstrap import Requests
from collector.detect.buckets import Extent, Selection, bucket_seconds, intersection, select_buckets, whole_buckets
from collector.detect.cpu import Costs
from pyrometer.units import NS_PER_S

# Names shown in one note.
_NAMES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionTable:
    """Functions (name, file) and their cost in both releases."""

    names: list[tuple[str, str]]
    baseline: Costs
    candidate: Costs


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation in both releases; *requests_per_second* is its traffic in all releases."""

    name: str
    kind: str
    first_index: int
    baseline: Requests
    candidate: Requests
    requests_per_second: float


@dataclass(slots=True, kw_only=True)
class Comparison:
    """
    Everything a comparison needs.

    Attributes:
        denominator: What CPU is divided by.
        work_per_second: Requests per second, or processes at a time, of all releases: what prices assume.
        costs: None where one of the releases has no profiles.
        notes: What a reader should know, one sentence each.
    """

    bucket_s: int
    denominator: Literal["request", "second"]
    work_per_second: float
    requests_per_second: float
    cpu_selection: Selection
    latency_selection: Selection
    costs: FunctionTable | None = None
    operations: list[Operation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_comparison(context: Context, query: CompareQuery, span: Span) -> Comparison:
    """Read both releases in the buckets that can be compared."""
    return _Reader(context, query, span).read()


class _Reader:
    """One comparison being read: the parameters that all its queries share, and what is known so far."""

    def __init__(self, context: Context, query: CompareQuery, span: Span) -> None:
        self._context = context
        self._settings = context.limits.compare
        self._versions = (query.baseline, query.candidate)
        self._service = query.service
        self._range = span.in_seconds()
        self._common = parameters(service=query.service, versions=list(self._versions), **self._range)
        self._extents = {
            (row["version"], row["source"]): Extent(first_s=row["first_s"], last_s=row["last_s"])
            for row in context.rows("compare_extents", **self._common)
        }
        self._bucket_s = self._choose_bucket(span)
        self._notes: list[str] = []

    def read(self) -> Comparison:
        by_bucket = {"bucket_s": self._bucket_s}
        cpu = self._by_version(self._context.rows("compare_cpu", **self._common, **by_bucket))
        requests = self._by_version(self._context.rows("compare_requests", **self._common, **by_bucket))
        per_request = all(
            sum(row["requests"] for row in side.values()) >= self._settings.requests_min for side in requests
        )
        cpu_selection = self._select(cpu, per_request=per_request)
        latency_selection = self._select(requests, source="spans")
        traffic, service_rps = self._traffic()
        comparison = Comparison(
            bucket_s=self._bucket_s,
            denominator="request" if per_request else "second",
            work_per_second=service_rps if per_request else self._processes(),
            requests_per_second=service_rps,
            cpu_selection=cpu_selection,
            latency_selection=latency_selection,
        )
        self._note_missing(cpu, requests)
        if all(cpu):
            comparison.costs = self._functions(cpu, requests, cpu_selection, per_request=per_request)
            self._note_buckets("CPU", cpu_selection)
        if all(requests):
            comparison.operations = self._operations(latency_selection, traffic)
            self._note_buckets("latency", latency_selection)
        comparison.notes = self._notes
        return comparison

    def _choose_bucket(self, span: Span) -> int:
        """Cut the shorter of the two releases' lives, not the range asked for: a release may be minutes old."""
        lives = [self._extent(version, "cpu") or self._extent(version, "spans") for version in self._versions]
        return bucket_seconds(min((life.span_s for life in lives if life is not None), default=span.seconds))

    def _extent(self, version: str, source: str) -> Extent | None:
        return self._extents.get((version, source))

    def _by_version(self, rows: list[dict[str, Any]]) -> tuple[Buckets, Buckets]:
        baseline, candidate = ({row["bucket"]: row for row in rows if row["version"] == v} for v in self._versions)
        return baseline, candidate

    def _select(self, sides: tuple[Buckets, Buckets], *, source: str = "cpu", per_request: bool = False) -> Selection:
        usable = []
        for version, buckets in zip(self._versions, sides, strict=True):
            extent = self._extent(version, source)
            if per_request:
                extent = intersection(extent, self._extent(version, "spans"))
            seen = {start for start, row in buckets.items() if source == "spans" or row["observed_ns"] > 0}
            usable.append(whole_buckets(seen, extent, self._bucket_s) if extent else set())
        return select_buckets(usable[0], usable[1], buckets_min=self._settings.buckets_min, bucket_s=self._bucket_s)

    def _traffic(self) -> tuple[dict[tuple[str, str], float], float]:
        """Return requests per second of each operation, and of the service (its server spans)."""
        rows = self._context.rows(
            "compare_traffic", service=self._service, **self._range, rows_max=self._context.limits.rows_max
        )
        if not rows:
            return {}, 0.0
        seconds = seen_seconds(rows[0]["first_s"], rows[0]["last_s"])
        rates = {(row["operation"], row["kind"]): row["requests"] / seconds for row in rows}
        return rates, sum(rate for (_, kind), rate in rates.items() if kind == "server")

    def _processes(self) -> float:
        """Return how many processes of the service were observed at a time, on average, all releases together."""
        row = self._context.rows("service_cpu", service=self._service, versions=[], **self._range)[0]
        return float(row["observed_ns"]) / NS_PER_S / seen_seconds(row["first_s"], row["last_s"])

    def _functions(
        self,
        cpu: tuple[Buckets, Buckets],
        requests: tuple[Buckets, Buckets],
        selection: Selection,
        *,
        per_request: bool,
    ) -> FunctionTable:
        table = self._context.table(
            "compare_functions", **self._common, bucket_s=self._bucket_s, rows_max=self._settings.functions_max
        )
        all_functions = table.column("all_functions")[0].as_py() if table.num_rows else 0
        if all_functions > table.num_rows:
            self._context.hit("compare.functions_max")
            self._notes.append(
                f"Only the {table.num_rows} functions with the most own CPU of {all_functions} were tested."
            )
        cells, sides = FunctionCells(table), []
        for side, starts in enumerate((selection.baseline, selection.candidate)):
            if per_request:
                work = bucket_column(requests[side], starts, "requests")
            else:
                work = bucket_column(cpu[side], starts, "observed_ns") / NS_PER_S
            cpu_ns = bucket_column(cpu[side], starts, "cpu_ns")
            sides.append(cells.costs(side, starts, cpu_ns=cpu_ns, work=work))
        return FunctionTable(names=cells.names, baseline=sides[0], candidate=sides[1])

    def _operations(self, selection: Selection, traffic: Mapping[tuple[str, str], float]) -> list[Operation]:
        rows = self._context.rows(
            "compare_latency", **self._common, bucket_s=self._bucket_s, rows_max=self._settings.operations_max
        )
        if rows and rows[0]["all_operations"] > len(rows):
            self._context.hit("compare.operations_max")
            self._notes.append(
                f"Only the {len(rows)} operations with the most requests of {rows[0]['all_operations']} were tested."
            )
        operations, one_sided = [], []
        for row in rows:
            low, high = min(row["hist_indexes"]), max(row["hist_indexes"])
            baseline, candidate = (
                bucket_requests(row, version, starts, first_index=low, n_bins=high - low + 1)
                for version, starts in zip(self._versions, (selection.baseline, selection.candidate), strict=True)
            )
            if baseline.total == 0 or candidate.total == 0:
                one_sided.append(row["operation"])
                continue
            operations.append(
                Operation(
                    name=row["operation"],
                    kind=row["kind"],
                    first_index=low,
                    baseline=baseline,
                    candidate=candidate,
                    requests_per_second=traffic.get((row["operation"], row["kind"]), 0.0),
                )
            )
        self._note_one_sided(one_sided)
        return operations

    def _note_missing(self, cpu: tuple[Buckets, Buckets], requests: tuple[Buckets, Buckets]) -> None:
        for version, profiles, spans in zip(self._versions, cpu, requests, strict=True):
            shown = _short(version) or "without a version"
            if not profiles and not spans:
                self._notes.append(f"Release {shown} sent nothing in this range.")
            elif not profiles:
                self._notes.append(f"Release {shown} has no profiles in this range: CPU is not compared.")
            elif not spans:
                self._notes.append(f"Release {shown} has no spans in this range: latency is not compared.")

    def _note_buckets(self, what: str, selection: Selection) -> None:
        n_buckets = min(len(selection.baseline), len(selection.candidate))
        if n_buckets < self._settings.buckets_min:
            self._notes.append(
                f"Only {n_buckets} whole buckets of {self._bucket_s} s are there for {what};"
                f" {self._settings.buckets_min} are needed."
            )
        elif not selection.paired:
            self._notes.append(
                f"The releases did not run at the same time:"
                f" their {what} also differs by what differed between the times."
            )
        elif selection.matching != "side_by_side":
            apart_s = abs(selection.candidate[0] - selection.baseline[0])
            self._notes.append(
                f"The releases did not run at the same time: their {what} was compared at the same"
                f" {selection.matching.replace('_', ' ')}, {apart_s // 86_400} days apart."
            )

    def _note_one_sided(self, names: list[str]) -> None:
        if names:
            shown = ", ".join(_short(name) for name in names[:_NAMES_SHOWN])
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            self._notes.append(f"Served by one release only in the compared time, and left out: {shown}{more}.")


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:80]}…"  # noqa: PLR2004
