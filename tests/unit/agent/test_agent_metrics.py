"""The host's metrics and the agent's own, as they leave the agent."""

import os
import re
import time

import psutil
import pytest
from agent_processes import wait_until
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from agent.destination import Signal
from agent.hostmetrics import HostReader
from agent.identity import HostIdentity
from agent.metric_export import start_metrics
from agent.selfmetrics import SelfMetrics, build_registry, prometheus_name
from agent.settings import MetricsSettings
from pyrometer import semconv


class KeepingExporter:
    """An exporter that keeps what it is given."""

    def __init__(self):
        self.bodies = []

    def offer(self, signal, body):
        assert signal is Signal.METRICS
        self.bodies.append(body)
        return True


@pytest.fixture(scope="module")
def exported():
    """All metrics of two reports, by name, and the resource they came from."""
    exporter, metrics = KeepingExporter(), SelfMetrics()
    for metric in semconv.AGENT_METRICS:
        labels = {attribute.rpartition(".")[2]: "x" for attribute in metric.attributes}
        (metrics.add if metric.kind == "counter" else metrics.set)(metric.name, 3, **labels)
    host = HostIdentity({"host.name": "h1", "host.id": "1"}, 0)
    provider = start_metrics(MetricsSettings(interval_s=3600.0), host, metrics, exporter)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.6)  # so that the second report has a CPU utilization
    provider.shutdown()
    by_name = {}
    for body in exporter.bodies:
        (resource_metrics,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
        for scope in resource_metrics.scope_metrics:
            by_name.update({metric.name: metric for metric in scope.metrics})
    return by_name, resource_metrics


def points(metric):
    data = metric.sum if metric.HasField("sum") else metric.gauge
    return {
        tuple(sorted((pair.key, pair.value.string_value) for pair in point.attributes)): (
            point.as_double if point.HasField("as_double") else point.as_int
        )
        for point in data.data_points
    }


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
    lacking = {semconv.SYSTEM_PAGING_UTILIZATION, semconv.SYSTEM_CPU_PHYSICAL_COUNT, semconv.SYSTEM_DISK_IO}
    if not any(part.mountpoint == "/" for part in psutil.disk_partitions(all=True)):  # in a chroot
        lacking |= {name for name in semconv.METRICS if name.startswith("system.filesystem.")}

    assert missing <= lacking


def test_names_follow_the_installed_conventions():
    """Each name that is not ours stands in the conventions' own package, load averages excepted."""
    from opentelemetry.semconv._incubating.metrics import system_metrics  # noqa: PLC0415

    known = {value for value in vars(system_metrics).values() if isinstance(value, str)}
    ours = {metric.name for metric in semconv.HOST_METRICS}
    loads = {semconv.SYSTEM_LOAD_AVERAGE_1M, semconv.SYSTEM_LOAD_AVERAGE_5M, semconv.SYSTEM_LOAD_AVERAGE_15M}

    assert ours - known == loads


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
    """Metrics come from the agent, on a host, with the schema they follow."""
    _, resource_metrics = exported
    attributes = {pair.key: pair.value.string_value for pair in resource_metrics.resource.attributes}

    assert attributes["service.name"] == "pyrometer-agent"
    assert attributes["host.name"] == "h1"
    assert attributes["os.name"]
    assert resource_metrics.schema_url == semconv.SCHEMA_URL


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


def test_devices_beyond_the_limit_are_counted():
    """No more devices of a kind are reported than allowed, and what is left out is counted."""
    metrics = SelfMetrics()
    reader = HostReader(metrics, devices_max=1)
    interfaces = {labels[semconv.NETWORK_INTERFACE_NAME] for _, labels in reader.network_io()}
    everything = HostReader(SelfMetrics(), devices_max=1000)
    total = {labels[semconv.NETWORK_INTERFACE_NAME] for _, labels in everything.network_io()}

    assert len(interfaces) == min(1, len(total))
    assert metrics.value(semconv.AGENT_DEVICES_IGNORED) == max(0, len(total) - 1)


def test_utilization_of_a_mere_moment_is_left_out():
    """Two looks at once give no share, and do not spoil the next."""
    reader = HostReader(SelfMetrics(), devices_max=1)

    assert list(reader.cpu_utilization()) == []
