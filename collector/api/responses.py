"""An answer of the query API, and how it is sent."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from collector.api.problems import PROBLEM_TYPE, ProblemError

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer, whole."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def problem_response(problem: ProblemError) -> Response:
    """Return the answer that tells of an error."""
    return Response(
        status=problem.status, content_type=PROBLEM_TYPE, body=problem.body(), headers=dict(problem.headers)
    )


async def send_response(send: Send, response: Response, *, with_body: bool) -> None:
    """Send an answer, without its body where a HEAD asked for it."""
    headers = {
        "content-type": response.content_type,
        "content-length": str(len(response.body)),
        "x-content-type-options": "nosniff",
        # Names in an answer are untrusted: should a browser open one, it may run and load nothing.
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "cache-control": "no-store",
        **response.headers,
    }
    await send(
        {
            "type": "http.response.start",
            "status": response.status.value,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": response.body if with_body else b""})
