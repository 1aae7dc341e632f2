"""
Untrusted names as text, and numbers in words.

Pages show names only where Streamlit shows plain text (``st.text``, ``st.code``, tables, select boxes, charts), never
in Markdown; these functions make what cannot be seen visible, and what is endless short.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from pyrometer.api import Change
from pyrometer.units import format_duration

LABEL_CHARS_MAX: Final = 80
CELL_CHARS_MAX: Final = 300
NO_VALUE: Final = "–"  # noqa: RUF001
NO_NAME: Final = "(none)"
# Choices beside the names in a select box.
ALL_RELEASES: Final = "All releases"
NO_COMPARISON: Final = "No comparison"

_ONE_BYTE: Final = 0xFF
_VERSION_PARTS: Final = re.compile(r"[0-9]{1,18}|[^\W\d_]+")
_HASH_CHARS: Final = 6


def visible(text: str, chars_max: int = CELL_CHARS_MAX) -> str:
    """
    Return *text* on one line, control and formatting characters as escapes, cut to *chars_max*.

    Formatting characters include those that reorder text, so that a name cannot pass for another.
    """
    shown = "".join(_visible_character(character) for character in text[: chars_max + 1])
    return shown if len(shown) <= chars_max else shown[: chars_max - 1] + "…"


def name_cell(name: str) -> str:
    """Return a name for a table: as ``visible``, and something to see where it is empty."""
    return visible(name) or NO_NAME


def label(name: str) -> str:
    """
    Return a name for select boxes and links: short, and different for different names.

    A name that had to be changed, or that reads like one of our own choices, ends in a digest of the original.
    """
    if name == "":
        return NO_NAME
    shown = visible(name, LABEL_CHARS_MAX)
    if shown == name and name not in {NO_NAME, ALL_RELEASES, NO_COMPARISON}:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_HASH_CHARS]
    return f"{shown} #{digest}"


def labels(names: Iterable[str]) -> dict[str, str]:
    """Return label to name, in the order of *names*."""
    return {label(name): name for name in names}


def newest_first(versions: Iterable[str]) -> list[str]:
    """
    Return releases in the order of the numbers in their names, the largest first: ``1.10``, ``1.9``, ``1.9-rc1``.

    The query API does not say when a release came, so names of digests stand in no telling order.
    """
    return sorted(versions, key=_version_key, reverse=True)


def signed_percent(fraction: float) -> str:
    """Return a relative change as people read it: ``+23%``, ``-4.1%``, ``0%``, ``+1,200%``."""
    percent = fraction * 100
    if abs(percent) < 0.05:  # noqa: PLR2004
        return "0%"
    return f"{percent:+,.0f}%" if abs(percent) >= 10 else f"{percent:+.1f}%"  # noqa: PLR2004


def change_in_words(change: Change, *, unit: str = "ms") -> str:
    """
    Return a change with its confidence interval: ``+23% (+18 to +29)``.

    Where the baseline is 0 there is no relative change, and the difference is given: ``+1.2 ms (+0.9 to +1.5)``; where
    both sides are 0 there is nothing to say.
    """
    if change.baseline == change.candidate == 0:
        return NO_VALUE
    if change.relative is None or change.baseline == 0:
        return f"{change.absolute:+.3g} {unit} ({change.low:+.3g} to {change.high:+.3g})"
    return f"{signed_percent(change.relative)} ({relative_interval(change)})"


def relative_interval(change: Change) -> str:
    """Return the confidence interval of a change in percent of the baseline, which must not be 0: ``+18 to +29``."""
    low, high = sorted((change.low / change.baseline * 100, change.high / change.baseline * 100))
    digits = 0 if high - low >= 2 else 1  # noqa: PLR2004 - a narrow interval needs a digit to be seen as one
    return f"{low:+,.{digits}f} to {high:+,.{digits}f}"


def milliseconds(value: float | None) -> str:
    """Return a latency with its unit, or a dash where there is none."""
    return NO_VALUE if value is None else format_duration(value / 1000)


def _version_key(version: str) -> tuple[list[tuple[int, int, str]], str]:
    # A number is later than the end of the name, and the end is later than a word: 1.9.1 > 1.9 > 1.9-rc1.
    parts = [(2, int(part), "") if part.isdecimal() else (0, 0, part) for part in _VERSION_PARTS.findall(version)]
    return ([*parts, (1, 0, "")] if parts else [(-1, 0, "")], version)


def _visible_character(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] != "C" and category not in {"Zl", "Zp"}:
        return character
    point = ord(character)
    return f"\\x{point:02x}" if point <= _ONE_BYTE else f"\\u{{{point:x}}}"
