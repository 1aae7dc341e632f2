"""The two headers by which an agent numbers its requests."""

import uuid

import pytest

from collector.receive.origin import read_origin
from collector.receive.refusal import RefusedError
from collector.segments import Origin

SENDER = uuid.UUID("8f14e45f-ceea-467f-a0b1-2c3d4e5f6071")


def headers(sender, sequence):
    named = {b"pyrometer-spool-id": sender, b"pyrometer-sequence": sequence}
    return {name: value for name, value in named.items() if value is not None}


def test_both_headers_name_a_request():
    """A UUID and a number are the sender and the place among its requests."""
    assert read_origin(headers(str(SENDER).encode(), b"17")) == Origin(SENDER.bytes, 17)


def test_others_say_nothing():
    """Without the headers a request has no origin."""
    assert read_origin({}) is None


@pytest.mark.parametrize(
    ("sender", "sequence"),
    [
        (None, b"1"),
        (str(SENDER).encode(), None),
        (b"agent", b"1"),
        (b"\xff" * 36, b"1"),
        (b"", b""),
        *((str(SENDER).encode(), text) for text in (b"0", b"-1", b"1.5", b"x", b"", b"9" * 19, b"9" * 5000, b"\xb2")),
    ],
)
def test_what_is_no_origin_is_refused(sender, sequence):
    """Half of it, or anything else, is an error of the sender: never taken for a number."""
    with pytest.raises(RefusedError) as error:
        read_origin(headers(sender, sequence))
    assert error.value.status == 400
