"""The spool: order, limits, and what a kill, a full disk and a broken file leave of it."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from agent_processes import wait_until

from agent.compression import Compression
from agent.destination import Signal
from agent.selfmetrics import SelfMetrics
from agent.settings import ExportSettings, SpoolSettings
from agent.spool import Spool
from agent.spool_disk import FILE_NAME
from agent.spool_place import spool_directory
from pyrometer import semconv
from pyrometer.errors import ConfigError

MANY = 200


@pytest.fixture
def metrics():
    return SelfMetrics()


@pytest.fixture
def open_spool(tmp_path, metrics):
    """Open spools in one directory; batches are written before they are taken, unless a test says otherwise."""
    opened = []

    def open_it(*, directory=tmp_path / "spool", now=time.time, queue_bytes_max=2**20, **limits):
        limits = SpoolSettings(**{"commit_s": 0.0, **limits})
        opened.append(Spool(ExportSettings(spool=limits, queue_bytes_max=queue_bytes_max), directory, metrics, now=now))
        return opened[-1]

    yield open_it
    for spool in opened:
        spool.close()


def offer(spool, *bodies, signal=Signal.PROFILES):
    for body in bodies:
        assert spool.offer(signal, Compression.NONE, body)


def drain(spool, signal=Signal.PROFILES):
    """Take all batches of a signal that wait, without waiting for more."""
    bodies = []
    while (batch := spool._first(signal)) is not None:
        bodies.append(batch.body)
        spool.done(batch)
    return bodies


def dropped(metrics, reason, signal="profiles"):
    return metrics.value(semconv.AGENT_DROPPED, signal=signal, reason=reason)


def on_disk(metrics):
    return metrics.value(semconv.AGENT_SPOOL_BYTES)


@pytest.mark.parametrize("commit_s", [0.0, 60.0])
def test_batches_leave_in_the_order_they_came(open_spool, metrics, commit_s):
    """Each signal in its own order, from the disk and from memory alike; nothing is left afterwards."""
    spool = open_spool(commit_s=commit_s)
    for number in range(10):
        offer(spool, b"p%d" % number)
        offer(spool, b"m%d" % number, signal=Signal.METRICS)
    assert on_disk(metrics) == (40 if commit_s == 0 else 0)

    assert drain(spool) == [b"p%d" % number for number in range(10)]
    assert drain(spool, Signal.METRICS) == [b"m%d" % number for number in range(10)]
    assert (spool.waiting, metrics.value(semconv.AGENT_QUEUE_BYTES)) == (0, 0)


def test_what_is_sent_in_time_never_touches_the_disk(open_spool, tmp_path):
    """With a collector that answers, the file is not written to."""
    spool = open_spool(commit_s=60.0)
    before = (tmp_path / "spool" / f"{FILE_NAME}-wal").stat().st_size
    for number in range(MANY):
        offer(spool, b"x" * 1000)
        assert drain(spool) == [b"x" * 1000], number

    assert (tmp_path / "spool" / f"{FILE_NAME}-wal").stat().st_size == before


def test_what_is_not_sent_in_time_is_written(open_spool, metrics):
    """After the time to commit all that waits is on the disk, in one go."""
    spool = open_spool(commit_s=0.05)
    offer(spool, b"one", b"two")
    wait_until(lambda: on_disk(metrics) == 6)

    assert drain(spool) == [b"one", b"two"]
    assert on_disk(metrics) == 0


def test_a_batch_that_is_being_sent_may_be_written_meanwhile(open_spool, metrics):
    """It is forgotten all the same once it is sent."""
    spool = open_spool(commit_s=0.05)
    offer(spool, b"one")
    taken = spool.take(Signal.PROFILES)
    wait_until(lambda: on_disk(metrics) == 3)
    spool.done(taken)

    assert (spool.waiting, on_disk(metrics)) == (0, 0)


def test_take_waits_for_a_batch(open_spool):
    """A lane sleeps until its signal has something, whatever comes for others."""
    spool = open_spool()
    taken = []
    lane = threading.Thread(target=lambda: taken.append(spool.take(Signal.PROFILES).body))
    lane.start()
    offer(spool, b"other", signal=Signal.METRICS)
    assert taken == []
    offer(spool, b"mine")
    lane.join(10)

    assert taken == [b"mine"]


def test_the_next_start_goes_on(open_spool, metrics):
    """What was not sent comes first, as it was, under the numbers it had; new batches have another origin."""
    first = open_spool(commit_s=60.0)
    first.offer(Signal.PROFILES, Compression.GZIP, b"one")
    sent = first.take(Signal.PROFILES)
    first.done(sent)
    offer(first, b"two", b"three")
    first.close()
    second = open_spool()
    assert on_disk(metrics) == 8
    offer(second, b"four")
    batches = []
    for _ in range(3):
        batches.append(second.take(Signal.PROFILES))
        second.done(batches[-1])

    assert [batch.body for batch in batches] == [b"two", b"three", b"four"]
    assert [batch.origin == sent.origin for batch in batches] == [True, True, False]
    assert [batch.sequence for batch in batches] == [2, 3, 4]


def test_a_kill_loses_nothing_that_was_committed(open_spool, tmp_path):
    """Killed at any moment, the next start has each batch whose offer returned, once, in order."""
    code = f"""
