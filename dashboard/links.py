"""Pages and the query parameters that make every view a link."""

from typing import Final

from dashboard.views.text import label

OVERVIEW: Final = "app_pages/overview.py"
FLAMEGRAPH: Final = "app_pages/flamegraph.py"
REGRESSIONS: Final = "app_pages/regressions.py"
COST: Final = "app_pages/cost.py"
HOSTS: Final = "app_pages/hosts.py"

# Name shown and kept in the link -> start of the range as the query API understands it.
RANGES: Final[dict[str, str]] = {"15m": "-15m", "1h": "-1h", "6h": "-6h", "24h": "-24h", "7d": "-7d"}
DEFAULT_RANGE: Final = "1h"


def query(**parameters: str | None) -> dict[str, str]:
    """
    Return query parameters for a link to a page, without those that are not set.

    Names go in as their labels: that is what a select box keeps in the address, and it bounds its length. Streamlit
    percent-encodes them, and carries the time range along by itself.
    """
    return {name: label(value) for name, value in parameters.items() if value is not None}
