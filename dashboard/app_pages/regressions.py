"""Regressions: two releases of a service, functions by CPU and operations by latency, each with its price."""

from typing import Final, Literal

import streamlit as st

from dashboard import data, states
from dashboard.columns import (
    FUNCTION_CHANGE_COLUMNS,
    OPERATION_CHANGE_COLUMNS,
    function_changes_columns,
    operation_changes_columns,
)
from dashboard.controls import pick_release, pick_service, releases_of, selected_range
from dashboard.links import FLAMEGRAPH, query
from dashboard.views import regressions as view
from dashboard.views.text import NO_VALUE
from pyrometer.api import CompareAnswer, Verdict

_COLOURS: Final[dict[Verdict, Literal["red", "green"]]] = {"regression": "red", "improvement": "green"}
_TWO: Final = 2

start = selected_range()


def show_cards(answer: CompareAnswer) -> None:
    """Show the verdicts, in words and in colour."""
    with st.grid(4, min_column_width=190):
        for card in view.cards(answer):
            with st.container(border=True, height="stretch", gap="xsmall"):
                st.metric(card.label, card.value, help=card.help)
                st.badge(view.VERDICT_NAMES[card.verdict], color=_COLOURS.get(card.verdict, "gray"))
                st.caption(card.words)


st.title("Regressions")
with states.loading(), st.spinner("Asking the collector"):
    services = data.services(start)
if not services.services:
    states.no_services()
    st.stop()

choice, before, after = st.columns([3, 2, 2], vertical_alignment="bottom")
with choice:
    service = pick_service(services)
releases = releases_of(services, service)
if len(releases) < _TWO:
    states.nothing_here(
        "This service has only one release in this time range",
        "Releases come from `service.version`, or the agent's rules. Choose a longer time range, or another service.",
    )
    st.stop()
with before:
    baseline = pick_release("Baseline", releases, key="baseline", default=releases[1])
with after:
    candidate = pick_release("Candidate", releases, key="candidate", default=releases[0])
if baseline is None or candidate is None or baseline == candidate:
    states.nothing_here("Choose two different releases", "The candidate is compared with the baseline.")
    st.stop()

with states.loading(), st.spinner("Comparing the releases"):
    answer = data.compare(service, baseline, candidate, start)

show_cards(answer)
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.caption(view.method(answer), width="content")
    st.page_link(
        FLAMEGRAPH,
        label="Show the difference as a flame graph",
        query_params=query(service=service, version=candidate, compare=baseline),
    )
if answer.notes:
    st.text(view.notes(answer))

st.subheader("Functions by CPU")
st.dataframe(
    view.functions_table(answer),
    key="function_changes",
    hide_index=True,
    placeholder=NO_VALUE,
    column_order=FUNCTION_CHANGE_COLUMNS,
    column_config=function_changes_columns(answer.currency, answer.denominator),
    alt="Functions whose CPU changed between the releases",
)
st.subheader("Operations by latency")
st.dataframe(
    view.operations_table(answer),
    key="operation_changes",
    hide_index=True,
    placeholder=NO_VALUE,
    column_order=OPERATION_CHANGE_COLUMNS,
    column_config=operation_changes_columns(answer.currency),
    alt="Operations whose latency changed between the releases",
)
