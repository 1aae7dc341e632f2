"""
The flame graph that the HTML export and the dashboard share: TypeScript sources, and the scripts built from them.

``npm run build`` in this folder makes the scripts; ``npm run check`` fails where they are not what the sources say.
"""

from importlib import resources
from typing import Literal


def bundle_source(target: Literal["page", "streamlit"]) -> str:
    """Return the built script for the self-contained page, or the module for the Streamlit component."""
    return _read(f"flamegraph.{target}.js")


def style_source() -> str:
    """Return the style sheet of the flame graph itself; its holder sets the ``--fg-*`` colours."""
    return _read("flamegraph.css")


def page_source() -> tuple[str, str]:
    """Return the self-contained page's HTML, with its ``{{places}}``, and its style sheet."""
    return _read("page.html"), _read("page.css")


def _read(name: str) -> str:
    return (resources.files(__name__) / name).read_text(encoding="utf-8")
