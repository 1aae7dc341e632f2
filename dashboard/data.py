"""The pages' way to the collector: one client, answers cached for a moment and shared by all viewers."""

from datetime import timedelta

import streamlit as st

from dashboard.settings import CACHE_ENTRIES_MAX, CACHE_TTL_S, DashboardSettings, settings_from_environment
from pyrometer.api import (
    CompareAnswer,
    FlamegraphAnswer,
    FunctionsAnswer,
    HostsAnswer,
    LatencyAnswer,
    ServicesAnswer,
)
from pyrometer.api_cost import CostAnswer, CostBy
from pyrometer.client import CollectorClient

# Keyed by the collector's address and all arguments. Errors are not kept.
_cached = st.cache_data(ttl=timedelta(seconds=CACHE_TTL_S), max_entries=CACHE_ENTRIES_MAX, show_spinner=False)


@st.cache_resource(max_entries=1, show_spinner=False)
def settings() -> DashboardSettings:
    """Return the settings this process was started with."""
    return settings_from_environment()


@st.cache_resource(max_entries=4, show_spinner=False)
def _client(base_url: str) -> CollectorClient:
    return CollectorClient(
        base_url,
        settings().timeout_s,
        answer_bytes_max=settings().answer_bytes_max,
        credentials=settings().credentials(),
    )


def services(start: str) -> ServicesAnswer:
    """Return all services since *start*."""
    return _services(settings().collector, start)


def flamegraph(service: str, version: str | None, start: str, baseline_version: str | None) -> FlamegraphAnswer:
    """Return the flame graph of a service, next to a baseline release where one is named."""
    return _flamegraph(settings().collector, service, version, start, settings().nodes_max, baseline_version)


def functions(service: str, version: str | None, start: str, search: str) -> FunctionsAnswer:
    """Return the functions of a service that contain *search*, the largest own time first."""
    return _functions(settings().collector, service, version, start, settings().functions_max, search)


def latency(service: str, start: str) -> LatencyAnswer:
    """Return the latency of a service over time."""
    return _latency(settings().collector, service, start)


def hosts(start: str, host: str | None = None) -> HostsAnswer:
    """Return the hosts, with the metrics of one over time where one is named."""
    return _hosts(settings().collector, start, host)


def compare(service: str, baseline: str, candidate: str, start: str) -> CompareAnswer:
    """Return what changed between two releases of a service."""
    return _compare(settings().collector, service, baseline, candidate, start, settings().functions_max)


def cost(start: str, by: CostBy, service: str | None) -> CostAnswer:
    """Return what services, or the parts of one, cost a month."""
    return _cost(settings().collector, start, by, service, settings().functions_max)


@_cached
def _services(base_url: str, start: str) -> ServicesAnswer:
    return _client(base_url).services(start)


@_cached
def _flamegraph(  # noqa: PLR0917
    base_url: str, service: str, version: str | None, start: str, nodes_max: int, baseline_version: str | None
) -> FlamegraphAnswer:
    return _client(base_url).flamegraph(service, version, start, nodes_max=nodes_max, baseline_version=baseline_version)


@_cached
def _functions(  # noqa: PLR0917
    base_url: str, service: str, version: str | None, start: str, limit: int, search: str
) -> FunctionsAnswer:
    return _client(base_url).functions(service, version, start, limit=limit, search=search)


@_cached
def _latency(base_url: str, service: str, start: str) -> LatencyAnswer:
    return _client(base_url).latency(service, start)


@_cached
def _hosts(base_url: str, start: str, host: str | None) -> HostsAnswer:
    return _client(base_url).hosts(start, host=host)


@_cached
def _compare(  # noqa: PLR0917
    base_url: str, service: str, baseline: str, candidate: str, start: str, limit: int
) -> CompareAnswer:
    return _client(base_url).compare(service, baseline, candidate, start, limit=limit)


@_cached
def _cost(base_url: str, start: str, by: CostBy, service: str | None, limit: int) -> CostAnswer:
    return _client(base_url).cost(start, by=by, service=service, limit=limit)
