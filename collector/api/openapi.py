"""The OpenAPI 3.1 document, written from the table of routes and the structs of parameters and answers."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from collector.api.problems import PROBLEM_TYPE
from collector.api.routes import JSON_TYPE, ROUTES, WRITE_ROUTES, Route, WriteRoute
from pyrometer import __version__
from pyrometer.api import Problem

OPENAPI_PATH: Final = "/openapi.json"
_REFERENCE: Final = "#/components/schemas/{name}"
_ERRORS: Final = {
    "400": "A parameter is missing, unknown, or breaks its rule; the detail names both.",
    "401": "The token (or, of a signed body, the signature) is missing or wrong.",
    "403": "The token is for something else.",
    "405": "The path does not answer this method.",
    "406": "None of the accepted media types is written here.",
    "414": "The query string is too long.",
    "429": "The token asks too often; Retry-After says when to come again.",
    "500": "Something broke; the collector's log says what.",
    "503": "Too many requests at once, a limit of the query, or the store cannot be reached.",
    "504": "The answer took too long.",
}
_WRITE_ERRORS: Final = {
    "404": "There is nothing of this id.",
    "408": "The body took too long.",
    "409": "The state it is in does not allow this.",
    "413": "The body is too large.",
    "415": "The body is of a kind that is not read here.",
}


def openapi_document(
    routes: Iterable[Route] = ROUTES, write_routes: Iterable[WriteRoute] = WRITE_ROUTES
) -> dict[str, Any]:
    """Return the document as plain data."""
    routes, write_routes = tuple(routes), tuple(write_routes)
    answers = [*(route.answer for route in routes), *(route.answer for route in write_routes)]
    bodies = [route.body for route in write_routes if route.body]
    _, components = msgspec.json.schema_components([*answers, *bodies, Problem], ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {route.full_path: {"get": _operation(route)} for route in routes}
    for write_route in write_routes:
        paths.setdefault(write_route.full_path, {})["post"] = _write_operation(write_route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pyrometer query API",
            "version": __version__,
            "description": "Where Python services spend their time, what it costs, and what changed between releases.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": _error_responses(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        # A collector without tokens asks for none.
        "security": [{"token": []}, {}],
    }


def openapi_json() -> bytes:
    """Return the document as it is served: keys in their order, indented."""
    return msgspec.json.format(msgspec.json.encode(openapi_document()), indent=2) + b"\n"


def parameters_of(query: type[Any]) -> list[dict[str, Any]]:
    """Return the parameters of a route as OpenAPI parameter objects."""
    _, components = msgspec.json.schema_components([query], ref_template=_REFERENCE)
    schema = components[query.__name__]
    return [
        _parameter(name, dict(value), required=name in schema.get("required", []))
        for name, value in schema["properties"].items()
    ]


def _operation(route: Route) -> dict[str, Any]:
    answer = {"$ref": _REFERENCE.format(name=route.answer.__name__)}
    content: dict[str, Any] = {JSON_TYPE: {"schema": answer}}
    for media_type, _ in route.encodings:
        content[media_type] = {"schema": {"type": "string", "contentMediaType": media_type}}
    return {
        "operationId": route.path.strip("/").replace("/", "_"),
        "summary": route.summary,
        "parameters": parameters_of(route.query),
        "responses": {
            "200": {"description": "The answer.", "content": content},
            **{status: {"$ref": f"#/components/responses/Problem{status}"} for status in _ERRORS},
        },
    }


def _write_operation(route: WriteRoute) -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(name=route.body.__name__)} if route.body else {"type": "string"}
    types = route.media_types or ("application/octet-stream",)
    answer = {"$ref": _REFERENCE.format(name=route.answer.__name__)}
    return {
        "operationId": f"post_{route.path.strip('/').replace('/', '_')}",
        "summary": route.summary,
        "parameters": parameters_of(route.query),
        "requestBody": {"required": True, "content": {media_type: {"schema": schema} for media_type in types}},
        "responses": {
            "200": {"description": "It is done.", "content": {JSON_TYPE: {"schema": answer}}},
            **{status: {"$ref": f"#/components/responses/Problem{status}"} for status in {**_ERRORS, **_WRITE_ERRORS}},
        },
    }


def _parameter(name: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    # An absent parameter is how null is sent in a query string.
    options = [option for option in schema.pop("anyOf", []) if option.get("type") != "null"]
    if len(options) == 1:
        schema.update(options[0])
    if schema.get("default", "") is None:
        del schema["default"]
    description = schema.pop("description", "")
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def _error_responses() -> dict[str, Any]:
    content = {PROBLEM_TYPE: {"schema": {"$ref": _REFERENCE.format(name=Problem.__name__)}}}
    return {
        f"Problem{status}": {"description": text, "content": content}
        for status, text in {**_ERRORS, **_WRITE_ERRORS}.items()
    }
