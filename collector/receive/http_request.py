"""A request over HTTP, read within limits, and its answer: what every receiver on that listener needs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from collector.receive.intake import ReceiveLimits
from collector.receive.memory import Claim
from collector.receive.refusal import INVALID_ARGUMENT, UNAVAILABLE, UNIMPLEMENTED, RefusedError, too_large
from collector.segments import Encoding

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ENCODINGS: Final = {
    b"": Encoding.IDENTITY,
    b"identity": Encoding.IDENTITY,
    b"gzip": Encoding.GZIP,
    b"zstd": Encoding.ZSTD,
}
_LENGTH_DIGITS_MAX: Final = 18


def first_headers(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by lower-case name; of one that is given twice, the first."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, value)
    return headers


def media_type(headers: Mapping[bytes, bytes]) -> str:
    """Return the content type without its parameters, in lower case; empty where there is none."""
    return headers.get(b"content-type", b"").split(b";")[0].strip().lower().decode("latin-1")


def encoding_of(headers: Mapping[bytes, bytes]) -> Encoding:
    """Return how the body is compressed; raises RefusedError where we do not read that."""
    encoding = _ENCODINGS.get(headers.get(b"content-encoding", b"").strip().lower())
    if encoding is None:
        raise unsupported("this content encoding is not supported: send gzip, zstd or identity")
    return encoding


def check_method(scope: Scope) -> None:
    """Refuse what is not POST."""
    if scope["method"] != "POST":
        raise RefusedError(405, UNIMPLEMENTED, "method", "only POST is taken here", ((b"allow", b"POST"),))


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], claim: Claim, limits: ReceiveLimits) -> bytes:
    """
    Read a body to its end.

    Raises:
        RefusedError: If it is too large, too slow, or there is no memory for it.
        ConnectionError: If the sender goes away.
    """
    claim.grow_to(_content_length(headers, limits.body_bytes_max))
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ConnectionError
                part = message.get("body", b"")
                size += len(part)
                if size > limits.body_bytes_max:
                    raise too_large(limits.body_bytes_max)
                claim.grow_to(size)
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise RefusedError(408, UNAVAILABLE, "slow_body", "the body did not arrive in time") from None


async def answer(
    send: Send, status: int, body: bytes, content_type: str, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Send a whole answer."""
    fixed = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})


def unsupported(message: str) -> RefusedError:
    """Return the refusal of a content type or encoding."""
    return RefusedError(415, INVALID_ARGUMENT, "unsupported", message)


def _content_length(headers: Mapping[bytes, bytes], size_max: int) -> int:
    text = headers.get(b"content-length", b"")
    length = int(text[:_LENGTH_DIGITS_MAX]) if text.isdigit() else 0
    if length > size_max:
        raise too_large(size_max)
    return length
