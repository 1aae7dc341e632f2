"""What the query API counts about itself."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class ApiMetrics:
    """Counters of requests and of limits hit; the label values are route paths and setting names, never input."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "pyrometer_collector_api_requests",
            "Requests answered by the query API.",
            ("route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "pyrometer_collector_api_seconds",
            "Time to answer a request, seconds.",
            ("route",),
            registry=registry,
        )
        self.query_seconds = Histogram(
            "pyrometer_collector_query_seconds",
            "Time of one database query, seconds.",
            ("query",),
            registry=registry,
        )
        self.limits = Counter(
            "pyrometer_collector_api_limited",
            "Times a limit of the query API was hit, by its setting.",
            ("limit",),
            registry=registry,
        )
