"""File and wire formats of profiles, each to and from Profile."""

from enum import StrEnum
from pathlib import PurePath
from typing import assert_never

from pyrometer.errors import DecodeError
from pyrometer.formats.collapsed import collapsed_to_profile, profile_to_collapsed
from pyrometer.formats.html import profile_to_html
from pyrometer.formats.otlp import otlp_to_profiles, profiles_to_otlp
from pyrometer.formats.pprof import pprof_to_profile, profile_to_pprof
from pyrometer.formats.speedscope import profile_to_speedscope, speedscope_to_profile
from pyrometer.merge import merge_profiles
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


def decode_profile(body: bytes, fmt: Format) -> Profile:
    """
    Return the profile in the bytes of a file; the windows of an OTLP request are merged.

    Raises:
        DecodeError: If it is not one, over a limit, or a page: those are to be looked at.
    """
    match fmt:
        case Format.COLLAPSED:
            return collapsed_to_profile(body.decode("utf-8", "replace"))
        case Format.HTML:
            raise DecodeError("a page cannot be read as a profile; record one with another suffix, such as .pb.gz")
        case Format.OTLP:
            return _merged(otlp_to_profiles(body))
        case Format.PPROF:
            return pprof_to_profile(body)
        case Format.SPEEDSCOPE:
            return speedscope_to_profile(body)
    assert_never(fmt)


def _merged(profiles: list[Profile]) -> Profile:
    try:
        return merge_profiles(profiles)
    except ValueError as error:
        raise DecodeError(str(error)) from None
