"""The few messages that receivers answer with, written by hand: that takes less than what would build them."""

import json
from typing import Final

from collector.receive.intake import Taken
from collector.receive.payloads import SignalFormat
from collector.receive.refusal import JSON, MESSAGE_LENGTH_MAX, sized_field, status_body, varint

_RETRY_INFO_TYPE: Final = b"type.googleapis.com/google.rpc.RetryInfo"


def partial_success(signal: SignalFormat, taken: Taken, content_type: str) -> bytes:
    """
    Return an Export…ServiceResponse as protobuf or JSON; an empty one where every row is stored.

    Source: OTLP specification, "Partial Success"; in all signals: partial_success = 1, of that rejected_… = 1 and
    error_message = 2.
    """
    if not taken.rejected:
        return b"{}" if content_type == JSON else b""
    text = taken.message[:MESSAGE_LENGTH_MAX]
    if content_type == JSON:
        partial = {signal.rejected_name: str(taken.rejected), "errorMessage": text}
        return json.dumps({"partialSuccess": partial}).encode()
    return sized_field(1, b"\x08" + varint(taken.rejected) + sized_field(2, text.encode()))


def status_with_retry(code: int, message: str, content_type: str, retry_after_s: int) -> bytes:
    """
    Return a google.rpc.Status as protobuf that says when to come again.

    Source: google/rpc/status.proto: details = 3; google/protobuf/any.proto; google/rpc/error_details.proto:
    RetryInfo.retry_delay = 1; google/protobuf/duration.proto: seconds = 1.
    """
    retry_info = sized_field(1, b"\x08" + varint(retry_after_s))
    detail = sized_field(1, _RETRY_INFO_TYPE) + sized_field(2, retry_info)
    return status_body(code, message, content_type) + sized_field(3, detail)
