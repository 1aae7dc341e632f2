"""Flame graph: where the CPU time of a service goes, one release or all, or two releases against each other."""

from typing import Final

import streamlit as st

from dashboard import data, states
from dashboard.columns import functions_columns
from dashboard.components.flamegraph import flamegraph
from dashboard.controls import pick_release, pick_service, releases_of, selected_range
from dashboard.links import REGRESSIONS, query
from dashboard.views import flamegraph as view
from dashboard.views.text import ALL_RELEASES, NO_COMPARISON

_GRAPH_HEIGHT_PX: Final = 560
_TABLE_HEIGHT_PX: Final = 420
_ROWS_SHOWN: Final = 11
_SEARCH_CHARS_MAX: Final = 200

start = selected_range()

st.title("Flame graph")
with states.loading(), st.spinner("Asking the collector"):
    services = data.services(start)
if not services.services:
    states.no_services()
    st.stop()

choice, release, against, find = st.columns([3, 2, 2, 3], vertical_alignment="bottom")
with choice:
    service = pick_service(services)
releases = releases_of(services, service)
with release:
    version = pick_release("Release", releases, key="version", none=ALL_RELEASES)
with against:
    baseline = pick_release("Compare with", releases, key="compare", none=NO_COMPARISON)

search = find.text_input(
    "Search", key="search", bind="query-params", type="search", max_chars=_SEARCH_CHARS_MAX,
    placeholder="Functions and files", live=True,
) or ""  # fmt: skip

graph = st.container()
heading, onward = st.columns([7, 2], vertical_alignment="center")
heading.subheader("Functions")
if len(releases) > 1:
    onward.page_link(
        REGRESSIONS,
        label="Compare releases",
        icon=":material/compare_arrows:",
        query_params=query(service=service),
    )

with graph.skeleton(height=_GRAPH_HEIGHT_PX), graph, states.loading():
    answer = data.flamegraph(service, version, start, baseline)
    functions = data.functions(service, version, start, search)
with graph:
    if not answer.samples and not answer.total_value:
        states.nothing_here(
            "No profiles of this choice in this time range",
            "Choose a longer time range, or all releases. A service that only sends traces has no flame graph:"
            " run the agent on its host.",
        )
        st.stop()
    flamegraph(
        answer,
        key="flamegraph",
        height_px=_GRAPH_HEIGHT_PX,
        search=search,
        search_box=False,
        price_per_unit_month=view.price_per_nanosecond(functions),
        currency=functions.currency,
    )
    st.caption(view.summary(answer))

table = view.functions_table(functions)
st.dataframe(
    table,
    key="functions",
    hide_index=True,
    height=_TABLE_HEIGHT_PX if len(table) > _ROWS_SHOWN else "content",
    column_config=functions_columns(functions.currency),
    alt="Functions by their own CPU time",
)
if sampled := view.sampling(functions.quality):
    st.caption(" · ".join(sampled))
