"""From the log into the database: each request once, waiting while the database is away, bad ones put aside."""

import os
import time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.flush import Flusher, FlushLimits, OtlpWriter, ProfilesWriter
from collector.metrics import CollectorMetrics
from collector.segments import Record
from collector.store.protocol import UnreachableStoreError
from collector.wal import LogLimits, WriteAheadLog
from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.values import NOT_SAMPLED, Frame, Profile, Sample

SOON_S = 30


class Pipeline:
    """A log, a flusher and its counters, for one signal."""

    def __init__(self, folder, writer, signal, metrics, **limits):
        self.metrics = metrics
        self.rejected_dir = folder / "rejected"
        self.log = WriteAheadLog(folder / signal, LogLimits(segment_age_max_s=60))
        self.flusher = Flusher(
            *(self.log, writer),
            signal=signal,
            rejected_dir=self.rejected_dir,
            metrics=self.metrics,
            limits=FlushLimits(attempts_max=1, **limits),
        )

    def flush(self, *bodies):
        """Log all bodies as one segment and insert it."""
        for body in bodies:
            self.log.append(Record(body, len(body)), 1).result(SOON_S)
        self.flusher.start()
        self.log.close()
        assert self.flusher.close(SOON_S)

    def counted(self, name):
        return self.metrics.registry.get_sample_value(f"pyrometer_collector_{name}_total", {"signal": "traces"}) or 0


@pytest.fixture
def traces(store, tmp_path):
    def make(**limits):
        metrics = CollectorMetrics()
        return Pipeline(tmp_path, OtlpWriter(store, "traces"), "traces", metrics, **limits)

    return make


def spans_body(name):
    request = ExportTraceServiceRequest()
    now_ns = time.time_ns()
    request.resource_spans.add().scope_spans.add().spans.add(
        span_id=os.urandom(8), name=name, start_time_unix_nano=now_ns, end_time_unix_nano=now_ns + 7
    )
    return request.SerializeToString()


def operations(store):
    return [row["operation"] for row in store.select("SELECT operation FROM spans ORDER BY operation")]


def test_a_segment_is_inserted_and_deleted(store, traces, tmp_path):
    """All its requests are in the database, and the log is empty."""
    pipeline = traces()
    pipeline.flush(*(spans_body(f"{number:02}") for number in range(20)))
    assert operations(store) == [f"{number:02}" for number in range(20)]
    assert list((tmp_path / "traces").iterdir()) == []
    assert pipeline.counted("insert_requests") == 20


@pytest.mark.parametrize("bad", [{0}, {7}, {3, 4}, {0, 9}, set(range(10))], ids=str)
def test_a_request_that_the_database_refuses_blocks_no_other(store, traces, bad):
    """The bad ones, wherever they stand, are counted and kept as files; all others are stored once."""
    pipeline = traces()
    poison = b"\x0a\xff\xff\xff\x7fbroken"
    pipeline.flush(*(poison if number in bad else spans_body(str(number)) for number in range(10)))
    assert operations(store) == [str(number) for number in range(10) if number not in bad]
    assert store.select("SELECT sum(count) AS n FROM latency") == [{"n": 10 - len(bad)}]
    assert pipeline.counted("quarantined") == len(bad)
    assert [path.read_bytes() for path in pipeline.rejected_dir.iterdir()] == [poison] * len(bad)
    assert {int(path.stem.rpartition("-")[2]) for path in pipeline.rejected_dir.iterdir()} == bad


def test_a_damaged_segment_is_stored_to_its_last_good_request(store, traces, caplog):
    """What the disk gives back damaged is counted and named, and the segments behind it go on."""
    pipeline = traces()
    for name in ("first", "second"):
        body = spans_body(name)
        pipeline.log.append(Record(body, len(body)), 1).result(SOON_S)
    pipeline.log.close()
    segment = pipeline.log.next_segment(SOON_S)
    damaged = bytearray(segment.path.read_bytes())
    damaged[-1] ^= 1
    segment.path.write_bytes(damaged)
    pipeline.flusher.start()
    assert pipeline.flusher.close(SOON_S)
    assert operations(store) == ["first"]
    assert 0 < pipeline.counted("wal_damaged_bytes") < segment.length
    assert "which were acknowledged, are lost" in caplog.text


def test_what_is_put_aside_is_bounded(store, traces):
    """Beyond the limit, refused requests are counted and dropped."""
    pipeline = traces(rejected_files_max=2)
    pipeline.flush(*([b"\x0a\xff\xff\xff\x7fbroken"] * 5))
    assert len(list(pipeline.rejected_dir.iterdir())) == 2
    assert pipeline.counted("quarantined") == 5


class AwayFor:
    """A writer whose database is away for the first tries, and whose answers are lost for the next ones."""

    def __init__(self, writer, *, away, lost):
        self.writer, self.away, self.lost, self.tokens = writer, away, lost, []

    def write(self, records, *, token):
        self.tokens.append(token)
        if len(self.tokens) <= self.away:
            raise UnreachableStoreError("away")
        self.writer.write(records, token=token)
        if len(self.tokens) <= self.away + self.lost:
            raise UnreachableStoreError("the answer was lost")


def test_segments_wait_while_the_database_is_away(store, tmp_path):
    """It is tried again with the same token until it is in; answers that were lost store nothing twice."""
    metrics = CollectorMetrics()
    writer = AwayFor(OtlpWriter(store, "traces"), away=2, lost=2)
    pipeline = Pipeline(tmp_path, writer, "traces", metrics)
    pipeline.flush(spans_body("a"), spans_body("b"))
    assert operations(store) == ["a", "b"]
    assert store.select("SELECT sum(count) AS n FROM latency") == [{"n": 2}]
    assert len(writer.tokens) == 5
    assert len(set(writer.tokens)) == 1
    assert pipeline.counted("insert_failures") == 4
    assert pipeline.counted("quarantined") == 0


