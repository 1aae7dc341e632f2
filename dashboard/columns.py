"""How the tables' columns look: names, units, help, widths. Values come from the views."""

from collections.abc import Callable
from typing import Any, Final

from streamlit.column_config import (
    ButtonColumn,
    DatetimeColumn,
    ListColumn,
    MultiselectColumn,
    NumberColumn,
    ProgressColumn,
    TextColumn,
)

from dashboard.views.regressions import VERDICT_NAMES

OPERATION_CHANGE_COLUMNS: Final = (
    "verdict", "operation", "p99", "p99_values", "mean", "price", "price_interval", "p50", "p95", "errors", "requests",
    "kind",
)  # fmt: skip
FUNCTION_CHANGE_COLUMNS: Final = (
    "verdict", "function", "change", "price", "price_interval", "certainty", "baseline", "candidate", "mde",
    "total_change", "file",
)  # fmt: skip

Columns = dict[str, Any]

SERVICE_COLUMNS: Final = (
    "service", "open", "cost", "cores", "requests", "errors", "p50", "p95", "p99", "releases", "hosts", "last_seen",
)  # fmt: skip

_LAST_SEEN: Final = "When the newest data arrived, by this browser's clock"


def services_columns(
    currency: str, cost_max: float, *, on_click: Callable[..., None], args: tuple[Any, ...]
) -> Columns:
    """Return the columns of the table of services."""
    return {
        "service": TextColumn(
            "Service", width=150, help='"host" is what machines spent outside watched processes: other programs, kernel'
        ),
        "open": ButtonColumn(
            "", type="secondary", width=105, key="service_clicked", on_click=on_click, args=args,
            help="Open the flame graph of this service",
        ),
        "cost": _cost(f"{currency} / month", cost_max, "CPU time of the range, priced for a month of 730 h"),
        "cores": NumberColumn("CPU cores", format="%.2f", help="CPU seconds used per second, all processes"),
        "requests": NumberColumn("Requests/s", format="%,.1f", help="Server spans per second"),
        "errors": NumberColumn("Errors", format="percent", help="Share of requests that ended in an error"),
        "p50": _milliseconds("p50", "Half of the requests were faster"),
        "p95": _milliseconds("p95", "95% of the requests were faster"),
        "p99": _milliseconds("p99", "99% of the requests were faster"),
        "releases": TextColumn("Releases", width=95, help="service.version, the newest first"),
        "hosts": NumberColumn("Hosts", format="%d", width=55),
        "last_seen": DatetimeColumn("Last seen", format="distance", width=125, help=_LAST_SEEN),
    }  # fmt: skip


def functions_columns(currency: str) -> Columns:
    """Return the columns of the table of functions under a flame graph."""
    return {
        "function": TextColumn("Function", width=280),
        "self": ProgressColumn(
            "Own time", format="%.1f%%", min_value=0, max_value=100, help="Share of CPU time in the function itself"
        ),
        "total": ProgressColumn(
            "Total time", format="%.1f%%", min_value=0, max_value=100,
            help="Share of CPU time in the function and all it calls; a recursion counts once", color="gray",
        ),
        "self_seconds": NumberColumn("Own CPU", format="%,.2f s", help="CPU seconds in the range"),
        "total_seconds": NumberColumn("Total CPU", format="%,.2f s", help="CPU seconds in the range"),
        "self_cost": NumberColumn(f"Own {currency} / month", format="%,.2f", help="What its own time costs"),
        "total_cost": NumberColumn(f"Total {currency} / month", format="%,.2f", help="With all that it calls"),
        "file": TextColumn("File", width=300),
    }  # fmt: skip


def hosts_columns(currency: str, cost_max: float) -> Columns:
    """Return the columns of the table of hosts."""
    return {
        "host": TextColumn("Host", width=180),
        "cpu": ProgressColumn("CPU", format="%.0f%%", min_value=0, max_value=100, help="Latest share of CPU in use"),
        "memory": ProgressColumn(
            "Memory", format="%.0f%%", min_value=0, max_value=100, help="Latest share of memory in use", color="gray"
        ),
        "load": NumberColumn("Load 1 min", format="%.2f", help="Processes running or waiting to, last minute"),
        "cpus": NumberColumn("CPUs", format="%d", help="Logical CPUs"),
        "memory_size": TextColumn("Memory size", alignment="right"),
        "profiled": NumberColumn(
            "Profiled cores",
            format="%.2f",
            help="CPU that profiles account for, in cores: watched services and the rest",
        ),
        "cost": _cost(f"{currency} / month", cost_max, "The whole host: its CPUs and memory, busy or not"),
        "services": ListColumn("Services"),
        "system": TextColumn("System"),
        "last_seen": DatetimeColumn("Last seen", format="distance", help=_LAST_SEEN),
    }


