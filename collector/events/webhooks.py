"""
Deployments as GitHub and GitLab tell of them: who sent them, and the event that they are.

Sources: https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status and
https://docs.gitlab.com/user/project/integrations/webhook_events/#deployment-events
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from pyrometer.api_events import NAME_CHARS_MAX, URL_CHARS_MAX, EventBody

Release = Literal["ref", "sha"]
# As much of a text as a name holds.
_NAME: Final = slice(NAME_CHARS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSecrets:
    """What proves who sends; empty where such webhooks are not taken."""

    github: bytes = b""
    gitlab: bytes = b""


class _Named(msgspec.Struct):
    name: str = ""
    html_url: str = ""
    web_url: str = ""


class _GithubDeployment(msgspec.Struct):
    id: int
    ref: str = ""
    sha: str = ""
    environment: str = ""
    description: str | None = None
    payload: Any = None


class _GithubStatus(msgspec.Struct):
    state: str
    created_at: str = ""
    log_url: str | None = None
    target_url: str | None = None


class _GithubBody(msgspec.Struct):
    deployment: _GithubDeployment
    deployment_status: _GithubStatus
    repository: _Named


class _GitlabBody(msgspec.Struct):
    status: str
    project: _Named
    deployment_id: int
    status_changed_at: str = ""
    deployable_url: str | None = None
    environment: str = ""
    ref: str = ""
    short_sha: str = ""
    commit_title: str | None = None


def is_from_github(secret: bytes, raw: bytes, headers: Mapping[str, str]) -> bool:
    """Return whether a body was signed with the secret: HMAC of its bytes, in hexadecimal digits."""
    sent = headers.get("x-hub-signature-256", "")
    expected = "sha256=" + hmac.new(secret, raw, hashlib.sha256).hexdigest()
    return hmac.compare_digest(sent.encode("latin-1", "replace"), expected.encode())


def is_from_gitlab(token: bytes, headers: Mapping[str, str]) -> bool:
    """Return whether the token came along."""
    return hmac.compare_digest(headers.get("x-gitlab-token", "").encode("latin-1", "replace"), token)


def github_event(raw: bytes, headers: Mapping[str, str], *, service: str | None, release: Release) -> EventBody | str:
    """
    Return the deploy that a webhook of GitHub tells of, or why it tells of none.

    Args:
        raw: The body.
        headers: By lower-case name.
        service: What is deployed; where not given, what the deployment's payload or else the repository is called.
        release: What of the deployment is the release, where its payload names no ``version``.

    Raises:
        msgspec.MsgspecError: If it is none of GitHub's.
    """
    kind = headers.get("x-github-event", "")
    if kind != "deployment_status":
        return f"events of kind {kind[:NAME_CHARS_MAX]!r} tell of no deploy; send deployment_status"
    body = msgspec.json.decode(raw, type=_GithubBody)
    deployment, status = body.deployment, body.deployment_status
    if status.state != "success":
        return f"the deployment's state is {status.state[:NAME_CHARS_MAX]!r}; a deploy is one with success"
    named = deployment.payload if isinstance(deployment.payload, dict) else {}
    version = deployment.ref if release == "ref" else deployment.sha
    return _deploy(
        id=f"github-{deployment.id}",
        source="github",
        service=service or _text(named.get("service")) or body.repository.name,
        version=_text(named.get("version")) or version,
        environment=deployment.environment,
        title=deployment.description or "",
        url=status.log_url or status.target_url or body.repository.html_url,
        time=status.created_at,
        commits=[],
    )


def gitlab_event(raw: bytes, headers: Mapping[str, str], *, service: str | None, release: Release) -> EventBody | str:
    """Return the deploy that a webhook of GitLab tells of, or why it tells of none; as ``github_event``."""
    kind = headers.get("x-gitlab-event", "")
    if kind != "Deployment Hook":
        return f"events of kind {kind[:NAME_CHARS_MAX]!r} tell of no deploy; send deployment events"
    body = msgspec.json.decode(raw, type=_GitlabBody)
    if body.status != "success":
        return f"the deployment's status is {body.status[:NAME_CHARS_MAX]!r}; a deploy is one with success"
    return _deploy(
        id=f"gitlab-{body.deployment_id}",
        source="gitlab",
        service=service or body.project.name,
        version=body.ref if release == "ref" else body.short_sha,
        environment=body.environment,
        title="",
        url=body.deployable_url or body.project.web_url,
        time=body.status_changed_at.replace(" +", "+").replace(" -", "-"),
        commits=[body.commit_title] if body.commit_title else [],
    )


def _deploy(**fields: Any) -> EventBody:
    url = fields["url"]
    fields["url"] = url if url.startswith(("https://", "http://")) and len(url) <= URL_CHARS_MAX else ""
    for name in ("title", "environment"):
        fields[name] = fields[name][_NAME]
    fields["commits"] = [subject[_NAME] for subject in fields["commits"]]
    fields["time"] = fields["time"] or None
    return msgspec.convert({"kind": "deploy", **fields}, EventBody)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
