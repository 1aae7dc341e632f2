"""Where batches go."""

import pytest

from agent.compression import Compression
from agent.destination import Signal, resolve_destination
from agent.settings import ExportSettings, load_agent_settings
from agent.standard_names import with_standard_names
from pyrometer.errors import ConfigError


def resolve(environment, **flags):
    named = with_standard_names(environment, endpoint_given="export.endpoint" in flags)
    settings = load_agent_settings(None, environment=named, flags=flags)
    return settings, resolve_destination(settings.export, environment)


def test_signals_have_their_own_paths():
    """The base endpoint gets the path of each signal, with or without a slash at its end."""
    for endpoint in ("http://c:4318", "http://c:4318/"):
        assert resolve_destination(ExportSettings(endpoint=endpoint), {}).urls == {
            Signal.METRICS: "http://c:4318/v1/metrics",
            Signal.PROFILES: "http://c:4318/v1development/profiles",
        }


def test_standard_variables_are_honoured():
    """Endpoint, timeout, interval, compression, headers and certificates come from OTEL_* where set."""
    settings, destination = resolve(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:9/base",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m:1/only",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
            "OTEL_METRIC_EXPORT_INTERVAL": "15000",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20abc, x = y ,bad",
            "OTEL_EXPORTER_OTLP_PROFILES_HEADERS": "x=z",
            "OTEL_EXPORTER_OTLP_INSECURE": "TRUE",
        }
    )

    assert destination.urls == {
        Signal.METRICS: "http://m:1/only",
        Signal.PROFILES: "https://c:9/base/v1development/profiles",
    }
    assert (settings.export.timeout_s, settings.metrics.interval_s) == (2.5, 15.0)
    metrics, profiles = destination.routes[Signal.METRICS], destination.routes[Signal.PROFILES]
    assert (metrics.compression, metrics.timeout_s) == (Compression.NONE, 2.5)
    assert metrics.headers["authorization"] == "Bearer abc"
    assert (metrics.headers["x"], profiles.headers["x"]) == ("y", "z")


def test_a_flag_beats_the_standard_variables():
    """With --endpoint, neither the base nor a signal's own variable says where to."""
    _, destination = resolve(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://no:1", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://no:2"},
        **{"export.endpoint": "http://yes:3"},
    )

    assert destination.urls[Signal.METRICS] == "http://yes:3/v1/metrics"
    assert destination.urls[Signal.PROFILES] == "http://yes:3/v1development/profiles"


def test_our_own_variable_beats_the_standard_one():
    """PYROMETER_AGENT_EXPORT__ENDPOINT is the more specific of the two."""
    _, destination = resolve(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://no:1", "PYROMETER_AGENT_EXPORT__ENDPOINT": "http://yes:3"}
    )

    assert destination.urls[Signal.METRICS] == "http://yes:3/v1/metrics"


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")]
)
def test_a_wrong_standard_variable_is_named(name, value):
    """The error names the variable that was set, and its value."""
    with pytest.raises(ConfigError, match=f"{name}.*{value}"):
        with_standard_names({name: value}, endpoint_given=False)
