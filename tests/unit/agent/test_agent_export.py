"""Sending to a real HTTP server: every kind of answer, outages, limits and the end."""

import logging
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from agent_processes import Answer, HttpSink, wait_until

from agent.destination import Signal, resolve_destination
from agent.export import Sender
from agent.selfmetrics import SelfMetrics
from agent.settings import ExportSettings, SpoolSettings
from agent.spool import Spool
from agent.transport import parse_retry_after
from pyrometer import semconv


@pytest.fixture
def make_sender(sink, tmp_path):
    senders = []

    def make(url: str | None = None, *, start: bool = True, disk: bool = True, spool=None, **settings):
        export = ExportSettings(
            endpoint=url or sink.url,
            spool=SpoolSettings(**(spool or {})),
            **{"compression": "gzip", "batches_per_s_max": 1000.0, "retry_s": 0.1, "retry_max_s": 0.2, **settings},
        )
        metrics = SelfMetrics()
        kept = Spool(export, tmp_path / "spool" if disk else None, metrics)
        sender = Sender(export, resolve_destination(export, {}), kept, metrics, jitter=lambda: 0.0)
        senders.append(sender)
        if start:
            sender.start()
        return sender, metrics

    yield make
    for sender in senders:
        sender.close(0.0)


def dropped(metrics: SelfMetrics, reason: str) -> float:
    return metrics.value(semconv.AGENT_DROPPED, signal="profiles", reason=reason)


def bodies(sink: HttpSink) -> list[bytes]:
    return [received.body for received in sink.received]


@pytest.mark.parametrize(
    ("setting", "encoding"), [("gzip", "gzip"), ("zstd", "zstd"), ("auto", "zstd"), ("none", None)]
)
def test_a_batch_arrives_as_an_otlp_request(make_sender, sink, setting, encoding):
    """Path, content type, compression and body are what a receiver expects; auto is zstd where the package is."""
    sender, metrics = make_sender(compression=setting)
    assert sender.offer(Signal.PROFILES, b"profiles")
    assert sender.offer(Signal.METRICS, b"metrics")
    wait_until(lambda: len(sink.received) == 2)
    second, first = sorted(sink.received, key=lambda received: received.path)

    assert (first.path, first.body) == ("/v1development/profiles", b"profiles")
    assert (second.path, second.body) == ("/v1/metrics", b"metrics")
    assert first.headers["content-type"] == "application/x-protobuf"
    assert first.headers.get("content-encoding") == encoding
    assert first.headers["user-agent"].startswith("pyrometer-agent/")
    wait_until(lambda: metrics.value(semconv.AGENT_EXPORTED, signal="metrics") > 0)
    wait_until(lambda: metrics.value(semconv.AGENT_QUEUE_BYTES) == 0)


def test_batches_are_numbered(make_sender, sink):
    """Each names the run it comes from and its place in it, and says the same when it is sent again."""
    sink.answers = [Answer(503)]
    sender, _ = make_sender()
    for _ in range(2):
        sender.offer(Signal.PROFILES, b"x")
    wait_until(lambda: len(sink.received) == 3)
    origins = {received.headers["pyrometer-spool-id"] for received in sink.received}

    assert len(origins) == 1
    assert [received.headers["pyrometer-sequence"] for received in sink.received] == ["1", "1", "2"]


def test_a_receiver_without_zstd_gets_gzip(make_sender, sink):
    """After a 415 the batch is sent again in gzip, as are those that follow, and nothing is dropped."""
    sink.answers = [Answer(415)]
    sender, metrics = make_sender(compression="auto")
    for number in range(3):
        sender.offer(Signal.PROFILES, b"%d" % number)
    wait_until(lambda: len(sink.received) == 4)

    assert [received.headers["content-encoding"] for received in sink.received] == ["zstd", "gzip", "gzip", "gzip"]
    assert bodies(sink) == [b"0", b"0", b"1", b"2"]
    assert dropped(metrics, "status_415") == 0


