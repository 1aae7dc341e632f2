"""The write-ahead log: acknowledged means on the disk; full means come again; errors of the disk pass."""

import errno
import os
import threading
import time

import pytest

from collector.segments import Origin, Record
from collector.wal import LogLimits, LogUnavailableError, WriteAheadLog

SOON_S = 10


@pytest.fixture
def open_log(tmp_path):
    logs = []

    def open_it(**limits):
        logs.append(WriteAheadLog(tmp_path / "log", LogLimits(**limits)))
        return logs[-1]

    yield open_it
    for log in logs:
        log.close()


def all_records(log):
    records = []
    while (segment := log.next_segment(0)) is not None:
        records += segment.records()
        log.remove(segment)
    return records


def test_what_is_acknowledged_is_in_the_file(open_log, tmp_path):
    """When the future is done, another reader of the file finds the record."""
    log = open_log(segment_age_max_s=60)
    log.append(Record(b"payload", 7), 1).result(SOON_S)
    [path] = (tmp_path / "log").iterdir()
    assert path.read_bytes() == Record(b"payload", 7).to_bytes()


def test_many_requests_share_a_sync(open_log, monkeypatch):
    """Requests that come while a sync runs are written together by the next one."""
    syncs = []
    first_sync, go_on = threading.Event(), threading.Event()
    real = os.fdatasync

    def slow_sync(descriptor):
        syncs.append(descriptor)
        first_sync.set()
        assert go_on.wait(SOON_S)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow_sync)
    log = open_log(segment_age_max_s=60)
    done = [log.append(Record(b"0", 1), 1)]
    assert first_sync.wait(SOON_S)
    done += [log.append(Record(str(number).encode(), 1), 1) for number in range(1, 100)]
    go_on.set()
    for future in done:
        future.result(SOON_S)
    assert len(syncs) == 2
    log.close()
    assert [record.payload for record in all_records(log)] == [str(number).encode() for number in range(100)]


@pytest.mark.parametrize(
    "limits", [{"segment_rows_max": 5}, {"segment_bytes_max": 20}, {"segment_age_max_s": 0.05}], ids=str
)
def test_a_segment_is_sealed_by_each_limit(open_log, limits):
    """Rows, bytes and age each end a segment."""
    log = open_log(**{"segment_age_max_s": 60} | limits)
    log.append(Record(b"12345678", 8), 5).result(SOON_S)
    segment = log.next_segment(SOON_S)
    assert segment.records() == [Record(b"12345678", 8)]


def test_a_full_log_refuses_and_takes_again(open_log):
    """Over the limit an append is refused at once; when a segment has been removed it works again."""
    log = open_log(bytes_max=100, segment_age_max_s=0.01)
    log.append(Record(b"x" * 50, 50), 1).result(SOON_S)
    with pytest.raises(LogUnavailableError, match="full"):
        log.append(Record(b"x" * 50, 50), 1)
    log.remove(log.next_segment(SOON_S))
    assert log.waiting_bytes() == 0
    log.append(Record(b"x" * 50, 50), 1).result(SOON_S)


@pytest.mark.parametrize("call", ["open", "pwrite", "fdatasync"])
def test_a_full_disk_refuses_and_recovers(open_log, monkeypatch, call):
    """While the disk is full, requests are refused with the reason; what was acknowledged before and after is kept."""
    log = open_log(segment_age_max_s=60)
    if call != "open":
        log.append(Record(b"before", 6), 1).result(SOON_S)
    with monkeypatch.context() as patch:

        def full(*arguments, **options):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, call, full)
        with pytest.raises(LogUnavailableError, match="No space left"):
            log.append(Record(b"lost", 4), 1).result(SOON_S)
    log.append(Record(b"after", 5), 1).result(SOON_S)
    log.close()
    expected = [b"after"] if call == "open" else [b"before", b"after"]
    assert [record.payload for record in all_records(log)] == expected
    assert log.waiting_bytes() == 0


def test_a_partial_write_is_not_read(open_log, monkeypatch):
    """A record of which only a part could be written is not in the segment."""
    log = open_log(segment_age_max_s=60)
    log.append(Record(b"before", 6), 1).result(SOON_S)
    real, calls = os.pwrite, []

    def part(descriptor, data, offset):
        calls.append(offset)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:5], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", part)
        with pytest.raises(LogUnavailableError):
            log.append(Record(b"half of it", 10), 1).result(SOON_S)
    segment = log.next_segment(SOON_S)
    assert segment.records() == [Record(b"before", 6)]
    assert segment.path.stat().st_size == Record(b"before", 6).stored_length


def test_the_next_start_has_what_was_not_inserted(open_log):
    """Closed or not, segments that were not removed come back, in order."""
    first = open_log(segment_age_max_s=60)
    for number in range(3):
        first.append(Record(str(number).encode(), 1), 1).result(SOON_S)
    first.close()
    second = open_log()
    assert second.recovered == 1
    assert second.cut_bytes == 0
    assert [record.payload for record in all_records(second)] == [b"0", b"1", b"2"]


