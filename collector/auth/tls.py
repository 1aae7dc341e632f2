"""The encryption of the listeners."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from pyrometer.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """
    PEM files.

    Attributes:
        certificate: Ours, followed by those between it and the root.
        key: Of the certificate.
        client_ca: Clients must show a certificate of one of these; None: they need none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """
    Return what a listener encrypts with: TLS 1.2 or later, and with clients' certificates where a CA is named.

    Raises:
        ConfigError: If a file cannot be read, or certificate and key do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for path in (files.certificate, files.key, files.client_ca):
        _check_readable(path)
    try:
        # An encrypted key is refused: nobody is there to ask.
        context.load_cert_chain(files.certificate, files.key, password=lambda: b"")
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ConfigError(
            f"http.tls: certificate {files.certificate}, key {files.key} and client CA {files.client_ca or '-'} cannot"
            f" be used: {error}; they must be PEM, the key unencrypted and of this certificate"
        ) from error
    return context


def _check_readable(path: Path | None) -> None:
    if path is None:
        return
    try:
        path.open("rb").close()
    except OSError as error:
        raise ConfigError(f"http.tls: {path} cannot be read: {error.strerror}") from error
