"""
The parameters of each route: names, types, defaults, bounds and what they mean.

Each is a struct, so that a request is read by it and the OpenAPI document is written from it.
"""

import difflib
from typing import Annotated, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from collector.api.problems import bad_parameter
from pyrometer.api_cost import CostBy
from pyrometer.api_events import EventKind
from pyrometer.api_regressions import RegressionState

# Longest name the store keeps.
NAME_CHARS_MAX = 10_000
_FIELDS_MAX = 64

Name = Annotated[str, Meta(max_length=NAME_CHARS_MAX)]
Time = Annotated[str, Meta(max_length=64)]


class NoQuery(msgspec.Struct, kw_only=True, frozen=True):
    """No parameters."""


class RangeQuery(msgspec.Struct, kw_only=True, frozen=True):
    """A range of time."""

    start: Annotated[
        Time, Meta(description="Start of the range: RFC 3339, or relative to now (`-15m`, `-2h`, `-7d`).")
    ] = "-1h"
    end: Annotated[Time, Meta(description="End of the range, exclusive: RFC 3339, relative, or `now`.")] = "now"


class ServiceQuery(RangeQuery, kw_only=True, frozen=True):
    """One service, and one release of it or all."""

    service: Annotated[
        str, Meta(min_length=1, max_length=NAME_CHARS_MAX, description="Name of the service (`service.name`).")
    ]
    version: Annotated[
        Name | None,
        Meta(description="One release (`service.version`); all when absent. Empty: what was sent without a version."),
    ] = None

    @property
    def versions(self) -> list[str]:
        """The release as the list that queries take; empty for all."""
        return [] if self.version is None else [self.version]


class ServicesQuery(RangeQuery, kw_only=True, frozen=True):
    """Parameters of ``/services``."""


class FlamegraphQuery(ServiceQuery, kw_only=True, frozen=True):
    """Parameters of ``/flamegraph``."""

    sample_type: Annotated[str, Meta(min_length=1, max_length=100, description="What was sampled: `cpu`, `wall`.")] = (
        "cpu"
    )
    max_nodes: Annotated[
        int, Meta(ge=2, le=2**17, description="Most nodes; the smallest are folded into `(other)` of their parent.")
    ] = 8192
    host: Annotated[Name | None, Meta(description="Only processes of this host.")] = None
    baseline_version: Annotated[
        Name | None, Meta(description="Release to show beside: fills `base_total` and `base_self`.")
    ] = None
    baseline_start: Annotated[
        Time | None, Meta(description="Start of the baseline's range; that of the answer when absent.")
    ] = None
    baseline_end: Annotated[
        Time | None, Meta(description="End of the baseline's range; that of the answer when absent.")
    ] = None


class FunctionsQuery(ServiceQuery, kw_only=True, frozen=True):
    """Parameters of ``/functions``."""

    limit: Annotated[int, Meta(ge=1, le=10_000, description="Most functions.")] = 100
    search: Annotated[Name, Meta(description="Only functions whose name or file holds this text, in any case.")] = ""


class LatencyQuery(ServiceQuery, kw_only=True, frozen=True):
    """Parameters of ``/latency``."""

    operation: Annotated[Name | None, Meta(description="Only spans of this name.")] = None
    step: Annotated[
        Annotated[int, Meta(ge=10, le=86_400, multiple_of=10)] | None,
        Meta(description="Seconds between two points of the series; chosen from the range when absent."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=10_000, description="Most operations.")] = 100


class StoreQuery(msgspec.Struct, kw_only=True, frozen=True):
    """Parameters of ``/store`` and ``/store/backups``."""

    limit: Annotated[int, Meta(ge=1, le=10_000, description="Most rows of `services`, most backups.")] = 100


class HostsQuery(RangeQuery, kw_only=True, frozen=True):
    """Parameters of ``/hosts``."""

    host: Annotated[Name | None, Meta(description="Only this host, with its metrics over time.")] = None


class CompareQuery(RangeQuery, kw_only=True, frozen=True):
    """Parameters of ``/compare``."""

    service: Annotated[
        str, Meta(min_length=1, max_length=NAME_CHARS_MAX, description="Name of the service (`service.name`).")
    ]
    baseline: Annotated[Name, Meta(description="The release to compare with.")]
    candidate: Annotated[Name, Meta(description="The release that is judged.")]
    limit: Annotated[int, Meta(ge=1, le=10_000, description="Most functions and most operations.")] = 100


