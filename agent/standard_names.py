"""
The OTEL_EXPORTER_OTLP_* variables, as every OTLP exporter reads them, under the names of our settings.

Source: OpenTelemetry specification, protocol/exporter.md and configuration/sdk-environment-variables.md. Profiles use
the same names with PROFILES, by analogy.
"""

import logging
import math
import re
from collections.abc import Container, Mapping
from typing import Final
from urllib.parse import unquote

from pyrometer.errors import ConfigError

_LOG = logging.getLogger(__name__)
SIGNALS: Final = ("METRICS", "PROFILES")
COMPRESSIONS: Final = ("gzip", "zstd", "none")
_MS_PER_S: Final = 1000.0
_OTLP: Final = "OTEL_EXPORTER_OTLP_"
_OWN: Final = "PYROMETER_AGENT_"
_PROTOCOL: Final = "http/protobuf"
# Source: RFC 9110, section 5.6.2, "token".
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

# Variable -> the setting it stands for. Without OTEL_EXPORTER_OTLP_; each but the endpoints exists for one signal too.
_STANDARD: Final = {
    "ENDPOINT": "EXPORT__ENDPOINT",
    "METRICS_ENDPOINT": "EXPORT__METRICS_URL",
    "PROFILES_ENDPOINT": "EXPORT__PROFILES_URL",
    "COMPRESSION": "EXPORT__COMPRESSION",
    "TIMEOUT": "EXPORT__TIMEOUT_S",
    "CERTIFICATE": "EXPORT__CA_FILE",
    "CLIENT_CERTIFICATE": "EXPORT__CERTIFICATE_FILE",
    "CLIENT_KEY": "EXPORT__KEY_FILE",
    "INSECURE": "EXPORT__INSECURE",
}
_INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"


def with_standard_names(environment: Mapping[str, str], *, endpoint_given: bool) -> dict[str, str]:
    """
    Return the environment with the standard OTEL_* variables under the names of our settings.

    Our own name wins where both are set, but for OTEL_SDK_DISABLED.

    Args:
        environment: Usually ``os.environ``.
        endpoint_given: A flag names the endpoint: the standard endpoints, of one signal too, are left out, and the
            protocol that was meant for them is not looked at.

    Raises:
        ConfigError: If a value is none of those the variable may have.
    """
    result = dict(environment)
    if is_true(environment.get("OTEL_SDK_DISABLED", "")):
        # Metrics are what an SDK sends of the program it is in; profiles are what the agent is for. The SDK reads the
        # variable itself, whatever we or a configuration file say.
        result[f"{_OWN}METRICS__ENABLED"] = "false"
    if not is_read(environment):
        _LOG.warning("OTEL_CONFIG_FILE is set: as it asks, no other OTEL_ variable is read; nor is that file")
        return result
    if not endpoint_given:
        _check_protocol(environment)
    for name, setting in _STANDARD.items():
        text = environment.get(_OTLP + name, "").strip()
        if text and not (endpoint_given and name.endswith("ENDPOINT")):
            result.setdefault(_OWN + setting, _checked(_OTLP + name, text))
    if interval := environment.get(_INTERVAL, "").strip():
        result.setdefault(f"{_OWN}METRICS__INTERVAL_S", str(parse_milliseconds(_INTERVAL, interval)))
    if environment.get(f"{_OTLP}METRICS_TEMPORALITY_PREFERENCE", "cumulative").strip().lower() != "cumulative":
        _LOG.warning("%sMETRICS_TEMPORALITY_PREFERENCE is not followed: sums are sent cumulative", _OTLP)
    return result


def standard_log_level(environment: Mapping[str, str], *, known: Container[str]) -> str:
    """Return what OTEL_LOG_LEVEL says; ``info`` where it says nothing, or a word that is not known here."""
    level = environment.get("OTEL_LOG_LEVEL", "").strip().lower()
    return level if level in known and is_read(environment) else "info"


def is_read(environment: Mapping[str, str]) -> bool:
    """Return whether OTEL_ variables say anything: a configuration file, where one is named, is the sole source."""
    return not environment.get("OTEL_CONFIG_FILE", "").strip()


def signal_value(environment: Mapping[str, str], signal: str, name: str) -> tuple[str, str]:
    """
    Return a signal's own form of a variable: its whole name, and its value.

    Args:
        environment: Usually ``os.environ``.
        signal: Such as ``metrics``.
        name: Such as ``TIMEOUT``.

    Returns:
        An empty value where it is not set, or where our own variable says it for all signals.
    """
    whole = f"{_OTLP}{signal.upper()}_{name}"
    is_ours = _OWN + _STANDARD[name] in environment or not is_read(environment)
    return whole, "" if is_ours else environment.get(whole, "").strip()


def headers_for(environment: Mapping[str, str], signal: str) -> dict[str, str]:
    """
    Return the headers to send with a signal: those for all, then its own.

    Raises:
        ConfigError: If one could not be sent.
    """
    headers: dict[str, str] = {}
    for name in (f"{_OTLP}HEADERS", f"{_OTLP}{signal.upper()}_HEADERS") if is_read(environment) else ():
        headers |= _parse_headers(name, environment.get(name, ""))
    return headers


def known_compression(name: str, text: str) -> str:
    """Return the name of a compression; raise ConfigError where it is none."""
    if text not in COMPRESSIONS:
        raise ConfigError(f"environment {name} = {text!r}: must be one of {', '.join(COMPRESSIONS)}")
    return text


def parse_milliseconds(name: str, text: str) -> float:
    """Return seconds; raise ConfigError where the text is no number of milliseconds."""
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = -1.0
    if not 0 < milliseconds < math.inf:
        raise ConfigError(f"environment {name} = {text!r}: must be a number of milliseconds")
    return milliseconds / _MS_PER_S


def is_true(text: str) -> bool:
    """Return whether a variable says yes. Source: "Boolean Value": only "true" does, in any case."""
    return text.strip().lower() == "true"


def _check_protocol(environment: Mapping[str, str]) -> None:
    for signal in SIGNALS:
        for name in (f"{_OTLP}{signal}_PROTOCOL", f"{_OTLP}PROTOCOL"):
            text = environment.get(name, "").strip()
            if text and text != _PROTOCOL:
                raise ConfigError(f"environment {name} = {text!r}: the agent speaks {_PROTOCOL} only (port 4318)")
            if text:
                break


def _checked(name: str, text: str) -> str:
    """Return a variable's value as our own settings write it."""
    if name.endswith("_TIMEOUT"):
        return str(parse_milliseconds(name, text))
    if name.endswith("_ENDPOINT") and not text.startswith(("http://", "https://")):
        raise ConfigError(f"environment {name} = {text!r}: must begin with http:// or https://")
    if name.endswith("_INSECURE"):
        return str(is_true(text)).lower()
    if name.endswith("_COMPRESSION"):
        return known_compression(name, text)
    return "'" + text.replace("'", "''") + "'"  # YAML: text, whatever it looks like


def _parse_headers(variable: str, text: str) -> dict[str, str]:
    """Parse ``name=value,name=value``, percent-decoded; what is not a pair is left out."""
    pairs = (entry.partition("=") for entry in text.split(","))
    headers = {unquote(name.strip()).lower(): unquote(value.strip()) for name, separator, value in pairs if separator}
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise ConfigError(f"environment {variable}: the header {name!r} cannot be sent: it must be printable ASCII")
    return headers
