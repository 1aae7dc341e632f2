"""
Whatever arrives, each receiver answers in time and with the right code, and everybody else's requests are unharmed.

What is acknowledged must be stored: the database must not refuse what was taken. More of it runs in the soak.
"""

import gzip
import os
import time
from urllib.parse import quote

import grpc
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.receive.messages import PushRequest
from collector.receive.payloads import SIGNALS
from pyrometer.formats.pprof_pb2 import Profile as PprofProfile
from tests.contract.collector_process import free_port, running_collector
from tests.contract.hostile import Hostile, otlp_json
from tests.contract.test_collector_process import spans_body

EXAMPLES = int(os.environ.get("PYROMETER_HOSTILE_EXAMPLES", "50"))
EXAMPLES_SOAK = 3000
# Of one request; the machine may be busy with others.
ANSWER_S_MAX = 15
REJECTED = "pyrometer_collector_rejected_total"
SEEDS = st.integers(0, 2**64 - 1)
REFUSALS = {400, 413, 415}
REFUSED_CALLS = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED}
BOMB_BYTES = 2**30
PARAMETERS = ("format", "from", "until", "start", "end", "rate", "sampleRate")


class World:
    """A collector, honest requests between hostile ones, and how many of each were taken."""

    def __init__(self, collector, grpc_address) -> None:
        self.collector = collector
        self.channel = grpc.insecure_channel(grpc_address)
        self.refused = 0
        self.honest = 0

    def post(self, path, body, content_type="application/x-protobuf", **headers):
        """Send, and check that the answer is one that may be."""
        started = time.monotonic()
        answer = self.collector.post(path, body, content_type=content_type, **headers)
        assert time.monotonic() - started < ANSWER_S_MAX
        assert answer.status == 200 or answer.status in REFUSALS, (answer.status, answer.data[:300])
        self.refused += answer.status != 200
        return answer.status

    def call(self, service, body):
        """Call by gRPC, and check likewise."""
        call = self.channel.unary_unary(f"/{service}/Export").future(body, timeout=ANSWER_S_MAX)
        assert call.code() is grpc.StatusCode.OK or call.code() in REFUSED_CALLS, call.details()
        self.refused += call.code() is not grpc.StatusCode.OK

    def send_honest(self):
        """An honest request is taken, now as ever."""
        self.honest += 1
        body = spans_body([f"{self.honest:016x}"], text="honest")
        assert self.collector.post("/v1/traces", body, content_encoding="identity").status == 200

    def check(self):
        """Nothing that was acknowledged is refused by the database, and what was refused is counted."""
        self.collector.wait_until_stored()
        for signal in ("traces", "metrics", "logs", "profiles"):
            assert self.collector.metric("pyrometer_collector_quarantined_total", signal=signal) == 0, (
                self.collector.log()[-4000:]
            )
        assert self.counted() == self.refused
        assert "Traceback" not in self.collector.log()

    def counted(self):
        lines = self.collector.request("GET", "/metrics").data.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(REJECTED + "{"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    address = f"127.0.0.1:{free_port()}"
    quick = {"PYROMETER_COLLECTOR_LOG__SEGMENT_AGE_MAX_S": "0.5"}
    folder = tmp_path_factory.mktemp("collector")
    with running_collector(folder, "--grpc-address", address, "--log-level", "warn", **quick) as collector:
        world = World(collector, address)
        yield world
        world.channel.close()
        assert collector.stop() == 0


def rounds(world, one):
    """Run one hostile request with many seeds, an honest one in between, and check at the end."""

    def run(examples):
        @settings(max_examples=examples, deadline=None)
        @given(seed=SEEDS)
        def play(seed):
            one(Hostile(seed))

        play()
        world.send_honest()
        world.check()

    return run


soak_too = pytest.mark.parametrize(
    "examples",
    [EXAMPLES, pytest.param(EXAMPLES_SOAK, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])],
    ids=["some", "many"],
)


