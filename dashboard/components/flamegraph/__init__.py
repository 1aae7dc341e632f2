"""The flame graph as a Streamlit component (Components v2), drawn by the script in ``pyrometer/flamegraph``."""

from dashboard.components.flamegraph.component import FlamegraphState, flamegraph

__all__ = ["FlamegraphState", "flamegraph"]
