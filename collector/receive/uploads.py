"""Profiles that come as files (pprof, collapsed stacks, speedscope), made into OTLP before they are checked."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final

from google.protobuf.message import DecodeError as ProtobufDecodeError

from collector.receive.messages import PushRequest
from pyrometer.errors import DecodeError
from pyrometer.formats.collapsed import collapsed_to_profile
from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.formats.pprof import pprof_to_profile
from pyrometer.formats.speedscope import speedscope_to_profile
from pyrometer.units import NS_PER_S
from pyrometer.values import Profile

# Profiles of one push, and labels of one series.
PROFILES_MAX: Final = 1000
LABELS_MAX: Final = 100
# What a collapsed stack's count stands for where the sender does not say.
RATE_HZ_DEFAULT: Final = 100.0
RATE_HZ_MAX: Final = 1e6
_TIME_TYPES: Final = frozenset({"cpu", "wall"})

# Labels as Pyroscope's clients write them, and the resource attributes that they are.
_ATTRIBUTES: Final[Mapping[str, str]] = {
    "service_name": "service.name",
    "service_version": "service.version",
    "version": "service.version",
    "service_namespace": "service.namespace",
    "environment": "deployment.environment.name",
    "env": "deployment.environment.name",
    "hostname": "host.name",
    "host": "host.name",
}
_PRIVATE: Final = "__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """
    What is said of a profile beside its file.

    Attributes:
        format: ``pprof``, ``collapsed`` or ``speedscope``.
        attributes: Of the resource.
        start_unix_ns: Start of the window; 0 to go by the file, and else by the clock.
        end_unix_ns: Its end; 0 where that is not said.
        rate_hz: Samples a second, for a format that has counts only.
        content_type: Of the body, with its parameters: a form's part ``profile`` is the file.
    """

    format: str
    attributes: Mapping[str, str]
    start_unix_ns: int = 0
    end_unix_ns: int = 0
    rate_hz: float = RATE_HZ_DEFAULT
    content_type: str = ""


def upload_to_otlp(upload: Upload, body: bytes) -> bytes:
    """
    Return the OTLP request that holds an uploaded profile.

    Raises:
        DecodeError: If the body is not what it is said to be, or no profile of time.
    """
    if upload.content_type.lower().startswith("multipart/form-data"):
        body = _form_file(upload.content_type, body)
    if upload.format == "pprof":
        profile = pprof_to_profile(body)
    elif upload.format == "speedscope":
        profile = speedscope_to_profile(body)
    else:
        try:
            profile = collapsed_to_profile(body.decode())
        except UnicodeDecodeError:
            raise DecodeError("collapsed stacks are text in UTF-8") from None
    profile = _as_time(profile, upload.rate_hz)
    start_ns = upload.start_unix_ns or profile.start_unix_ns
    duration_ns = max(0, upload.end_unix_ns - start_ns) if upload.end_unix_ns and start_ns else profile.duration_ns
    placed = replace(profile, start_unix_ns=start_ns, duration_ns=duration_ns, attributes=upload.attributes)
    return profiles_to_otlp([_placed(placed)])


def push_to_otlp(body: bytes) -> bytes:
    """
    Return the OTLP request that holds the profiles of a Pyroscope push.

    Raises:
        DecodeError: If it is no such push, or holds profiles of something else than time.
    """
    try:
        push = PushRequest.FromString(body)
    except ProtobufDecodeError:
        raise DecodeError("not a valid push.v1.PushRequest: the protobuf cannot be parsed") from None
    if sum(len(series.samples) for series in push.series) > PROFILES_MAX:
        raise DecodeError(f"more than {PROFILES_MAX} profiles in one push")
    profiles = []
    for series in push.series:
        attributes = labels_to_attributes([(label.name, label.value) for label in series.labels])
        for sample in series.samples:
            profile = _as_time(pprof_to_profile(sample.raw_profile), RATE_HZ_DEFAULT)
            profiles.append(_placed(replace(profile, attributes=attributes)))
    return profiles_to_otlp(profiles)


def labels_to_attributes(labels: Sequence[tuple[str, str]]) -> dict[str, str]:
    """
    Return resource attributes for a series' labels; private ones (``__name__``) are left out.

    Raises:
        DecodeError: If there are too many.
    """
    if len(labels) > LABELS_MAX:
        raise DecodeError(f"{len(labels)} labels of one series, more than {LABELS_MAX}")
    return {_ATTRIBUTES.get(name, name): value for name, value in labels if name and not name.startswith(_PRIVATE)}


def _placed(profile: Profile) -> Profile:
    """Return the profile with a time: of one that has none, the moment it came was its end."""
    if profile.start_unix_ns:
        return profile
    return replace(profile, start_unix_ns=time.time_ns() - profile.duration_ns)


def _as_time(profile: Profile, rate_hz: float) -> Profile:
    """Return the profile in nanoseconds of CPU or wall time; a count stands for the time between two samples."""
    if profile.unit == "nanoseconds":
        sample_type = profile.sample_type if profile.sample_type in _TIME_TYPES else "cpu"
        return replace(profile, sample_type=sample_type)
    if profile.unit != "count":
        raise DecodeError(f"a profile of {profile.sample_type}/{profile.unit}: only profiles of time are stored")
    period_ns = round(NS_PER_S / rate_hz)
    samples = tuple(replace(sample, value=sample.count * period_ns) for sample in profile.samples)
    return replace(profile, samples=samples, sample_type="cpu", unit="nanoseconds", period_ns=period_ns)


def _form_file(content_type: str, body: bytes) -> bytes:
    """Return the part ``profile`` of a form."""
    head = b"Content-Type: " + content_type.encode("latin-1", "replace").replace(b"\n", b"") + b"\r\n\r\n"
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        if part.get_param("name", header="content-disposition") == "profile":
            content = part.get_payload(decode=True)
            return content if isinstance(content, bytes) else b""
    raise DecodeError("the form has no part named profile")
