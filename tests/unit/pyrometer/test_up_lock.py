"""One `up` for one data directory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyrometer.errors import ConfigError
from pyrometer.up.lock import lock_data_directory

HOLD = """
import sys
from pathlib import Path
from pyrometer.up.lock import lock_data_directory
with lock_data_directory(Path(sys.argv[1])) as lock:
    lock.publish({"dashboard": "http://127.0.0.1:8501"})
    print("held", flush=True)
    sys.stdin.read()
"""


def a_holder(directory: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        (sys.executable, "-c", HOLD, str(directory)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_holder_learns_who_the_first_is(tmp_path):
    """The refusal names the directory, the other's pid and where its parts answer."""
    with a_holder(tmp_path) as other:
        with pytest.raises(ConfigError) as caught, lock_data_directory(tmp_path):
            pytest.fail("two hold the lock")
        other.communicate()

    message = str(caught.value)
    assert f"pid {other.pid} (dashboard http://127.0.0.1:8501)" in message
    assert str(tmp_path) in message
    assert "--data-dir" in message


def test_a_killed_holder_leaves_the_lock_free(tmp_path):
    """After SIGKILL of its holder the lock can be taken, though the file still names the dead."""
    with a_holder(tmp_path) as other:
        other.kill()
        other.communicate()

    with lock_data_directory(tmp_path) as lock:
        lock.publish({"collector": "http://127.0.0.1:1"})
        content = json.loads((tmp_path / "up.lock").read_text())

    assert content == {"pid": os.getpid(), "addresses": {"collector": "http://127.0.0.1:1"}}


def test_a_lock_file_of_nonsense_is_no_obstacle_to_the_message(tmp_path):
    """Whatever stands in the file of a held lock, the refusal is one clear line."""
    with a_holder(tmp_path) as other:
        (tmp_path / "up.lock").write_bytes(b'\xff["not", "ours"]')
        with pytest.raises(ConfigError, match="pid unknown"), lock_data_directory(tmp_path):
            pytest.fail("two hold the lock")
        other.communicate()