@soak_too
def test_protobuf_over_http(world, examples):
    """Messages with the worst values, damaged, nested too deep, random; compressed, or said to be."""

    def one(hostile):
        signal = hostile.random.choice(list(SIGNALS.values()))
        body, encoding = hostile.encoded(hostile.protobuf(signal.message_type))
        world.post(signal.path, body, content_encoding=encoding)

    rounds(world, one)(examples)


@soak_too
def test_json_over_http(world, examples):
    """The same messages in JSON, with values of other types in places."""

    def one(hostile):
        signal = hostile.random.choice(list(SIGNALS.values()))
        body = hostile.json(otlp_json(hostile.message(signal.message_type)))
        world.post(signal.path, body, content_type="application/json", content_encoding="identity")

    rounds(world, one)(examples)


@soak_too
def test_protobuf_over_grpc(world, examples):
    """The same messages as calls."""

    def one(hostile):
        signal = hostile.random.choice(list(SIGNALS.values()))
        world.call(signal.service, hostile.protobuf(signal.message_type))

    rounds(world, one)(examples)


@soak_too
def test_pyroscopes_pushes(world, examples):
    """Pushes whose profiles are hostile themselves."""

    def one(hostile):
        push = hostile.message(PushRequest)
        for series in push.series:
            for sample in series.samples:
                sample.raw_profile = gzip.compress(hostile.protobuf(PprofProfile), 1)
        body = push.SerializeToString() if hostile.random.random() < 0.7 else hostile.protobuf(PushRequest)
        body, encoding = hostile.encoded(body)
        world.post("/push.v1.PusherService/Push", body, content_encoding=encoding)

    rounds(world, one)(examples)


@soak_too
def test_files(world, examples):
    """Files that are not what they are said to be, with names and times of any kind."""

    def one(hostile):
        choose = hostile.random.choice
        lines = [f"{hostile.text()};{hostile.text()} {choose((1, 0, -1, 10**30, 'x'))}" for _ in range(5)]
        speedscope = {"shared": {"frames": [{"name": hostile.text()}]}, "profiles": [{"type": "sampled"}]}
        pprof = hostile.protobuf(PprofProfile)
        files = (pprof, gzip.compress(pprof, 1), hostile.json(speedscope), "\n".join(lines).encode())
        values = ("", "pprof", "collapsed", "speedscope", -1, 1e400, 10**18, hostile.text()[:50])
        names = [name for name in PARAMETERS if hostile.random.random() < 0.4]
        query = "".join(f"&{name}={quote(str(choose(values)))}" for name in names)
        target = choose(("/ingest?name=", "/api/v1/profiles?service=")) + quote(hostile.text()[:100]) + query
        form = choose(("application/x-protobuf", "multipart/form-data; boundary=x", "multipart/form-data"))
        body, encoding = hostile.encoded(choose(files))
        world.post(target, body, content_encoding=encoding, content_type=form)

    rounds(world, one)(examples)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_a_gigabyte_in_a_small_body(world, encoding, compress):
    """A bomb is refused as too large, whatever it is sent to, and the memory for it is never taken."""
    bomb = compress(bytes(BOMB_BYTES // 64)) * 64
    for signal in SIGNALS.values():
        assert world.post(signal.path, bomb, content_encoding=encoding) == 413
        world.send_honest()
    world.check()
    assert world.collector.metric("process_resident_memory_bytes") < BOMB_BYTES


def test_a_million_attributes_and_a_megabyte_of_a_name(world):
    """Large but honest in form: an answer in time, and taken or refused as a whole."""
    message = next(iter(SIGNALS.values())).message_type()
    span = message.resource_spans.add().scope_spans.add().spans.add(name="n" * 2**20)
    span.start_time_unix_nano = time.time_ns()
    span.end_time_unix_nano = span.start_time_unix_nano + 1
    for _ in range(200_000):
        span.attributes.add(key="k").value.int_value = 1
    assert world.post("/v1/traces", message.SerializeToString(), content_encoding="identity") == 200
    world.send_honest()
    world.check()
