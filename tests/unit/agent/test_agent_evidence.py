"""Telling Python from other programs."""

import os
import shutil
from pathlib import Path

from agent_processes import PYTHON, WAITING

from agent.evidence import is_python_by_maps, is_python_by_name, runtime_version
from agent.procfs import read_executable, read_stat


def test_python_is_told_from_other_programs(start_process):
    """An interpreter is one by its name; a shell and a sleep are not."""
    python = start_process(PYTHON, "-c", WAITING)
    sleep = start_process("/bin/sleep", "60")
    python.stdout.readline()

    assert is_python_by_name(read_stat(python.pid), read_executable(python.pid))
    assert not is_python_by_name(read_stat(sleep.pid), read_executable(sleep.pid))
    assert not is_python_by_maps(sleep.pid)


def test_hidden_program_is_taken_by_its_short_name():
    """Where the program cannot be read, the kernel's name decides, so that the missing right shows."""
    stat = read_stat(os.getpid())

    assert is_python_by_name(stat, "") == stat.command.startswith("python")


def test_runtime_version_comes_from_the_program_or_its_library(start_process):
    """The version stands in the executable's name; a program without it and without libpython has none."""
    sleep = start_process("/bin/sleep", "60")

    assert runtime_version(1, "/usr/bin/python3.13") == "3.13"
    assert runtime_version(sleep.pid, "/usr/bin/sleep") == ""


def test_a_renamed_interpreter_is_still_python(start_process, tmp_path):
    """A copy of the interpreter under another name is found by the libpython it has mapped, where it has one."""
    real = os.path.realpath(PYTHON)
    copy = tmp_path / "myapp"
    shutil.copy(real, copy)
    process = start_process(str(copy), "-c", WAITING, environment={"PYTHONHOME": "/usr"})
    process.stdout.readline()
    linked = "libpython" in Path(f"/proc/{process.pid}/maps").read_text()

    assert not is_python_by_name(read_stat(process.pid), read_executable(process.pid))
    assert is_python_by_maps(process.pid) == linked
