"""Another collector, rotel, relays what SDKs send it to ours, over both protocols, and all of it is stored."""

import contextlib
import socket
import subprocess
import time

import pytest

from benchmarks.ingest.takers import rotel_program
from benchmarks.scratch import UnavailableError
from tests.contract.collector_process import free_port, running_collector, select
from tests.contract.otlp_sdk import SPANS, http_exporters, send_all

START_S = 30


@pytest.fixture(scope="module")
def program():
    try:
        return rotel_program()
    except UnavailableError as error:
        pytest.skip(f"rotel cannot be had here: {error}")


@contextlib.contextmanager
def relaying(program, endpoint, protocol, log_path):
    """Run rotel, and give the URL at which it takes OTLP over HTTP; at its end it has passed on what it had."""
    port, grpc_port = free_port(), free_port()
    command = [
        *(str(program), "start", "--exporter", "otlp", "--batch-timeout", "100ms"),
        *("--otlp-http-endpoint", f"127.0.0.1:{port}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc_port}"),
        *("--otlp-exporter-endpoint", endpoint, "--otlp-exporter-protocol", protocol),
    ]
    with log_path.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_until_taking(port, process, log_path)
            yield f"http://127.0.0.1:{port}"
            process.terminate()
            process.wait(START_S)
        finally:
            process.kill()


def wait_until_taking(port, process, log_path):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log_path.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail(f"rotel takes nothing: {log_path.read_text()}")


@pytest.fixture(scope="module")
def stored(program, tmp_path_factory):
    """What a collector has stored of an SDK behind rotel, for each protocol between the two."""
    folder, grpc_address = tmp_path_factory.mktemp("collector"), f"127.0.0.1:{free_port()}"
    with running_collector(folder, "--grpc-address", grpc_address) as collector:
        for protocol, endpoint in (("http", collector.url), ("grpc", f"http://{grpc_address}")):
            with relaying(program, endpoint, protocol, folder / f"rotel-{protocol}.txt") as url:
                send_all(http_exporters(url), f"behind-{protocol}")
        collector.wait_until_stored()
        assert collector.stop() == 0
    return select(
        folder,
        "SELECT service, count() AS spans, uniqExact(span_id) AS ids FROM spans GROUP BY service ORDER BY service",
        "SELECT service, groupArray(metric || ' ' || type) AS metrics FROM (SELECT * FROM metric_series FINAL "
        "ORDER BY metric) GROUP BY service ORDER BY service",
        "SELECT service, count() AS records FROM logs GROUP BY service ORDER BY service",
    )


def test_all_signals_behind_rotel_are_stored_once(stored):
    """Spans, a sum, an exponential histogram, a gauge and logs."""
    spans, metrics, logs = stored
    services = ("behind-grpc", "behind-http")
    kinds = ["requests sum", "seconds histogram", "temperature gauge"]
    assert spans == [{"service": name, "spans": SPANS, "ids": SPANS} for name in services]
    assert metrics == [{"service": name, "metrics": kinds} for name in services]
    assert logs == [{"service": name, "records": 2} for name in services]
