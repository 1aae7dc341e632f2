"""The dashboard's settings. The command checks them and hands them to the page process through the environment."""

import os
from pathlib import Path
from typing import Annotated, Final

import msgspec

from pyrometer.client import Credentials
from pyrometer.config import load_settings

PROGRAM: Final = "dashboard"

# How long an answer serves other viewers and reruns before the collector is asked again. Shorter than any refresh.
CACHE_TTL_S: Final = 4.0
# Answers kept at once, all viewers together.
CACHE_ENTRIES_MAX: Final = 256


class DashboardSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """
    All settings of ``pyrometer dashboard run``.

    Attributes:
        collector: Base address of the collector's query API.
        address: HOST:PORT the pages are served on.
        insecure_listen: Allow an address that is not loopback; there is no login.
        token_file: Holds the token to show the collector; empty for none.
        ca_file: PEM: the authorities to trust for an https collector instead of the system's.
        certificate_file: PEM: certificate and key to show a collector that asks for them.
        timeout_s: How long the collector may take to answer, seconds.
        refresh_s: Time between two refreshes of the live parts, seconds.
        nodes_max: Boxes of a flame graph to ask for; the collector folds the rest into "(other)".
        functions_max: Rows of a function table to ask for.
        answer_bytes_max: A larger answer of the collector is refused, bytes.
    """

    collector: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+/?$")] = "http://127.0.0.1:4318"
    token_file: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    address: str = "127.0.0.1:8501"
    insecure_listen: bool = False
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=300)] = 15.0
    refresh_s: Annotated[float, msgspec.Meta(ge=2, le=3600)] = 10.0
    nodes_max: Annotated[int, msgspec.Meta(ge=16, le=100_000)] = 8192
    functions_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 200
    answer_bytes_max: Annotated[int, msgspec.Meta(ge=1024)] = 64 * 1024 * 1024

    def credentials(self) -> Credentials:
        """Return what to show the collector."""
        files = (self.token_file, self.ca_file, self.certificate_file)
        token, ca, certificate = (Path(name) if name else None for name in files)
        return Credentials(token_file=token, ca_file=ca, certificate_file=certificate)


def settings_from_environment() -> DashboardSettings:
    """
    Return the settings of this process.

    Raises:
        ConfigError: If the environment names an unknown setting or a bad value.
    """
    return load_settings(DashboardSettings, program=PROGRAM, environment=os.environ)


def settings_to_environment(settings: DashboardSettings) -> dict[str, str]:
    """Return the variables from which ``settings_from_environment`` builds the same settings again."""
    return {
        f"PYROMETER_{PROGRAM.upper()}_{name.upper()}": msgspec.json.encode(value).decode()
        for name, value in msgspec.structs.asdict(settings).items()
    }
