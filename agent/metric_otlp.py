"""Readings as one OTLP request: gauges and cumulative sums. Source: opentelemetry/proto/metrics/v1/metrics.proto."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)

from agent.host.readings import Reading
from pyrometer import __version__, semconv

_SCOPE: Final = "pyrometer.agent"
_CUMULATIVE: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


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
        _add_attributes(resource_metrics.resource.attributes, group.attributes)
        _add_readings(resource_metrics, group, time_unix_ns)
    return request.SerializeToString()


def _add_readings(resource_metrics: ResourceMetrics, group: ReadingGroup, time_unix_ns: int) -> None:
    scope = resource_metrics.scope_metrics.add(schema_url=semconv.SCHEMA_URL)
    scope.scope.name, scope.scope.version = _SCOPE, __version__
    points_of: dict[str, RepeatedCompositeFieldContainer[NumberDataPoint]] = {}
    for name, value, labels in group.readings:
        points = points_of.get(name)
        if points is None:
            points = points_of[name] = _add_metric(scope, semconv.METRICS[name])
        point = points.add(start_time_unix_nano=group.start_unix_ns, time_unix_nano=time_unix_ns)
        if isinstance(value, int):
            point.as_int = value
        else:
            point.as_double = value
        if labels:
            _add_attributes(point.attributes, labels)


def _add_metric(scope: ScopeMetrics, declared: semconv.Metric) -> RepeatedCompositeFieldContainer[NumberDataPoint]:
    """Add a metric, and return its points."""
    metric = scope.metrics.add(name=declared.name, unit=declared.unit, description=declared.summary)
    if declared.kind == "gauge":
        return metric.gauge.data_points
    metric.sum.aggregation_temporality = _CUMULATIVE
    metric.sum.is_monotonic = declared.kind == "counter"
    return metric.sum.data_points


def _add_attributes(pairs: RepeatedCompositeFieldContainer[KeyValue], attributes: Mapping[str, str | int]) -> None:
    for key, value in attributes.items():
        pair = pairs.add(key=key)
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            # Names of files and devices may hold bytes that are no UTF-8, which a request must not.
            pair.value.string_value = value if value.isascii() else value.encode("utf-8", "replace").decode()
