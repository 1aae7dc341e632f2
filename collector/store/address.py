"""Where a ClickHouse server is, as an operator writes it, and which servers will do."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from collector.store.protocol import SERVER_VERSION_MIN
from pyrometer.errors import ConfigError

_URL_FORM: Final = "clickhouse://USER:PASSWORD@HOST:PORT/DATABASE?http_port=PORT"
_URL_OPTIONS: Final = frozenset({"http_port", "secure"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Where a server is and who we are there."""

    host: str
    port: int = 9000
    http_port: int = 8123
    database: str = "pyrometer"
    user: str = "default"
    password: str = field(default="", repr=False)
    secure: bool = False

    @staticmethod
    def parse(url: str) -> "ServerAddress":
        """
        Read a URL of the form ``clickhouse://USER:PASSWORD@HOST:PORT/DATABASE?http_port=PORT[&secure=true]``.

        Raises:
            ConfigError: If it has another form. The text never holds the password.
        """
        try:
            parts = urlsplit(url)
            options = {
                key: values[-1] for key, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()
            }
            secure = options.get("secure", "false") in {"1", "true"}
            address = ServerAddress(
                host=parts.hostname or "",
                port=parts.port or (9440 if secure else 9000),
                http_port=int(options.get("http_port", "8443" if secure else "8123")),
                database=unquote(parts.path.strip("/")) or "pyrometer",
                user=unquote(parts.username or "default"),
                password=unquote(parts.password or ""),
                secure=secure,
            )
        except ValueError as error:
            raise ConfigError(f"the database URL cannot be read: {error}; write {_URL_FORM}") from error
        unknown = sorted(set(options) - _URL_OPTIONS)
        if parts.scheme != "clickhouse" or not address.host or unknown:
            reason = f"unknown option {unknown[0]}" if unknown else "it needs the scheme clickhouse and a host"
            raise ConfigError(f"the database URL is wrong: {reason}; write {_URL_FORM}")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", address.database):
            raise ConfigError(f"the database name {address.database!r} must be letters, digits and underscores")
        return address

    def __str__(self) -> str:
        """Return it without the password."""
        return f"{self.host}:{self.port}/{self.database}"


def check_version(version: str) -> None:
    """
    Check that a server is new enough.

    Raises:
        ConfigError: With both versions.
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or (int(found.group(1)), int(found.group(2))) < SERVER_VERSION_MIN:
        needed = ".".join(map(str, SERVER_VERSION_MIN))
        raise ConfigError(f"the ClickHouse server is version {version}; Pyrometer needs {needed} or newer: upgrade it")
