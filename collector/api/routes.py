"""The table of routes: what the router, the OpenAPI document and the reference page are made from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from collector.api import arrow
from collector.api.backups import backups, post_backup
from collector.api.compare import compare
from collector.api.context import Context
from collector.api.cost import cost
from collector.api.detect import detect
from collector.api.events import events, post_event
from collector.api.flamegraph import flamegraph
from collector.api.functions import functions
from collector.api.hosts import hosts
from collector.api.latency import latency
from collector.api.parameters import (
    CompareQuery,
    CostQuery,
    DetectQuery,
    EventsQuery,
    FlamegraphQuery,
    FunctionsQuery,
    HostsQuery,
    LatencyQuery,
    NoQuery,
    RegressionsQuery,
    ServicesQuery,
    StoreQuery,
    SuspectsQuery,
    WebhookQuery,
)
from collector.api.posted import Posted
from collector.api.regressions import post_detect, post_regression, regressions
from collector.api.services import services
from collector.api.store import store
from collector.api.suspects import suspects
from collector.api.webhooks import github_webhook, gitlab_webhook
from collector.auth.tokens import Role
from pyrometer.api import (
    API_PREFIX,
    CompareAnswer,
    FlamegraphAnswer,
    FunctionsAnswer,
    HostsAnswer,
    LatencyAnswer,
    ServicesAnswer,
)
from pyrometer.api_cost import CostAnswer
from pyrometer.api_detect import DetectAnswer
from pyrometer.api_events import EventBody, EventsAnswer, EventStored
from pyrometer.api_regressions import RegressionBody, RegressionsAnswer
from pyrometer.api_store import BackupBody, BackupsAnswer, StoreAnswer
from pyrometer.api_suspects import SuspectsAnswer

JSON_TYPE: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    One route that reads; it answers GET and HEAD.

    Attributes:
        path: Under the prefix.
        summary: One line.
        query: The struct its parameters are read into.
        answer: The struct it answers with.
        handle: Blocking; runs in a worker thread.
        encodings: Media types beside JSON, each with what writes it.
        role: What the token must be for.
    """

    path: str
    summary: str
    query: type[msgspec.Struct]
    answer: type[Any]
    handle: Callable[[Context, Any], Any]
    encodings: tuple[tuple[str, Callable[[Any], bytes]], ...] = ()
    role: Role = Role.READ

    @property
    def full_path(self) -> str:
        """The path as clients ask for it."""
        return API_PREFIX + self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRoute:
    """
    One route that writes; it answers POST. It may share its path with one that reads.

    Attributes:
        path: Under the prefix.
        summary: One line.
        answer: The struct it answers with.
        handle: Blocking; runs in a worker thread. Takes the parameters and the body.
        body: The struct the body is read into; None: the handler takes it as bytes.
        media_types: What the body may be sent as; empty: anything.
        query: The struct its parameters are read into.
        role: What the token must be for.
        signed: The body proves by a signature who sent it, so that no token is asked for; the handler checks it.
    """

    path: str
    summary: str
    answer: type[Any]
    handle: Callable[[Context, Any, Posted], Any]
    body: type[msgspec.Struct] | None
    media_types: tuple[str, ...] = (JSON_TYPE,)
    query: type[msgspec.Struct] = NoQuery
    role: Role = Role.ADMIN
    signed: bool = False

    @property
    def full_path(self) -> str:
        """The path as clients ask for it."""
        return API_PREFIX + self.path


