"""The host's metrics and the agent's own, as they leave the agent."""

import os
import re
import subprocess
import sys
import time
from importlib.metadata import version

import psutil
import pytest
from agent_processes import wait_until
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from agent.destination import Signal
from agent.host.processes import ProcessReadings
from agent.host.readings import Reading, read_all
from agent.host_identity import HostIdentity
from agent.metric_export import MetricReporter
from agent.metric_instruments import MetricInstruments, Report
from agent.procfs import boot_time_s, read_stat
from agent.python_process import PythonProcess
from agent.reader.engine import Target
from agent.selfmetrics import SelfMetrics, build_registry, prometheus_name
from agent.settings import MetricsSettings
from pyrometer import semconv


class KeepingExporter:
    """An exporter that keeps what it is given, and says whether it has room."""

    def __init__(self, *, room=True):
        self.bodies = []
        self._room = room

    def offer(self, signal, body):
        assert signal is Signal.METRICS
        self.bodies.append(body)
        return self._room


def a_reporter(exporter, metrics, processes):
    host = HostIdentity({"host.name": "h1", "host.id": "1"}, boot_time_s())
    return MetricReporter(MetricsSettings(interval_s=3600.0), host, metrics, exporter, processes)


@pytest.fixture(scope="module")
def watched():
    """A process of one thread: the one that runs the tests may have too many for its switches to be read."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        stat = read_stat(process.pid)
        yield PythonProcess(Target(process.pid, stat.start_ticks), {"service.name": "test", "process.pid": 1}, stat, -1)
        process.kill()


@pytest.fixture(scope="module")
def exported(watched):
    """All metrics of two reports, by name, and the resources they came from: the agent's and the watched process's."""
    exporter, metrics = KeepingExporter(), SelfMetrics()
    for metric in semconv.AGENT_METRICS:
        labels = {attribute.rpartition(".")[2]: "x" for attribute in metric.attributes}
        (metrics.add if metric.kind == "counter" else metrics.set)(metric.name, 3, **labels)
    reporter = a_reporter(exporter, metrics, lambda: (watched,))
    began = time.monotonic()
    reporter.start()
    wait_until(lambda: time.monotonic() - began > 0.6)  # so that the second report has a CPU utilization
    reporter.close(30)
    by_name = {}
    for body in exporter.bodies:
        resources = ExportMetricsServiceRequest.FromString(body).resource_metrics
        for resource_metrics in resources:
            for scope in resource_metrics.scope_metrics:
                by_name.update({metric.name: metric for metric in scope.metrics})
    assert len(exporter.bodies) == 2
    return by_name, resources


def points(metric):
    data = metric.sum if metric.HasField("sum") else metric.gauge
    return {
        tuple(sorted((pair.key, pair.value.string_value) for pair in point.attributes)): (
            point.as_double if point.HasField("as_double") else point.as_int
        )
        for point in data.data_points
    }


def attributes_of(resource_metrics):
    pairs = resource_metrics.resource.attributes
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in pairs}


def starts_of(resource_metrics, declared):
    names = {metric.name for metric in declared}
    metrics = [metric for scope in resource_metrics.scope_metrics for metric in scope.metrics if metric.name in names]
    return {point.start_time_unix_nano for metric in metrics for point in metric.sum.data_points}


def test_every_emitted_metric_is_declared(exported):
    """Name, unit, kind and attribute keys are exactly those of pyrometer.semconv."""
    by_name, _ = exported
    for name, metric in by_name.items():
        declared = semconv.METRICS[name]
        kind = "gauge" if metric.HasField("gauge") else "counter" if metric.sum.is_monotonic else "updown"
        keys = {key for point in points(metric) for key, _ in point}

        assert (metric.unit, kind) == (declared.unit, declared.kind), name
        assert keys <= set(declared.attributes), name


def test_every_declared_metric_is_emitted(exported):
    """Nothing is declared that is never sent; what a machine may lack is excepted."""
    missing = semconv.METRICS.keys() - exported[0].keys()
    lacking = {semconv.SYSTEM_PAGING_UTILIZATION, semconv.SYSTEM_CPU_PHYSICAL_COUNT, semconv.SYSTEM_CPU_FREQUENCY}
    lacking |= {name for name in semconv.METRICS if name.startswith(("system.disk.", "linux.cgroup.", "system.linux."))}
    if not any(part.mountpoint == "/" for part in psutil.disk_partitions(all=True)):  # in a chroot
        lacking |= {name for name in semconv.METRICS if name.startswith("system.filesystem.")}

    assert missing <= lacking


def test_names_follow_the_installed_conventions():
    """Each name stands in the conventions' own package, but for those semconv says they lack."""
    from opentelemetry.semconv._incubating.metrics import process_metrics, system_metrics  # noqa: PLC0415

    texts = [value for module in (process_metrics, system_metrics) for value in vars(module).values()]
    known = {text for text in texts if isinstance(text, str)}
    ours = {metric.name for metric in semconv.HOST_METRICS + semconv.PROCESS_METRICS}
    lacking = {semconv.SYSTEM_LOAD_AVERAGE_1M, semconv.SYSTEM_LOAD_AVERAGE_5M, semconv.SYSTEM_LOAD_AVERAGE_15M}
    lacking |= {semconv.SYSTEM_MEMORY_LINUX_OOM_KILLS, semconv.SYSTEM_LINUX_PRESSURE_TIME}

    assert {name for name in ours - known if not name.startswith("linux.cgroup.")} == lacking


