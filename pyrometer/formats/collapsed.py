"""
Collapsed stacks: ``a;b;c 42``, one line a stack, root first, as py-spy's raw format and flamegraph.pl have it.

A frame is written ``function (file:line)``. The format has no escapes: in names, ``;`` becomes ``:`` and control
characters become spaces. It holds counts only, neither time nor threads.
"""

import re

from pyrometer.errors import DecodeError
from pyrometer.formats.limits import COUNT_MAX, DEFAULT_LIMITS, LINE_MAX, DecodeLimits, cut_stack, guess_frame
from pyrometer.values import Frame, Profile, Sample, Stack

# C0 and C1 controls, DEL, and the two separators that some readers take for line ends.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FRAME = re.compile(r"(?P<function>.*?) \((?P<file>.*?)(?::(?P<line>[0-9]{1,10}))?\)", re.DOTALL)
_LINE = re.compile(r"(?P<stack>.+) (?P<count>[0-9]{1,10})", re.DOTALL)


def profile_to_collapsed(profile: Profile) -> str:
    """Return the samples counted per stack, sorted; stacks that were never sampled have no line."""
    counts: dict[str, int] = {}
    for stack, count in profile.counts().items():
        if count:
            text = ";".join(_frame_text(frame) for frame in stack)
            counts[text] = counts.get(text, 0) + count
    return "".join(f"{text} {count}\n" for text, count in sorted(counts.items()))


def collapsed_to_profile(text: str, limits: DecodeLimits = DEFAULT_LIMITS) -> Profile:
    """
    Return a profile of type ``samples`` whose values are the counts.

    Raises:
        DecodeError: With the number of the line that is not ``frame;frame count``, or over a limit.
    """
    # The size of UTF-8 is at least that of the characters.
    if len(text) > limits.bytes_max:
        raise DecodeError(f"the text has {len(text)} characters, more than {limits.bytes_max}")
    frames: dict[str, Frame] = {}
    samples: list[Sample] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            samples.append(_parse_line(line, number, frames, limits))
        if len(samples) > limits.samples_max:
            raise DecodeError(f"more than {limits.samples_max} stacks")
    return Profile(samples=tuple(samples), sample_type="samples", unit="count")


def _frame_text(frame: Frame) -> str:
    location = f"{frame.file}:{frame.line}" if frame.line else frame.file
    text = f"{frame.function} ({location})" if frame.file else frame.function
    return _UNPRINTABLE.sub(" ", text).replace(";", ":")


def _parse_line(line: str, number: int, frames: dict[str, Frame], limits: DecodeLimits) -> Sample:
    match = _LINE.fullmatch(line.rstrip("\r"))
    count = int(match["count"]) if match else 0
    if match is None or count > COUNT_MAX:
        raise DecodeError(f"line {number} is not 'frame;frame count' with a whole count of at most {COUNT_MAX}")
    # The limit on characters bounds the frames: each but the last takes a separator.
    stack: Stack = tuple([_frame(text, frames, limits) for text in match["stack"].split(";")])
    return Sample(stack=cut_stack(stack), count=count, value=count)


def _frame(text: str, frames: dict[str, Frame], limits: DecodeLimits) -> Frame:
    frame = frames.get(text)
    if frame is None:
        frame = frames[text] = _parse_frame(text, limits.name_length_max)
    return frame


def _parse_frame(text: str, length_max: int) -> Frame:
    match = _FRAME.fullmatch(text)
    if match is None:
        return guess_frame(text[:length_max], "", 0)
    line = min(int(match["line"] or 0), LINE_MAX)
    return guess_frame(match["function"][:length_max], match["file"][:length_max], line)
