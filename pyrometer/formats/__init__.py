"""File and wire formats of profiles, each to and from Profile."""

from enum import StrEnum
from pathlib import PurePath
from typing import assert_never

from pyrometer.formats.collapsed import profile_to_collapsed
from pyrometer.formats.html import profile_to_html
from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.formats.pprof import profile_to_pprof
from pyrometer.formats.speedscope import profile_to_speedscope
from pyrometer.values import Profile


class Format(StrEnum):
    """What a profile can be written as."""

    COLLAPSED = "collapsed"
    HTML = "html"
    OTLP = "otlp"
    PPROF = "pprof"
    SPEEDSCOPE = "speedscope"


# The longest suffix of a name decides.
_SUFFIXES = {
    ".collapsed": Format.COLLAPSED,
    ".folded": Format.COLLAPSED,
    ".txt": Format.COLLAPSED,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".otlp": Format.OTLP,
    ".pb": Format.PPROF,
    ".pb.gz": Format.PPROF,
    ".pprof": Format.PPROF,
    ".json": Format.SPEEDSCOPE,
}


def format_of_path(path: str | PurePath) -> Format | None:
    """Return the format that a file's suffix stands for; None where it says nothing."""
    name = PurePath(path).name.lower()
    return next((found for suffix, found in _SUFFIXES.items() if name.endswith(suffix)), None)


def encode_profile(profile: Profile, fmt: Format, title: str) -> bytes:
    """Return the profile as the bytes of a file; *title* is what formats with a place for one show."""
    match fmt:
        case Format.COLLAPSED:
            return profile_to_collapsed(profile).encode("utf-8", "replace")
        case Format.HTML:
            return profile_to_html(profile, title).encode("utf-8", "replace")
        case Format.OTLP:
            return profiles_to_otlp([profile])
        case Format.PPROF:
            return profile_to_pprof(profile)
        case Format.SPEEDSCOPE:
            return profile_to_speedscope(profile, title)
    assert_never(fmt)
