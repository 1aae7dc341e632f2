"""Hosts: CPU, memory, load and cost of each, and the metrics of one over time."""

from typing import Final

import streamlit as st

from dashboard import data, states
from dashboard.columns import hosts_columns
from dashboard.controls import pick_host, selected_range
from dashboard.views import hosts as view
from dashboard.views.text import NO_VALUE

_CHART_HEIGHT_PX: Final = 240

start = selected_range()


@st.fragment(run_every=data.settings().refresh_s)
def live() -> None:
    """Show all that moves, and renew it."""
    with states.loading(retry=False):
        answer = data.hosts(start)
    if not answer.hosts:
        states.nothing_here(
            "No hosts yet", "A host appears here when `pyrometer agent run` runs on it and reaches the collector."
        )
        return
    costs = [row.cost_per_month or 0.0 for row in answer.hosts]
    st.dataframe(
        view.hosts_table(answer),
        key="hosts",
        hide_index=True,
        placeholder=NO_VALUE,
        column_config=hosts_columns(answer.currency, max(costs)),
        alt="Hosts with CPU, memory, load and cost",
    )
    show_host(pick_host([row.host for row in answer.hosts], width=360))


def show_host(host: str) -> None:
    """Show the metrics of one host over time."""
    with states.loading(retry=False):
        series = data.hosts(start, host).series
    charts = view.metric_charts(series)
    if not charts:
        st.caption("This host sent no metrics in this time range.")
        return
    with st.grid(2, min_column_width=380):
        for chart in charts:
            with st.container(border=True):
                st.text(chart.metric)
                st.echarts_chart(
                    chart.options, height=_CHART_HEIGHT_PX, key=f"metric {chart.metric}", alt="A metric over time"
                )
                if chart.hidden:
                    st.caption(f"The largest are shown; {chart.hidden:,} more series are not.")
    if hidden := view.metrics_hidden(series):
        st.caption(f"{hidden:,} more metrics of this host are kept and not drawn here; the query API has them.")


st.title("Hosts")
live()
