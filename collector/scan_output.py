"""The findings of scans as a table and as lines of JSON, and the funnel that says what became of everything else."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from pyrometer.api_detect import DetectAnswer, FindingRow
from pyrometer.query_command import table_lines
from pyrometer.text import printable

_STAGES: Final = (
    ("series", "series searched over time"),
    ("not_enough_data", "  with too little data"),
    ("constant", "  that never move"),
    ("seasonal", "  that only follow the time of day"),
    ("change_points", "change points in the rest"),
    ("gone_away", "  gone away again"),
    ("usual", "  to a level they had before"),
    ("by_chance", "  too likely by chance"),
    ("under_threshold", "  under the threshold"),
    ("shifts", "  cost that only moved"),
    ("between_releases", "differences between releases"),
    ("merged", "merged into another finding"),
    ("not_asked", "improvements, not asked for"),
    ("reported", "reported"),
)


def json_lines(answers: Iterable[DetectAnswer]) -> Iterator[str]:
    """Yield each finding as one object."""
    for answer in answers:
        for row in answer.findings:
            yield msgspec.json.encode(row).decode()


def finding_lines(answers: Sequence[DetectAnswer]) -> Iterator[str]:
    """Yield all findings as one table; cost shifts stand in a second one."""
    rows = [(answer, row) for answer in answers for row in answer.findings]
    found = [_columns(answer, row) for answer, row in rows if row.state != "cost_shift"]
    shifts = [_columns(answer, row) for answer, row in rows if row.state == "cost_shift"]
    yield from table_lines(found) if found else ("No regression found.",)
    if shifts:
        yield ""
        yield "Cost that only moved:"
        yield from table_lines(shifts)


def funnel_lines(answers: Iterable[DetectAnswer]) -> Iterator[str]:
    """Yield how many series and changes were left after each stage, all services together."""
    sums = {name: 0 for name, _ in _STAGES}
    for answer in answers:
        for name in sums:
            sums[name] += getattr(answer.funnel, name)
    width = max(len(words) for _, words in _STAGES)
    for name, words in _STAGES:
        yield f"{words:<{width}}  {sums[name]:>10,}"


def note_lines(answers: Sequence[DetectAnswer]) -> Iterator[str]:
    """Yield each note once, with the services that it is about."""
    services: dict[str, list[str]] = {}
    for answer in answers:
        for note in answer.notes:
            services.setdefault(note, []).append(answer.service)
    for note, names in services.items():
        yield f"{printable(names[0]) if len(names) == 1 else f'{len(names)} services'}: {note}"


def _columns(answer: DetectAnswer, row: FindingRow) -> dict[str, Any]:
    change = "new" if row.relative is None else f"{100 * row.relative:+.1f}%"
    columns: dict[str, Any] = {
        "service": row.service,
        "what": row.name or "(whole service)",
        "of": row.kind,
        "before": f"{row.before:.4g}",
        "after": f"{row.after:.4g}",
        "unit": row.unit,
        "change": change,
        "95% interval": f"{row.low:+.3g} to {row.high:+.3g}",
        "p": f"{row.p_value:.2g}",
    }
    if row.state == "cost_shift":
        columns["kept its cost"] = row.shift_domain
    else:
        price = row.price_per_month
        columns[f"{answer.currency} a month"] = None if price is None else f"{price:+.2f}"
    columns["since"] = row.candidate_version or row.time
    columns["state"] = row.state if row.shape == "step" else f"{row.state}, slow climb"
    return columns