def test_a_closing_log_takes_nothing(open_log):
    """After close, an append is refused, and whoever waits for a segment is woken."""
    log = open_log()
    woken = []
    waiter = threading.Thread(target=lambda: woken.append(log.next_segment(60)))
    waiter.start()
    log.close()
    waiter.join(SOON_S)
    assert woken == [None]
    assert log.is_closed()
    with pytest.raises(LogUnavailableError):
        log.append(Record(b"x", 1), 1)


def test_an_idle_log_does_nothing(open_log, tmp_path):
    """Without requests there is no file and no processor time."""
    open_log(segment_age_max_s=0.01)
    before = time.process_time()
    assert open_log is not None
    threading.Event().wait(0.2)
    assert time.process_time() - before < 0.1
    assert list((tmp_path / "log").iterdir()) == []


def numbered(sequence, sender=b"s" * 16):
    return Record(b"request %d" % sequence, 9, origin=Origin(sender, sequence))


def test_a_repeated_request_is_acknowledged_and_not_stored(open_log):
    """The same number again, or a lower one of the same sender, is on the disk already; another sender's is not."""
    log = open_log(segment_age_max_s=60)
    assert log.append(numbered(1), 1).result(SOON_S)
    assert log.append(numbered(5), 1).result(SOON_S)
    assert not log.append(numbered(5), 1).result(SOON_S)
    assert not log.append(numbered(1), 1).result(SOON_S)
    assert log.append(numbered(1, b"t" * 16), 1).result(SOON_S)
    log.close()
    assert [record.payload for record in all_records(log)] == [b"request 1", b"request 5", b"request 1"]


def test_a_request_that_is_being_written_is_not_written_twice(open_log, monkeypatch):
    """A repetition that comes while the first is still on its way to the disk waits for it, and shares its fate."""
    reached, go_on = threading.Event(), threading.Event()
    real = os.fdatasync

    def slow_sync(descriptor):
        reached.set()
        assert go_on.wait(SOON_S)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow_sync)
    log = open_log(segment_age_max_s=60)
    first = log.append(numbered(1), 1)
    assert reached.wait(SOON_S)
    again = log.append(numbered(1), 1)
    assert not again.done()
    go_on.set()
    assert (first.result(SOON_S), again.result(SOON_S)) == (True, False)
    log.close()
    assert len(all_records(log)) == 1


def test_a_request_that_could_not_be_written_is_taken_later(open_log, monkeypatch):
    """A number that the disk refused is not taken for stored."""
    log = open_log(segment_age_max_s=60)
    with monkeypatch.context() as patch:

        def full(*arguments, **options):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, "pwrite", full)
        with pytest.raises(LogUnavailableError):
            log.append(numbered(1), 1).result(SOON_S)
    assert log.append(numbered(1), 1).result(SOON_S)


@pytest.mark.parametrize("flushed", [False, True])
def test_the_next_start_knows_what_was_stored(open_log, flushed):
    """From the segments that are left, and from the file that outlives those that were deleted."""
    first = open_log(segment_age_max_s=60)
    first.append(numbered(7), 1).result(SOON_S)
    first.close()
    if flushed:
        assert len(all_records(first)) == 1
    second = open_log(segment_age_max_s=60)
    assert second.recovered == (0 if flushed else 1)
    assert not second.append(numbered(7), 1).result(SOON_S)
    assert second.append(numbered(8), 1).result(SOON_S)


def test_senders_are_bounded(open_log):
    """Of more senders than are remembered, the one not heard of the longest is forgotten."""
    log = open_log(segment_age_max_s=60, senders_max=2)
    one, two, three = (bytes([number]) * 16 for number in (1, 2, 3))
    for sequence, sender in ((1, one), (1, two), (2, one), (1, three)):
        log.append(numbered(sequence, sender), 1).result(SOON_S)
    assert log.known_senders() == 2
    assert not log.append(numbered(2, one), 1).result(SOON_S)
    assert log.append(numbered(1, two), 1).result(SOON_S)


def test_a_full_disk_does_not_keep_segments(open_log, monkeypatch, tmp_path):
    """Where the numbers cannot be written, the segment is deleted first, and they are written after it."""
    log = open_log(segment_age_max_s=60)
    log.append(numbered(3), 1).result(SOON_S)
    log.close()
    segment = log.next_segment(0)
    real = os.fdatasync

    def full_until_deleted(descriptor):
        if segment.path.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", full_until_deleted)
    log.remove(segment)
    assert not open_log().append(numbered(3), 1).result(SOON_S)


@pytest.mark.parametrize("content", [b"", b"pyrometer-senders-1\n", b"pyrometer-senders-1\n" + bytes(28), b"x" * 100])
def test_a_damaged_file_of_senders_is_not_believed(open_log, tmp_path, caplog, content):
    """It is told, and the log works on."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "senders").write_bytes(content)
    assert open_log().append(numbered(1), 1).result(SOON_S)
    assert "damaged" in caplog.text
