"""The OpenAPI document: well formed, equal to the golden file, and true of what is answered."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.api.openapi import openapi_document, openapi_json
from collector.api.routes import ROUTES
from collector.cost import Prices
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from pyrometer import __version__
from tests.contract.api_client import ask
from tests.contract.api_data import NS_PER_S, write_fleet

GOLDEN = Path(__file__).parent.parent / "golden" / "openapi.json"
REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference" / "api.md"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    store = EmbeddedStore(tmp_path_factory.mktemp("api"))
    migrate(store)
    fleet = write_fleet(store)
    with ThreadPoolExecutor(2) as executor:
        yield Api(store, Prices(), ApiLimits(), executor, now_ns=lambda: fleet.now_s * NS_PER_S)
    store.close()


def test_the_document_is_the_golden_one():
    """A change of the API is a change of a reviewed file. UPDATE_GOLDEN=1 writes it anew."""
    document = openapi_document()
    document["info"]["version"] = "0"
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert GOLDEN.read_text(encoding="utf-8") == text


def test_the_document_is_served(api):
    """It needs no store, and carries the version of the program."""
    response = ask(api, "/openapi.json")
    assert response.body == openapi_json()
    assert response.json()["info"]["version"] == __version__


def test_every_schema_is_a_valid_schema():
    """OpenAPI 3.1 schemas are JSON Schema 2020-12."""
    for schema in openapi_document()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for _, _, operation in _operations():
        for parameter in operation["parameters"]:
            jsonschema.Draft202012Validator.check_schema(parameter["schema"])


def test_every_reference_leads_somewhere():
    """No schema or response is named that is not there."""
    document = openapi_document()
    references = _references(document)
    assert references
    for reference in references:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_parameter_says_what_it_is():
    """Each has a description, and is required or has a default or may be absent."""
    for _, path, operation in _operations():
        for parameter in operation["parameters"]:
            assert parameter["description"], (path, parameter["name"])
            assert parameter["in"] == "query"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_answers_are_what_their_schema_says(api, route):
    """The real answer of a fleet's store validates, unknown fields included."""
    document = openapi_document()
    required = {"service": "shop", "baseline": "1.0", "candidate": "2.0"}
    parameters = {name: value for name, value in required.items() if name in route.query.__struct_fields__}
    body = ask(api, route.full_path, **parameters).json()
    schema = {"$ref": f"#/components/schemas/{route.answer.__name__}", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(body)
    assert set(body) == set(route.answer.__struct_fields__)


def test_problems_are_what_their_schema_says(api):
    """The error shape is described too."""
    document = openapi_document()
    body = ask(api, "/api/v1/flamegraph").json()
    schema = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(body)


def test_the_reference_page_has_every_route_parameter_and_default():
    """docs/reference/api.md is complete: each route has its section, each parameter its row."""
    sections = _sections(REFERENCE.read_text(encoding="utf-8"))
    for method, path, operation in _operations():
        section = sections[f"{method} {path}"]
        for parameter in operation["parameters"]:
            row = next((line for line in section if line.startswith(f"| `{parameter['name']}` |")), None)
            assert row is not None, (path, parameter["name"])
            if "default" in parameter["schema"] and parameter["schema"]["default"] != "":
                assert f"`{parameter['schema']['default']}`" in row
            if parameter["required"]:
                assert "required" in row


def test_the_reference_page_names_no_route_that_is_not_there():
    """A removed route leaves the page."""
    sections = _sections(REFERENCE.read_text(encoding="utf-8"))
    named = {title for title in sections if title.startswith(("GET /api", "POST /api"))}
    assert named == {f"{method} {path}" for method, path, _ in _operations()}


def _operations() -> list[tuple[str, str, dict]]:
    paths = openapi_document()["paths"]
    return [(method.upper(), path, item[method]) for path, item in paths.items() for method in item]


def _references(node) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if "$ref" in node else set()
        return own.union(*(_references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(_references(value) for value in node))
    return set()


def _sections(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            lines = sections.setdefault(line.removeprefix("## ").strip("`"), [])
        lines.append(line)
    return sections