def test_values_make_sense_together(exported):
    """Shares sum to 1, states to the limit, and the machine has CPUs, processes and an uptime."""
    by_name, _ = exported
    assert sum(points(by_name[semconv.SYSTEM_CPU_UTILIZATION]).values()) == pytest.approx(1.0)
    assert sum(points(by_name[semconv.SYSTEM_MEMORY_UTILIZATION]).values()) == pytest.approx(1.0, abs=0.01)
    (limit,) = points(by_name[semconv.SYSTEM_MEMORY_LIMIT]).values()
    assert sum(points(by_name[semconv.SYSTEM_MEMORY_USAGE]).values()) == pytest.approx(limit, rel=0.01)
    (cpus,) = points(by_name[semconv.SYSTEM_CPU_LOGICAL_COUNT]).values()
    assert cpus == os.cpu_count()
    (uptime,) = points(by_name[semconv.SYSTEM_UPTIME]).values()
    (processes,) = points(by_name[semconv.SYSTEM_PROCESS_COUNT]).values()
    assert uptime > 0
    assert processes > 1


def test_the_resource_names_agent_and_host(exported):
    """The host's metrics come from the agent, with the schema they follow and the SDK; a process's from the process."""
    _, (agent, process) = exported

    assert attributes_of(agent)["service.name"] == "pyrometer-agent"
    assert attributes_of(agent)["host.name"] == "h1"
    assert attributes_of(agent)["os.name"]
    assert attributes_of(agent)["telemetry.sdk.name"] == "opentelemetry"
    assert attributes_of(agent)["telemetry.sdk.version"] == version("opentelemetry-sdk")
    assert attributes_of(process) == {"service.name": "test", "process.pid": 1}
    assert {one.schema_url for one in (agent, process)} == {semconv.SCHEMA_URL}


def test_counters_say_when_they_were_zero(exported):
    """The host's count since it booted, a process's since it started, the agent's since it started."""
    _, (agent, process) = exported
    host, own = starts_of(agent, semconv.HOST_METRICS), starts_of(agent, semconv.AGENT_METRICS)
    ((boot,), (process_start,), (agent_start,)) = host, starts_of(process, semconv.PROCESS_METRICS), own

    assert boot == boot_time_s() * 10**9
    assert boot < process_start < agent_start < time.time_ns()


def test_a_reader_that_fails_takes_none_of_the_others_with_it():
    """Its failure is counted by its name."""
    metrics = SelfMetrics()

    def broken():
        yield Reading(semconv.SYSTEM_UPTIME, 1)
        raise ValueError("a form nobody has seen")

    readings = read_all({"broken": broken, "whole": lambda: [Reading(semconv.SYSTEM_UPTIME, 2)]}, metrics)

    assert Reading(semconv.SYSTEM_UPTIME, 2) in readings
    assert metrics.value(semconv.AGENT_HOST_READ_ERRORS, reason="broken") == 1


def test_a_report_that_fails_is_counted_and_others_follow():
    """The reporter's thread outlives what goes wrong in it."""
    metrics, exporter = SelfMetrics(), KeepingExporter()
    answers = iter([OSError("gone"), ()])

    def processes():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    reporter = a_reporter(exporter, metrics, processes)
    reporter.start()
    wait_until(lambda: metrics.value(semconv.AGENT_HOST_READ_ERRORS, reason="report"))
    reporter.close(30)

    assert len(exporter.bodies) == 1


NO_TEXT = b"sd\xff".decode("utf-8", "surrogateescape")


def send(reports, metrics):
    """Send reports of the host's readings and processes; return what came of each."""
    exporter = KeepingExporter()
    instruments = MetricInstruments({"service.name": "a"}, 1, metrics, exporter)
    for host, processes in reports:
        instruments.send(Report(host=host, processes=processes, time_unix_ns=3))
    instruments.close()
    return [ExportMetricsServiceRequest.FromString(body) for body in exporter.bodies]


