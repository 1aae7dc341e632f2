"""Collapsed stacks and speedscope files, and which format a file name stands for."""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from pyrometer.errors import DecodeError
from pyrometer.formats import Format, encode_profile, format_of_path
from pyrometer.formats.collapsed import collapsed_to_profile, profile_to_collapsed
from pyrometer.formats.limits import DecodeLimits
from pyrometer.formats.speedscope import profile_to_speedscope, speedscope_to_profile
from pyrometer.values import NOT_SAMPLED, Frame, FrameType, Sample
from tests.builders import a_profile, a_rich_profile, a_stack

SCHEMA = Path(__file__).parents[2] / "golden" / "speedscope-file-format-schema.json"


def test_collapsed_lines_are_sorted_and_root_first():
    """One line a stack, threads merged, sorted, so that two files can be compared."""
    twice = a_profile(samples=a_profile().samples + a_profile({"main": 2, "main;work": 1}).samples)
    assert profile_to_collapsed(twice) == (
        "main (/srv/main.py:40) 2\n"
        "main (/srv/main.py:40);idle (/srv/idle.py:40) 1\n"
        "main (/srv/main.py:40);work (/srv/work.py:40) 6\n"
        "main (/srv/main.py:40);work (/srv/work.py:40);read (/srv/read.py:40) 3\n"
    )


def test_collapsed_counts_come_back():
    """Stacks and counts survive; time that was never sampled has no count and no line."""
    profile = a_rich_profile()
    printable = a_profile(samples=tuple(s for s in profile.samples if "evil" not in s.stack[-1].file))
    back = collapsed_to_profile(profile_to_collapsed(printable))
    assert back.counts() == {stack: count for stack, count in printable.counts().items() if count}
    assert (back.sample_type, back.unit) == ("samples", "count")


def test_names_cannot_break_a_line_of_collapsed_stacks():
    """The format has no escapes: separators and line ends in names are replaced."""
    stack = (Frame("a;b\nc 9", "x\r.py", 1), Frame("d\u2028e"))
    text = profile_to_collapsed(a_profile(samples=(Sample(stack=stack, count=2, value=1),)))
    assert text == "a:b c 9 (x .py:1);d e 2\n"


def test_frames_of_other_tools_are_read():
    """py-spy's frames with and without lines, perf's bare names, native files."""
    profile = collapsed_to_profile("main (app.py:3);[not sampled];libc_read (libc.so.6);bare name 7\r\n\n")
    assert profile.samples[0].stack == (
        Frame("main", "app.py", 3),
        NOT_SAMPLED,
        Frame("libc_read", "libc.so.6", 0, FrameType.NATIVE),
        Frame("bare name"),
    )
    assert profile.samples[0].count == 7


@pytest.mark.parametrize("line", ["a;b", "a;b x", "a;b -1", "a;b 1.5", "a;b 99999999999", "12", "a;b \u0663"])
def test_lines_without_a_whole_count_are_refused(line):
    """The error names the line."""
    with pytest.raises(DecodeError, match="line 2"):
        collapsed_to_profile(f"fine 1\n{line}\n")


def test_collapsed_text_over_a_limit_is_refused():
    """Characters and stacks are bounded."""
    with pytest.raises(DecodeError, match="more than 10"):
        collapsed_to_profile("a 1\nb 2\nc 3\n", DecodeLimits(bytes_max=10))
    with pytest.raises(DecodeError, match="more than 2"):
        collapsed_to_profile("a 1\nb 2\nc 3\n", DecodeLimits(samples_max=2))


@pytest.mark.parametrize("profile", [a_profile(), a_rich_profile(), a_profile({}), a_profile(unit="widgets")])
def test_speedscope_files_are_valid_by_its_own_schema(profile):
    """The schema is speedscope's, unchanged."""
    jsonschema.validate(json.loads(profile_to_speedscope(profile, "a name")), json.loads(SCHEMA.read_text()))


def test_speedscope_files_come_back_with_threads_merged():
    """Values and counts per stack survive."""
    profile = a_rich_profile()
    back = speedscope_to_profile(profile_to_speedscope(profile, "a name"))
    assert (back.values(), back.counts()) == (profile.values(), profile.counts())
    assert (back.sample_type, back.unit) == ("cpu", "nanoseconds")


def test_speedscope_files_are_the_same_for_the_same_profile():
    """The order of samples does not matter."""
    profile = a_rich_profile()
    backwards = a_profile(samples=profile.samples[::-1])
    assert profile_to_speedscope(profile, "x") == profile_to_speedscope(backwards, "x")


def a_file(**changes) -> bytes:
    sampled = {"type": "sampled", "name": "t", "unit": "seconds", "samples": [[0, 1]], "weights": [0.25]}
    frames = [
        {"name": "main", "file": "/srv/main.py", "line": 40},
        {"name": "work", "file": "/srv/work.py", "line": 40},
    ]
    return msgspec.json.encode({"shared": {"frames": frames}, "profiles": [sampled | changes]})


def test_a_file_of_another_tool_is_read():
    """One profile in seconds, without counts, as py-spy writes for each thread."""
    (sample,) = speedscope_to_profile(a_file()).samples
    assert sample == Sample(stack=a_stack("main;work"), count=1, value=250_000_000)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"shared":{"frames":[]},"profiles":[]}',
        a_file(type="evented"),
        a_file(samples=[[2]]),
        a_file(samples=[[-1]]),
        a_file(weights=[]),
        a_file(weights=[-1]),
        a_file(weights=[1e308]),
        a_file(weights=["1"]),
    ],
)
def test_speedscope_files_that_cannot_be_read_are_refused(body):
    """Damaged JSON, wrong types, indices and weights, and the evented kind."""
    with pytest.raises(DecodeError):
        speedscope_to_profile(body)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("out.collapsed", Format.COLLAPSED),
        ("out.txt", Format.COLLAPSED),
        ("OUT.HTML", Format.HTML),
        ("cpu.pb.gz", Format.PPROF),
        ("cpu.pprof", Format.PPROF),
        ("x.speedscope.json", Format.SPEEDSCOPE),
        ("x.otlp", Format.OTLP),
        ("dir.html/out", None),
        ("html", None),
    ],
)
def test_a_suffix_decides_the_format(name, expected):
    """The last part of the path counts, in any case."""
    assert format_of_path(Path(name)) == expected


@pytest.mark.parametrize("fmt", Format)
def test_every_format_takes_names_that_are_not_unicode(fmt):
    """A hostile name never keeps a recording from being written."""
    stack = (Frame("bad\udcff", "dir\udc80/x.py", 2),)
    profile = a_profile(
        samples=(Sample(stack=stack, count=1, value=1, thread_name="\udcfe"),), attributes={"k": "\udcfd"}
    )
    assert encode_profile(profile, fmt, "title \udcfc")
