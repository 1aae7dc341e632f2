"""
Where batches go: the settings' endpoint, and the OTEL_EXPORTER_OTLP_* variables as every OTLP exporter reads them.

Source: OpenTelemetry specification, protocol/exporter.md. Profiles use the same names with PROFILES, by analogy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

import urllib3

from agent.settings import ExportSettings
from pyrometer import __version__
from pyrometer.errors import ConfigError

_MS_PER_S = 1000.0


class Signal(StrEnum):
    """What is sent."""

    METRICS = "metrics"
    PROFILES = "profiles"


_PATHS = {Signal.METRICS: "/v1/metrics", Signal.PROFILES: "/v1development/profiles"}

# Standard variable -> (setting, milliseconds).
_STANDARD: dict[str, tuple[str, bool]] = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("EXPORT__ENDPOINT", False),
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": ("EXPORT__METRICS_URL", False),
    "OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT": ("EXPORT__PROFILES_URL", False),
    "OTEL_EXPORTER_OTLP_COMPRESSION": ("EXPORT__COMPRESSION", False),
    "OTEL_EXPORTER_OTLP_TIMEOUT": ("EXPORT__TIMEOUT_S", True),
    "OTEL_METRIC_EXPORT_INTERVAL": ("METRICS__INTERVAL_S", True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """
    Where and how to send.

    Attributes:
        urls: For each signal.
        headers: For each signal; they may hold secrets.
        compress: Whether to gzip.
        ca_file: Certificates to trust; None for those of the system.
        certificate_file: Our own certificate; None for none.
        key_file: Its key.
    """

    urls: Mapping[Signal, str]
    headers: Mapping[Signal, Mapping[str, str]]
    compress: bool = True
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


def with_standard_names(environment: Mapping[str, str], *, endpoint_given: bool) -> dict[str, str]:
    """
    Return the environment with the standard OTEL_* variables under the names of our settings.

    Our own name wins where both are set.

    Args:
        environment: Usually ``os.environ``.
        endpoint_given: A flag names the endpoint: the standard endpoints, of one signal too, are left out.

    Raises:
        ConfigError: If a number is none.
    """
    result = dict(environment)
    for standard, (setting, milliseconds) in _STANDARD.items():
        text = environment.get(standard, "").strip()
        if not text or (endpoint_given and standard.endswith("_ENDPOINT")):
            continue
        if milliseconds:
            text = str(_milliseconds(standard, text) / _MS_PER_S)
        elif standard.endswith("_ENDPOINT") and not text.startswith(("http://", "https://")):
            raise ConfigError(f"environment {standard} = {text!r}: must begin with http:// or https://")
        result.setdefault(f"PYROMETER_AGENT_{setting}", text)
    return result


def resolve_destination(settings: ExportSettings, environment: Mapping[str, str]) -> Destination:
    """Return where batches go: a signal's own URL as it is, or the endpoint with the signal's path."""
    own = {Signal.METRICS: settings.metrics_url, Signal.PROFILES: settings.profiles_url}
    base = settings.endpoint.rstrip("/")
    common = "OTEL_EXPORTER_OTLP_"
    return Destination(
        urls={signal: own[signal] or base + path for signal, path in _PATHS.items()},
        headers={
            signal: {
                "user-agent": f"pyrometer-agent/{__version__}",
                **_parse_headers(environment.get(f"{common}HEADERS", "")),
                **_parse_headers(environment.get(f"{common}{signal.upper()}_HEADERS", "")),
            }
            for signal in Signal
        },
        compress=settings.compression == "gzip",
        ca_file=environment.get(f"{common}CERTIFICATE") or None,
        certificate_file=environment.get(f"{common}CLIENT_CERTIFICATE") or None,
        key_file=environment.get(f"{common}CLIENT_KEY") or None,
    )


def open_pool(destination: Destination) -> urllib3.PoolManager:
    """Return the connections to a destination: one, kept open; retries are the sender's business."""
    return urllib3.PoolManager(
        num_pools=4,
        maxsize=1,
        retries=False,
        ca_certs=destination.ca_file,
        cert_file=destination.certificate_file,
        key_file=destination.key_file,
    )


def _milliseconds(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"environment {name} = {text!r}: must be a number of milliseconds") from error


def _parse_headers(text: str) -> dict[str, str]:
    """Parse ``name=value,name=value``, percent-decoded; what is not a pair is left out."""
    pairs = (entry.partition("=") for entry in text.split(","))
    return {unquote(name.strip()).lower(): unquote(value.strip()) for name, separator, value in pairs if separator}
