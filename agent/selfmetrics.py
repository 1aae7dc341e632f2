"""What the agent counts about itself: one set of numbers, shown on /metrics and sent as OTLP."""

import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pyrometer import __version__, semconv

Labels = tuple[tuple[str, str], ...]

_UNIT_SUFFIXES = {"s": "_seconds", "By": "_bytes", "Hz": "_hertz"}


class SelfMetrics(Collector):
    """The agent's own counters and gauges, by semantic-convention name; 0 at *start_unix_ns*. Thread-safe."""

    def __init__(self) -> None:
        self.start_unix_ns = time.time_ns()
        self._lock = threading.Lock()
        self._values: dict[str, dict[Labels, float]] = {metric.name: {} for metric in semconv.AGENT_METRICS}

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter; a label is the last part of an attribute's name, such as ``reason``."""
        key = self._key(name, labels)
        with self._lock:
            values = self._values[name]
            values[key] = values.get(key, 0) + amount

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        key = self._key(name, labels)
        with self._lock:
            self._values[name][key] = value

    def value(self, name: str, **labels: str) -> float:
        """Return a number, 0 where it was never touched."""
        with self._lock:
            return self._values[name].get(self._key(name, labels), 0)

    def points(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Return every series of a metric: attributes and value."""
        if name == semconv.AGENT_CPU_TIME:
            times = os.times()
            return [({}, times.user + times.system + times.children_user + times.children_system)]
        with self._lock:
            return [(dict(key), value) for key, value in self._values[name].items()]

    def collect(self) -> Iterator[Metric]:
        """Yield every metric in Prometheus' form."""
        info = GaugeMetricFamily("pyrometer_agent_build_info", "Version of the agent.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        for metric in semconv.AGENT_METRICS:
            name = prometheus_name(metric)
            labels = [_label(attribute) for attribute in metric.attributes]
            family: CounterMetricFamily | GaugeMetricFamily
            if metric.kind == "counter":
                family = CounterMetricFamily(name, metric.summary, labels=labels)
            else:
                family = GaugeMetricFamily(name, metric.summary, labels=labels)
            for attributes, value in self._points_or_zero(metric):
                family.add_metric([attributes.get(attribute, "") for attribute in metric.attributes], value)
            yield family

    def _points_or_zero(self, metric: semconv.Metric) -> Iterable[tuple[Mapping[str, str], float]]:
        points = self.points(metric.name)
        return points or ([] if metric.attributes else [({}, 0.0)])

    @staticmethod
    def _key(name: str, labels: Mapping[str, str]) -> Labels:
        attributes = semconv.METRICS[name].attributes
        return tuple((attribute, labels[_label(attribute)]) for attribute in attributes)


def prometheus_name(metric: semconv.Metric) -> str:
    """Return a metric's name on /metrics, without the ``_total`` that its reader adds to counters."""
    return metric.name.replace(".", "_") + _UNIT_SUFFIXES.get(metric.unit, "")


def build_registry(metrics: SelfMetrics) -> CollectorRegistry:
    """Return what /metrics shows: our own numbers and those of the process and of its Python."""
    registry = CollectorRegistry()
    registry.register(metrics)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def _label(attribute: str) -> str:
    return attribute.rpartition(".")[2]