def function_changes_columns(currency: str, per: str) -> Columns:
    """Return the columns of the table of functions between two releases."""
    return {
        "verdict": _verdict(),
        "function": TextColumn("Function", width=260),
        "change": _words("Change", "Candidate against baseline, with its confidence interval"),
        "baseline": NumberColumn("Baseline", format="%,.3f ms", help=f"Own CPU per {per}"),
        "candidate": NumberColumn("Candidate", format="%,.3f ms", help=f"Own CPU per {per}"),
        "price": NumberColumn(f"{currency} / month", format="%+,.2f", help="What the change costs at today's traffic"),
        "price_interval": _words("from … to", "Confidence interval of the price"),
        "certainty": TextColumn(
            "Certainty", help="Provisional: certain for one look. Settled: however often somebody looks"
        ),
        "mde": NumberColumn(
            "Would show",
            format="%,.3f ms",
            help="The smallest change that this data would have shown four times in five",
        ),
        "total_change": _words("Change with calls", "The same, with all that the function calls"),
        "file": TextColumn("File", width=260),
    }


def operation_changes_columns(currency: str) -> Columns:
    """Return the columns of the table of operations between two releases."""
    return {
        "verdict": _verdict(),
        "operation": TextColumn("Operation", width=200),
        "mean": _words("Mean", "Change of the mean, with its confidence interval"),
        "p50": _words("p50", "Change of the median"),
        "p95": _words("p95", "Change of the 95th percentile"),
        "p99": _words("p99", "Change of the 99th percentile"),
        "p99_values": _words("p99, before → after", "The 99th percentile of baseline and candidate"),
        "errors": _words("Error rate", "Baseline and candidate"),
        "price": NumberColumn(
            f"{currency} / month", format="%+,.2f", help="Request slots held longer or shorter, at today's traffic"
        ),
        "price_interval": _words("from … to", "Confidence interval of the price"),
        "requests": _words("Requests", "Baseline and candidate"),
        "kind": TextColumn("Kind"),
    }


def cost_columns(currency: str, cost_max: float) -> Columns:
    """Return the columns of the table of costs."""
    monthly = f"{currency} / month"

    def money(title: str, help_text: str) -> Any:
        return NumberColumn(title, format="%,.2f", help=f"{help_text}, {monthly}")

    return {
        "name": TextColumn("Name", width=220),
        "detail": TextColumn("Release or file", width=150),
        "cost": _cost(monthly, cost_max, "CPU, memory and idle together, for a month of 730 h"),
        "cpu": money("CPU", "Cores busy"),
        "memory": money("Memory", "What processes had resident"),
        "idle": money("Idle", "What the machine costs beyond its services"),
        "unsampled": money("Not sampled", "Part of the CPU's cost that no stack stands for"),
        "per_1000": NumberColumn("1,000 requests", format="%,.4f", help=f"{currency}, without idle"),
        "cores": NumberColumn("CPU cores", format="%.3f", help="CPU seconds used per second"),
        "memory_size": TextColumn("Memory size", alignment="right"),
        "requests": NumberColumn("Requests/s", format="%,.1f", help="Server spans per second"),
        "kwh": NumberColumn("kWh / month", format="%,.1f"),
        "co2e": NumberColumn("kg CO2e / month", format="%,.1f"),
        "basis": TextColumn("Prices", width=300, help="Which prices stand behind the figures"),
    }


def budgets_columns(currency: str) -> Columns:
    """Return the columns of the table of budgets."""
    return {
        "service": TextColumn("Service", width=220),
        "spent": ProgressColumn("Spent", format="%.0f%%", min_value=0, max_value=100, help="Of the budget"),
        "cost": NumberColumn(f"Cost, {currency} / month", format="%,.2f"),
        "budget": NumberColumn(f"Budget, {currency} / month", format="%,.2f"),
        "verdict": TextColumn(""),
    }


def _cost(title: str, cost_max: float, help_text: str) -> Any:
    return ProgressColumn(title, format="%,.2f", min_value=0, max_value=max(cost_max, 0.01), help=help_text, width=115)


def _milliseconds(title: str, help_text: str) -> Any:
    return NumberColumn(title, format="%,.0f ms", width=75, help=f"{help_text} (server spans)")


def _words(title: str, help_text: str) -> Any:
    return TextColumn(title, alignment="right", help=help_text)


def _verdict() -> Any:
    names = list(VERDICT_NAMES.values())
    return MultiselectColumn(
        "Verdict",
        options=names,
        color=["red", "green", "gray", "gray"],
        help="Whether the difference is more than chance, after correction for the number of comparisons",
        width=150,
    )
