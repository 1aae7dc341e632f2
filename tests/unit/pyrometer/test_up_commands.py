"""The command line of `pyrometer up`, as far as it goes before anything starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyrometer.up.commands import default_data_directory


def run_up(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (sys.executable, "-m", "pyrometer", "up", *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, **environment},
    )


def test_data_go_to_the_state_directory(monkeypatch):
    """The default is `pyrometer` in $XDG_STATE_HOME."""
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")

    assert default_data_directory() == Path("/var/state/pyrometer")


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_a_state_directory_that_is_not_absolute_is_ignored(monkeypatch, value):
    """Unset, empty or relative: the default of the specification is taken."""
    monkeypatch.setenv("XDG_STATE_HOME", value)
    monkeypatch.setenv("HOME", "/home/somebody")

    assert default_data_directory() == Path("/home/somebody/.local/state/pyrometer")


def test_a_data_directory_that_cannot_be_made_is_one_clear_line(tmp_path):
    """The message names the directory and the flag; nothing was started."""
    (tmp_path / "file").write_text("")

    result = run_up("--data-dir", str(tmp_path / "file" / "data"))

    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert str(tmp_path / "file" / "data") in result.stderr
    assert "--data-dir" in result.stderr


def test_a_port_that_is_none_is_refused():
    """Ports beyond the range are a usage error."""
    result = run_up("--http-port", "70000")

    assert result.returncode == 2
    assert "--http-port" in result.stderr


def test_a_config_file_that_is_not_there_is_refused_before_anything_starts(tmp_path):
    """A wrong path of a config file ends the command at once, with the flag's name."""
    result = run_up("--data-dir", str(tmp_path / "data"), "--agent-config", str(tmp_path / "none.yaml"))

    assert result.returncode == 2
    assert "--agent-config" in result.stderr
    assert not (tmp_path / "data").exists()
