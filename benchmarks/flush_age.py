"""
What does the age at which the collector flushes its log cost a collector with little load?

    python -m benchmarks.flush_age [--seconds 40] [--rounds 2]

Starts a real collector (embedded database) for each age in turn, sends it what the demo sends (5 requests of 24 spans a
second, one request of metrics each 10 s), and prints the CPU time of its process, after a warm-up, in percent of one
core and as a ratio to an age of 1 s. Rounds are interleaved.
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import urllib3
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

AGES_S: Final = (1.0, 2.0, 5.0, 10.0)
WARM_UP_S: Final = 10.0
REQUESTS_PER_S: Final = 5
SPANS_PER_REQUEST: Final = 24
METRICS_INTERVAL_S: Final = 10.0


def main() -> None:
    """Measure every age in every round, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0, help="measured per age and round")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    shares: dict[float, list[float]] = {age_s: [] for age_s in AGES_S}
    for number in range(1, options.rounds + 1):
        for age_s in AGES_S:
            shares[age_s].append(measure(age_s, options.seconds))
            print(f"round {number}: age {age_s:g} s: {shares[age_s][-1]:.1f}% of a core", flush=True)
    base = statistics.median(shares[AGES_S[0]])
    print("\n| age | CPU, % of a core (median) | spread | ratio to 1 s |\n| --- | --- | --- | --- |")
    for age_s, values in shares.items():
        median = statistics.median(values)
        print(f"| {age_s:g} s | {median:.1f} | {min(values):.1f} to {max(values):.1f} | {median / base:.2f} |")


def measure(age_s: float, seconds: float) -> float:
    """Return the CPU a collector with this age uses under the load, in percent of one core."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory(prefix="pyrometer-flush-age-") as folder:
        environment = os.environ | {"PYROMETER_COLLECTOR_LOG__SEGMENT_AGE_MAX_S": str(age_s)}
        command = [sys.executable, "-m", "pyrometer", "collector", "run"]
        command += ["--http-address", address, "--data-dir", folder, "--log-level", "error"]
        process = subprocess.Popen(command, env=environment)
        try:
            wait_until_ready(f"http://{address}/readyz")
            send_load(f"http://{address}", WARM_UP_S)
            before = cpu_seconds(process.pid)
            started = time.monotonic()
            send_load(f"http://{address}", seconds)
            return 100 * (cpu_seconds(process.pid) - before) / (time.monotonic() - started)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def wait_until_ready(url: str) -> None:
    """Return when the collector answers, or raise after a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if urllib3.request("GET", url, retries=False, timeout=5).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError(url)


def send_load(url: str, seconds: float) -> None:
    """Send spans at a steady rate, and metrics now and then."""
    started = time.monotonic()
    sent = 0
    metrics_due_s = 0.0
    while (elapsed := time.monotonic() - started) < seconds:
        post(f"{url}/v1/traces", spans().SerializeToString())
        if elapsed >= metrics_due_s:
            post(f"{url}/v1/metrics", metrics().SerializeToString())
            metrics_due_s += METRICS_INTERVAL_S
        sent += 1
        time.sleep(max(0.0, started + sent / REQUESTS_PER_S - time.monotonic()))


def post(url: str, body: bytes) -> None:
    """Send one request; anything but 200 ends the benchmark."""
    headers = {"Content-Type": "application/x-protobuf"}
    answer = urllib3.request("POST", url, body=body, headers=headers, retries=False, timeout=30)
    assert answer.status == 200, answer.data


def spans() -> ExportTraceServiceRequest:
    """Return spans of now with six attributes each."""
    request = ExportTraceServiceRequest()
    spans_of_resource = request.resource_spans.add()
    name_resource(spans_of_resource.resource)
    scope = spans_of_resource.scope_spans.add()
    for number in range(SPANS_PER_REQUEST):
        span = scope.spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), kind=2, name=f"GET /{number % 6}")
        span.start_time_unix_nano = time.time_ns()
        span.end_time_unix_nano = span.start_time_unix_nano + 1_000_000 * (1 + number)
        for key in range(6):
            span.attributes.add(key=f"attribute.{key}").value.int_value = number
    return request


def metrics() -> ExportMetricsServiceRequest:
    """Return forty points of now."""
    request = ExportMetricsServiceRequest()
    metrics_of_resource = request.resource_metrics.add()
    name_resource(metrics_of_resource.resource)
    scope = metrics_of_resource.scope_metrics.add()
    for number in range(40):
        point = scope.metrics.add(name=f"metric.{number}", unit="1").gauge.data_points.add(as_double=number)
        point.time_unix_nano = time.time_ns()
    return request


def name_resource(resource: Resource) -> None:
    """Give a resource the names of a service."""
    for key, value in (("service.name", "benchmark"), ("service.version", "1.0"), ("host.name", "here")):
        resource.attributes.add(key=key).value.string_value = value


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
