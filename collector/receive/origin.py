"""Who sent a request, and which of its requests it is: two headers of our own agents, which others leave out."""

import uuid
from collections.abc import Mapping
from typing import Final

from collector.receive.refusal import INVALID_ARGUMENT, RefusedError
from collector.segments import Origin
from collector.senders import SEQUENCE_MAX

SENDER_HEADER: Final = b"pyrometer-spool-id"
SEQUENCE_HEADER: Final = b"pyrometer-sequence"
_DIGITS_MAX: Final = 19


def read_origin(headers: Mapping[bytes, bytes]) -> Origin | None:
    """
    Return what a request says of where it comes from; None where it says nothing.

    Raises:
        RefusedError: If one of the two is missing or is not what it must be: a UUID, and a number from 1.
    """
    sender, sequence = headers.get(SENDER_HEADER), headers.get(SEQUENCE_HEADER)
    if sender is None and sequence is None:
        return None
    try:
        number = int(sequence) if sequence and sequence.isdigit() and len(sequence) <= _DIGITS_MAX else 0
        origin = Origin(uuid.UUID((sender or b"").decode("ascii")).bytes, number)
    except ValueError:
        origin = None
    if origin is None or not 0 < origin.sequence <= SEQUENCE_MAX:
        raise RefusedError(
            400,
            INVALID_ARGUMENT,
            "malformed",
            "pyrometer-spool-id must be a UUID, and pyrometer-sequence a number from 1; or leave both out",
        )
    return origin
