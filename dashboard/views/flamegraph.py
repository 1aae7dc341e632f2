"""The table under the flame graph, and what the page says about the data."""

import pandas as pd

from dashboard.views.text import name_cell, visible
from pyrometer.api import FlamegraphAnswer, FunctionsAnswer
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
    return " · ".join(parts)
