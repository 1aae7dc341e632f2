"""
The pprof format: gzipped protobuf, stacks leaf first, values ``samples``/``count`` and then the profile's own.

Frame types and resource attributes have no place in it: the first are guessed when read, the second are written as
comments. Source: google/pprof, proto/profile.proto.
"""

from pyrometer.formats.pprof_decode import pprof_to_profile
from pyrometer.formats.pprof_encode import profile_to_pprof

__all__ = ["pprof_to_profile", "profile_to_pprof"]
