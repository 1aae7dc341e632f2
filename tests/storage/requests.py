"""Random but repeatable OTLP requests that use every field and every kind of value."""

import random
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TEXTS = ("", "a", "0", "é<b>'\"\\/", "x\0y\n\t", "'; DROP TABLE spans; --", "日本語", "x" * 300)


class RequestMaker:
    """Makes requests whose times lie in the last minute."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now_ns = time.time_ns()

    def text(self) -> str:
        return self.random.choice(TEXTS)

    def time_ns(self) -> int:
        return self.now_ns - self.random.randrange(60 * 10**9)

    def fill_scalar(self, value, *, nested: bool = False) -> None:
        match self.random.randrange(7):
            case 0:
                value.string_value = self.text()
            case 1:
                value.bool_value = self.random.random() < 0.5
            case 2:
                value.int_value = self.random.choice((0, -1, 5, 2**63 - 1, -(2**63)))
            case 3:
                value.double_value = self.random.choice((0.0, -0.5, 1.25, 3.0, 0.1))
            case 4:
                value.bytes_value = self.random.choice((b"", b"\x00\xff\xfe?"))
            case 5 if nested:
                value.array_value.values.add().kvlist_value.values.add(key="deep").value.int_value = 0

    def fill_attributes(self, attributes, **fixed) -> None:
        for key, text in fixed.items():
            pair = attributes.add(key=key.replace("_", "."))
            pair.value.string_value = text
        for number in range(self.random.randrange(5)):
            self.fill_value(attributes.add(key=f"k{number}{self.text()[:20]}").value)

    def fill_value(self, value) -> None:
        match self.random.randrange(6):
            case 0:
                value.array_value.SetInParent()
                for _ in range(self.random.randrange(3)):
                    self.fill_scalar(value.array_value.values.add(), nested=True)
            case 1:
                value.kvlist_value.SetInParent()
                for item in range(self.random.randrange(3)):
                    self.fill_scalar(value.kvlist_value.values.add(key=f"i{item}").value, nested=True)
            case _:
                self.fill_scalar(value)

    def fill_resource(self, resource) -> None:
        fixed = {"service_name": self.random.choice(("shop", "it's <b>", "")), "host_name": "h1"}
        if self.random.random() < 0.5:
            fixed["service_version"] = "1.2"
        self.fill_attributes(resource.attributes, **fixed)
        if self.random.random() < 0.7:
            resource.attributes.add(key="process.pid").value.int_value = 4321

    def traces(self, count: int) -> ExportTraceServiceRequest:
        request = ExportTraceServiceRequest()
        for _ in range(3):
            resource = request.resource_spans.add()
            self.fill_resource(resource.resource)
            resource.schema_url, resource.resource.dropped_attributes_count = self.text(), self.random.choice((0, 5))
            for _ in range(2):
                scope = resource.scope_spans.add()
                self.fill_scope(scope)
                for _ in range(count // 6):
                    self.fill_span(scope.spans.add())
        return request

    def fill_scope(self, scope) -> None:
        scope.scope.name, scope.scope.version, scope.schema_url = self.text(), self.text(), self.text()
        scope.scope.dropped_attributes_count = self.random.choice((0, 4))
        self.fill_attributes(scope.scope.attributes)

    def fill_span(self, span) -> None:
        span.trace_id, span.span_id = self.random.randbytes(16), self.random.randbytes(8)
        if self.random.random() < 0.5:
            span.parent_span_id = self.random.randbytes(8)
        span.name, span.trace_state = self.text(), self.text()
        span.kind = self.random.randrange(6)
        span.flags = self.random.choice((0, 1, 2**32 - 1))
        span.start_time_unix_nano = self.time_ns()
        span.end_time_unix_nano = span.start_time_unix_nano + self.random.choice(
            (-5, 0, 1, 2, 3, 1000, 10**9, 12345678)
        )
        self.fill_attributes(span.attributes)
        if self.random.random() < 0.5:
            span.attributes.add(key="thread.id").value.int_value = 77
        for _ in range(self.random.randrange(3)):
            event = span.events.add(time_unix_nano=self.time_ns(), name=self.text())
            event.dropped_attributes_count = self.random.choice((0, 6))
            self.fill_attributes(event.attributes)
        for _ in range(self.random.randrange(2)):
            link = span.links.add(trace_id=self.random.randbytes(16), span_id=b"", trace_state=self.text())
            link.dropped_attributes_count, link.flags = self.random.choice((0, 7)), self.random.choice((0, 257))
            self.fill_attributes(link.attributes)
        span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count = 1, 2, 3
        span.status.code, span.status.message = self.random.randrange(3), self.text()

    def logs(self, count: int) -> ExportLogsServiceRequest:
        request = ExportLogsServiceRequest()
        for _ in range(2):
            resource = request.resource_logs.add()
            self.fill_resource(resource.resource)
            resource.schema_url, resource.resource.dropped_attributes_count = self.text(), self.random.choice((0, 5))
            scope = resource.scope_logs.add()
            self.fill_scope(scope)
            for _ in range(count // 2):
                self.fill_log_record(scope.log_records.add())
        return request

    def fill_log_record(self, record) -> None:
        record.observed_time_unix_nano = self.time_ns()
        record.time_unix_nano = self.random.choice((0, self.time_ns()))
        record.severity_number, record.severity_text = self.random.randrange(25), self.text()
        record.event_name, record.flags = self.text(), self.random.choice((0, 1))
        record.trace_id, record.span_id = self.random.choice((b"", self.random.randbytes(16))), self.random.randbytes(8)
        record.dropped_attributes_count = self.random.choice((0, 3))
        self.fill_attributes(record.attributes)
        if self.random.random() < 0.9:
            self.fill_value(record.body)

    def metrics(self, count: int) -> ExportMetricsServiceRequest:
        request = ExportMetricsServiceRequest()
        for _ in range(2):
            resource = request.resource_metrics.add()
            self.fill_resource(resource.resource)
            resource.schema_url = self.text()
            scope = resource.scope_metrics.add()
            self.fill_scope(scope)
            for number in range(count):
                metric = scope.metrics.add(name=f"m{number}{self.text()[:20]}", unit=self.text()[:20])
                metric.description = self.text()
                kind = ("gauge", "sum", "histogram", "exponential_histogram", "summary")[number % 5]
                data = getattr(metric, kind)
                if kind not in {"gauge", "summary"}:
                    data.aggregation_temporality = self.random.randrange(3)
                if kind == "sum":
                    data.is_monotonic = self.random.random() < 0.5
                for _ in range(self.random.randrange(1, 4)):
                    self.fill_point(kind, data.data_points.add())
        return request

    def fill_point(self, kind, point) -> None:
        self.fill_attributes(point.attributes)
        point.time_unix_nano = self.time_ns()
        point.start_time_unix_nano = self.random.choice((0, point.time_unix_nano - 10**10))
        point.flags = 1 if self.random.random() < 0.1 else 0
        if kind in {"gauge", "sum"}:
            if self.random.random() < 0.5:
                whole = (0, -3, 2**40, 2**53 + 1, -(2**53) - 1, 2**60 + 3, 2**63 - 1, -(2**63), 1 - 2**63)
                point.as_int = self.random.choice(whole)
            else:
                point.as_double = self.random.choice((0.0, -1.5, float("nan"), float("inf"), 1e300))
            return
        point.count = self.random.randrange(10)
        if kind == "summary":
            point.sum = 2.5
            for rank in range(self.random.randrange(3)):
                point.quantile_values.add(quantile=rank / 2, value=self.random.choice((0.0, -1.5, 1e300)))
            return
        for name in ("sum", "min", "max"):
            if self.random.random() < 0.6:
                setattr(point, name, self.random.choice((0.0, 2.5)))
        if kind == "histogram":
            point.explicit_bounds.extend([0.0, 1.5])
            point.bucket_counts.extend([0, 2**40, 3])
        else:
            point.scale, point.zero_count = self.random.choice((-2, 0, 3)), 2
            point.positive.offset = self.random.choice((-3, 0, 5))
            point.positive.bucket_counts.extend([1, 0, 4])
            point.zero_threshold = self.random.choice((0.0, 1e-6))
            if self.random.random() < 0.5:
                point.negative.offset = self.random.choice((-2, 0, 4))
                point.negative.bucket_counts.extend([1, 0, 7])
