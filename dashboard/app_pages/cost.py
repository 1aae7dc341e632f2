"""Cost: what services, releases, hosts, operations and functions cost a month, against budgets."""

from typing import Final

import streamlit as st

from dashboard import data, states
from dashboard.columns import budgets_columns, cost_columns
from dashboard.controls import pick_service, selected_range
from dashboard.views import cost as view
from dashboard.views.text import NO_VALUE
from pyrometer.api_cost import CostAnswer

_BAR_PX: Final = 28
_FRAME_PX: Final = 110

start = selected_range()


def show_headlines(answer: CostAnswer) -> None:
    """Show the numbers of the total."""
    cards = view.headlines(answer)
    with st.grid(len(cards) // 2, min_column_width=190):
        for card in cards:
            st.metric(card.label, card.value, help=card.help, border=True)


def show_rows(answer: CostAnswer) -> None:
    """Show the most expensive as bars, and all in a table."""
    bars = min(len(answer.rows), view.BARS_MAX)
    with st.container(border=True):
        st.echarts_chart(
            view.cost_chart(answer), height=_FRAME_PX + bars * _BAR_PX, key="cost_chart", alt="Cost per month"
        )
    table = view.cost_table(answer)
    # A column in which nothing is known only takes room.
    shown = [name for name in table.columns if not (table[name].isna() | table[name].isin(["", NO_VALUE])).all()]
    st.dataframe(
        table,
        key="costs",
        hide_index=True,
        placeholder=NO_VALUE,
        column_order=shown,
        column_config=cost_columns(answer.currency, max(row.cost_per_month for row in answer.rows)),
        alt="What each costs a month",
    )


def show_budgets(answer: CostAnswer) -> None:
    """Show what is spent beside what may be."""
    if answer.budgets:
        st.subheader("Budgets")
        st.dataframe(
            view.budgets_table(answer),
            key="budgets",
            hide_index=True,
            placeholder=NO_VALUE,
            column_config=budgets_columns(answer.currency),
            alt="Budgets, and what is spent of them",
        )


st.title("Cost")
with states.loading(), st.spinner("Asking the collector"):
    services = data.services(start)
if not services.services:
    states.no_services()
    st.stop()

if (st.session_state.get("by") or st.query_params.get("by")) not in view.GROUPINGS:
    st.session_state["by"] = "Services"
with st.container(horizontal=True, vertical_alignment="bottom"):
    chosen = st.segmented_control("By", list(view.GROUPINGS), required=True, key="by", bind="query-params")
    by = view.GROUPINGS.get(chosen or "", "service")
    service = pick_service(services, width=360) if by in view.OF_ONE_SERVICE else None

with states.loading(), st.spinner("Adding up"):
    answer = data.cost(start, by, service)
if answer.rows:
    show_headlines(answer)
    show_rows(answer)
    show_budgets(answer)
    st.subheader("What this rests on")
    st.text(view.assumptions(answer))
else:
    states.nothing_here(
        "Nothing to price in this time range",
        "CPU and memory come from `pyrometer agent run`, operations from spans. Choose a longer time range, or another"
        " service.",
    )
