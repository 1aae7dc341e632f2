"""The OpenTelemetry SDK as it runs in a service: its own exporters send one of everything."""

from types import SimpleNamespace

import grpc
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SPANS = 500


def http_exporters(url: str, **metric_options) -> SimpleNamespace:
    return SimpleNamespace(
        spans=HttpSpans(f"{url}/v1/traces", compression=Compression.Gzip),
        metrics=HttpMetrics(f"{url}/v1/metrics", **metric_options),
        logs=HttpLogs(f"{url}/v1/logs", compression=Compression.Gzip),
    )


def grpc_exporters(url: str, *, compression=grpc.Compression.Gzip, **metric_options) -> SimpleNamespace:
    return SimpleNamespace(
        spans=GrpcSpans(url, insecure=True, compression=compression),
        metrics=GrpcMetrics(url, insecure=True, compression=compression, **metric_options),
        logs=GrpcLogs(url, insecure=True, compression=compression),
    )


def send_all(exporters: SimpleNamespace, service: str) -> None:
    """Send SPANS spans, a counter, a histogram, an exponential histogram, a gauge, and two log records."""
    resource = Resource({"service.name": service})
    _send_spans(exporters.spans, resource)
    _send_metrics(exporters.metrics, resource)
    _send_logs(exporters.logs, resource)


def _send_spans(exporter, resource) -> None:
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(exporter))
    tracer = tracers.get_tracer("test")
    for _ in range(SPANS):
        with tracer.start_as_current_span("work"):
            pass
    tracers.shutdown()


def _send_metrics(exporter, resource) -> None:
    exporter._preferred_aggregation = {Histogram: ExponentialBucketHistogramAggregation()}
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    meters = MeterProvider(metric_readers=[reader], resource=resource)
    meter = meters.get_meter("test")
    meter.create_counter("requests").add(3, {"route": "/"})
    meter.create_gauge("temperature").set(-1.5)
    meter.create_histogram("seconds").record(0.5)
    meters.shutdown()


def _send_logs(exporter, resource) -> None:
    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = loggers.get_logger("test")
    logger.emit(body="paid", severity_number=SeverityNumber.INFO, attributes={"amount": 0})
    logger.emit(body={"cart": ["a", 1, False]}, severity_number=SeverityNumber.ERROR, event_name="checkout")
    loggers.shutdown()
