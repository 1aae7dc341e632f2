"""Requests made from the OpenAPI document, right and wrong: each is answered in time, in a shape that it states."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.api.openapi import openapi_document
from collector.cost import Prices
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from pyrometer.api import API_PREFIX
from tests.contract.api_client import ask_async, ask_raw
from tests.contract.api_data import HOSTILE

DOCUMENT = openapi_document()
OPERATIONS = sorted((path, method) for path, methods in DOCUMENT["paths"].items() for method in methods)
NAMES = st.sampled_from(["shop", "1.0", "", HOSTILE, "-1h", "now", "2026-01-01T00:00:00Z"]) | st.text(
    st.characters(codec="utf-8"), max_size=30
)
NUMBERS = st.integers(-(2**70), 2**70) | st.integers(0, 100)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    store = EmbeddedStore(tmp_path_factory.mktemp("api"))
    migrate(store)
    with ThreadPoolExecutor(2) as executor:
        yield Api(store, Prices(), ApiLimits(), executor)
    store.close()


def send_raw(api, path, query, body):
    headers = {"content-type": "application/json"}
    return asyncio.run(ask_async(api, path, query, method="POST", headers=headers, body=body))


def a_value(schema):
    """A value of a parameter's kind, within its rule or not."""
    if "enum" in schema:
        return st.sampled_from([str(value) for value in schema["enum"]]) | NAMES
    return NUMBERS.map(str) if schema.get("type") == "integer" else NAMES


def parameters_of(operation):
    """Any part of the parameters, sometimes with one that there is not."""
    known = {parameter["name"]: a_value(parameter["schema"]) for parameter in operation.get("parameters", [])}
    needed = {p["name"]: known[p["name"]] for p in operation.get("parameters", []) if p["required"]}
    return st.one_of(
        st.fixed_dictionaries(needed, optional={name: known[name] for name in known.keys() - needed.keys()}),
        st.fixed_dictionaries({}, optional=known),
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), NAMES, max_size=2),
    )


def a_body(operation):
    """A body of the stated names with values of any kind, or any JSON, or no JSON at all."""
    [content, *_] = operation["requestBody"]["content"].values()
    name = content["schema"].get("$ref", "").rpartition("/")[2]
    properties = DOCUMENT["components"]["schemas"].get(name, {}).get("properties", {})
    shaped = st.fixed_dictionaries({}, optional=dict.fromkeys(properties, JSON_VALUES))
    return (shaped | JSON_VALUES).map(lambda tree: json.dumps(tree).encode()) | st.binary(max_size=50)


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=lambda part: part.removeprefix(API_PREFIX))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_each_answer_is_one_that_the_document_states(path, method, api, data):
    """No request is a fault of ours (500), and status and media type are among those the operation names."""
    operation = DOCUMENT["paths"][path][method]
    parameters = data.draw(parameters_of(operation))
    if method == "post":
        response = send_raw(api, path, urlencode(parameters).encode(), data.draw(a_body(operation)))
    else:
        response = ask_raw(api, path, urlencode(parameters).encode())
    assert 500 != response.status, response.body
    assert str(response.status) in operation["responses"]
    stated = operation["responses"][str(response.status)]
    if "$ref" in stated:
        stated = DOCUMENT["components"]["responses"][stated["$ref"].rpartition("/")[2]]
    assert response.headers["content-type"] in stated["content"]
    json.loads(response.body)