def test_names_that_are_no_text_can_be_sent():
    """A device or a process may be called by bytes that are no UTF-8; the request is valid all the same."""
    reading = Reading(semconv.SYSTEM_DISK_IO, 1, {semconv.SYSTEM_DEVICE: NO_TEXT})
    process = ProcessReadings({"service.name": NO_TEXT}, 1.0, [Reading(semconv.PROCESS_THREAD_COUNT, 1)])
    (request,) = send([([reading], [process])], SelfMetrics())
    host, service = request.resource_metrics

    assert list(points(host.scope_metrics[0].metrics[0])) == [((semconv.SYSTEM_DEVICE, "sd?"),)]
    assert attributes_of(service) == {"service.name": "sd?"}


def test_what_went_away_is_not_sent_any_longer():
    """An interface that is no more has no point in the reports that follow."""
    first, second = ([Reading(semconv.SYSTEM_NETWORK_IO, 5, {semconv.SYSTEM_DEVICE: name})] for name in "ab")
    _, request = send([(first, ()), (second, ())], SelfMetrics())

    ((metric,),) = (scope.metrics for scope in request.resource_metrics[0].scope_metrics)
    assert {((semconv.SYSTEM_DEVICE, "b"),): 5} == points(metric)


def test_interfaces_may_come_and_go_all_day():
    """However many there were, each has its own series, and counts from the boot."""
    reports = [
        ([Reading(semconv.SYSTEM_NETWORK_IO, 5, {semconv.NETWORK_INTERFACE_NAME: f"veth{n}"}) for n in names], ())
        for names in (range(start, start + 500) for start in range(0, 5000, 500))
    ]
    *_, request = send(reports, SelfMetrics())

    ((metric,),) = (scope.metrics for scope in request.resource_metrics[0].scope_metrics)
    names = {((semconv.NETWORK_INTERFACE_NAME, f"veth{n}"),) for n in range(4500, 5000)}
    assert dict.fromkeys(names, 5) == points(metric)
    assert starts_of(request.resource_metrics[0], semconv.HOST_METRICS) == {10**9}


def test_many_series_at_once_are_all_sent():
    """The SDK's own limit of 2,000 does not apply: there are limits by setting, with counters."""
    readings = [
        Reading(semconv.SYSTEM_NETWORK_IO, 5, {semconv.NETWORK_INTERFACE_NAME: f"veth{n}"}) for n in range(3000)
    ]
    (request,) = send([(readings, ())], SelfMetrics())

    ((metric,),) = (scope.metrics for scope in request.resource_metrics[0].scope_metrics)
    assert len(points(metric)) == 3000


def test_a_number_that_cannot_be_sent_is_counted():
    """A report that cannot be encoded is counted, and the one that follows is sent."""
    metrics = SelfMetrics()
    reports = [([Reading(semconv.SYSTEM_NETWORK_IO, number)], ()) for number in (2**70, 1)]

    assert len(send(reports, metrics)) == 1
    assert metrics.value(semconv.AGENT_HOST_READ_ERRORS, reason="report") == 1


def test_a_request_without_room_is_left_to_the_sender():
    """The sender counts what it has no room for; nothing is raised."""
    metrics = SelfMetrics()
    instruments = MetricInstruments({}, 1, metrics, KeepingExporter(room=False))
    instruments.send(Report(host=[Reading(semconv.SYSTEM_UPTIME, 1)], processes=(), time_unix_ns=3))

    assert metrics.value(semconv.AGENT_HOST_READ_ERRORS, reason="report") == 0


def test_the_sdk_is_loaded_by_the_first_report_only():
    """An agent is ready before the SDK is loaded, and one without metrics never loads it."""
    code = "import agent.daemon, sys; print('opentelemetry.sdk' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "False"


def test_own_numbers_show_on_metrics_too():
    """Each of the agent's own metrics has its Prometheus name, labels and value."""
    metrics = SelfMetrics()
    metrics.add(semconv.AGENT_SAMPLE_ERRORS, 2, reason="gone")
    metrics.set(semconv.AGENT_QUEUE_BYTES, 17)
    families = {f.name: f for f in text_string_to_metric_families(generate_latest(build_registry(metrics)).decode())}

    (errors,) = families["pyrometer_agent_sample_errors"].samples
    assert (errors.name, errors.labels, errors.value) == (
        "pyrometer_agent_sample_errors_total",
        {"reason": "gone"},
        2.0,
    )
    assert families["pyrometer_agent_queue_usage_bytes"].samples[0].value == 17
    assert {prometheus_name(metric) for metric in semconv.AGENT_METRICS} <= families.keys()
    assert all(re.fullmatch(r"[a-z_]+", prometheus_name(metric)) for metric in semconv.AGENT_METRICS)


def test_own_cpu_time_includes_the_present():
    """CPU time is read when asked for, and grows."""
    metrics = SelfMetrics()
    ((_, before),) = metrics.points(semconv.AGENT_CPU_TIME)
    wait_until(lambda: sum(range(10_000)) and metrics.points(semconv.AGENT_CPU_TIME)[0][1] > before)