class CostQuery(RangeQuery, kw_only=True, frozen=True):
    """Parameters of ``/cost``."""

    by: Annotated[CostBy, Meta(description="What a row stands for.")] = "service"
    service: Annotated[
        Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)] | None,
        Meta(description="Only this service; required by operation and function."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=10_000, description="Most rows.")] = 100


class EventsQuery(RangeQuery, kw_only=True, frozen=True):
    """Parameters of ``/events``."""

    start: Annotated[Time, Meta(description="Start of the range: RFC 3339, or relative to now.")] = "-7d"
    service: Annotated[Name | None, Meta(description="Only events of this service, and those of all services.")] = None
    kind: Annotated[EventKind | None, Meta(description="Only events of this kind.")] = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="Most events.")] = 100


class WebhookQuery(msgspec.Struct, kw_only=True, frozen=True):
    """Parameters of ``/webhooks``."""

    service: Annotated[
        Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)] | None,
        Meta(description="What is deployed (`service.name`); what the repository is called when absent."),
    ] = None
    release: Annotated[
        Literal["ref", "sha"], Meta(description="What of the deployment is the release (`service.version`).")
    ] = "ref"


class SuspectsQuery(RangeQuery, kw_only=True, frozen=True):
    """Parameters of ``/suspects``."""

    service: Annotated[
        str, Meta(min_length=1, max_length=NAME_CHARS_MAX, description="Name of the service (`service.name`).")
    ]
    baseline: Annotated[Name, Meta(description="The release to compare with.")]
    candidate: Annotated[Name, Meta(description="The release that is worse.")]
    function: Annotated[Name | None, Meta(description="The function that got dearer, as `/compare` names it.")] = None
    file: Annotated[Name | None, Meta(description="Its file; any when absent.")] = None
    operation: Annotated[Name | None, Meta(description="The operation that got slower.")] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="Most changes.")] = 3


class DetectQuery(RangeQuery, kw_only=True, frozen=True):
    """Parameters of ``/detect``."""

    start: Annotated[
        Time, Meta(description="Start of the range: RFC 3339, or relative to now (`-15m`, `-2h`, `-7d`).")
    ] = "-14d"
    service: Annotated[
        str, Meta(min_length=1, max_length=NAME_CHARS_MAX, description="Name of the service (`service.name`).")
    ]
    improvements: Annotated[bool, Meta(description="Also what got better: `true` or `false`.")] = False
    limit: Annotated[int, Meta(ge=1, le=10_000, description="Most findings.")] = 100


class RegressionsQuery(msgspec.Struct, kw_only=True, frozen=True):
    """Parameters of ``/regressions``."""

    service: Annotated[Name | None, Meta(description="Only those of this service.")] = None
    state: Annotated[
        Literal["open", "all"] | RegressionState,
        Meta(description="Only those in this state; `open`: not gone, resolved or a false alarm."),
    ] = "open"
    limit: Annotated[int, Meta(ge=1, le=10_000, description="Most regressions.")] = 100


Query = TypeVar("Query", bound=msgspec.Struct)


def parse_query(query_string: bytes, query_type: type[Query]) -> Query:
    """
    Read a query string into a route's parameters.

    Raises:
        ProblemError: Naming the parameter and the rule it breaks.
    """
    known = msgspec.structs.fields(query_type)
    names = [field.encode_name for field in known]
    values: dict[str, str] = {}
    for name, value in _pairs(query_string):
        if name not in names:
            raise bad_parameter(
                _short(name),
                f"is not known here; known are {_hint(name, names)}" if names else "is not known here; there are none",
            )
        if name in values:
            raise bad_parameter(name, "is given more than once")
        values[name] = value
    for field in known:
        if field.required and field.encode_name not in values:
            raise bad_parameter(field.encode_name, "is required")
    try:
        return msgspec.convert(values, query_type, strict=False)
    except msgspec.ValidationError as error:
        rule, _, where = str(error).partition(" - at `$.")
        raise bad_parameter(where.rstrip("`") or "unknown", rule) from error


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_FIELDS_MAX,
        )
    except UnicodeDecodeError as error:
        raise bad_parameter("in the query string", "is not UTF-8 text, percent-encoded") from error
    except ValueError as error:
        raise bad_parameter("in the query string", f"{error}") from error


def _hint(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name[:100], names, n=1)
    return f"{', '.join(names)}; did you mean {near[0]}?" if near else ", ".join(names)


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:40] + "…")  # noqa: PLR2004
