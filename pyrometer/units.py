"""Numbers as people read them, and the few constants of time and money."""

from datetime import UTC, datetime

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
# A month of 730 hours is what cloud price lists use.
HOURS_PER_MONTH = 730.0
SECONDS_PER_MONTH = HOURS_PER_MONTH * 3600.0


def format_duration(seconds: float) -> str:
    """Return a duration with three significant digits and a unit: ``1.23 ms``, ``45.0 s``, ``2.50 h``."""
    magnitude = abs(seconds)
    for limit, scale, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (120.0, 1.0, "s"), (7200.0, 1 / 60, "min")):
        if magnitude < limit:
            return f"{_three_digits(seconds * scale)} {unit}"
    return f"{_three_digits(seconds / 3600)} h"


def format_bytes(count: float) -> str:
    """Return a size in binary units: ``512 B``, ``1.50 GiB``."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:  # noqa: PLR2004
            return f"{_three_digits(value)} {unit}" if unit != "B" else f"{value:.0f} B"
        value /= 1024
    return f"{_three_digits(value)} TiB"


def format_money(amount: float, currency: str) -> str:
    """Return an amount with its currency's code: ``12.30 USD``, ``1,234 USD``."""
    return f"{amount:,.2f} {currency}" if abs(amount) < 1000 else f"{amount:,.0f} {currency}"  # noqa: PLR2004


def format_time(unix_ns: int) -> str:
    """Return a UTC time as RFC 3339 with milliseconds."""
    moment = datetime.fromtimestamp(unix_ns / NS_PER_S, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _three_digits(value: float) -> str:
    magnitude = abs(value)
    if magnitude >= 100:  # noqa: PLR2004
        return f"{value:.0f}"
    return f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}"  # noqa: PLR2004