class BreaksOn:
    """A writer with a defect that one request brings to light."""

    def __init__(self, writer, body):
        self.writer, self.body = writer, body

    def write(self, records, *, token):
        if any(record.payload == self.body for record in records):
            raise KeyError("a defect")
        self.writer.write(records, token=token)


def test_a_defect_of_ours_stops_one_request_and_no_other(store, tmp_path):
    """Whatever a request makes the writer raise, it is put aside, and the thread goes on with the rest."""
    broken = spans_body("broken")
    pipeline = Pipeline(tmp_path, BreaksOn(OtlpWriter(store, "traces"), broken), "traces", CollectorMetrics())
    pipeline.flush(spans_body("a"), broken, spans_body("b"))
    assert operations(store) == ["a", "b"]
    assert pipeline.counted("quarantined") == 1
    assert [broken] == [path.read_bytes() for path in pipeline.rejected_dir.iterdir()]


def test_stopping_leaves_what_waits_for_the_next_start(store, tmp_path):
    """A flusher that is stopped while the database is away ends soon, and a later one inserts the segment."""
    away = AwayFor(OtlpWriter(store, "traces"), away=10**9, lost=0)
    first = Pipeline(tmp_path, away, "traces", CollectorMetrics())
    first.log.append(Record(spans_body("kept"), 5), 1).result(SOON_S)
    first.flusher.start()
    first.log.close()
    started = time.monotonic()
    assert not first.flusher.close(0.1)
    assert time.monotonic() - started < 5
    second = Pipeline(tmp_path, OtlpWriter(store, "traces"), "traces", CollectorMetrics())
    assert second.log.recovered == 1
    second.flush()


def profile(value, service="shop"):
    hot = (Frame("main", "app.py", 1), Frame("'; DROP\0", "é.py", 2**32 - 1))
    return Profile(
        samples=(
            Sample(stack=hot, count=3, value=value, thread_id=2**40),
            Sample(stack=(NOT_SAMPLED,), count=0, value=4),
        ),
        start_unix_ns=time.time_ns(),
        duration_ns=10**10,
        period_ns=5 * 10**7,
        attributes={"service.name": service, "service.version": "2", "host.name": "h", "process.pid": 9},
    )


def test_profiles_reach_every_table(store, tmp_path):
    """Rows of two windows: stacks once, samples twice, sums that add up, series that can be found by their id."""
    metrics = CollectorMetrics()
    pipeline = Pipeline(tmp_path, ProfilesWriter(store, metrics), "profiles", metrics)
    pipeline.flush(profiles_to_otlp([profile(10)]), profiles_to_otlp([profile(20)]))
    [sums] = store.select(
        "SELECT (SELECT sum(value) FROM samples) AS samples, (SELECT sum(cpu_ns) FROM service_cost) AS service, "
        "(SELECT sum(self_ns) FROM function_cost) AS functions, (SELECT count() FROM stacks FINAL) AS stacks, "
        "(SELECT count() FROM frames FINAL) AS frames, (SELECT sum(observed_ns) FROM service_cost) AS observed, "
        "(SELECT sum(windows) FROM service_cost) AS windows"
    )
    assert sums == {
        "samples": 38,
        "service": 38,
        "functions": 38,
        "stacks": 2,
        "frames": 3,
        "observed": 2 * 10**10,
        "windows": 2,
    }
    frames = store.select(
        "SELECT function, file, line FROM frames WHERE frame_id IN "
        "(SELECT arrayJoin(frame_ids) FROM stacks WHERE stack_id IN (SELECT stack_id FROM samples WHERE count = 3)) "
        "ORDER BY function"
    )
    assert frames == [
        {"function": "'; DROP\0", "file": "é.py", "line": 2**32 - 1},
        {"function": "main", "file": "app.py", "line": 1},
    ]
    series = store.select("SELECT DISTINCT pid, version FROM series WHERE series_id IN (SELECT series_id FROM samples)")
    assert series == [{"pid": 9, "version": "2"}]


def test_profiles_whose_answer_was_lost_are_stored_once(store, tmp_path):
    """Every table has its own token, so a repeated segment adds to no sum."""
    metrics = CollectorMetrics()
    writer = AwayFor(ProfilesWriter(store, metrics), away=0, lost=2)
    Pipeline(tmp_path, writer, "profiles", metrics).flush(profiles_to_otlp([profile(10)]))
    [sums] = store.select(
        "SELECT (SELECT sum(value) FROM samples) AS samples, (SELECT sum(cpu_ns) FROM service_cost) AS service"
    )
    assert sums == {"samples": 14, "service": 14}


def test_profiles_whose_sums_overflow_are_put_aside(store, tmp_path):
    """Values that fit alone and not together are refused by the database for their own request only."""
    metrics = CollectorMetrics()
    pipeline = Pipeline(tmp_path, ProfilesWriter(store, metrics), "profiles", metrics)
    pipeline.flush(
        profiles_to_otlp([profile(10, "good")]),
        profiles_to_otlp([profile(2**63 - 1, "bad")]),
        profiles_to_otlp([profile(20, "good")]),
    )
    assert store.select("SELECT service, sum(cpu_ns) AS n FROM service_cost GROUP BY service") == [
        {"service": "good", "n": 38}
    ]
    assert len(list(pipeline.rejected_dir.iterdir())) == 1
