"""Every query of the API runs on both engines, and both give the same answers."""

import re

import pytest

from collector.store.statements import query_names, query_text
from tests.contract.api_data import HOSTILE, write_fleet
from tests.storage.fleet_answers import check_answers

_PLACEHOLDER = re.compile(r"\{(\w+):([A-Za-z0-9()]+)\}")
# Hostile on purpose, and every array empty in one round and full in the other.
_VALUES = {
    "String": HOSTILE,
    "Array(String)": [HOSTILE, "", "'"],
    "Array(UInt64)": [0, 2**64 - 1],
    "UInt8": 1,
    "UInt32": 10,
    "Int64": 1000,
}
_EMPTY = {"Array(String)": [], "Array(UInt64)": []}


@pytest.mark.parametrize("values", [_VALUES, {**_VALUES, **_EMPTY}], ids=["full", "empty"])
def test_every_query_runs_on_an_empty_store(store, values):
    """No query refuses hostile text or empty lists, and none invents rows."""
    for name in query_names():
        parameters = {parameter: values[kind] for parameter, kind in _PLACEHOLDER.findall(query_text(name))}
        rows = store.query(name, parameters)
        assert name in {"service_cpu", "window_quality", "scan_size", "scan_service"} or rows == [], name


@pytest.mark.parametrize("name", query_names())
def test_every_query_says_what_it_takes_and_gives(name):
    """The header names purpose, each parameter, and the columns."""
    text = query_text(name)
    header = "\n".join(line for line in text.splitlines() if line.startswith("--"))
    assert "Parameters:" in header
    assert "Columns:" in header
    for parameter, _ in _PLACEHOLDER.findall(text):
        assert re.search(rf"\b{parameter}\b", header), parameter


def test_every_route_answers_alike_on_both_engines(store):
    """The fleet's known numbers come out of every route, whichever engine holds them."""
    check_answers(store, write_fleet(store))
