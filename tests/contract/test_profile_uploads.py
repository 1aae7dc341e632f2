"""Profiles from others than agents: Pyroscope's own SDK, its older route, and files."""

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collector.receive.messages import PushRequest
from pyrometer.formats.collapsed import profile_to_collapsed
from pyrometer.formats.pprof import profile_to_pprof
from pyrometer.formats.speedscope import profile_to_speedscope
from pyrometer.values import Frame, Profile, Sample
from tests.contract.collector_process import running_collector, select

CLIENT = Path(__file__).parent / "pyroscope_client.py"
NOW_S = int(time.time())
PERIOD_NS = 10_000_000
PROFILE = Profile(
    samples=(Sample(stack=(Frame("main", "app.py", 3), Frame("leaf", "app.py", 9)), count=7, value=7 * PERIOD_NS),),
    start_unix_ns=(NOW_S - 20) * 10**9,
    duration_ns=10 * 10**9,
    period_ns=PERIOD_NS,
)
TIMES = f"from={NOW_S - 20}&until={NOW_S - 10}"
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="sample_type_config"\r\n\r\n{}\r\n'
    b'--x\r\nContent-Disposition: form-data; name="profile"; filename="p"\r\n\r\n%s\r\n--x--\r\n'
)


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    with running_collector(tmp_path_factory.mktemp("collector")) as running:
        yield running


def push(*raw_profiles, **labels):
    request = PushRequest()
    series = request.series.add()
    for name, value in labels.items():
        series.labels.add(name=name, value=value)
    for raw in raw_profiles:
        series.samples.add(raw_profile=raw)
    return request.SerializeToString()


def test_each_way_of_sending_a_profile_stores_the_same(tmp_path):
    """Pyroscope's push and /ingest in three formats and as a form, and uploads: one service each, the same stack."""
    pprof, collapsed = profile_to_pprof(PROFILE), profile_to_collapsed(PROFILE).encode()
    speedscope = profile_to_speedscope(PROFILE, "p")
    sent = {
        "push": ("/push.v1.PusherService/Push", push(pprof, service_name="push", __name__="process_cpu"), {}),
        "ingest-pprof": (f"/ingest?name=ingest-pprof&format=pprof&{TIMES}", pprof, {}),
        "ingest-form": (
            f"/ingest?name=ingest-form.cpu%7Bversion=2%7D&format=pprof&{TIMES}",
            FORM % pprof,
            {"content_type": "multipart/form-data; boundary=x"},
        ),
        "ingest-folded": (f"/ingest?name=ingest-folded&sampleRate=100&{TIMES}", collapsed, {}),
        "upload-pprof": ("/api/v1/profiles?service=upload-pprof", gzip.compress(pprof), {"content_encoding": "gzip"}),
        "upload-collapsed": ("/api/v1/profiles?service=upload-collapsed&format=collapsed&rate=100", collapsed, {}),
        "upload-speedscope": ("/api/v1/profiles?service=upload-speedscope&format=speedscope", speedscope, {}),
    }
    with running_collector(tmp_path) as collector:
        for path, body, headers in sent.values():
            answer = collector.post(path, body, **{"content_type": "application/proto", **headers})
            assert (path, answer.status, answer.data[:200]) == (path, 200, answer.data[:2])
        collector.wait_until_stored()
        assert collector.metric("pyrometer_collector_received_total", signal="profiles", transport="pyroscope") == 4
        assert collector.stop() == 0
    (rows,) = select(
        tmp_path,
        "SELECT s.service AS service, s.version AS version, sum(count) AS count, sum(value) AS value, "
        "any(arrayMap(id -> dictionary.functions[id], st.frame_ids)) AS stack FROM samples AS s "
        "JOIN stacks AS st USING stack_id CROSS JOIN (SELECT mapFromArrays(groupArray(frame_id), groupArray(function)) "
        "AS functions FROM frames) AS dictionary GROUP BY service, version ORDER BY service",
    )
    assert {row["service"] for row in rows} == set(sent)
    assert {(row["count"], row["value"], tuple(row["stack"])) for row in rows} == {(7, 7 * PERIOD_NS, ("main", "leaf"))}
    assert [row["version"] for row in rows if row["service"] == "ingest-form"] == ["2"]


def test_the_sdk_of_pyroscope_pushes_unchanged(collector):
    """Its first push shows up with the program's function, its version, and about the CPU time that passed."""
    client = subprocess.Popen([sys.executable, str(CLIENT), collector.url], stderr=subprocess.PIPE)
    try:
        collector.wait_until(
            lambda: collector.metric("pyrometer_collector_received_total", signal="profiles", transport="pyroscope"),
            "a push of the SDK",
        )
    finally:
        client.kill()
        client.communicate()
    collector.wait_until_stored()
    functions = collector.request("GET", "/api/v1/functions?service=pyroscope-shop&start=-10m")
    names = {row["function"]: row["self_cpu_seconds"] for row in json.loads(functions.data)["functions"]}
    services = json.loads(collector.request("GET", "/api/v1/services").data)["services"]

    assert 0 < sum(names[name] for name in names if "burn_in_pyroscope" in name) < 60
    assert "pyroscope-shop" in {row["service"] for row in services}


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/push.v1.PusherService/Push", b"\xff\xff", 400, "PushRequest"),
        ("/push.v1.PusherService/Push", push(b"\x0a\x01"), 400, "pprof"),
        ("/ingest?name=&format=pprof", b"", 400, "parameter name"),
        ("/ingest?name=a&format=jfr", b"", 400, "'jfr' is not read; send pprof"),
        ("/ingest?name=a&from=yesterday", b"a 1", 400, "parameter from"),
        ("/ingest?name=a&sampleRate=0", b"a 1", 400, "parameter sampleRate"),
        ("/ingest?name=a", b"\xff 1", 400, "UTF-8"),
        ("/ingest?name=a&format=pprof&from=1", profile_to_pprof(PROFILE), 400, "more than 14 days ago"),
        ("/api/v1/profiles", b"", 400, "parameter service"),
        ("/api/v1/profiles?service=a&size=1", b"", 400, "'size': is not known"),
        ("/api/v1/profiles?service=a&start=2026-01-01", b"", 400, "RFC 3339"),
        ("/api/v1/profiles?service=a&format=speedscope", b"{}", 400, "speedscope"),
    ],
)
def test_what_is_no_profile_is_refused_clearly(collector, path, body, status, told):
    """With the reason in the body, and counted; the collector goes on."""
    before = collector.metric("pyrometer_collector_rejected_total", reason="malformed")
    answer = collector.post(path, body, content_type="application/proto")

    assert answer.status == status
    assert told in answer.data.decode()
    assert collector.metric("pyrometer_collector_rejected_total", reason="malformed") == before + 1


def test_other_refusals_have_their_codes(collector):
    """A method, a content type, a compression that nobody reads."""
    assert collector.request("GET", "/ingest?name=a").status == 405
    wrong = collector.post("/push.v1.PusherService/Push", b"{}", content_type="application/json")
    assert (wrong.status, json.loads(wrong.data)["code"]) == (415, "invalid_argument")
    assert collector.post("/ingest?name=a", b"a 1", content_encoding="br").status == 415
