"""``/detect``: which series of a service changed, over time or between its last two releases."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from collector.api.compare import compare
from collector.api.context import Context
from collector.api.parameters import CompareQuery, DetectQuery
from collector.api.times import Span, unix_time
from collector.cost.change import Traffic, price_change
from collector.detect.finding import Finding, FindingState
from collector.detect.scan.folding import fold
from collector.detect.scan.load import Load, load_of_releases
from collector.detect.scan.over_time import scan_over_time
from collector.detect.scan.releases import last_two, release_findings
from collector.detect.windows.changes import Funnel
from pyrometer.api import CompareAnswer
from pyrometer.api_detect import DetectAnswer, FindingRow, FunnelRow

_RELEASES_MAX = 1000


def detect(context: Context, query: DetectQuery) -> DetectAnswer:
    """Answer ``/detect``."""
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
    answer = releases.answer
    load = load_of_releases(answer) if answer else over_time.load
    kept, merged = fold([*over_time.findings, *releases.findings], load)
    shifts = [one for one in kept if one.state is FindingState.COST_SHIFT]
    causes = [one for one in kept if one.state is not FindingState.COST_SHIFT]
    reported = [one for one in causes if one.is_worse or query.improvements]
    rows = [
        *sorted((_row(context, one, load) for one in reported), key=_order),
        *(_row(context, s, load) for s in shifts),
    ]
    return DetectAnswer(
        range=span.answer(),
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
            merged=merged,
            not_asked=len(causes) - len(reported),
            reported=len(reported),
        ),
        notes=[*over_time.notes, *releases.notes],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Releases:
    """The last two releases compared; nothing where there is one only."""

    answer: CompareAnswer | None = None
    findings: Sequence[Finding] = ()
    notes: Sequence[str] = field(default=())


def _compare_releases(context: Context, query: DetectQuery, span: Span) -> _Releases:
    rows = context.rows("scan_releases", service=query.service, **span.in_seconds(), rows_max=_RELEASES_MAX)
    pair = last_two(rows)
    if pair is None:
        return _Releases()
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
    return _Releases(answer=answer, findings=release_findings(answer, pair.since_s), notes=answer.notes)


def _row(context: Context, finding: Finding, load: Load) -> FindingRow:
    key = finding.key
    rate = load.operations.get(key.name, 0.0) if key.kind.startswith("operation.") else load.requests_per_second
    price = price_change(context.prices, finding, Traffic(requests_per_second=rate, service_cores=load.cores))
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