def test_what_piled_up_goes_out_evenly(make_sender, sink):
    """No more batches a second than allowed, until the agent is told to stop."""
    sender, _ = make_sender(start=False, batches_per_s_max=20.0)
    for number in range(30):
        sender.offer(Signal.PROFILES, b"%d" % number)
    started = time.monotonic()
    sender.start()
    wait_until(lambda: len(sink.received) == 10)
    assert time.monotonic() - started >= 9 / 20
    sender.close(10.0)

    assert bodies(sink) == [b"%d" % number for number in range(30)]


def test_a_signal_does_not_wait_for_another(make_sender, sink):
    """While the collector refuses profiles for now, metrics go their way."""
    sender, _ = make_sender(retry_s=60.0, retry_max_s=60.0)
    sink.answers = [Answer(503)]
    sender.offer(Signal.PROFILES, b"profiles")
    wait_until(lambda: sink.received)
    sender.offer(Signal.METRICS, b"metrics")
    wait_until(lambda: len(sink.received) == 2)

    assert sink.received[1].path == "/v1/metrics"


def test_a_token_is_sent_and_read_again(make_sender, sink, tmp_path):
    """Each attempt carries the token that its file holds then; a batch that was refused for an old one is kept."""
    path = tmp_path / "token"
    path.write_text("old\n")
    sender, metrics = make_sender(token_file=str(path), retry_s=0.1, retry_max_s=0.1)
    sink.answers = [Answer(401)] * 2
    sender.offer(Signal.PROFILES, b"one")
    wait_until(lambda: len(sink.received) >= 2)
    path.write_text("newer\n")
    wait_until(lambda: sink.received[-1].headers["authorization"] == "Bearer newer")

    assert sink.received[0].headers["authorization"] == "Bearer old"
    assert dropped(metrics, "status_401") == 0


def test_other_settings_are_taken_at_once(make_sender, sink):
    """What waits for a long retry goes to the new address right away."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sender, metrics = make_sender(f"http://127.0.0.1:{port}", retry_s=60.0, retry_max_s=60.0)
    sender.offer(Signal.PROFILES, b"one")
    wait_until(lambda: metrics.value(semconv.AGENT_EXPORT_FAILURES, signal="profiles", reason="connection") == 1)
    settings = ExportSettings(endpoint=sink.url)
    sender.apply(settings, resolve_destination(settings, {}))
    wait_until(lambda: bodies(sink) == [b"one"])

    assert sender.destination.urls[Signal.PROFILES].startswith(sink.url)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_collector_is_asked_again(make_sender, sink, status):
    """The retryable answers are retried with the same body until it is taken; nothing is dropped."""
    sink.answers = [Answer(status), Answer(status)]
    sender, metrics = make_sender()
    sender.offer(Signal.PROFILES, b"one")
    sender.offer(Signal.PROFILES, b"two")
    wait_until(lambda: len(sink.received) == 4)

    assert bodies(sink) == [b"one", b"one", b"one", b"two"]
    reason = f"status_{status}"
    assert metrics.value(semconv.AGENT_EXPORT_FAILURES, signal="profiles", reason=reason) == 2
    assert dropped(metrics, reason) == 0


@pytest.mark.parametrize("status", [400, 401, 404, 413, 415, 500])
def test_a_refusal_is_final_and_counted(make_sender, sink, caplog, status):
    """Other answers drop the batch at once, are counted by status, and are logged once, however many follow."""
    sink.answers = [Answer(status, body=b"no \x1b[31mgood")] * 3
    sender, metrics = make_sender()
    with caplog.at_level(logging.ERROR, logger="agent.export"):
        for _ in range(3):
            sender.offer(Signal.PROFILES, b"bad")
        sender.offer(Signal.PROFILES, b"good")
        wait_until(lambda: len(sink.received) == 4)
        wait_until(lambda: dropped(metrics, f"status_{status}") == 3)

    assert bodies(sink) == [b"bad", b"bad", b"bad", b"good"]
    refusals = [record.getMessage() for record in caplog.records]
    assert len(refusals) == 1
    assert str(status) in refusals[0]
    assert "\x1b" not in refusals[0]


def test_retry_after_is_respected(make_sender, sink):
    """The collector's own wait beats our backoff."""
    sink.answers = [Answer(503, headers={"retry-after": "1"})]
    sender, _ = make_sender()
    started = time.monotonic()
    sender.offer(Signal.PROFILES, b"one")
    wait_until(lambda: len(sink.received) == 2)

    assert time.monotonic() - started >= 1.0


