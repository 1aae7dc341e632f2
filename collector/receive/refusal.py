"""A request that is refused, and the answer that says why: OTLP's Status message in the request's own encoding."""

import json
from typing import Final

from collector.wal import RETRY_AFTER_S
from pyrometer.errors import PyrometerError

# Source: google/rpc/code.proto.
INVALID_ARGUMENT: Final = 3
NOT_FOUND: Final = 5
PERMISSION_DENIED: Final = 7
RESOURCE_EXHAUSTED: Final = 8
UNIMPLEMENTED: Final = 12
UNAVAILABLE: Final = 14
UNAUTHENTICATED: Final = 16

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

MESSAGE_LENGTH_MAX: Final = 1000
_VARINT_BITS: Final = 7
_VARINT_MORE: Final = 0x80


class RefusedError(PyrometerError):
    """
    A request is answered with an error and nothing of it is kept.

    Attributes:
        status: Of HTTP.
        code: Of google.rpc.
        reason: For the counter; from a closed set.
        headers: To add to the answer.
    """

    def __init__(
        self, status: int, code: int, reason: str, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.reason = reason
        self.headers = headers

    @property
    def retry_after_s(self) -> int | None:
        """When to come again; None where that changes nothing."""
        text = dict(self.headers).get(b"retry-after")
        return None if text is None else int(text)


def status_body(code: int, message: str, content_type: str) -> bytes:
    """
    Return a google.rpc.Status as protobuf or JSON.

    Source: OTLP specification, "Failures"; google/rpc/status.proto: code = 1, message = 2.
    """
    text = message[:MESSAGE_LENGTH_MAX]
    if content_type == JSON:
        return json.dumps({"code": code, "message": text}).encode()
    encoded = text.encode("utf-8", "replace")
    return b"\x08" + varint(code) + sized_field(2, encoded)


def come_again(reason: str, message: str) -> RefusedError:
    """Return the refusal of what may be sent again in a moment."""
    return RefusedError(503, UNAVAILABLE, reason, message, ((b"retry-after", str(RETRY_AFTER_S).encode()),))


def too_large(size_max: int) -> RefusedError:
    """Return the refusal of a body over the limit."""
    return RefusedError(413, RESOURCE_EXHAUSTED, "too_large", f"the body has more than {size_max} bytes")


def sized_field(number: int, content: bytes) -> bytes:
    """Return a field of protobuf that holds bytes, a text or a message; *number* is at most 15."""
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """Return a number from 0 as protobuf writes it."""
    parts = bytearray()
    while number >= _VARINT_MORE:
        parts.append(number & (_VARINT_MORE - 1) | _VARINT_MORE)
        number >>= _VARINT_BITS
    parts.append(number)
    return bytes(parts)