import itertools
from pathlib import Path
from agent.compression import Compression
from agent.destination import Signal
from agent.selfmetrics import SelfMetrics
from agent.settings import ExportSettings, SpoolSettings
from agent.spool import Spool
spool = Spool(ExportSettings(spool=SpoolSettings(commit_s=0)), Path({str(tmp_path / "spool")!r}), SelfMetrics())
for number in itertools.count():
    spool.offer(Signal.PROFILES, Compression.NONE, b"%d " % number + b"x" * (number % 9000))
    print(number, flush=True)
"""
    for enough in (1, 30, 200):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout:
                if int(line) >= enough:
                    break
            child.send_signal(signal.SIGKILL)
            last = int(([line, *child.stdout])[-1])
        spool = open_spool()
        numbers = [int(body.split()[0]) for body in drain(spool)]
        spool.close()
        # One more may have been committed without being printed.
        assert numbers in (list(range(last + 1)), list(range(last + 2)))


def test_beyond_its_size_the_oldest_go(open_spool, metrics):
    """Over the limit of bytes the oldest are dropped and counted, whatever their signal; what is being sent stays."""
    spool = open_spool(bytes_max=4096)
    offer(spool, b"0" * 1000)
    taken = spool.take(Signal.PROFILES)
    offer(spool, b"1" * 1000, signal=Signal.METRICS)
    offer(spool, *(bytes([48 + number]) * 1000 for number in range(2, 7)))
    spool.put_back(taken)

    assert [body[:1] for body in drain(spool)] == [b"0", b"4", b"5", b"6"]
    assert drain(spool, Signal.METRICS) == []
    assert (dropped(metrics, "size"), dropped(metrics, "size", "metrics")) == (2, 1)


def test_beyond_their_age_batches_go(open_spool, metrics):
    """What waits too long is dropped and counted, after a restart too."""
    now = [1_000_000.0]
    spool = open_spool(age_max_s=100, now=lambda: now[0])
    offer(spool, b"old")
    now[0] += 90
    offer(spool, b"younger")
    spool.close()
    now[0] += 20
    spool = open_spool(age_max_s=100, now=lambda: now[0])
    offer(spool, b"new")

    assert drain(spool) == [b"younger", b"new"]
    assert dropped(metrics, "age") == 1


@pytest.mark.parametrize("limit", ["bytes", "age"])
def test_memory_alone_is_bounded_too(open_spool, metrics, limit):
    """Without a disk the oldest in memory go, by size and by age."""
    now = [0.0]
    spool = open_spool(bytes_max=0, queue_bytes_max=65_536, age_max_s=100, now=lambda: now[0])
    for number in range(5):
        offer(spool, bytes([number]) * (20_000 if limit == "bytes" else 1))
        now[0] += 10 if limit == "bytes" else 40

    assert [body[0] for body in drain(spool)] == [2, 3, 4]
    assert dropped(metrics, "memory" if limit == "bytes" else "age") == 2


@pytest.mark.parametrize("content", [b"this is no database at all " * 400, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_broken_file_is_put_aside(open_spool, metrics, tmp_path, caplog, content):
    """The agent starts with a new file, and keeps the old one for who wants to look; it says so once."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / FILE_NAME).write_bytes(content)
    spool = open_spool()
    offer(spool, b"one")

    assert on_disk(metrics) == 3
    assert drain(spool) == [b"one"]
    assert (tmp_path / "spool" / f"{FILE_NAME}.broken").read_bytes() == content
    assert metrics.value(semconv.AGENT_SPOOL_ERRORS, reason="corrupt") == 1
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


def test_a_file_of_another_version_is_put_aside(open_spool, metrics, tmp_path):
    """What a later agent wrote is not guessed at."""
    (tmp_path / "spool").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "spool" / FILE_NAME)) as file:
        file.execute("PRAGMA user_version = 99")
    offer(open_spool(), b"one")

    assert on_disk(metrics) == 3
    assert (tmp_path / "spool" / f"{FILE_NAME}.broken").exists()


def test_a_file_that_breaks_while_it_is_used_is_replaced(open_spool, metrics, tmp_path):
    """What cannot be read is counted as lost; later batches go on, on the disk again."""
    spool = open_spool()
    offer(spool, *(b"%d" % number * 300_000 for number in range(9)))
    for path in (tmp_path / "spool").glob(f"{FILE_NAME}*"):
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
    offer(spool, b"later")
    left = drain(spool)

    assert len(left) + dropped(metrics, "corrupt") == 10
    assert metrics.value(semconv.AGENT_SPOOL_ERRORS, reason="corrupt") == 1
    offer(spool, b"more")
    assert on_disk(metrics) == 4
    assert drain(spool) == [b"more"]


