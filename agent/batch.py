"""One request on its way to the collector."""

import uuid
from dataclasses import dataclass

from agent.compression import Compression
from agent.destination import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """
    A request as it will be sent, as often as that takes.

    Attributes:
        origin: The run of an agent that made it. With the sequence it lets a collector know a batch it has already.
        sequence: Ascending within a run; the batches of one signal are sent in this order.
        signal: What it holds.
        compression: Of the body.
        created_s: Unix time, seconds.
        body: Compressed.
    """

    origin: uuid.UUID
    sequence: int
    signal: Signal
    compression: Compression
    created_s: float
    body: bytes
