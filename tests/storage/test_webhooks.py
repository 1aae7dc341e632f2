"""Webhooks of GitHub and GitLab on both engines: only what is proven to come from there is stored, and once."""

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.cost import Prices
from collector.events.webhooks import WebhookSecrets
from pyrometer.api_events import EventsAnswer, EventStored
from tests.contract.api_client import ask, send
from tests.contract.api_data import HOSTILE

SECRET = b"a secret of the webhook"
TOKEN = b"a token of the webhook"
# The fields that are read, as the two send them; there are many more.
GITHUB = {
    "action": "created",
    "deployment_status": {
        "id": 7, "state": "success", "created_at": "2026-11-20T10:00:00Z", "updated_at": "2026-11-20T10:00:00Z",
        "log_url": "https://ci.invalid/7", "target_url": "",
    },
    "deployment": {
        "id": 99, "sha": "f00d", "ref": "v1.5.0", "environment": "production", "description": "Ship it", "payload": {},
    },
    "repository": {"name": "shop", "full_name": "acme/shop", "html_url": "https://git.invalid/acme/shop"},
}  # fmt: skip
GITLAB = {
    "object_kind": "deployment", "status": "success", "status_changed_at": "2026-11-20 11:00:00 +0100",
    "deployment_id": 15, "deployable_url": "https://ci.invalid/15", "environment": "staging", "ref": "v1.5.0",
    "short_sha": "279484c0", "commit_title": HOSTILE, "project": {"name": "shop", "web_url": "https://git.invalid/shop"},
}  # fmt: skip


@pytest.fixture
def api(store):
    with ThreadPoolExecutor(2) as executor:
        secrets = WebhookSecrets(github=SECRET, gitlab=TOKEN)
        yield Api(store, Prices(), ApiLimits(), executor, webhooks=secrets)


def github(api, body=GITHUB, *, kind="deployment_status", signature=None, **parameters):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = signature or "sha256=" + hmac.new(SECRET, raw, hashlib.sha256).hexdigest()
    headers = {"x-github-event": kind, "x-hub-signature-256": signed}
    return send(api, "/api/v1/webhooks/github", raw, headers=headers, **parameters)


def gitlab(api, body=GITLAB, *, kind="Deployment Hook", token=None, **parameters):
    headers = {"x-gitlab-event": kind, "x-gitlab-token": TOKEN.decode() if token is None else token}
    return send(api, "/api/v1/webhooks/gitlab", json.dumps(body).encode(), headers=headers, **parameters)


def events_of(api):
    return (
        ask(api, "/api/v1/events", start="2026-11-01T00:00:00Z", end="2026-12-01T00:00:00Z").decode(EventsAnswer).events
    )


def test_a_deployment_of_github_is_a_deploy(api):
    """Told three times it is one; the pipeline may name service and version itself."""
    assert {github(api).decode(EventStored).id for _ in range(3)} == {"github-99"}
    [event] = events_of(api)
    assert (event.service, event.version, event.environment) == ("shop", "v1.5.0", "production")
    assert (event.time, event.title, event.url) == ("2026-11-20T10:00:00.000Z", "Ship it", "https://ci.invalid/7")
    github(api, service="checkout", release="sha")
    assert [(each.service, each.version) for each in events_of(api)] == [("checkout", "f00d")]
    named = {**GITHUB, "deployment": {**GITHUB["deployment"], "payload": {"service": "pay", "version": "1.5.0"}}}
    github(api, named)
    assert [(each.service, each.version) for each in events_of(api)] == [("pay", "1.5.0")]


def test_a_deployment_of_gitlab_is_a_deploy(api):
    """Hostile subjects are kept as text; a link that is none is left out."""
    assert gitlab(api, {**GITLAB, "deployable_url": "javascript:alert(1)"}).decode(EventStored).id == "gitlab-15"
    [event] = events_of(api)
    assert (event.service, event.version, event.environment) == ("shop", "v1.5.0", "staging")
    assert (event.time, event.commits, event.url) == ("2026-11-20T10:00:00.000Z", [HOSTILE], "")


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=" + "0" * 64, "é", "sha1=" + "0" * 40])
def test_a_body_that_github_did_not_sign_is_refused(api, signature):
    """401, nothing stored: neither without a signature nor with one of another body."""
    assert github(api, signature=signature or " ").status == 401
    other = "sha256=" + hmac.new(SECRET, b"{}", hashlib.sha256).hexdigest()
    assert github(api, signature=other).status == 401
    assert events_of(api) == []


@pytest.mark.parametrize("token", ["", "wrong", TOKEN.decode() + " ", "é"])
def test_a_body_without_the_token_of_gitlab_is_refused(api, token):
    """401, nothing stored."""
    assert gitlab(api, token=token).status == 401
    assert events_of(api) == []


def test_without_a_secret_none_is_taken(store):
    """An empty secret is no secret: whoever signs with it is refused, and told which setting is missing."""
    with ThreadPoolExecutor(2) as executor:
        api = Api(store, Prices(), ApiLimits(), executor)
        empty = "sha256=" + hmac.new(b"", json.dumps(GITHUB).encode(), hashlib.sha256).hexdigest()
        for response, setting in (
            (github(api, signature=empty), "github_secret"),
            (gitlab(api, token=""), "gitlab_token"),
        ):
            assert response.status == 401
            assert f"webhooks.{setting}_file is not set" in response.json()["detail"]


def test_what_is_no_deploy_is_taken_and_not_stored(api):
    """200 with a note, so that the code host does not count it as a failure."""
    pending = {**GITHUB, "deployment_status": {"state": "pending"}}
    for answer in (
        github(api, b"{}", kind="ping"), github(api, pending),
        gitlab(api, {}, kind="Push Hook"), gitlab(api, {**GITLAB, "status": "running"}),
    ):  # fmt: skip
        assert answer.status == 200
        assert answer.decode(EventStored).id == ""
        assert "a deploy" in answer.decode(EventStored).note or "no deploy" in answer.decode(EventStored).note
    assert events_of(api) == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"{}", b"\xff", b"[" * 100_000,
        {**GITHUB, "deployment": {"id": "x"}}, {**GITHUB, "repository": {"name": ""}},
        {**GITHUB, "deployment_status": {"state": "success", "created_at": "soon"}},
        {**GITHUB, "deployment": {**GITHUB["deployment"], "ref": "v" * 10_001}},
    ],
)  # fmt: skip
def test_a_signed_body_that_is_none_of_theirs_is_refused(api, body):
    """400 in the one error shape, whatever comes."""
    assert github(api, body).status == 400
    assert events_of(api) == []
