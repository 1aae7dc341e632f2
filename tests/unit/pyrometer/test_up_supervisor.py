"""The supervisor over real processes: it is a process of its own here, as it takes over signals and orphans."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyrometer.up.ports import free_ports

DRIVER = Path(__file__).with_name("up_driver.py")
DEADLINE_S = 20.0
MARK = "PYROMETER_TEST_MARK"


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {deadline_s} s in vain until {what}")
        time.sleep(0.02)


class Supervised:
    """A running supervisor, its lines so far, and all processes that come from it."""

    def __init__(self, directory: Path, parts: dict[str, dict], ready_timeout_s: float) -> None:
        self._output = directory / "output"
        self._mark = f"{MARK}={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        environment = {k: v for k, v in os.environ.items() if k != "PYROMETER_UP_ID"}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                (sys.executable, str(DRIVER), "supervise", str(directory), json.dumps(parts), str(ready_timeout_s)),
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**environment, name: value},
            )

    @property
    def text(self) -> str:
        return self._output.read_text()

    def wait_for(self, text: str, count: int = 1) -> None:
        wait_until(lambda: self.text.count(text) >= count, f"{text!r} {count} times in:\n{self.text}")

    def alive(self) -> dict[int, str]:
        """Return the processes that carry our mark, the supervisor included: pid to command line."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (path / "environ").read_bytes().split(b"\0"):
                    found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def pid_serving(self, port: int) -> int:
        return next(pid for pid, command in self.alive().items() if f"serve {port} " in command)

    def end(self, number: int) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        for pid in self.alive():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start_parts(parts: dict[str, dict], ready_timeout_s: float = 60.0) -> Supervised:
        started.append(Supervised(tmp_path, parts, ready_timeout_s))
        return started[-1]

    yield start_parts
    for supervised in started:
        supervised.close()


def test_parts_start_after_what_they_need_and_stop_in_reverse(start):
    """Each part gets one line when it is ready, then one for all; SIGTERM stops them backwards, exit code 0."""
    port = free_ports(2)
    up = start({"first": {"port": port}, "second": {"port": port + 1, "needs": ["first"]}})
    up.wait_for("all ready")

    assert up.end(signal.SIGTERM) == 0

    words = [line.split() for line in up.text.splitlines()]
    assert [(line[0], line[1]) for line in words[:2]] == [
        ("first", f"http://127.0.0.1:{port}"),
        ("second", f"http://127.0.0.1:{port + 1}"),
    ]
    assert [" ".join(line[2:4]) for line in words[:2]] == ["ready in", "ready in"]
    assert [line[:2] for line in words[3:]] == [["second", "stopped"], ["first", "stopped"]]
    assert up.alive() == {}


def test_ctrl_c_ends_with_130(start):
    """An interrupted `up` says so by its exit code, after everything has stopped."""
    up = start({"one": {"port": free_ports(1)}})
    up.wait_for("all ready")

    assert up.end(signal.SIGINT) == 130
    assert up.alive() == {}


def test_a_killed_part_comes_back(start):
    """A part that dies is started again after a moment, and one line says how it died."""
    port = free_ports(1)
    up = start({"one": {"port": port}})
    up.wait_for("all ready")
    before = up.pid_serving(port)

    os.kill(before, signal.SIGKILL)
    up.wait_for("ready in", count=2)

    assert up.pid_serving(port) != before
    assert next(line for line in up.text.splitlines() if "starting it again" in line).startswith(
        "one was killed by SIGKILL; starting it again in 0."
    )
    assert up.end(signal.SIGTERM) == 0


def test_a_misconfigured_part_is_not_tried_again(start):
    """Exit code 2 of a part that never ran ends `up` with 2, with the part's own words, and stops the others."""
    port = free_ports(2)
    up = start({"good": {"port": port}, "bad": {"port": port + 1, "mode": "misconfigured", "needs": ["good"]}})

    assert up.process.wait(DEADLINE_S) == 2

    assert "bad cannot run" in up.text
    assert "    the setting colour is wrong" in up.text
    assert "good        stopped" in up.text
    assert up.alive() == {}