def test_a_directory_that_cannot_be_had_leaves_memory(open_spool, metrics, tmp_path, caplog):
    """The agent works on, says what is wrong once, and counts it."""
    (tmp_path / "file").write_text("")
    spool = open_spool(directory=tmp_path / "file" / "spool")
    offer(spool, b"one", b"two")

    assert drain(spool) == [b"one", b"two"]
    assert on_disk(metrics) == 0
    assert metrics.value(semconv.AGENT_SPOOL_ERRORS, reason="io") == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "kept in memory" in caplog.text


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of half a MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a file system cannot be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def fill(directory):
    """Leave no room on a file system; return the file that takes it."""
    descriptor = os.open(directory / "filler", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, b"x" * 4096)
    os.close(descriptor)
    return directory / "filler"


def test_a_full_disk_is_waited_out_in_memory(open_spool, metrics, small_disk):
    """Nothing is lost while memory has room; once there is room on the disk, what waits is written, in order."""
    spool = open_spool(directory=small_disk / "spool")
    filler = fill(small_disk)
    bodies = [b"%d " % number + os.urandom(4000) for number in range(50)]
    offer(spool, *bodies)
    assert metrics.value(semconv.AGENT_SPOOL_ERRORS, reason="disk_full") >= 1
    assert on_disk(metrics) < sum(map(len, bodies))
    filler.unlink()
    offer(spool, b"last")

    assert on_disk(metrics) == metrics.value(semconv.AGENT_QUEUE_BYTES)
    assert drain(spool) == [*bodies, b"last"]


def test_a_disk_too_full_to_forget_sends_nothing_twice(open_spool, metrics, small_disk):
    """What was sent but cannot be deleted does not come again while the agent runs."""
    spool = open_spool(directory=small_disk / "spool")
    offer(spool, *(b"%d" % number * 3000 for number in range(20)))
    fill(small_disk)

    assert [body[:1] for body in drain(spool)[:10]] == [b"%d" % number for number in range(10)]
    assert drain(spool) == []


def test_a_read_only_disk_leaves_memory(open_spool, metrics, small_disk):
    """A file system that turned read-only is a warning, not an end."""
    open_spool(directory=small_disk / "spool").close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    spool = open_spool(directory=small_disk / "spool")
    offer(spool, b"one")

    assert drain(spool) == [b"one"]
    assert metrics.value(semconv.AGENT_SPOOL_ERRORS, reason="read_only") == 1


def test_an_agent_has_the_spool_alone(open_spool, tmp_path):
    """A second one is told which setting to change; when the first has ended, it may."""
    first = open_spool()
    with pytest.raises(ConfigError, match=r"another agent.*export\.spool\.directory"):
        open_spool()
    first.close()
    open_spool()


def test_space_is_given_back(open_spool, tmp_path):
    """Once everything is sent, the file is small again, whatever it was."""
    spool = open_spool()
    offer(spool, *(bytes(100_000) for _ in range(40)))
    assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) > 4_000_000
    drain(spool)

    assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) < 1_500_000


def test_nobody_else_may_read_it(open_spool, tmp_path):
    """Directory and lock are the agent's own."""
    open_spool()
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0


def test_closing_takes_nothing_more(open_spool, metrics):
    """An offer after the end is refused, and counted; without a disk what waits is lost, and counted."""
    spool = open_spool(bytes_max=0)
    offer(spool, b"one")
    spool.close()

    assert not spool.offer(Signal.PROFILES, Compression.NONE, b"late")
    assert (dropped(metrics, "closing"), dropped(metrics, "shutdown")) == (1, 1)


def test_other_limits_hold_from_now_on(open_spool, metrics):
    """A smaller limit given while it runs is kept to with the next batch."""
    spool = open_spool()
    offer(spool, *(b"x" * 1000 for _ in range(5)))
    spool.apply(ExportSettings(spool=SpoolSettings(commit_s=0.0, bytes_max=2500)))
    offer(spool, b"y" * 1000)

    assert (spool.waiting, dropped(metrics, "size")) == (2, 4)


@pytest.mark.parametrize(
    ("setting", "environment", "expected"),
    [
        ("/a", {"STATE_DIRECTORY": "/b", "XDG_STATE_HOME": "/c"}, "/a"),
        ("", {"STATE_DIRECTORY": "/b:/x", "XDG_STATE_HOME": "/c"}, "/b/agent"),
        ("", {"XDG_STATE_HOME": "/c", "HOME": "/h"}, "/c/pyrometer/agent"),
        ("", {"HOME": "/h"}, "/var/lib/pyrometer/agent" if os.geteuid() == 0 else "/h/.local/state/pyrometer/agent"),
    ],
)
def test_where_it_lies(setting, environment, expected):
    """As set, else in the state directory of systemd, of the desktop, of root, or of the user."""
    assert str(spool_directory(SpoolSettings(directory=setting), environment)) == expected
