"""The flame graph component: what it sends to the browser, as its script reads it."""

import re
from dataclasses import asdict

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.flamegraph.component import answer_digest, answer_to_table
from pyrometer.api import FlamegraphAnswer, TimeRange
from pyrometer.flamegraph import bundle_source
from pyrometer.tree import build_tree
from tests.builders import values_of


def an_answer(values=None, baseline=None) -> FlamegraphAnswer:
    tree = build_tree(values_of(values or {"main;work": 3, "main": 1}), baseline and values_of(baseline))
    return FlamegraphAnswer(
        range=TimeRange(start="2026-11-01T00:00:00Z", end="2026-11-01T01:00:00Z"),
        service="shop",
        sample_type="cpu",
        unit="nanoseconds",
        samples=4,
        **asdict(tree),
    )


def read_nodes(table: pa.Table, strings: list[str]) -> list[tuple]:
    """Read the table as src/streamlit.ts does: columns by name, names through the strings."""
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    names = [strings[index] for index in columns["name"]]
    return list(zip(columns["depth"], names, columns["start"], columns["total"], columns["self"], strict=True))


def test_the_table_says_what_the_answer_says():
    """A reader of the columns finds the tree."""
    answer = an_answer()
    assert read_nodes(answer_to_table(answer), answer.strings) == [
        (0, "all", 0, 4, 0),
        (1, "main", 0, 4, 1),
        (2, "work", 0, 3, 3),
    ]


def test_no_column_is_wider_than_a_number_of_the_browser():
    """64-bit integers arrive as BigInt there, which the drawing cannot add to a number."""
    table = answer_to_table(an_answer(baseline={"main": 2}))
    assert {str(field.type) for field in table.schema} == {"int32", "double"}
    assert "base_total" in table.column_names


def test_the_script_reads_every_column_of_the_table():
    """The table and the script that reads it stay in step."""
    script = bundle_source("streamlit")
    for name in answer_to_table(an_answer(baseline={"main": 2})).column_names:
        assert re.search(rf'(column\(data\.nodes, |getChild\()"{name}"', script), name


@pytest.mark.parametrize("other", [{"main;work": 3, "main": 2}, {"main;walk": 3, "main": 1}])
def test_the_digest_tells_answers_apart(other):
    """A rerun with the same answer keeps the drawing; another value or name draws anew."""
    assert answer_digest(an_answer()) == answer_digest(an_answer())
    assert answer_digest(an_answer()) != answer_digest(an_answer(other))


def a_page() -> None:
    import streamlit as st  # noqa: PLC0415  # AppTest runs this function's source alone

    from dashboard.components.flamegraph import flamegraph  # noqa: PLC0415
    from pyrometer.api import FlamegraphAnswer, TimeRange  # noqa: PLC0415

    answer = FlamegraphAnswer(
        range=TimeRange(start="", end=""),
        service="shop",
        sample_type="cpu",
        unit="nanoseconds",
        total_value=2.0,
        samples=2,
        folded=0,
        strings=["all", "", "<b>main</b>"],
        depth=[0, 1],
        parent=[0, 0],
        name=[0, 2],
        file=[1, 1],
        start=[0.0, 0.0],
        total=[2.0, 2.0],
        self=[0.0, 2.0],
    )
    st.write(f"focus: {flamegraph(answer, key='graph', search='main').focus}")


def test_a_page_shows_the_component_and_starts_without_focus():
    """The component runs in a page, hands names over as data, and has no focus before a click."""
    app = AppTest.from_function(a_page).run()
    assert not app.exception
    (element,) = app.get("bidi_component")
    assert "pyrometer_flamegraph" in element.proto.component_name
    assert app.markdown[0].value == "focus: None"