def test_an_outage_loses_nothing_and_is_told_once(make_sender, caplog):
    """While nobody listens batches wait; when the collector is back they arrive in order, with one line each way."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    caplog.set_level(logging.INFO, logger="agent.export")
    sender, metrics = make_sender(f"http://127.0.0.1:{port}")
    sender.offer(Signal.PROFILES, b"one")
    sender.offer(Signal.PROFILES, b"two")
    wait_until(lambda: metrics.value(semconv.AGENT_EXPORT_FAILURES, signal="profiles", reason="connection") >= 3)
    back = HttpSink(port)
    try:
        wait_until(lambda: len(back.received) == 2)
        wait_until(lambda: len(caplog.records) == 2)
    finally:
        back.close()

    assert bodies(back) == [b"one", b"two"]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_collector_that_does_not_answer_is_given_up_on(make_sender, sink):
    """A request without answer ends at the timeout and is tried again."""
    sink.answers = [Answer(delay_s=30.0)]
    sender, metrics = make_sender(timeout_s=0.2)
    sender.offer(Signal.PROFILES, b"one")
    wait_until(lambda: sink.received)

    assert bodies(sink) == [b"one"]
    assert metrics.value(semconv.AGENT_EXPORT_FAILURES, signal="profiles", reason="connection") >= 1


def test_a_batch_beyond_the_limit_is_refused(make_sender):
    """A request larger than one may be is refused, and counted."""
    sender, metrics = make_sender(start=False, batch_bytes_max=4_096)

    assert not sender.offer(Signal.PROFILES, b"x" * 4_097)
    assert dropped(metrics, "too_large") == 1


def test_closing_sends_what_waits(make_sender, sink):
    """`close` returns when the queue is empty, and takes nothing afterwards."""
    sender, metrics = make_sender()
    for number in range(20):
        sender.offer(Signal.PROFILES, str(number).encode())
    sender.close(5.0)

    assert bodies(sink) == [str(number).encode() for number in range(20)]
    assert not sender.offer(Signal.PROFILES, b"late")
    assert dropped(metrics, "closing") == 1


@pytest.mark.parametrize(("disk", "lost"), [(True, 0), (False, 3)])
def test_closing_ends_in_time_when_nobody_answers(make_sender, sink, disk, lost):
    """A collector that hangs cannot hold the agent: the rest stays on the disk, or is dropped, and counted."""
    sink.answers = [Answer(delay_s=600.0)]
    sender, metrics = make_sender(disk=disk)
    for _ in range(3):
        sender.offer(Signal.PROFILES, b"x")
    started = time.monotonic()
    sender.close(0.3)

    assert time.monotonic() - started < 30.0
    assert dropped(metrics, "shutdown") == lost


def test_closing_cuts_a_long_wait_short(make_sender, sink):
    """During a long backoff, `close` tries once more at once."""
    sink.answers = [Answer(503, headers={"retry-after": "200"})]
    sender, metrics = make_sender()
    sender.offer(Signal.PROFILES, b"one")
    wait_until(lambda: metrics.value(semconv.AGENT_EXPORT_FAILURES, signal="profiles", reason="status_503") == 1)
    sender.close(5.0)

    assert bodies(sink) == [b"one", b"one"]


def test_retry_after_is_read_as_number_or_date():
    """Both forms of the header give seconds; anything else gives none."""
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert parse_retry_after("7", now) == 7.0
    assert parse_retry_after(format_datetime(now + timedelta(seconds=90), usegmt=True), now) == 90.0
    assert parse_retry_after(format_datetime(now - timedelta(seconds=90), usegmt=True), now) == 0.0
    assert [parse_retry_after(text, now) for text in (None, "", "soon", "-1")] == [None] * 4
