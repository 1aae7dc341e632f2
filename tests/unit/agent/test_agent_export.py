"""Sending to a real HTTP server: every kind of answer, outages, limits and the end."""

import logging
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from agent_processes import Answer, HttpSink, wait_until

from agent.destination import Signal, resolve_destination
from agent.export import Sender, parse_retry_after
from agent.selfmetrics import SelfMetrics
from agent.settings import ExportSettings
from pyrometer import semconv


@pytest.fixture
def make_sender(sink):
    senders = []

    def make(url: str | None = None, *, start: bool = True, **settings):
        export = ExportSettings(endpoint=url or sink.url, **{"retry_s": 0.1, "retry_max_s": 0.2, **settings})
        metrics = SelfMetrics()
        sender = Sender(export, resolve_destination(export, {}), metrics, jitter=lambda: 0.0)
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


def test_a_batch_arrives_as_an_otlp_request(make_sender, sink):
    """Path, content type, compression and body are what a receiver expects."""
    sender, metrics = make_sender()
    assert sender.offer(Signal.PROFILES, b"profiles")
    assert sender.offer(Signal.METRICS, b"metrics")
    wait_until(lambda: len(sink.received) == 2)
    first, second = sink.received

    assert (first.path, first.body) == ("/v1development/profiles", b"profiles")
    assert (second.path, second.body) == ("/v1/metrics", b"metrics")
    assert first.headers["content-type"] == "application/x-protobuf"
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["user-agent"].startswith("pyrometer-agent/")
    wait_until(lambda: metrics.value(semconv.AGENT_EXPORTED, signal="metrics") > 0)
    wait_until(lambda: metrics.value(semconv.AGENT_QUEUE_BYTES) == 0)


def test_compression_can_be_left_out(make_sender, sink):
    """With compression none the body goes as it is, and says so."""
    sender, _ = make_sender(compression="none")
    sender.offer(Signal.PROFILES, b"plain")
    wait_until(lambda: sink.received)

    assert sink.received[0].body == b"plain"
    assert "content-encoding" not in sink.received[0].headers


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


def test_a_full_queue_drops_the_oldest(make_sender):
    """In memory no more is kept than allowed; what is dropped is counted, and the newest stays."""
    sender, metrics = make_sender(start=False, compression="none", queue_bytes_max=65_536, batch_bytes_max=65_536)
    for number in range(5):
        assert sender.offer(Signal.PROFILES, bytes([number]) * 20_000)

    assert [batch.body[0] for batch in sender._queue] == [2, 3, 4]
    assert dropped(metrics, "queue_full") == 2
    assert metrics.value(semconv.AGENT_QUEUE_BYTES) == 60_000


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


def test_closing_ends_in_time_when_nobody_answers(make_sender, sink):
    """A collector that hangs cannot hold the agent: the rest is dropped, and counted."""
    sink.answers = [Answer(delay_s=30.0)]
    sender, metrics = make_sender()
    for _ in range(3):
        sender.offer(Signal.PROFILES, b"x")
    started = time.monotonic()
    sender.close(0.3)

    assert time.monotonic() - started < 2.0
    assert dropped(metrics, "shutdown") == 3


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
