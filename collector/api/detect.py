"""``/detect``: which series of a service changed, over time or between its last two releases."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from collector.api.compare import compare
from collector.api.context import Context
from collector.api.parameters import CompareQuery, DetectQuery
from collector.api.times import Span, unix_time
from collector.cost.change import ChangePrice, Traffic, price_change
from collector.detect.finding import Finding, FindingState
from collector.detect.scan.folding import fold
from collector.detect.scan.load import Load, load_of_releases
from collector.detect.scan.over_time import OverTime, scan_over_time
from collector.detect.scan.releases import last_two, release_findings
from collector.detect.windows.changes import Funnel
from pyrometer.api import CompareAnswer
from pyrometer.api_detect import DetectAnswer, FindingRow, FunnelRow

_RELEASES_MAX = 1000


class _Price(Protocol):
    """The price of a month, and the ends of its interval."""

    @property
    def middle(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """The last two releases compared; nothing where there is one only."""

    answer: CompareAnswer | None = None
    findings: Sequence[Finding] = ()
    notes: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceScan:
    """
    What a scan of a service found.

    Attributes:
        kept: One finding for each cause, improvements and cost shifts among them.
        merged: How many others those stand for.
        load: What prices assume.
    """

    span: Span
    over_time: OverTime
    releases: Releases
    load: Load
    kept: Sequence[Finding]
    merged: int


def detect(context: Context, query: DetectQuery) -> DetectAnswer:
    """Answer ``GET /detect``."""
    return answer_of(context, query, scan_service(context, query))


def scan_service(context: Context, query: DetectQuery) -> ServiceScan:
    """Return what a scan of a service found, one finding for each cause."""
    span = context.span(query)
    over_time = scan_over_time(
        context,
        query.service,
        start_s=span.start_s,
        end_s=span.end_s,
        now_s=context.now_s,
        settings=context.limits.detect,
    )
    for setting in over_time.limits_hit:
        context.hit(setting)
    releases = _compare_releases(context, query, span)
    load = load_of_releases(releases.answer) if releases.answer else over_time.load
    kept, merged = fold([*over_time.findings, *releases.findings], load)
    return ServiceScan(span=span, over_time=over_time, releases=releases, load=load, kept=kept, merged=merged)


def answer_of(context: Context, query: DetectQuery, scan: ServiceScan) -> DetectAnswer:
    """Return a scan as answers show it."""
    over_time, releases, kept = scan.over_time, scan.releases, scan.kept
    answer = releases.answer
    shifts = [one for one in kept if one.state is FindingState.COST_SHIFT]
    causes = [one for one in kept if one.state is not FindingState.COST_SHIFT]
    reported = [one for one in causes if one.is_worse or query.improvements]
    rows = [
        *sorted((_row(context, one, scan.load) for one in reported), key=_order),
        *(_row(context, one, scan.load) for one in shifts),
    ]
    return DetectAnswer(
        range=scan.span.answer(),
        service=query.service,
        steps=over_time.grid.n_steps if over_time.grid else 0,
        step_s=over_time.grid.step_s if over_time.grid else 0,
        baseline=answer.baseline if answer else None,
        candidate=answer.candidate if answer else None,
        currency=context.prices.currency,
        findings=rows[: query.limit],
        funnel=_funnel(
            over_time.funnel,
            between_releases=len(releases.findings),
            merged=scan.merged,
            not_asked=len(causes) - len(reported),
            reported=len(reported),
        ),
        notes=[*over_time.notes, *releases.notes],
    )


def _compare_releases(context: Context, query: DetectQuery, span: Span) -> Releases:
    rows = context.rows("scan_releases", service=query.service, **span.in_seconds(), rows_max=_RELEASES_MAX)
    pair = last_two(rows)
    if pair is None:
        return Releases()
    answer = compare(
        context,
        CompareQuery(
            service=query.service,
            baseline=pair.baseline,
            candidate=pair.candidate,
            start=unix_time(span.start_s),
            end=unix_time(span.end_s),
            limit=context.limits.rows_max,
        ),
    )
    return Releases(answer=answer, findings=release_findings(answer, pair.since_s), notes=answer.notes)


def price_of(context: Context, finding: Finding, load: Load) -> ChangePrice | None:
    """Return what a finding costs a month, None where it has no price."""
    key = finding.key
    rate = load.operations.get(key.name, 0.0) if key.kind.startswith("operation.") else load.requests_per_second
    return price_change(context.prices, finding, Traffic(requests_per_second=rate, service_cores=load.cores))


def finding_row(finding: Finding, price: _Price | None) -> FindingRow:
    """Return a finding as answers show it."""
    key = finding.key
    return FindingRow(
        service=key.service,
        kind=key.kind.value,
        name=key.name,
        detail=key.detail,
        unit=key.unit,
        state=finding.state.value,
        shape=finding.shape,
        direction=finding.direction,
        worse=finding.is_worse,
        time=unix_time(finding.time_s),
        step_s=finding.step_s,
        before=finding.before,
        after=finding.after,
        effect=finding.effect,
        relative=finding.relative,
        low=finding.low,
        high=finding.high,
        p_value=finding.p_value,
        mde=finding.mde,
        samples=finding.samples,
        baseline_version=finding.baseline_version,
        candidate_version=finding.candidate_version,
        shift_domain=finding.shift_domain,
        price_per_month=price.middle if price else None,
        price_low=price.low if price else None,
        price_high=price.high if price else None,
    )


def _row(context: Context, finding: Finding, load: Load) -> FindingRow:
    return finding_row(finding, price_of(context, finding, load))


def _order(row: FindingRow) -> tuple[bool, float, float, str, str]:
    relative = float("inf") if row.relative is None else abs(row.relative)
    return not row.worse, -abs(row.price_per_month or 0.0), -relative, row.name, row.detail


def _funnel(funnel: Funnel, *, between_releases: int, merged: int, not_asked: int, reported: int) -> FunnelRow:
    return FunnelRow(
        series=funnel.series,
        not_enough_data=funnel.not_enough_data,
        constant=funnel.constant,
        seasonal=funnel.seasonal,
        change_points=funnel.change_points,
        gone_away=funnel.gone_away,
        usual=funnel.usual,
        by_chance=funnel.by_chance,
        under_threshold=funnel.under_threshold,
        shifts=funnel.shifts,
        between_releases=between_releases,
        merged=merged,
        not_asked=not_asked,
        reported=reported,
    )
