"""Frames are shaped as the flags ask for, whatever the process calls its files."""

import os

import pytest

from agent.adhoc.frames import FrameShaper
from agent.adhoc.plan import Plan
from pyrometer.values import Frame, FrameType, Sample


def shaped(*frames, thread_id=7, thread_name="", **flags):
    sample = Sample(stack=frames, count=1, value=1, thread_id=thread_id, thread_name=thread_name)
    (result,) = FrameShaper(Plan(**flags), os.getpid()).shape([sample])
    return result.stack


def test_nothing_is_changed_unless_asked():
    """Whole paths and lines are the engines' own."""
    frame = Frame("f", "/srv/app/a.py", 3)
    assert (frame,) == shaped(frame)


def test_lines_are_left_out():
    """Frames of one function that differ by line alone become the same."""
    first, second = shaped(Frame("f", "a.py", 3), Frame("f", "a.py", 4), line_numbers=False)
    assert first == second == Frame("f", "a.py", 0)


def test_a_path_begins_at_the_outermost_package(tmp_path):
    """As in py-spy: folders that are packages stay, those above go."""
    package = tmp_path / "lib" / "outer" / "inner"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package.parent / "__init__.py").touch()
    inside, outside = shaped(
        Frame("f", f"{package}/a.py", 3), Frame("g", f"{tmp_path}/lib/b.py", 3), full_filenames=False
    )
    assert ("outer/inner/a.py", "b.py") == (inside.file, outside.file)


@pytest.mark.parametrize("file", ["<string>", "", "/", "..", "a\0b.py", "/x/" + "y" * 5000, "/a/\udcff.py"])
def test_any_name_of_a_file_is_survived(file):
    """A process may call its files anything."""
    (frame,) = shaped(Frame("f", file, 3), full_filenames=False)
    assert "f" == frame.function


@pytest.mark.parametrize(("name", "expected"), [("pool-1", "thread (7): pool-1"), ("", "thread (7)")])
def test_by_thread_puts_a_marker_at_the_root(name, expected):
    """As with py-spy's --threads, in its words."""
    root, leaf = shaped(Frame("f", "a.py", 1), thread_name=name, threads=True)
    assert Frame(expected, frame_type=FrameType.MARKER) == root
    assert "f" == leaf.function
