"""The settings of tokens and encryption."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from collector.auth.tls import TlsFiles
from collector.auth.tokens import TOKENS_MAX, TokenEntry, read_tokens
from pyrometer.errors import ConfigError


class AuthSettings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Tokens; without any, none is asked for."""

    tokens: Annotated[tuple[TokenEntry, ...], Meta(max_length=TOKENS_MAX)] = ()
    tokens_file: str = ""
    requests_per_s_max: Annotated[float, Meta(ge=0.1, le=1_000_000)] = 1000.0
    tenants_max: Annotated[int, Meta(ge=1, le=1000)] = 32

    def entries(self) -> list[TokenEntry]:
        """
        Return all tokens, of the settings and of the file.

        Raises:
            ConfigError: If the file cannot be read, names no token yet, or there are too many tenants.
        """
        entries = list(self.tokens)
        if self.tokens_file:
            entries += read_tokens(Path(self.tokens_file))
            if not entries:
                raise ConfigError(
                    f"auth.tokens_file = {self.tokens_file!r}: holds no token, so nobody could do anything; make one "
                    "with: pyrometer collector token create --role admin"
                )
        tenants = {entry.tenant for entry in entries}
        if len(tenants) > self.tenants_max:
            raise ConfigError(f"the tokens name {len(tenants)} tenants; auth.tenants_max = {self.tenants_max}")
        return entries


class TlsSettings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Encryption of a listener: all empty for none."""

    certificate_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""

    def files(self) -> TlsFiles | None:
        """
        Return the files, None where there are none.

        Raises:
            ConfigError: If only some of them are named.
        """
        if not self.certificate_file and not self.key_file and not self.client_ca_file:
            return None
        if not self.certificate_file or not self.key_file:
            raise ConfigError("http.tls: certificate_file and key_file are both needed")
        client_ca = Path(self.client_ca_file) if self.client_ca_file else None
        return TlsFiles(certificate=Path(self.certificate_file), key=Path(self.key_file), client_ca=client_ca)
