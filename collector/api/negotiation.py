"""
What a client accepts: media types and gzip.

Source: RFC 9110, sections 12.5.1 and 12.5.3.
"""

from collections.abc import Sequence
from typing import Final

# Longer headers name no more types than anyone has use for.
_ITEMS_MAX: Final = 50


def choose_type(accept: str, offered: Sequence[str]) -> str | None:
    """
    Return the offered media type that the client likes most; the first one where it has no preference.

    Args:
        accept: The Accept header; empty means anything.
        offered: In the server's order of preference.

    Returns:
        One of *offered*, or None where the client accepts none of them.
    """
    wanted = _parse(accept)
    if not wanted:
        return offered[0]
    # max() keeps the first of equals, so the server's order breaks ties.
    best = max(offered, key=lambda media_type: _quality(wanted, media_type))
    return best if _quality(wanted, best) > 0 else None


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether the client takes gzip; not when it says nothing."""
    wanted = _parse(accept_encoding)
    return wanted.get("gzip", wanted.get("*", 0.0)) > 0


def _quality(wanted: dict[str, float], media_type: str) -> float:
    family = media_type.partition("/")[0]
    for name in (media_type, f"{family}/*", "*/*"):
        if name in wanted:
            return wanted[name]
    return 0.0


def _parse(header: str) -> dict[str, float]:
    wanted: dict[str, float] = {}
    for item in header.lower().split(",")[:_ITEMS_MAX]:
        name, *parameters = (part.strip() for part in item.split(";"))
        if not name:
            continue
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                quality = _number(parameter.removeprefix("q="))
        wanted[name] = quality
    return wanted


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return min(1.0, max(0.0, value)) if value == value else 0.0  # noqa: PLR0124 - NaN
