"""A request that is refused, and the answer that says why: OTLP's Status message in the request's own encoding."""

import json
from typing import Final

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

_MESSAGE_LENGTH_MAX: Final = 1000
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


def status_body(code: int, message: str, content_type: str) -> bytes:
    """
    Return a google.rpc.Status as protobuf or JSON.

    Source: OTLP specification, "Failures"; google/rpc/status.proto: code = 1, message = 2.
    """
    text = message[:_MESSAGE_LENGTH_MAX]
    if content_type == JSON:
        return json.dumps({"code": code, "message": text}).encode()
    encoded = text.encode("utf-8", "replace")
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(encoded)) + encoded


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number >= _VARINT_MORE:
        parts.append(number & (_VARINT_MORE - 1) | _VARINT_MORE)
        number >>= _VARINT_BITS
    parts.append(number)
    return bytes(parts)
