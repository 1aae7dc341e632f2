"""The collector's settings. ``configs/collector.yaml`` shows them all with their defaults and says what they do."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from collector.api.limits import ApiLimits
from collector.auth.settings import AuthSettings, TlsSettings
from collector.events.webhooks import WebhookSecrets
from collector.receive.intake import ReceiveLimits
from collector.receive.otlp_grpc import GrpcLimits
from collector.store.cluster import Cluster
from collector.store.protocol import QueryLimits
from collector.store.retention import RetentionSettings
from collector.tracing import TracesSettings
from collector.wal import LogLimits
from collector.watching import WatchSettings
from pyrometer.addresses import parse_listen_address
from pyrometer.errors import ConfigError
from pyrometer.state import home_state_directory, state_directory

_MIB = 1024**2
_SECRET_BYTES_MIN = 16
_TOKENS_HINT = "give it tokens (auth.tokens_file; pyrometer collector token create), or "

Bytes = Annotated[int, Meta(ge=_MIB, le=1024**4)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, Meta(ge=0.01, le=3600)]


class HttpSettings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The listener for OTLP, health and metrics, and for the query API unless that has one of its own."""

    address: str = "127.0.0.1:4318"
    api_address: str = ""
    insecure_listen: bool = False
    connections_max: Count = 512
    body_bytes_max: Annotated[int, Meta(ge=1024, le=1024**3)] = 20 * _MIB
    in_flight_bytes_max: Bytes = 256 * _MIB
    body_timeout_s: Seconds = 30.0
    tls: TlsSettings = TlsSettings()

    def host_and_port(self, *, has_tokens: bool = False) -> tuple[str, int]:
        """
        Return where to listen for OTLP.

        Raises:
            ConfigError: If the address is not HOST:PORT, or would serve the network without tokens and without
                ``insecure_listen``.
        """
        return self._parse("http.address", self.address, has_tokens=has_tokens)

    def api_host_and_port(self, *, has_tokens: bool = False) -> tuple[str, int] | None:
        """Return where to listen for the query API alone, None where it shares the listener; raises likewise."""
        if not self.api_address:
            return None
        return self._parse("http.api_address", self.api_address, has_tokens=has_tokens)

    def _parse(self, key: str, address: str, *, has_tokens: bool) -> tuple[str, int]:
        return parse_listen_address(address, key=key, insecure=self.insecure_listen or has_tokens, hint=_TOKENS_HINT)

    def limits(self) -> ReceiveLimits:
        """Return what one request, and all together, may take."""
        return ReceiveLimits(
            body_bytes_max=self.body_bytes_max,
            in_flight_bytes_max=self.in_flight_bytes_max,
            body_timeout_s=self.body_timeout_s,
        )


class GrpcSettings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The listener for OTLP over gRPC; its encryption is that of ``http``."""

    address: str = "127.0.0.1:4317"
    insecure_listen: bool = False
    body_bytes_max: Annotated[int, Meta(ge=1024, le=1024**3)] = 8 * _MIB
    requests_max: Annotated[int, Meta(ge=1, le=10_000)] = 32

    def host_and_port(self, *, has_tokens: bool = False) -> tuple[str, int] | None:
        """Return where to listen, None where gRPC is not served; raises as HttpSettings do."""
        if not self.address:
            return None
        insecure = self.insecure_listen or has_tokens
        return parse_listen_address(self.address, key="grpc.address", insecure=insecure, hint=_TOKENS_HINT)

    def limits(self) -> GrpcLimits:
        """Return what it may take."""
        return GrpcLimits(body_bytes_max=self.body_bytes_max, requests_max=self.requests_max)


class StoreSettings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The database: embedded in the data directory unless a server is named."""

    url: str = ""
    url_file: str = ""
    cluster: str = ""
    cluster_keeper: bool = True
    backups_dir: str = ""
    connections_max: Annotated[int, Meta(ge=4, le=1000)] = 8
    query_seconds_max: Annotated[int, Meta(ge=1, le=3600)] = 30
    query_rows_max: Annotated[int, Meta(ge=1000, le=100_000_000)] = 2_000_000
    query_memory_bytes_max: Bytes = 2048 * _MIB

    def server_url(self) -> str:
        """
        Return the server's URL, or an empty text for the embedded database.

        Raises:
            ConfigError: If both forms are set, or the file cannot be read.
        """
        if not self.url_file:
            return self.url
        if self.url:
            raise ConfigError("store.url and store.url_file are both set: keep one")
        try:
            return Path(self.url_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"store.url_file = {self.url_file!r}: cannot be read: {error}") from error

    def server_cluster(self) -> Cluster | None:
        """
        Return the cluster that the server belongs to, if the tables are to be on all of it.

        Raises:
            ConfigError: If no server is named, or the name is none.
        """
        if not self.cluster:
            return None
        if not (self.url or self.url_file):
            raise ConfigError("store.cluster is set, and no server: name one of the cluster's in store.url")
        return Cluster(self.cluster, keeper=self.cluster_keeper)

    def backups_directory(self, data_dir: Path) -> Path:
        """Return where the embedded database may write backups."""
        return Path(self.backups_dir).expanduser().absolute() if self.backups_dir else data_dir / "backups"

    def limits(self) -> QueryLimits:
        """Return what one query may use."""
        return QueryLimits(
            seconds_max=self.query_seconds_max,
            rows_max=self.query_rows_max,
            memory_bytes_max=self.query_memory_bytes_max,
        )


