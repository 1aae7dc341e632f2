"""What a page shows when there is nothing to show: no data yet, no collector, an error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import streamlit as st

from dashboard import data
from dashboard.links import RANGES
from dashboard.views.text import visible
from pyrometer.client import ApiError
from pyrometer.errors import PyrometerError, UnreachableError

# How soon a page that lost its collector looks for it again, seconds.
RETRY_S: Final = 3.0
_DETAIL_CHARS_MAX: Final = 1000


@contextmanager
def loading(*, retry: bool = True) -> Iterator[None]:
    """
    Turn a failure to load into a designed state, and end the page (or the fragment) there.

    Args:
        retry: Look for an absent collector again without being asked; False inside a fragment that does so itself.
    """
    try:
        yield
    except UnreachableError as error:
        _unreachable(error)
        if retry:
            _wait_for_collector()
    except ApiError as error:
        _refused(error)
    except PyrometerError as error:
        _failed(error)
    else:
        return
    st.stop()


def no_services() -> None:
    """Say how to send data, where none has arrived."""
    collector = data.settings().collector.rstrip("/")
    with st.container(border=True, key="no_services"):
        st.subheader("No services yet", icon=":material/sensors_off:")
        st.markdown("Nothing was received in this time range. Any one of these brings data within seconds:")
        demo, agent, traces = st.columns([2, 3, 4])
        with demo:
            st.markdown("**Look at a demo**  \nTwo releases of a small web service, with load:")
            st.code("pyrometer up --demo", language="shell")
        with agent:
            st.markdown("**Watch this machine**  \nProfiles of its Python processes, unchanged:")
            st.code(f"pyrometer agent run --endpoint {collector}", language="shell", wrap_lines=True)
        with traces:
            st.markdown("**Send traces**  \nFrom a program with an OpenTelemetry SDK:")
            st.code(
                f"export OTEL_EXPORTER_OTLP_ENDPOINT={collector}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
                language="shell",
                wrap_lines=True,
            )
        st.caption("The page refreshes by itself. Data from earlier? Choose a longer time range on the left.")


def nothing_here(title: str, body: str) -> None:
    """Say that a choice has no data. Both texts are ours, without names from outside."""
    with st.container(border=True, key="nothing_here"):
        st.subheader(title, icon=":material/search_off:")
        st.markdown(body)


def _unreachable(error: UnreachableError) -> None:
    address = data.settings().collector
    with st.container(border=True, key="unreachable"):
        st.subheader("The collector does not answer", icon=":material/cloud_off:")
        st.text(str(error))
        st.markdown(
            "The pages read everything from the collector. Start it, or point the dashboard at the right address:"
        )
        st.code(f"pyrometer collector run\npyrometer dashboard run --collector {address}", language="shell")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Try again", icon=":material/refresh:", key="retry", type="primary")
            st.caption("This page looks again every few seconds and comes back by itself.")


@st.fragment(run_every=RETRY_S)
def _wait_for_collector() -> None:
    try:
        data.services(RANGES["15m"])
    except UnreachableError:
        return
    except PyrometerError:
        pass  # it answers: the page will show what
    st.rerun(scope="app")


def _refused(error: ApiError) -> None:
    problem = error.problem
    with st.container(border=True, key="refused"):
        st.subheader("The collector could not answer", icon=":material/error:")
        st.text(f"{visible(problem.title)} (status {problem.status})")
        st.code(visible(problem.detail, _DETAIL_CHARS_MAX), language=None, wrap_lines=True)
        st.button("Try again", icon=":material/refresh:", key="retry")


def _failed(error: PyrometerError) -> None:
    with st.container(border=True, key="failed"):
        st.subheader("Something is wrong with the answer", icon=":material/error:")
        st.code(visible(str(error), _DETAIL_CHARS_MAX), language=None, wrap_lines=True)
        st.button("Try again", icon=":material/refresh:", key="retry")
