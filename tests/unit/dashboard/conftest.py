"""A page test starts the whole app in process, against a collector that answers over HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from dashboard_answers import AnsweringServer, all_replies, answering
from streamlit.testing.v1 import AppTest

import dashboard

APP = Path(dashboard.__file__).parent / "app.py"


@pytest.fixture
def collector() -> Iterator[AnsweringServer]:
    with answering(all_replies()) as server:
        yield server


@pytest.fixture
def open_page(collector: AnsweringServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Return a function that opens a page of the app, such as ``open_page("hosts", host="web-1")``."""
    monkeypatch.setenv("PYROMETER_DASHBOARD_COLLECTOR", collector.url)
    monkeypatch.setenv("PYROMETER_DASHBOARD_TIMEOUT_S", "5")

    def open_it(page: str = "overview", **parameters: str) -> AppTest:
        st.cache_data.clear()
        st.cache_resource.clear()
        app = AppTest.from_file(str(APP), default_timeout=20)
        for name, value in parameters.items():
            app.query_params[name] = value
        if page != "overview":
            app.switch_page(f"app_pages/{page}.py")
        return app.run()

    return open_it
