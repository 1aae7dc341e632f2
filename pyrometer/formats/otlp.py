"""
OTLP profiles: the messages of opentelemetry-proto 1.45, generated from the proto v1.10 (``v1development``).

The message changes between versions, so nothing else in Pyrometer touches it. On the wire a window of a process is one
``ResourceProfiles`` with two profiles of the same samples: ``samples``/``count``, and the value (``cpu`` or ``wall``,
in nanoseconds). Stacks are leaf first there and root first everywhere else.
Source: opentelemetry/proto/profiles/v1development/profiles.proto.
"""

from pyrometer.formats.otlp_decode import otlp_to_profiles
from pyrometer.formats.otlp_encode import profiles_to_otlp

__all__ = ["otlp_to_profiles", "profiles_to_otlp"]
