"""``/detect`` and ``pyrometer detect`` against a real collector: releases that differ, and what became of the rest."""

import json
import subprocess
import sys
import time

import pytest

from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from pyrometer.client import ApiError, CollectorClient
from tests.contract.collector_process import running_collector
from tests.contract.releases import BUCKETS, FUNCTIONS, ReleaseWriter

HOSTILE = "\x1b[31m<b>'; --"


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detect")
    store = EmbeddedStore(folder)
    migrate(store)
    writer = ReleaseWriter(store, int(time.time()) // 10 * 10 - 2 * BUCKETS * 10)
    slower, faster = ({**FUNCTIONS, "step_5": ms} for ms in (13.0, 5.0))
    for service, cpu_ms in ((HOSTILE, FUNCTIONS), ("slower", slower), ("faster", faster)):
        writer.release(service, "1", cpu_ms=FUNCTIONS)
        writer.release(service, "2", cpu_ms=cpu_ms, tail=4.0 if service == "slower" else 1.0)
    store.close()
    with running_collector(folder) as running:
        yield running


def run(collector, *arguments):
    command = [sys.executable, "-m", "pyrometer", "detect", "--collector", collector.url, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_what_a_release_changed_is_found_once(collector):
    """A function that costs more and a tail that is longer: two findings with price and release, the rest is merged."""
    answer = CollectorClient(collector.url, 30).detect("slower", "-1d", improvements=False, limit=100)
    assert [("function.per_request", "step_5"), ("operation.latency_p99", "GET /")] == [
        (row.kind, row.name) for row in answer.findings
    ]
    row = answer.findings[0]
    assert ("1", "2", "up", True) == (row.baseline_version, row.candidate_version, row.direction, row.worse)
    assert row.price_low < row.price_per_month < row.price_high
    assert ("1", "2", 0) == (answer.baseline, answer.candidate, answer.steps)
    funnel = answer.funnel
    assert (2, funnel.between_releases - 2) == (funnel.reported, funnel.merged)
    assert len(FUNCTIONS) + 5 + 2 == funnel.series == funnel.not_enough_data
    assert ["There are under 6 hours of history: nothing is said about changes over time."] == answer.notes


def test_improvements_are_told_on_request(collector):
    """They are counted without."""
    client = CollectorClient(collector.url, 30)
    quiet = client.detect("faster", "-1d", improvements=False, limit=100)
    told = client.detect("faster", "-1d", improvements=True, limit=100)
    assert ([], 1) == (quiet.findings, quiet.funnel.not_asked)
    assert [("step_5", False)] == [(row.name, row.worse) for row in told.findings]


def test_a_service_that_nobody_knows_is_no_error(collector):
    """Nothing is found, and a note says that it sent nothing; a wrong range is refused."""
    client = CollectorClient(collector.url, 30)
    answer = client.detect("nobody", "-1d", improvements=False, limit=100)
    assert ([], ["It sent nothing in this range."]) == (answer.findings, answer.notes)
    with pytest.raises(ApiError, match="start"):
        client.detect("nobody", "yesterday", improvements=False, limit=100)


def test_the_command_scans_all_services_and_prints_the_funnel(collector):
    """One table of findings, one of what became of everything; hostile names cannot steer the terminal."""
    done = run(collector, "--since", "1d", "--improvements")
    assert 0 == done.returncode, done.stderr
    lines = done.stdout.splitlines()
    assert ["slower", "slower", "faster"] == [line.split()[0] for line in lines[1:4]]
    assert any(line.startswith("differences between releases ") for line in lines)
    assert "reported" == lines[-1].split()[0]
    assert "\x1b" not in done.stdout + done.stderr


def test_the_command_gives_json_lines_of_one_service(collector):
    """Findings on the standard output, everything else on the other."""
    done = run(collector, "--service", "slower", "--format", "json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["step_5", "GET /"] == [row["name"] for row in rows]
    assert "reported" in done.stderr


def test_what_is_recorded_is_kept_once(collector):
    """Twice recorded, each finding is one regression with its release; without --record there is none."""
    client = CollectorClient(collector.url, 30)

    def kept():
        return json.loads(client.raw("regressions", {"service": "slower"}, media_type="application/json"))[
            "regressions"
        ]

    assert kept() == []
    for _ in range(2):
        assert run(collector, "--service", "slower", "--record").returncode == 0
    assert {(row["finding"]["name"], row["release"]) for row in kept()} == {("step_5", "2"), ("GET /", "2")}
    assert 2 == len(kept())


def test_what_got_worse_is_recorded_without_being_asked_for(tmp_path):
    """The collector scans by itself what sent something of late, one service after another."""
    store = EmbeddedStore(tmp_path)
    migrate(store)
    writer = ReleaseWriter(store, int(time.time()) // 10 * 10 - BUCKETS * 10)
    for service, ms in (("steady", FUNCTIONS["step_5"]), ("slower", 13.0)):
        writer.release(service, "1", cpu_ms=FUNCTIONS, spans=False)
        writer.release(service, "2", cpu_ms={**FUNCTIONS, "step_5": ms}, spans=False)
    store.close()
    with running_collector(tmp_path, PYROMETER_COLLECTOR_WATCH__INTERVAL_S="0.2") as collector:
        counter = "pyrometer_collector_scans_total"
        collector.wait_until(lambda: collector.metric(counter, result="done") >= 4, "scanning twice")
        body = CollectorClient(collector.url, 30).raw("regressions", {}, media_type="application/json")
        found = json.loads(body)["regressions"]
        assert [(row["finding"]["service"], row["finding"]["name"]) for row in found] == [("slower", "step_5")]
        assert 0 == collector.metric(counter, result="failed")


def test_wrong_use_and_failures_are_named(collector):
    """Flags of the other kind of search are refused; a service that cannot be scanned is named, with exit code 1."""
    assert (2, 2) == (run(collector, "--fdr", "0.1").returncode, run(collector, "--csv", "-").returncode)
    assert "--fdr is for --csv" in run(collector, "--fdr", "0.1").stderr
    failed = run(collector, "--since", "900d", "--service", "slower")
    assert 1 == failed.returncode
    assert "not scanned: slower: " in failed.stderr
