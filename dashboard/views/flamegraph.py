"""The table under the flame graph, and what the page says about the data."""

import pandas as pd

from dashboard.views.text import name_cell, visible
from pyrometer.api import FlamegraphAnswer, FunctionsAnswer, WindowQuality
from pyrometer.units import NS_PER_S, format_duration


def functions_table(answer: FunctionsAnswer) -> pd.DataFrame:
    """
    Return one row per function, in the answer's order.

    Columns: function, self and total (percent), self_seconds, total_seconds, self_cost and total_cost (per month),
    file.
    """
    rows = answer.functions
    return pd.DataFrame(
        {
            "function": [name_cell(row.function) for row in rows],
            "self": pd.Series([row.self_share * 100 for row in rows], dtype="float64"),
            "total": pd.Series([row.total_share * 100 for row in rows], dtype="float64"),
            "self_seconds": pd.Series([row.self_cpu_seconds for row in rows], dtype="float64"),
            "total_seconds": pd.Series([row.total_cpu_seconds for row in rows], dtype="float64"),
            "self_cost": pd.Series([row.self_cost_per_month for row in rows], dtype="float64"),
            "total_cost": pd.Series([row.total_cost_per_month for row in rows], dtype="float64"),
            "file": [visible(row.file) for row in rows],
        }
    )


def price_per_nanosecond(answer: FunctionsAnswer) -> float | None:
    """Return what a nanosecond of CPU time in the range costs a month, or None where nothing was priced."""
    seconds = sum(row.self_cpu_seconds for row in answer.functions)
    cost = sum(row.self_cost_per_month for row in answer.functions)
    return cost / (seconds * NS_PER_S) if seconds > 0 else None


def summary(answer: FlamegraphAnswer) -> str:
    """Return one line on how much data the graph stands for."""
    parts = [f"{format_duration(answer.total_value / NS_PER_S)} of CPU time", f"{answer.samples:,} samples"]
    parts.append(f"{len(answer.depth):,} boxes")
    if answer.folded:
        parts.append(f"{answer.folded:,} smallest folded into “(other)”")
    return " · ".join([*parts, *sampling(answer.quality)])


def sampling(quality: WindowQuality) -> list[str]:
    """Return what there is to say on how the data was sampled, a part each; nothing where nobody knows."""
    parts = []
    if quality.rate_hz is not None:
        parts.append(f"{quality.rate_hz:.3g} looks a second")
    if quality.coverage is not None:
        parts.append(f"{quality.coverage:.0%} of the time seen in stacks")
    if quality.looks:
        parts.append(f"{quality.unstable_share:.2%} unstable")
    if quality.cut_share:
        parts.append(f"{quality.cut_share:.2%} cut at the root")
    if missed := quality.lost + quality.errors:
        parts.append(f"{missed:,} looks lost")
    return parts
