"""
How a body in an older layout of OTLP profiles is told from one in ours.

The proto v1.10 renumbered ``Sample``: what v1.9 and older call ``values`` (field 2) is read as ``attribute_indices``
now, their ``attribute_indices`` (3, a list) as ``link_index``, and the values are missing. Such bodies are refused:
stored, their numbers would be lost.
"""

from collections.abc import Sequence

from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.profiles.v1development.profiles_pb2 import Sample

from pyrometer.errors import DecodeError

OLDER_LAYOUT = (
    "samples are in the layout of opentelemetry-proto v1.9 or older, whose field numbers differ: "
    "send OTLP profiles v1.10 (opentelemetry-proto 1.45)"
)
# How many samples of a profile are looked at for fields of the older layout.
_LAYOUT_SAMPLES = 16
_LENGTH_DELIMITED = 2
_LINK_INDEX_FIELD = 3


def refuse_older_layout(samples: Sequence[Sample]) -> None:
    """Raise DecodeError where one of the first samples carries a list in the place of ``link_index``."""
    for sample in samples[:_LAYOUT_SAMPLES]:
        unknown = UnknownFieldSet(sample)
        for position in range(len(unknown)):
            field = unknown[position]
            if (field.field_number, field.wire_type) == (_LINK_INDEX_FIELD, _LENGTH_DELIMITED):
                raise DecodeError(OLDER_LAYOUT)