class LogSettings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The write-ahead log; each signal has its own."""

    bytes_max: Bytes = 1024 * _MIB
    segment_bytes_max: Bytes = 16 * _MIB
    segment_rows_max: Count = 50_000
    segment_age_max_s: Seconds = 5.0
    senders_max: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    attempts_max: Annotated[int, Meta(ge=1, le=100)] = 3
    rejected_files_max: Annotated[int, Meta(ge=0, le=100_000)] = 100

    def limits(self) -> LogLimits:
        """Return when a segment is sealed, and how much may wait."""
        return LogLimits(
            bytes_max=self.bytes_max,
            segment_bytes_max=self.segment_bytes_max,
            segment_rows_max=self.segment_rows_max,
            segment_age_max_s=self.segment_age_max_s,
            senders_max=self.senders_max,
        )


class WebhookSettings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Deployments that code hosts tell of; such webhooks are not taken where the file is not named."""

    github_secret_file: str = ""
    gitlab_token_file: str = ""

    def secrets(self) -> WebhookSecrets:
        """
        Return what the files hold.

        Raises:
            ConfigError: If one cannot be read, or holds nothing.
        """
        return WebhookSecrets(
            github=_secret("webhooks.github_secret_file", self.github_secret_file),
            gitlab=_secret("webhooks.gitlab_token_file", self.gitlab_token_file),
        )


def _secret(key: str, path: str) -> bytes:
    if not path:
        return b""
    try:
        secret = Path(path).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{key} = {path!r}: cannot be read: {error.strerror}") from error
    if len(secret) < _SECRET_BYTES_MIN:
        raise ConfigError(f"{key} = {path!r}: must hold a secret of {_SECRET_BYTES_MIN} bytes or more")
    return secret


class CollectorSettings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The root."""

    data_dir: str = ""
    prices: str = ""
    log_level: Annotated[str, Meta(pattern="^(error|warn|info|debug)$")] = "info"
    log_format: Annotated[str, Meta(pattern="^(console|json)$")] = "console"
    http: HttpSettings = HttpSettings()
    grpc: GrpcSettings = GrpcSettings()
    auth: AuthSettings = AuthSettings()
    store: StoreSettings = StoreSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    api: ApiLimits = ApiLimits()
    traces: TracesSettings = TracesSettings()
    webhooks: WebhookSettings = WebhookSettings()
    watch: WatchSettings = WatchSettings()


def data_directory(settings: CollectorSettings, environment: Mapping[str, str] | None = None) -> Path:
    """Return where data lies: as set, else systemd's state directory, else ``$XDG_STATE_HOME/pyrometer``."""
    variables = os.environ if environment is None else environment
    if settings.data_dir:
        return Path(settings.data_dir).expanduser().absolute()
    return state_directory(variables) or home_state_directory(variables)
