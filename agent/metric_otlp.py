"""Readings as one OTLP request: gauges and cumulative sums. Source: opentelemetry/proto/metrics/v1/metrics.proto."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)

from agent.host.readings import Reading
from pyrometer import __version__, semconv

_SCOPE: Final = "pyrometer.agent"


class ReadingGroup(NamedTuple):
    """
    Readings of one resource.

    Attributes:
        attributes: The resource.
        start_unix_ns: When its counters were 0.
        readings: In any order.
    """

    attributes: Mapping[str, str | int]
    start_unix_ns: int
    readings: Iterable[Reading]


def encode_readings(groups: Iterable[ReadingGroup], time_unix_ns: int) -> bytes:
    """Return a request with every reading, taken at one time; semconv says unit and kind of each metric."""
    request = ExportMetricsServiceRequest()
    for group in groups:
        resource_metrics = request.resource_metrics.add(schema_url=semconv.SCHEMA_URL)
        resource_metrics.resource.attributes.extend(_pair(key, value) for key, value in group.attributes.items())
        _add_readings(resource_metrics, group, time_unix_ns)
    return request.SerializeToString()


def _add_readings(resource_metrics: ResourceMetrics, group: ReadingGroup, time_unix_ns: int) -> None:
    scope = resource_metrics.scope_metrics.add(schema_url=semconv.SCHEMA_URL)
    scope.scope.name, scope.scope.version = _SCOPE, __version__
    metrics: dict[str, Metric] = {}
    for reading in group.readings:
        metric = metrics.get(reading.metric)
        if metric is None:
            metric = metrics[reading.metric] = _add_metric(scope, semconv.METRICS[reading.metric])
        points = metric.gauge.data_points if metric.HasField("gauge") else metric.sum.data_points
        _set_point(points.add(), reading, group.start_unix_ns, time_unix_ns)


def _add_metric(scope: ScopeMetrics, declared: semconv.Metric) -> Metric:
    metric = scope.metrics.add(name=declared.name, unit=declared.unit, description=declared.summary)
    if declared.kind == "gauge":
        metric.gauge.SetInParent()
    else:
        metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        metric.sum.is_monotonic = declared.kind == "counter"
    return metric


def _set_point(point: NumberDataPoint, reading: Reading, start_unix_ns: int, time_unix_ns: int) -> None:
    point.start_time_unix_nano, point.time_unix_nano = start_unix_ns, time_unix_ns
    if isinstance(reading.value, int):
        point.as_int = reading.value
    else:
        point.as_double = reading.value
    point.attributes.extend(_pair(key, value) for key, value in reading.labels.items())


def _pair(key: str, value: str | int) -> KeyValue:
    pair = KeyValue(key=key)
    if isinstance(value, int):
        pair.value.int_value = value
    else:
        # Names of files and devices may hold bytes that are no UTF-8, which a request must not.
        pair.value.string_value = value.encode("utf-8", "replace").decode()
    return pair
