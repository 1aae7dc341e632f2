"""Overview: every service with its CPU, cost, latency and errors; latency over time of one of them."""

import streamlit as st

from dashboard import data, states
from dashboard.columns import SERVICE_COLUMNS, services_columns
from dashboard.controls import pick_service, selected_range
from dashboard.links import FLAMEGRAPH, REGRESSIONS, query
from dashboard.views import overview
from dashboard.views.text import NO_VALUE, label
from pyrometer.api import ServicesAnswer

start = selected_range()


def open_flamegraph(names: list[str]) -> None:
    """Go to the flame graph of the row that was clicked."""
    # Both are bound to widgets of this page: they cannot go into the new address, which follows the widgets' values.
    st.session_state["range"] = st.session_state["range"]
    st.session_state["service"] = label(names[st.session_state["service_clicked"].row])
    st.switch_page(FLAMEGRAPH, query_params={})


@st.fragment(run_every=data.settings().refresh_s)
def live() -> None:
    """Show all that moves, and renew it."""
    with states.loading(retry=False):
        answer = data.services(start)
    if not answer.services:
        states.no_services()
        return
    show_headlines(answer)
    show_table(answer)
    show_service(answer)


def show_headlines(answer: ServicesAnswer) -> None:
    """Show the numbers that sum up all services."""
    cards = overview.headlines(answer)
    with st.grid(len(cards), min_column_width=170):
        for card in cards:
            st.metric(card.label, card.value, help=card.help, border=True)


def show_table(answer: ServicesAnswer) -> None:
    """Show one row per service."""
    names = [row.service for row in answer.services]
    st.dataframe(
        overview.services_table(answer),
        key="services",
        hide_index=True,
        placeholder=NO_VALUE,
        column_order=SERVICE_COLUMNS,
        column_config=services_columns(
            answer.currency,
            max(row.cost_per_month for row in answer.services),
            on_click=open_flamegraph,
            args=(names,),
        ),
        alt="Services with CPU, cost, latency and errors",
    )


def show_service(answer: ServicesAnswer) -> None:
    """Show the latency of one service over time, and the way to its other pages."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        service = pick_service(answer, width=360)
        where = query(service=service)
        st.page_link(FLAMEGRAPH, label="Flame graph", icon=":material/local_fire_department:", query_params=where)
        st.page_link(REGRESSIONS, label="Compare releases", icon=":material/compare_arrows:", query_params=where)
    with states.loading(retry=False):
        frame = overview.latency_frame(data.latency(service, start))
    if frame.empty:
        st.caption("This service sent no spans in this time range, so there is no latency to show.")
        return
    latency, traffic = st.columns(2)
    with latency.container(border=True):
        st.markdown("**Latency**")
        st.echarts_chart(overview.latency_chart(frame), height=260, key="latency", alt="Latency quantiles over time")
    with traffic.container(border=True):
        st.markdown("**Traffic**")
        st.echarts_chart(overview.traffic_chart(frame), height=260, key="traffic", alt="Requests and errors over time")


st.title("Overview")
live()
