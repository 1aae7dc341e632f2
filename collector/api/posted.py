"""What a request to write carries: its body, read within a limit of bytes and time, and its headers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec

from collector.api.problems import ProblemError
from collector.bodies import TooLargeError, decompress
from collector.segments import Encoding
from pyrometer.errors import DecodeError

_ENCODINGS: Final = {
    "": Encoding.IDENTITY,
    "identity": Encoding.IDENTITY,
    "gzip": Encoding.GZIP,
    "zstd": Encoding.ZSTD,
}
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGoneError(Exception):
    """The client went away before its body was complete: there is nobody to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """
    The body of a request to write.

    Attributes:
        content: The body read into the route's struct; None where the route takes bytes.
        raw: The body as bytes, decompressed.
        headers: Names in lower case; where one is given twice, the last counts.
    """

    content: Any
    raw: bytes
    headers: Mapping[str, str]


async def read_posted(receive: Receive, *, bytes_max: int, timeout_s: float) -> bytes:
    """
    Read a request's body as it was sent.

    Raises:
        ProblemError: If it is too large or too slow.
        ClientGoneError: If the client went away.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                part = message.get("body", b"")
                size += len(part)
                if size > bytes_max:
                    raise _too_large(bytes_max)
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive within {timeout_s:g} s") from None


def check_media_type(headers: Mapping[str, str], media_types: tuple[str, ...]) -> None:
    """
    Refuse a body of another kind before it is read; no types: all are taken.

    A web page of another site cannot send JSON without asking first, so it cannot write here either.
    """
    sent = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_types and sent not in media_types:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"send the body as {' or '.join(media_types)}, and say so in content-type",
        )
    if headers.get("content-encoding", "").strip().lower() not in _ENCODINGS:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "this content encoding is not read here: gzip and zstd are"
        )


def posted(sent: bytes, headers: Mapping[str, str], content_type: type[Any] | None, *, bytes_max: int) -> Posted:
    """
    Decompress and decode a body.

    Raises:
        ProblemError: Naming the field and the rule it breaks.
    """
    encoding = _ENCODINGS[headers.get("content-encoding", "").strip().lower()]
    try:
        raw = decompress(sent, encoding, bytes_max)
        content = None if content_type is None else msgspec.json.decode(raw, type=content_type)
    except TooLargeError:
        raise _too_large(bytes_max) from None
    except msgspec.ValidationError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the body: {error}") from error
    except (msgspec.DecodeError, DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the body cannot be read: {error}") from error
    return Posted(content=content, raw=raw, headers=headers)


def _too_large(bytes_max: int) -> ProblemError:
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body may have {bytes_max} bytes at most")
