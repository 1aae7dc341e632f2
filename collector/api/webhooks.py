"""``/webhooks``: deployments as GitHub and GitLab tell of them; no token, but a secret that both sides know."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Protocol

import msgspec

from collector.api.context import Context
from collector.api.events import store_event
from collector.api.parameters import WebhookQuery
from collector.api.posted import Posted
from collector.api.problems import ProblemError
from collector.events.webhooks import Release, github_event, gitlab_event, is_from_github, is_from_gitlab
from pyrometer.api_events import EventBody, EventStored


class _Reader(Protocol):
    def __call__(
        self, raw: bytes, headers: Mapping[str, str], *, service: str | None, release: Release
    ) -> EventBody | str: ...


def github_webhook(context: Context, query: WebhookQuery, posted: Posted) -> EventStored:
    """Answer ``POST /webhooks/github``."""
    secret = context.webhooks.github
    _check(secret, "webhooks.github_secret_file", lambda: is_from_github(secret, posted.raw, posted.headers))
    return _stored(context, query, posted, github_event)


def gitlab_webhook(context: Context, query: WebhookQuery, posted: Posted) -> EventStored:
    """Answer ``POST /webhooks/gitlab``."""
    token = context.webhooks.gitlab
    _check(token, "webhooks.gitlab_token_file", lambda: is_from_gitlab(token, posted.headers))
    return _stored(context, query, posted, gitlab_event)


def _check(secret: bytes, setting: str, is_sent: Callable[[], bool]) -> None:
    if not secret:
        raise ProblemError(HTTPStatus.UNAUTHORIZED, f"such webhooks are not taken here: {setting} is not set")
    if not is_sent():
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED, f"the secret of the webhook is not the one in the file that {setting} names"
        )


def _stored(context: Context, query: WebhookQuery, posted: Posted, read: _Reader) -> EventStored:
    try:
        found = read(posted.raw, posted.headers, service=query.service, release=query.release)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the body: {error}") from error
    return EventStored(id="", note=found) if isinstance(found, str) else store_event(context, found)
