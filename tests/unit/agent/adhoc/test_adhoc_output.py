"""An output file is proved writable first, and then whole or not there."""

import os
import stat
import threading
from pathlib import Path

import pytest

from agent.adhoc.naming import choose_format, default_output
from agent.adhoc.output import OutputFile
from pyrometer.errors import ConfigError, PyrometerError
from pyrometer.formats import Format


def test_checking_leaves_nothing_and_writing_leaves_the_file(tmp_path):
    """Between the two the directory is empty."""
    file = OutputFile(str(tmp_path / "out"))
    assert [] == list(tmp_path.iterdir())
    file.write(b"whole")
    assert [tmp_path / "out"] == list(tmp_path.iterdir())
    assert b"whole" == (tmp_path / "out").read_bytes()


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    """The user's umask decides, not the temporary file."""
    before = os.umask(0o027)
    try:
        OutputFile(str(tmp_path / "out")).write(b"")
    finally:
        os.umask(before)
    assert 0o640 == stat.S_IMODE((tmp_path / "out").stat().st_mode)


def test_a_file_that_was_there_keeps_its_permissions_and_its_link(tmp_path):
    """A symbolic link still points to the file, which is replaced."""
    real = tmp_path / "real"
    real.write_bytes(b"old")
    real.chmod(0o604)
    (tmp_path / "link").symlink_to(real)
    OutputFile(str(tmp_path / "link")).write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (b"new", 0o604) == (real.read_bytes(), stat.S_IMODE(real.stat().st_mode))


def test_a_pipe_is_written_to_directly(tmp_path):
    """A FIFO, as in >(process substitution), is not replaced by a file."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    OutputFile(str(path)).write(b"through")
    reader.join(10)
    assert [b"through"] == read
    assert path.is_fifo()


def test_a_disk_that_is_full_is_an_error_that_says_so():
    """It is met only when the file is written."""
    with pytest.raises(PyrometerError, match="No space left on device; the recording is lost"):
        OutputFile("/dev/full").write(b"x")


def test_a_directory_that_vanished_meanwhile_is_an_error(tmp_path):
    """A traceback would not help anybody."""
    directory = tmp_path / "d"
    directory.mkdir()
    file = OutputFile(str(directory / "out"))
    directory.rmdir()
    with pytest.raises(PyrometerError, match="No such file or directory; the recording is lost"):
        file.write(b"x")


@pytest.mark.parametrize("name", ["d", "d/", "new/"])
def test_a_directory_is_no_file(tmp_path, name):
    """A name that ends in a slash is one too."""
    (tmp_path / "d").mkdir()
    with pytest.raises(ConfigError, match="it is a directory; name a file in it with -o"):
        OutputFile(f"{tmp_path}/{name}")


def test_hostile_names_are_printable_in_errors(tmp_path):
    """An escape sequence in a path does not reach the terminal."""
    with pytest.raises(ConfigError) as caught:
        OutputFile(str(tmp_path / "\x1b[2J" / "out"))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "output", "expected"),
    [
        (None, None, Format.HTML),
        (None, "a.pb.gz", Format.PPROF),
        (None, "a.speedscope.json", Format.SPEEDSCOPE),
        (None, "a.FOLDED", Format.COLLAPSED),
        ("pprof", "a.html", Format.PPROF),
        ("raw", "x", Format.COLLAPSED),
        ("flamegraph", "x.svg", Format.HTML),
    ],
)
def test_the_flag_decides_on_the_format_then_the_suffix(name, output, expected):
    """Without either it is a page; py-spy's names mean ours."""
    assert expected == choose_format(name, output)


@pytest.mark.parametrize("output", ["a.svg", "a", ".html/a", "-"])
def test_a_suffix_that_stands_for_nothing_is_refused(output):
    """The error lists what there is."""
    with pytest.raises(ConfigError, match="does not tell the format: add -f collapsed, pprof, speedscope or html"):
        choose_format(None, output)


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("shop", "shop-20200913T122640Z.html"),
        ("../../etc/passwd", "etc_passwd-20200913T122640Z.html"),
        ("\x1b[2J", "2J-20200913T122640Z.html"),
        ("..", "profile-20200913T122640Z.html"),
        ("x" * 300, f"{'x' * 60}-20200913T122640Z.html"),
    ],
)
def test_a_default_name_stays_in_the_directory(service, expected):
    """The service's name is the process's own choice: it makes no path."""
    actual = default_output(service, 1_600_000_000 * 10**9, Format.HTML)
    assert expected == actual
    assert Path(actual).name == actual
