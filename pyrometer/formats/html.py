"""
A self-contained page: flame graph, search and function table in one file, opened without any network.

Names are hostile text. They reach the page as data only: JSON in which no character can end the script block, put on
the screen as text. A content security policy allows the page's own script and style by hash, and nothing else.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from typing import Any

from pyrometer import __version__
from pyrometer.flamegraph import bundle_source, page_source, style_source
from pyrometer.formats.limits import valid_text
from pyrometer.tree import NODES_MAX, build_tree, function_totals
from pyrometer.units import NS_PER_S, format_duration, format_time
from pyrometer.values import Profile

# Rows of the function table.
FUNCTIONS_MAX = 500

_PLACE = re.compile(r"\{\{(\w+)\}\}")
# What could end the script block, or a line of a script, or start an entity.
_UNSAFE_IN_SCRIPT = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def profile_to_html(profile: Profile, title: str, *, max_nodes: int = NODES_MAX) -> str:
    """Return the page; the same text for the same profile."""
    page, page_style = page_source()
    script = bundle_source("page")
    style = style_source() + page_style
    places = {
        "title": html.escape(valid_text(title)),
        "csp": html.escape(_security_policy(script, style)),
        "style": style,
        "data": _script_json(_page_data(profile, title, max_nodes)),
        "script": script,
    }
    # One pass: what is put in is not searched for places again.
    return _PLACE.sub(lambda match: places[match[1]], page)


def _page_data(profile: Profile, title: str, max_nodes: int) -> dict[str, Any]:
    values = profile.values()
    tree = build_tree(values, max_nodes=max_nodes)
    totals = function_totals(values)
    largest = sorted(totals.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))[:FUNCTIONS_MAX]
    return {
        "title": valid_text(title),
        "facts": _facts(profile),
        "functions": [[valid_text(name), valid_text(file), own, total] for (name, file), (own, total) in largest],
        "functions_total": len(totals),
        "tree": {
            "unit": profile.unit,
            "total_value": tree.total_value,
            "folded": tree.folded,
            "strings": [valid_text(text) for text in tree.strings],
            "depth": tree.depth,
            "parent": tree.parent,
            "name": tree.name,
            "file": tree.file,
            "start": tree.start,
            "total": tree.total,
            "self": tree.self,
        },
    }


def _facts(profile: Profile) -> list[tuple[str, str]]:
    """Return what is known about the recording, as label and text."""
    attributes = profile.attributes
    facts = [
        ("Service", _joined(attributes, "service.name", "service.version")),
        ("Process", _joined(attributes, "process.executable.name", "process.pid")),
        ("Host", _joined(attributes, "host.name")),
        ("Runtime", _joined(attributes, "process.runtime.name", "process.runtime.version")),
        ("Started", format_time(profile.start_unix_ns) if profile.start_unix_ns else ""),
        ("Duration", format_duration(profile.duration_ns / NS_PER_S) if profile.duration_ns else ""),
        ("Samples", f"{sum(sample.count for sample in profile.samples):,}"),
        ("Rate", f"{NS_PER_S / profile.period_ns:.4g} Hz" if profile.period_ns else ""),
        ("Measures", f"{profile.sample_type}, {profile.unit}"),
        ("Made with", f"pyrometer {__version__}"),
    ]
    return [(label, valid_text(text)) for label, text in facts if text]


def _joined(attributes: Mapping[str, str | int], *keys: str) -> str:
    return " ".join(str(attributes[key]) for key in keys if attributes.get(key))


def _script_json(data: dict[str, Any]) -> str:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_UNSAFE_IN_SCRIPT)


def _security_policy(script: str, style: str) -> str:
    return (
        f"default-src 'none'; script-src {_hash_source(script)}; style-src {_hash_source(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash_source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
