"""What py-spy writes becomes stacks, whatever the names in it; the process decides on the names."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.reader.pyspy_output import parse_speedscope, parse_thread
from pyrometer.errors import DecodeError
from pyrometer.values import STACK_DEPTH_MAX, TRUNCATED, Frame, FrameType

HOSTILE_NAMES = ["<module>", "<lambda>", "f (a.py:1);g (b.py:2) 99", "a\nb", "thread (1): x;", "\x1b[2J", "", "ü", "1"]
names = st.one_of(st.sampled_from(HOSTILE_NAMES), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
frames = st.tuples(names, st.one_of(st.sampled_from(["/a b;c/(d).py", "<string>"]), names), st.integers(0, 10_000))
stacks = st.lists(frames, min_size=1, max_size=8)
threads = st.lists(st.tuples(st.integers(1, 2**22), names, st.lists(stacks, max_size=6)), max_size=3)


def a_document(recorded) -> bytes:
    """Write threads [(id, name, [stack, …])] as py-spy 0.4.3 does; stacks are root first."""
    table: list[tuple[str, str, int]] = []
    profiles = []
    for thread_id, name, sampled in recorded:
        indices = []
        for stack in sampled:
            table.extend(frame for frame in stack if frame not in table)
            indices.append([table.index(frame) for frame in stack])
        title = f'Thread {thread_id} "{name}"'
        weights = [0.01] * len(indices)
        profiles.append({"type": "sampled", "name": title, "unit": "seconds", "samples": indices, "weights": weights})
    shared = [{"name": name, "file": file, "line": line, "col": None} for name, file, line in table]
    return json.dumps({"profiles": profiles, "shared": {"frames": shared}, "exporter": "py-spy@0.4.3"}).encode()


@given(recorded=threads)
@settings(max_examples=80, deadline=None)
def test_every_sighting_is_counted_under_its_own_stack_and_thread(recorded):
    """However names look, no stack is split, joined with another or counted under another thread."""
    expected: dict[tuple, int] = {}
    for number, (_, name, sampled) in enumerate(recorded):
        for stack in sampled:
            key = (number + 1, name, tuple(stack))
            expected[key] = expected.get(key, 0) + 1
    document = a_document([(number + 1, name, sampled) for number, (_, name, sampled) in enumerate(recorded)])

    samples = parse_speedscope(document, period_ns=10)

    actual = {
        (s.thread_id, s.thread_name, tuple((f.function, f.file, f.line) for f in s.stack)): s.count for s in samples
    }
    assert expected == actual
    assert all(sample.value == sample.count * 10 for sample in samples)


@given(document=st.one_of(st.binary(max_size=200), st.recursive(st.none() | st.text(), st.lists).map(json.dumps)))
@settings(max_examples=80, deadline=None)
def test_anything_else_is_a_decode_error(document):
    """Bytes that are no profile raise nothing but DecodeError."""
    data = document if isinstance(document, bytes) else document.encode()
    with pytest.raises(DecodeError, match="not a profile"):
        parse_speedscope(data, period_ns=1)


@pytest.mark.parametrize("index", [-1, 1, 2**40])
def test_a_frame_outside_the_table_is_a_decode_error(index):
    """A frame number that the table does not have is refused; a negative one does not count from the end."""
    document = {
        "profiles": [{"name": "Thread 1", "samples": [[0, index]]}],
        "shared": {"frames": [{"name": "f", "file": "a.py", "line": 1}]},
    }
    with pytest.raises(DecodeError, match="outside its table of 1 frames"):
        parse_speedscope(json.dumps(document).encode(), period_ns=1)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ('Thread 8084 "MainThread"', (8084, "MainThread")),
        ("Thread 8084", (8084, "")),
        ('Process 12 Thread 34 "x"', (34, "x")),
        ('Thread 0x7F1B "w"', (0x7F1B, "w")),
        ('Thread 7 "Process 1 Thread 2 "n""', (7, 'Process 1 Thread 2 "n"')),
        ('Thread 7 "a\nThread 8 "b""', (7, 'a\nThread 8 "b"')),
        ("anything", (0, "anything")),
        (f"Thread {'9' * 30}", (0, f"Thread {'9' * 30}")),
    ],
)
def test_a_threads_title_gives_its_id_and_name(title, expected):
    """The id is the first one in the title, and the name everything between the outer quotes."""
    assert expected == parse_thread(title)


def test_a_stack_that_is_too_deep_keeps_its_leaf():
    """The root is cut and marked, as it is the same in most stacks of a recursion."""
    stack = [(f"f{level}", "a.py", 1) for level in range(STACK_DEPTH_MAX + 10)]
    (sample,) = parse_speedscope(a_document([(1, "t", [stack])]), period_ns=1)
    assert STACK_DEPTH_MAX == len(sample.stack)
    assert TRUNCATED == sample.stack[0]
    assert f"f{STACK_DEPTH_MAX + 9}" == sample.stack[-1].function


def test_an_empty_stack_is_no_sample():
    """A sighting without frames says nothing."""
    assert () == parse_speedscope(a_document([(1, "t", [[], []])]), period_ns=1)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (("f", "/app/a.py", 3), FrameType.CPYTHON),
        (("f", "<string>", 3), FrameType.CPYTHON),
        (("f", "<frozen importlib._bootstrap>", 3), FrameType.CPYTHON),
        (("f", "/app/a.py", 0), FrameType.CPYTHON),
        (("pthread_cond_wait", "/usr/lib/libc.so.6", 0), FrameType.NATIVE),
        (("run", "/usr/lib/libpython3.11.so.1.0", 0), FrameType.NATIVE),
        (("main", "/usr/bin/python3.11", 0), FrameType.NATIVE),
        (("ddot", "blas/ddot.c", 17), FrameType.NATIVE),
        (('process 12:"python a.py"', "", 0), FrameType.MARKER),
        (("0x7f00", "", 0), FrameType.NATIVE),
    ],
)
def test_the_kind_of_a_frame_is_told_by_its_file(frame, expected):
    """Libraries, executables and C sources are native; everything that Python compiled is not."""
    (sample,) = parse_speedscope(a_document([(1, "t", [[frame]])]), period_ns=1)
    assert (Frame(*frame, expected),) == sample.stack
