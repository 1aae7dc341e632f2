"""Sends one recording to a collector."""

from typing import Final
from urllib.parse import urlsplit

import urllib3
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceResponse

from pyrometer import __version__
from pyrometer.errors import ConfigError, PyrometerError, UnreachableError
from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.text import printable
from pyrometer.values import Profile

PROFILES_PATH: Final = "/v1development/profiles"
TIMEOUT_S: Final = 30.0
ANSWER_BYTES_MAX: Final = 4096
REASON_LENGTH_MAX: Final = 200


def profiles_url(endpoint: str) -> str:
    """
    Return the address profiles are posted to, for the base address of a collector.

    Raises:
        ConfigError: If it is not an address.
    """
    try:
        parts = urlsplit(endpoint)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    if not port_is_valid or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"--upload {printable(endpoint)}: not an address; write it as http://HOST:PORT")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return base if base.endswith(PROFILES_PATH) else base + PROFILES_PATH


def upload_profile(profile: Profile, endpoint: str) -> None:
    """
    Post a profile as OTLP.

    Raises:
        UnreachableError: If nobody answers there.
        PyrometerError: If the collector refuses it.
    """
    url = profiles_url(endpoint)
    headers = {"Content-Type": "application/x-protobuf", "User-Agent": f"pyrometer/{__version__}"}
    body = profiles_to_otlp([profile])
    with urllib3.PoolManager(timeout=TIMEOUT_S, retries=False) as pool:
        try:
            answer = pool.request("POST", url, body=body, headers=headers, preload_content=False)
            content = answer.read(ANSWER_BYTES_MAX)
            answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"no collector answers at {url}: check that it runs, and the address") from error
    if answer.status != 200:  # noqa: PLR2004
        reason = printable(content.decode("utf-8", "replace"), REASON_LENGTH_MAX)
        raise PyrometerError(f"{url} refused the profile with status {answer.status}: {reason}")
    _check_accepted(content, url)


def _check_accepted(content: bytes, url: str) -> None:
    """A receiver may answer 200 and refuse. Source: OTLP specification, "Partial Success"."""
    try:
        partial = ExportProfilesServiceResponse.FromString(content).partial_success
    except DecodeError:
        return  # it took the profile, and answers in words of its own
    if partial.rejected_profiles:
        reason = printable(partial.error_message, REASON_LENGTH_MAX)
        raise PyrometerError(f"{url} took the request and refused the profile: {reason}")
