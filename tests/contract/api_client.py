"""Calls the API as a server does, without a socket: one ASGI request, its answer read to the end."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec

from collector.api.app import Api


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def decode(self, answer_type):
        return msgspec.json.decode(self.body, type=answer_type)


def ask(api: Api, path: str, *, method: str = "GET", headers: dict[str, str] | None = None, **parameters) -> Response:
    query = urlencode(parameters).encode()
    return ask_raw(api, path, query, method=method, headers=headers)


def send(api: Api, path: str, body: Any, *, headers: dict[str, str] | None = None, **parameters) -> Response:
    """POST a body: bytes as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    named = {"content-type": "application/json", **(headers or {})}
    query = urlencode(parameters).encode()
    return asyncio.run(ask_async(api, path, query, method="POST", headers=named, body=raw))


def ask_raw(api: Api, path: str, query: bytes, *, method="GET", headers=None) -> Response:
    return asyncio.run(ask_async(api, path, query, method=method, headers=headers))


async def ask_async(api: Api, path: str, query: bytes = b"", *, method="GET", headers=None, body=b"") -> Response:
    messages: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
    }

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        messages.append(message)

    await api(scope, receive, send)
    start, *rest = messages
    return Response(
        status=start["status"],
        headers={name.decode(): value.decode() for name, value in start["headers"]},
        body=b"".join(message["body"] for message in rest),
    )
