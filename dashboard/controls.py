"""The choices that pages share. Each is kept in the page's address, so that every view is a link."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

import streamlit as st
from streamlit.errors import StreamlitAPIException

from dashboard.links import DEFAULT_RANGE, RANGES
from dashboard.views.text import label, labels, newest_first
from pyrometer.api import ServicesAnswer
from pyrometer.semconv import HOST_SERVICE

# What a choice of service makes meaningless: releases of another service.
_RELEASE_KEYS: Final = ("version", "compare", "baseline", "candidate")
_LINKED_KEYS: Final = ("service", "host", "by", *_RELEASE_KEYS)
_PAGE_KEY: Final = "page_entered"

Width = int | Literal["stretch"]


def enter(page: str) -> None:
    """
    Let the address decide when another page is entered, because a link led there.

    Streamlit would go on with what the page's widgets held when it was left.
    """
    if st.session_state.get(_PAGE_KEY) == page:
        return
    st.session_state[_PAGE_KEY] = page
    for key in _LINKED_KEYS:
        linked = st.query_params.get(key)
        if linked is not None:
            st.session_state[key] = linked
        elif key in _RELEASE_KEYS and key in st.session_state:
            del st.session_state[key]


def pick_range() -> None:
    """Show the choice of time range that all pages share."""
    if (st.session_state.get("range") or st.query_params.get("range")) not in RANGES:
        st.session_state["range"] = DEFAULT_RANGE
        _show_in_address("range", DEFAULT_RANGE)
    st.segmented_control(
        "Time range",
        list(RANGES),
        required=True,
        key="range",
        bind="query-params",
        width="stretch",
        wrap=False,
        help="The last minutes, hours or days, up to now.",
    )


def selected_range() -> str:
    """Return the start of the chosen time range as the query API understands it, such as ``-1h``."""
    return RANGES.get(st.session_state.get("range") or DEFAULT_RANGE, RANGES[DEFAULT_RANGE])


def pick_service(answer: ServicesAnswer, *, width: Width = "stretch") -> str:
    """
    Return the chosen service; the most expensive that serves requests unless another is asked for. There must be one.

    What a host spent outside services comes last: it is seldom what somebody looks for first.

    A service that has gone quiet stays the choice of its own link, so that the page says whose data is missing.
    """
    serving_first = sorted(answer.services, key=lambda row: (row.service == HOST_SERVICE, row.requests == 0))
    by_label = labels(row.service for row in serving_first)
    linked = st.session_state.get("service") or st.query_params.get("service")
    if linked is not None and label(linked) == linked:
        by_label.setdefault(linked, linked)
    return by_label[_pick("Service", by_label, key="service", width=width, on_change=_forget_releases)]


def pick_host(names: Iterable[str], *, width: Width = "stretch") -> str:
    """Return the chosen host; the first one unless another is asked for. There must be one."""
    by_label = labels(names)
    return by_label[_pick("Host", by_label, key="host", width=width)]


def pick_release(
    title: str, releases: Sequence[str], *, key: str, default: str | None = None, none: str = ""
) -> str | None:
    """
    Return the chosen release.

    Args:
        title: Label of the select box.
        releases: The newest first.
        key: Query parameter that keeps the choice.
        default: The release to start with.
        none: Name of the choice that stands for no release; empty where one must be chosen.
    """
    by_label: dict[str, str | None] = {none: None} if none else {}
    by_label |= labels(releases)
    preset = None if default is None else label(default)
    return by_label[_pick(title, by_label, key=key, default=preset, first_is_default=bool(none))]


def releases_of(answer: ServicesAnswer, service: str) -> list[str]:
    """Return the releases of a service, the newest first."""
    return next((newest_first(row.versions) for row in answer.services if row.service == service), [])


def _pick(
    title: str,
    options: Iterable[str],
    *,
    key: str,
    default: str | None = None,
    width: Width = "stretch",
    on_change: Callable[[], None] | None = None,
    first_is_default: bool = False,
) -> str:
    # The default of a bound widget stays out of the address, so only a choice of nothing may be one: what a page shows
    # by itself (the most expensive service, the newest release) may be another when the link is opened.
    choices = list(options)
    held, linked = st.session_state.get(key), st.query_params.get(key)
    current = held or linked
    if current not in choices:
        current = default if default in choices else choices[0]
    if key in st.session_state or not first_is_default:
        st.session_state[key] = current  # also what another page left there: the widget would not show it
    if linked is None and not first_is_default:
        _show_in_address(key, current)
    chosen = st.selectbox(
        title,
        choices,
        index=0 if first_is_default else None,
        key=key,
        bind="query-params",
        width=width,
        on_change=on_change or "rerun",
    )
    _refill_once(key, filled=chosen is not None)
    return chosen if chosen in choices else current


def _refill_once(key: str, *, filled: bool) -> None:
    # The browser's "back" to an address without this choice empties the widget, whatever was put there before it; only
    # the next run can fill it.
    mark = f"refilling {key}"
    if not filled and not st.session_state.get(mark):
        st.session_state[mark] = True
        st.rerun()
    st.session_state[mark] = False


def _show_in_address(key: str, value: str) -> None:
    # A bound widget writes its changes to the address, but not the value it starts with, nor one it brings from another
    # page. Once it stands on a page, the address is its own and refuses to be written.
    with contextlib.suppress(StreamlitAPIException):
        st.query_params[key] = value


def _forget_releases() -> None:
    for key in _RELEASE_KEYS:
        if key in st.session_state:
            st.session_state[key] = None
