"""Joins the OpenTelemetry metrics SDK to the agent's own sender: one queue and one retry for all signals."""

import logging
import platform
from importlib.metadata import version
from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource

from agent.destination import Signal
from agent.export import Exporter
from agent.hostmetrics import HostReader, host_reads, register_metrics
from agent.identity import HostIdentity
from agent.procfs import read_start
from agent.selfmetrics import SelfMetrics
from agent.settings import MetricsSettings
from pyrometer import __version__, semconv

_MS_PER_S = 1000.0
_LOG = logging.getLogger(__name__)


class QueueMetricExporter(MetricExporter):
    """Encodes what the SDK collected and hands it over; it cannot block and never fails loudly."""

    def __init__(self, exporter: Exporter) -> None:
        super().__init__()
        self._exporter = exporter

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002 (the SDK's signature)
        **kwargs: Any,  # noqa: ARG002
    ) -> MetricExportResult:
        """Queue one request."""
        body = encode_metrics(metrics_data).SerializeToString()
        queued = self._exporter.offer(Signal.METRICS, body)
        return MetricExportResult.SUCCESS if queued else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002
        """Nothing waits here."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing to close: the sender outlives this."""


def start_metrics(
    settings: MetricsSettings, host: HostIdentity, metrics: SelfMetrics, exporter: Exporter
) -> MeterProvider:
    """Begin to report the host and the agent, now first; `MeterProvider.shutdown` reports a last time and ends it."""
    reader = PeriodicExportingMetricReader(
        QueueMetricExporter(exporter), export_interval_millis=settings.interval_s * _MS_PER_S
    )
    provider = MeterProvider(
        metric_readers=[reader],
        resource=Resource(_resource_attributes(host), schema_url=semconv.SCHEMA_URL),
        shutdown_on_exit=False,
    )
    meter = provider.get_meter("pyrometer.agent", __version__, schema_url=semconv.SCHEMA_URL)
    register_metrics(meter, host_reads(HostReader(metrics, devices_max=settings.devices_max)), metrics)
    provider.force_flush()
    return provider


def _resource_attributes(host: HostIdentity) -> dict[str, str]:
    release = dict(
        line.split("=", 1)
        for line in read_start("/etc/os-release", 8192).decode("utf-8", "replace").splitlines()
        if "=" in line
    )
    attributes = {
        semconv.SERVICE_NAME: "pyrometer-agent",
        semconv.SERVICE_VERSION: __version__,
        **host.attributes,
        semconv.OS_NAME: release.get("NAME", "").strip("\"'"),
        semconv.OS_VERSION: release.get("VERSION_ID", "").strip("\"'"),
        semconv.OS_DESCRIPTION: f"{platform.system()} {platform.release()}",
        semconv.TELEMETRY_SDK_NAME: "opentelemetry",
        semconv.TELEMETRY_SDK_LANGUAGE: "python",
        semconv.TELEMETRY_SDK_VERSION: version("opentelemetry-sdk"),
    }
    return {key: value for key, value in attributes.items() if value}
