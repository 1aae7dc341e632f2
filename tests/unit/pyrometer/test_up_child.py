"""Child processes and their log files."""

import signal

from pyrometer.up.child import ChildLog, describe_exit


def test_a_log_stays_below_its_limit_and_keeps_one_older_file(tmp_path):
    """A file above the limit moves to `.1`, and the writer that has it open goes on at the new end."""
    log = ChildLog(tmp_path / "part.log", bytes_max=100)
    descriptor = log.open()
    with open(descriptor, "wb", buffering=0) as writer:  # noqa: PTH123  a descriptor, not a path
        writer.write(b"old\n" * 30)
        log.rotate()
        writer.write(b"new\n")

    assert (tmp_path / "part.log").read_bytes() == b"new\n"
    assert (tmp_path / "part.log.1").read_bytes() == b"old\n" * 30


def test_the_last_lines_are_those_of_the_newest_child(tmp_path):
    """What an earlier child wrote is not blamed on the one that just died."""
    (tmp_path / "part.log").write_text("an old complaint\n")
    log = ChildLog(tmp_path / "part.log")
    with open(log.open(), "wb", buffering=0) as writer:  # noqa: PTH123
        writer.write(b"one\ntwo\n\nthree\n")

    assert log.last_lines(2) == ["two", "three"]
    assert log.last_lines(10) == ["one", "two", "three"]


def test_control_characters_of_a_log_do_not_reach_the_terminal(tmp_path):
    """Escape sequences and bytes that are no text come out harmless."""
    log = ChildLog(tmp_path / "part.log")
    with open(log.open(), "wb", buffering=0) as writer:  # noqa: PTH123
        writer.write(b"\x1b[2Jgone\xff\x07\n")

    assert log.last_lines(1) == [" [2Jgone\N{REPLACEMENT CHARACTER}"]


def test_a_log_that_is_not_there_has_no_lines(tmp_path):
    """Somebody may delete the files of a running `up`."""
    log = ChildLog(tmp_path / "part.log")

    log.rotate()

    assert log.last_lines(5) == []


def test_exits_are_described_in_words():
    """Exit codes by number, signals by name, where they have one."""
    assert describe_exit(1) == "ended with exit code 1"
    assert describe_exit(-signal.SIGKILL) == "was killed by SIGKILL"
    assert describe_exit(-63) == "was killed by signal 63"