def test_a_part_that_only_crashes_is_tried_more_and_more_slowly_and_then_given_up(start):
    """Any other exit before a part was ready is retried with growing delays, told with its last words, five times."""
    up = start({"bad": {"port": free_ports(1), "mode": "crashing"}})

    assert up.process.wait(DEADLINE_S) == 1

    delays = [float(line.split("again in ")[1].split()[0]) for line in up.text.splitlines() if "again in" in line]
    assert len(delays) == 4
    assert 0.2 <= delays[0] <= 0.5
    assert 2.0 <= delays[3] <= 4.0
    assert "    out of luck" in up.text
    assert "bad cannot run: it ended with exit code 7, for the 5th time" in up.text


def test_a_part_that_does_not_become_ready_is_started_again(start):
    """A part that runs and never answers is ended after its time, and tried again."""
    up = start({"mute": {"port": free_ports(1), "mode": "silent"}}, ready_timeout_s=0.5)

    up.wait_for("mute did not become ready; starting it again", count=2)

    assert up.end(signal.SIGTERM) == 0
    assert up.alive() == {}


def test_up_can_be_stopped_while_it_starts(start):
    """SIGTERM before anything is ready stops what was started, and starts nothing more."""
    port = free_ports(2)
    up = start({"mute": {"port": port, "mode": "silent"}, "next": {"port": port + 1, "needs": ["mute"]}})
    wait_until(lambda: len([c for c in up.alive().values() if " serve " in c]) == 1, "the first part runs")

    assert up.end(signal.SIGTERM) == 0

    assert "next" not in up.text
    assert up.alive() == {}


def test_a_part_that_ignores_sigterm_is_killed_at_its_deadline(start):
    """The time to stop is kept whatever a part does."""
    port = free_ports(2)
    up = start({"mule": {"port": port, "mode": "stubborn"}, "good": {"port": port + 1}})
    up.wait_for("all ready")

    began = time.monotonic()
    assert up.end(signal.SIGTERM) == 0

    assert time.monotonic() - began < 6.0
    assert "mule        did not stop, killed after" in up.text
    assert up.alive() == {}


def test_a_second_ctrl_c_waits_for_nothing(start):
    """Who asks twice gets everything killed at once."""
    up = start({"mule": {"port": free_ports(1), "mode": "stubborn"}})
    up.wait_for("all ready")
    began = time.monotonic()

    def insist() -> bool:
        up.process.send_signal(signal.SIGINT)
        return up.process.poll() is not None

    wait_until(insist, "it ended")

    assert up.process.returncode == 130
    assert time.monotonic() - began < 2.0  # the patient way takes the 3 s of the driver
    assert up.alive() == {}


def test_grandchildren_in_other_sessions_are_ended_too(start):
    """What a part started and left behind is gone when `up` has ended, and soon after the part died."""
    port = free_ports(1)
    up = start({"one": {"port": port, "mode": "parent"}})
    up.wait_for("all ready")
    before = {pid for pid, command in up.alive().items() if "sleep(600)" in command}
    assert len(before) == 1

    os.kill(up.pid_serving(port), signal.SIGKILL)
    wait_until(lambda: before.isdisjoint(up.alive()), "the orphan of the killed part is gone")
    up.wait_for("ready in", count=2)

    assert up.end(signal.SIGTERM) == 0
    assert up.alive() == {}


def test_nothing_outlives_a_killed_supervisor(start):
    """SIGKILL of the supervisor itself leaves neither a stubborn part nor a grandchild."""
    port = free_ports(3)
    up = start(
        {
            "plain": {"port": port},
            "mule": {"port": port + 1, "mode": "stubborn"},
            "parent": {"port": port + 2, "mode": "parent"},
        }
    )
    up.wait_for("all ready")

    assert up.end(signal.SIGKILL) == -signal.SIGKILL

    wait_until(lambda: up.alive() == {}, "all processes are gone")
