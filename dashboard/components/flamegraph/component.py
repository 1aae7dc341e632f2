"""
The wrapper that pages call: an API answer in, the focused path out.

The tree travels as an Arrow table of 32-bit and 64-bit columns, and its strings as a list. The script puts names on the
screen as text only.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import streamlit as st

from pyrometer.api import FlamegraphAnswer
from pyrometer.flamegraph import bundle_source, style_source

HEIGHT_PX = 520

_HTML = """
<div data-flamegraph></div>
"""

# The flame graph's colours, from the page's theme.
_THEME = """
[data-flamegraph] {
  --fg-text: var(--st-text-color);
  --fg-background: var(--st-background-color);
  --fg-surface: var(--st-secondary-background-color);
  --fg-accent: var(--st-primary-color);
  --fg-font: var(--st-font);
}
"""

_component = st.components.v2.component(
    "pyrometer_flamegraph",
    html=_HTML,
    css=style_source() + _THEME,
    js=bundle_source("streamlit"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlamegraphState:
    """
    What the reader of the page did with the flame graph.

    Attributes:
        focus: Function names from below the root down to the frame that was zoomed to; None where all is shown.
    """

    focus: list[str] | None


def flamegraph(
    answer: FlamegraphAnswer,
    *,
    key: str,
    height_px: int = HEIGHT_PX,
    search: str = "",
    search_box: bool = True,
    price_per_unit_month: float | None = None,
    currency: str = "",
    on_focus_change: Callable[[], None] | None = None,
) -> FlamegraphState:
    """
    Show the answer of ``/flamegraph``, as a difference where it has a baseline.

    Args:
        answer: The tree. The focus stays on its path when a new answer comes.
        key: Of the element, as in any Streamlit widget.
        height_px: Of the whole element; a higher tree scrolls inside it.
        search: What the search box holds at first; a new value replaces what was typed.
        search_box: False where the page has a search of its own, and hands it over as *search*.
        price_per_unit_month: What one unit of value costs a month; None shows no prices.
        currency: Code shown behind the price.
        on_focus_change: Called before the page runs again because another frame was zoomed to.
    """
    result = _component(
        key=key,
        data={
            "nodes": answer_to_table(answer),
            "strings": answer.strings,
            "answer": answer_digest(answer),
            "unit": answer.unit,
            "total_value": answer.total_value,
            "base_total_value": answer.base_total_value,
            "folded": answer.folded,
            "height_px": height_px,
            "search": search,
            "search_box": search_box,
            "price_per_unit_month": price_per_unit_month,
            "currency": currency,
        },
        height=height_px,
        default={"focus": None},
        on_focus_change=on_focus_change or _nothing,
    )
    return FlamegraphState(focus=_checked_path(result.get("focus")))


def answer_to_table(answer: FlamegraphAnswer) -> pa.Table:
    """Return the columns as the script reads them: 32-bit indices, which arrive as numbers, and 64-bit values."""
    columns = {name: pa.array(getattr(answer, name), pa.int32()) for name in ("depth", "parent", "name", "file")}
    columns |= {name: pa.array(getattr(answer, name), pa.float64()) for name in ("start", "total", "self")}
    if answer.base_total is not None and answer.base_self is not None:
        columns["base_total"] = pa.array(answer.base_total, pa.float64())
        columns["base_self"] = pa.array(answer.base_self, pa.float64())
    return pa.table(columns)


def answer_digest(answer: FlamegraphAnswer) -> str:
    """Return a text that differs for different trees, by which the script tells a rerun from new data."""
    digest = hashlib.sha256()
    for column in answer_to_table(answer).columns:
        digest.update(column.combine_chunks().buffers()[1] or b"")
    for text in (answer.unit, str(answer.total_value), str(answer.base_total_value), *answer.strings):
        digest.update(text.encode("utf-8", "replace") + b"\0")
    return digest.hexdigest()


def _checked_path(value: Any) -> list[str] | None:
    # The browser's word: anything but a list of texts is no focus.
    if not isinstance(value, list) or not value:
        return None
    return [str(name) for name in value]


def _nothing() -> None:
    """Stand in where nobody asked to be called: only a state with a callback has a default."""
