"""Where batches go, signal by signal: address, headers, compression, certificates and token."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import urllib3

from agent.compression import Compression, has_zstd
from agent.settings import ExportSettings
from agent.standard_names import headers_for, is_true, known_compression, parse_milliseconds, signal_value
from agent.token import Token
from pyrometer import __version__
from pyrometer.addresses import is_loopback
from pyrometer.errors import ConfigError


class Signal(StrEnum):
    """What is sent."""

    METRICS = "metrics"
    PROFILES = "profiles"


_PATHS: Final = {Signal.METRICS: "/v1/metrics", Signal.PROFILES: "/v1development/profiles"}
_COMPRESSIONS: Final = {"gzip": Compression.GZIP, "zstd": Compression.ZSTD, "none": Compression.NONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    Where and how one signal is sent.

    Attributes:
        url: Whole.
        headers: They may hold secrets.
        timeout_s: Of one attempt.
        compression: Of its bodies.
        tls: For https; None for http.
    """

    url: str
    headers: Mapping[str, str]
    timeout_s: float
    compression: Compression
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """
    Where and how to send.

    Attributes:
        routes: One for each signal.
        token: To send along; None for none.
    """

    routes: Mapping[Signal, Route]
    token: Token | None = None

    @property
    def urls(self) -> Mapping[Signal, str]:
        """The address of each signal."""
        return {signal: route.url for signal, route in self.routes.items()}


def resolve_destination(settings: ExportSettings, environment: Mapping[str, str]) -> Destination:
    """
    Return where batches go: a signal's own URL as it is, or the endpoint with the signal's path.

    Args:
        settings: With the standard variables for all signals in them, see `agent.standard_names`.
        environment: Usually ``os.environ``: headers, and the variables of one signal.

    Raises:
        ConfigError: If a value is wrong, a file cannot be read, or a secret would be sent in the clear.
    """
    token = _token(settings)
    return Destination(routes={signal: _route(signal, settings, environment, token) for signal in Signal}, token=token)


def open_pool(route: Route) -> urllib3.PoolManager:
    """Return the connections of a route: one, kept open; retries are the sender's business."""
    return urllib3.PoolManager(num_pools=1, maxsize=1, retries=False, ssl_context=route.tls)


def _route(signal: Signal, settings: ExportSettings, environment: Mapping[str, str], token: Token | None) -> Route:
    def own(name: str) -> str:
        return signal_value(environment, signal, name)[1]

    url = (settings.metrics_url if signal is Signal.METRICS else settings.profiles_url) or (
        settings.endpoint.rstrip("/") + _PATHS[signal]
    )
    headers = {"user-agent": f"pyrometer-agent/{__version__}", **headers_for(environment, signal)}
    if token is not None or "authorization" in headers:
        _check_not_in_the_clear(url, insecure=is_true(own("INSECURE")) or settings.insecure)
    timeout_name, timeout = signal_value(environment, signal, "TIMEOUT")
    compression_name, compression = signal_value(environment, signal, "COMPRESSION")
    return Route(
        url=url,
        headers=headers,
        timeout_s=parse_milliseconds(timeout_name, timeout) if timeout else settings.timeout_s,
        compression=_compression(
            known_compression(compression_name, compression) if compression else settings.compression
        ),
        tls=_tls_context(
            url,
            own("CERTIFICATE") or settings.ca_file,
            own("CLIENT_CERTIFICATE") or settings.certificate_file,
            own("CLIENT_KEY") or settings.key_file,
        ),
    )


def _token(settings: ExportSettings) -> Token | None:
    if settings.token_file:
        return Token(path=Path(settings.token_file))
    return Token(settings.token) if settings.token else None


def _check_not_in_the_clear(url: str, *, insecure: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and not insecure and not is_loopback(parts.hostname or ""):
        raise ConfigError(
            f"a token would be sent in the clear to {parts.scheme}://{parts.netloc.rpartition('@')[2]}: "
            "use https, or set export.insecure: true"
        )


def _tls_context(url: str, ca_file: str, certificate_file: str, key_file: str) -> ssl.SSLContext | None:
    if not url.startswith("https://"):
        return None
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        if certificate_file:
            context.load_cert_chain(certificate_file, key_file or None)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(name for name in (ca_file, certificate_file, key_file) if name)
        reason = error.strerror or str(error)
        raise ConfigError(f"export: the certificates in {files} cannot be used: {reason}") from error
    return context


def _compression(name: str) -> Compression:
    if name == "auto":
        return Compression.ZSTD if has_zstd() else Compression.GZIP
    if name == "zstd" and not has_zstd():
        raise ConfigError("export.compression = 'zstd': needs Python 3.14, or: pip install zstandard")
    return _COMPRESSIONS[name]
