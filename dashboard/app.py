"""The entry point that Streamlit runs: page settings, navigation, and the time range all pages share."""

from pathlib import Path
from typing import Final

import streamlit as st

from dashboard.controls import enter, pick_range
from dashboard.links import COST, FLAMEGRAPH, HOSTS, OVERVIEW, REGRESSIONS

_HERE: Final = Path(__file__).resolve().parent

# Pictures of our own: the icon of a page would be fetched from elsewhere as the browser tab's icon.
st.set_page_config(page_title="Pyrometer", page_icon=str(_HERE / "icon.svg"), layout="wide", initial_sidebar_state=304)
st.logo(str(_HERE / "logo.svg"), size="large", icon_image=str(_HERE / "icon.svg"))

page = st.navigation(
    [
        st.Page(OVERVIEW, title="Overview", icon=":material/dashboard:", default=True),
        st.Page(FLAMEGRAPH, title="Flame graph", icon=":material/local_fire_department:"),
        st.Page(REGRESSIONS, title="Regressions", icon=":material/compare_arrows:"),
        st.Page(COST, title="Cost", icon=":material/payments:"),
        st.Page(HOSTS, title="Hosts", icon=":material/dns:"),
    ]
)

enter(page.url_path)
with st.sidebar:
    pick_range()

page.run()
