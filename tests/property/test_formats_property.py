"""Formats over any profile and any bytes."""

import gzip
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from pyrometer.errors import DecodeError
from pyrometer.formats.collapsed import collapsed_to_profile, profile_to_collapsed
from pyrometer.formats.otlp import otlp_to_profiles, profiles_to_otlp
from pyrometer.formats.pprof import pprof_to_profile, profile_to_pprof
from pyrometer.formats.speedscope import profile_to_speedscope, speedscope_to_profile
from pyrometer.merge import merge_profiles
from pyrometer.values import Frame, FrameType, Profile, Sample

FRAME_TYPES = st.sampled_from(FrameType)
NAMES = st.text(max_size=12)
# What collapsed stacks can hold without loss, and Python files, whose frame type is guessed right.
PLAIN_NAMES = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp"), exclude_characters=";():")
)
PYTHON_FILES = PLAIN_NAMES.map(lambda name: f"/{name}.py")


def profiles(names=NAMES, files=NAMES, frame_types=FRAME_TYPES):
    frames = st.builds(Frame, names, files, st.integers(0, 2**32 - 1), frame_types)
    samples = st.builds(
        Sample,
        stack=st.lists(frames, min_size=1, max_size=5).map(tuple),
        count=st.integers(0, 2**20),
        value=st.integers(0, 2**40),
        thread_id=st.integers(0, 2**22),
        thread_name=NAMES,
    )
    return st.builds(
        Profile,
        samples=st.lists(samples, max_size=6).map(tuple),
        sample_type=st.sampled_from(["cpu", "wall"]),
        start_unix_ns=st.integers(0, 2**62),
        duration_ns=st.integers(0, 2**40),
        period_ns=st.integers(0, 2**32),
        attributes=st.dictionaries(NAMES, NAMES | st.integers(-(2**63), 2**63 - 1), max_size=3),
    )


def python_profiles():
    return profiles(
        PLAIN_NAMES.filter(lambda name: name.strip() == name != ""), PYTHON_FILES, st.just(FrameType.CPYTHON)
    )


@given(st.lists(profiles(), max_size=3))
def test_otlp_round_trip(given_profiles):
    """Any profiles at all come back from the wire as they were."""
    assert given_profiles == otlp_to_profiles(profiles_to_otlp(given_profiles))


@given(python_profiles())
def test_every_format_agrees_on_values_and_counts(profile):
    """Python profiles mean the same in OTLP, pprof and speedscope; collapsed stacks agree on the counts."""
    (otlp,) = otlp_to_profiles(profiles_to_otlp([profile]))
    pprof = pprof_to_profile(profile_to_pprof(profile))
    speedscope = speedscope_to_profile(profile_to_speedscope(profile, "any"))
    assert pprof.samples == otlp.samples == profile.samples
    assert speedscope.values() == profile.values()
    assert speedscope.counts() == profile.counts()
    counted = {stack: count for stack, count in profile.counts().items() if count}
    assert collapsed_to_profile(profile_to_collapsed(profile)).counts() == counted


@given(profiles(), profiles(), profiles())
def test_merge_is_associative(first, second, third):
    """Windows may be merged in any grouping."""
    one, two, three = (Profile(**{**fields_of(each), "sample_type": "cpu"}) for each in (first, second, third))
    left = merge_profiles([merge_profiles([one, two]), three])
    assert left == merge_profiles([one, merge_profiles([two, three])]) == merge_profiles([one, two, three])


def fields_of(profile):
    return {name: getattr(profile, name) for name in Profile.__slots__}


DECODERS = {
    "otlp": otlp_to_profiles,
    "pprof": pprof_to_profile,
    "pprof gzipped": lambda body: pprof_to_profile(gzip.compress(body)),
    "speedscope": speedscope_to_profile,
    "collapsed": lambda body: collapsed_to_profile(body.decode("utf-8", "replace")),
}


@settings(max_examples=300)
@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=400))
def test_decoders_raise_only_decode_errors_on_random_bytes(name, body):
    """Whatever comes, the answer is profiles or a DecodeError."""
    with suppress(DecodeError):
        DECODERS[name](body)


MUTATIONS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8)


@settings(max_examples=300)
@given(st.sampled_from(["otlp", "pprof", "pprof gzipped", "speedscope"]), python_profiles(), MUTATIONS, st.floats(0, 1))
def test_decoders_raise_only_decode_errors_on_damaged_bodies(name, profile, mutations, kept):
    """Good bodies with bytes changed or cut off reach deeper into the decoders."""
    body = bytearray(
        profiles_to_otlp([profile])
        if name == "otlp"
        else profile_to_speedscope(profile, "any")
        if name == "speedscope"
        else gzip.decompress(profile_to_pprof(profile))
    )
    for position, byte in mutations:
        if body:
            body[int(position * len(body))] = byte
    with suppress(DecodeError):
        DECODERS[name](bytes(body[: max(int(len(body) * (0.5 + kept)), 1)]))