ROUTES: Final[tuple[Route, ...]] = (
    Route(
        path="/services",
        summary="What runs: CPU, cost, traffic, errors and latency of each service, the most expensive first.",
        query=ServicesQuery,
        answer=ServicesAnswer,
        handle=services,
    ),
    Route(
        path="/flamegraph",
        summary="The merged stacks of a service as one tree, next to a baseline where one is asked for.",
        query=FlamegraphQuery,
        answer=FlamegraphAnswer,
        handle=flamegraph,
        encodings=((arrow.ARROW_TYPE, arrow.flamegraph_to_arrow),),
    ),
    Route(
        path="/functions",
        summary="The functions of a service by own CPU time, each with its cost.",
        query=FunctionsQuery,
        answer=FunctionsAnswer,
        handle=functions,
    ),
    Route(
        path="/latency",
        summary="The operations of a service, and its latency over time.",
        query=LatencyQuery,
        answer=LatencyAnswer,
        handle=latency,
    ),
    Route(
        path="/hosts",
        summary="The machines: use, services, cost; and the metrics over time of one that is named.",
        query=HostsQuery,
        answer=HostsAnswer,
        handle=hosts,
    ),
    Route(
        path="/compare",
        summary="What changed between two releases of a service, how sure that is, and what it costs.",
        query=CompareQuery,
        answer=CompareAnswer,
        handle=compare,
    ),
    Route(
        path="/cost",
        summary="What services, releases, hosts, operations or functions cost a month, and what that rests on.",
        query=CostQuery,
        answer=CostAnswer,
        handle=cost,
    ),
    Route(
        path="/detect",
        summary="Which functions, operations and totals of a service changed, over time or with its last release.",
        query=DetectQuery,
        answer=DetectAnswer,
        handle=detect,
    ),
    Route(
        path="/regressions",
        summary="What recorded scans found, one for each cause: open ones first, the last to begin first.",
        query=RegressionsQuery,
        answer=RegressionsAnswer,
        handle=regressions,
    ),
    Route(
        path="/events",
        summary="Deploys, config and flag changes, capacity and incidents, the newest first.",
        query=EventsQuery,
        answer=EventsAnswer,
        handle=events,
    ),
    Route(
        path="/suspects",
        summary="The changes that are likely behind what got worse from one release to another, with the evidence.",
        query=SuspectsQuery,
        answer=SuspectsAnswer,
        handle=suspects,
    ),
    Route(
        path="/store",
        summary="What the database takes on the disk, by table and by service. For administrators.",
        query=StoreQuery,
        answer=StoreAnswer,
        handle=store,
        role=Role.ADMIN,
    ),
    Route(
        path="/store/backups",
        summary="Backups since the database was started, and how they went. For administrators.",
        query=StoreQuery,
        answer=BackupsAnswer,
        handle=backups,
        role=Role.ADMIN,
    ),
)

WRITE_ROUTES: Final[tuple[WriteRoute, ...]] = (
    WriteRoute(
        path="/events",
        summary="Tell of a deploy, a config or flag change, a change of capacity, or an incident.",
        body=EventBody,
        answer=EventStored,
        handle=post_event,
        role=Role.INGEST,
    ),
    WriteRoute(
        path="/detect",
        summary="Scan a service as GET does, and record what is found under /regressions.",
        query=DetectQuery,
        body=None,
        answer=DetectAnswer,
        handle=post_detect,
    ),
    WriteRoute(
        path="/regressions",
        summary="Give a regression a state: planned, acknowledged, resolved, a false alarm, or open again.",
        body=RegressionBody,
        answer=RegressionsAnswer,
        handle=post_regression,
    ),
    WriteRoute(
        path="/store/backups",
        summary="Begin a backup of the database.",
        answer=BackupBody,
        handle=post_backup,
        body=BackupBody,
    ),
    WriteRoute(
        path="/webhooks/github",
        summary="Take deployments from a webhook of GitHub, signed with its secret.",
        query=WebhookQuery,
        body=None,
        answer=EventStored,
        handle=github_webhook,
        signed=True,
    ),
    WriteRoute(
        path="/webhooks/gitlab",
        summary="Take deployments from a webhook of GitLab, with its token.",
        query=WebhookQuery,
        body=None,
        answer=EventStored,
        handle=gitlab_webhook,
        signed=True,
    ),
)
