"""
The OpenTelemetry SDK's part of a report: instruments for the host and the agent, its data classes for processes.

Imported when the first report is made, so that no start waits for the SDK.
"""

import logging
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    MeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    PeriodicExportingMetricReader,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.sdk.version import __version__ as sdk_version

from agent.destination import Signal
from agent.export import Exporter
from agent.host.processes import ProcessReadings
from agent.host.readings import Reading
from agent.selfmetrics import SelfMetrics
from pyrometer import __version__, semconv
from pyrometer.units import NS_PER_S

_LOG = logging.getLogger(__name__)
_SCOPE: Final = "pyrometer.agent"
_OWN_NAMES: Final = frozenset(metric.name for metric in semconv.AGENT_METRICS)
# Sets of attributes that are no more, of interfaces and containers that went away, before the SDK is made to forget.
_STALE_SERIES_MAX: Final = 2048
_KINDS: Final = (ObservableCounter, ObservableGauge, ObservableUpDownCounter)

Attributes = Mapping[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    What was read in one pass.

    Attributes:
        host: Of the host, and the agent's own.
        processes: Of each watched process.
        time_unix_ns: When.
    """

    host: Sequence[Reading]
    processes: Sequence[ProcessReadings]
    time_unix_ns: int


class MetricInstruments:
    """An observable instrument for each metric of host and agent; their callbacks read the report being made."""

    def __init__(self, attributes: Attributes, boot_time_s: int, metrics: SelfMetrics, exporter: Exporter) -> None:
        """
        Make the instruments.

        Args:
            attributes: The resource of host and agent.
            boot_time_s: When the host's counters were 0, seconds since the epoch.
            metrics: When the agent's were 0, and where failures are counted.
            exporter: Takes requests; it never blocks.
        """
        sdk = {
            semconv.TELEMETRY_SDK_NAME: "opentelemetry",
            semconv.TELEMETRY_SDK_LANGUAGE: "python",
            semconv.TELEMETRY_SDK_VERSION: sdk_version,
        }
        self._resource = _resource({**attributes, **sdk})
        self._exporter = ReportExporter(boot_time_s * NS_PER_S, metrics, exporter)
        self._observations: Mapping[str, list[Observation]] = {}
        self._series: set[tuple[str, ...]] = set()
        self._begin()

    def send(self, report: Report) -> None:
        """Let the SDK collect a report and export it."""
        observations: dict[str, list[Observation]] = defaultdict(list)
        for name, value, labels in report.host:
            observations[name].append(Observation(value, _readable(labels)))
        series = {(name, *map(str, labels.values())) for name, _, labels in report.host}
        self._series |= series
        if len(self._series) - len(series) > _STALE_SERIES_MAX:
            self._provider.shutdown()
            self._begin()
            self._series = series
        self._observations = observations
        self._exporter.report = report
        self._reader.collect()

    def close(self) -> None:
        """End the SDK; nothing is sent."""
        self._provider.shutdown()

    def _begin(self) -> None:
        """Make a provider; counters say themselves when they were 0, so that one may follow another."""
        self._reader = PeriodicExportingMetricReader(
            self._exporter,
            export_interval_millis=math.inf,  # `send` says when
            # Our own limits hold, each with a counter; the SDK would add what is beyond its own to one series.
            cardinality_limits=dict.fromkeys(_KINDS, sys.maxsize),
        )
        self._provider = MeterProvider(
            metric_readers=[self._reader],
            resource=self._resource,
            exemplar_filter=AlwaysOffExemplarFilter(),
            shutdown_on_exit=False,
        )
        meter = self._provider.get_meter(_SCOPE, __version__, schema_url=semconv.SCHEMA_URL)
        for metric in (*semconv.HOST_METRICS, *semconv.AGENT_METRICS):
            self._register(meter, metric)

    def _register(self, meter: Meter, metric: semconv.Metric) -> None:
        creators: Mapping[str, Callable[..., object]] = {
            "gauge": meter.create_observable_gauge,
            "counter": meter.create_observable_counter,
            "updown": meter.create_observable_up_down_counter,
        }

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return self._observations.get(metric.name, ())

        creators[metric.kind](metric.name, callbacks=[observe], unit=metric.unit, description=metric.summary)


class ReportExporter(MetricExporter):
    """Adds the processes to what the SDK collected, encodes it, and hands it to the agent's own sender."""

    def __init__(self, boot_unix_ns: int, metrics: SelfMetrics, exporter: Exporter) -> None:
        super().__init__()
        self._boot_unix_ns = boot_unix_ns
        self._metrics = metrics
        self._exporter = exporter
        self.report = Report(host=(), processes=(), time_unix_ns=0)

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002 (the SDK's signature)
        **kwargs: Any,  # noqa: ARG002
    ) -> MetricExportResult:
        """Queue one request; it cannot block, and one that finds no room is counted by the sender."""
        try:
            body = self._encode(metrics_data).SerializeToString()
        except Exception:  # noqa: BLE001 (the SDK would only log it)
            _LOG.debug("metrics cannot be encoded", exc_info=True)
            self._metrics.add(semconv.AGENT_HOST_READ_ERRORS, reason="report")
            return MetricExportResult.FAILURE
        queued = self._exporter.offer(Signal.METRICS, body)
        return MetricExportResult.SUCCESS if queued else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002
        """Nothing waits here."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing to close: the sender outlives this."""

    def _encode(self, collected: MetricsData) -> ExportMetricsServiceRequest:
        processes = (self._of_process(process) for process in self.report.processes)
        request = encode_metrics(MetricsData([*collected.resource_metrics, *processes]))
        # To the SDK a counter began when it first saw it; a backend would take what was counted before for a burst.
        for scope in request.resource_metrics[0].scope_metrics:
            for metric in scope.metrics:
                start_unix_ns = self._metrics.start_unix_ns if metric.name in _OWN_NAMES else self._boot_unix_ns
                for point in metric.sum.data_points if metric.HasField("sum") else ():
                    point.start_time_unix_nano = start_unix_ns
        return request

    def _of_process(self, process: ProcessReadings) -> ResourceMetrics:
        """Return the metrics of a process: its resource is the process, and a provider has one resource only."""
        start_unix_ns = self._boot_unix_ns + int(process.start_s * NS_PER_S)
        points: dict[str, list[NumberDataPoint]] = defaultdict(list)
        for name, value, labels in process.readings:
            points[name].append(NumberDataPoint(labels, start_unix_ns, self.report.time_unix_ns, value))
        scope = InstrumentationScope(_SCOPE, __version__, semconv.SCHEMA_URL)
        metrics = [_metric(semconv.METRICS[name], of_name) for name, of_name in points.items()]
        return ResourceMetrics(
            _resource(process.attributes), [ScopeMetrics(scope, metrics, semconv.SCHEMA_URL)], semconv.SCHEMA_URL
        )


def _metric(declared: semconv.Metric, points: Sequence[NumberDataPoint]) -> Metric:
    data: Gauge | Sum
    if declared.kind == "gauge":
        data = Gauge(points)
    else:
        data = Sum(points, AggregationTemporality.CUMULATIVE, declared.kind == "counter")
    return Metric(declared.name, declared.summary, declared.unit, data)


def _resource(attributes: Attributes) -> Resource:
    return Resource(_readable(attributes), semconv.SCHEMA_URL)


def _readable(attributes: Attributes) -> Attributes:
    """Names of files and devices may hold bytes that are no UTF-8, which a request must not."""
    return {
        key: value if isinstance(value, int) or value.isascii() else value.encode("utf-8", "replace").decode()
        for key, value in attributes.items()
    }
