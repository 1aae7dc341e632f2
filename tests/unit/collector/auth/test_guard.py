"""Who may do what, and how often."""

from http import HTTPStatus

import pytest

from collector.auth.guard import DeniedError, Guard
from collector.auth.settings import AuthSettings, TlsSettings
from collector.auth.tokens import DEFAULT_TENANT, Role, new_token
from pyrometer.errors import ConfigError


def bearer(text):
    return {b"authorization": f"Bearer {text}".encode()}


def denied(guard, headers, role):
    with pytest.raises(DeniedError) as caught:
        guard.authorise(headers, role)
    return caught.value


@pytest.mark.parametrize("needed", list(Role))
@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_do_its_own(role, needed):
    """A token does what its role says, an admin's does all; anything else is 403 and counted."""
    counted = []
    text, entry = new_token(role, tenant="acme")
    guard = Guard([entry], count=counted.append)
    if role in (needed, Role.ADMIN):
        principal = guard.authorise(bearer(text), needed)
        assert ("acme", role, entry.id) == (principal.tenant, principal.role, principal.token_id)
        assert [] == counted
    else:
        assert HTTPStatus.FORBIDDEN == denied(guard, bearer(text), needed).status
        assert ["forbidden"] == counted


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"authorization": b""},
        {b"authorization": b"Basic abc"},
        {b"authorization": b"Bearer"},
        bearer("x" * 10_000),
    ],
)
def test_without_a_token_of_ours_nothing_is_allowed(headers):
    """Once there are tokens, every request needs one; the answer says which scheme."""
    error = denied(Guard([new_token(Role.READ)[1]]), headers, Role.READ)
    assert HTTPStatus.UNAUTHORIZED == error.status
    assert error.headers()["www-authenticate"].startswith("Bearer")


def test_the_scheme_is_read_in_any_case():
    """`bearer` is as good as `Bearer`: RFC 9110 section 11.1."""
    text, entry = new_token(Role.READ)
    assert entry.id == Guard([entry]).authorise({b"authorization": b"bearer " + text.encode()}, Role.READ).token_id


def test_without_tokens_everybody_is_the_default_tenant():
    """A collector without tokens asks for none."""
    guard = Guard()
    assert not guard.asks_for_tokens
    principal = guard.authorise({}, Role.INGEST)
    assert (DEFAULT_TENANT, Role.ADMIN) == (principal.tenant, principal.role)


def test_one_token_asking_too_often_does_not_slow_another():
    """Beyond its rate a token is told when to come again; after that time it is served; others are all the while."""
    now = [100.0]
    (busy, busy_entry), (calm, calm_entry) = new_token(Role.READ), new_token(Role.READ)
    guard = Guard([busy_entry, calm_entry], requests_per_s_max=2, now_s=lambda: now[0])
    for _ in range(2):
        guard.authorise(bearer(busy), Role.READ)
    error = denied(guard, bearer(busy), Role.READ)
    assert (HTTPStatus.TOO_MANY_REQUESTS, {"retry-after": "1"}) == (error.status, error.headers())
    guard.authorise(bearer(calm), Role.READ)
    now[0] += error.retry_after_s
    guard.authorise(bearer(busy), Role.READ)


def test_a_long_pause_saves_up_one_second_at_most():
    """An idle token may not make a day's worth of requests at once."""
    now = [0.0]
    text, entry = new_token(Role.READ)
    guard = Guard([entry], requests_per_s_max=3, now_s=lambda: now[0])
    guard.authorise(bearer(text), Role.READ)
    now[0] = 86_400.0
    for _ in range(3):
        guard.authorise(bearer(text), Role.READ)
    denied(guard, bearer(text), Role.READ)


def test_two_tokens_of_one_id_are_refused():
    """It would be unclear which of the two is meant."""
    entry = new_token(Role.READ)[1]
    with pytest.raises(ConfigError, match="same id"):
        Guard([entry, entry])


def test_a_token_file_without_tokens_is_an_error(tmp_path):
    """Somebody who names a token file wants a login: an empty one must not mean that there is none."""
    with pytest.raises(ConfigError, match="token create"):
        AuthSettings(tokens_file=str(tmp_path / "none.json")).entries()


def test_more_tenants_than_allowed_are_an_error():
    """Each tenant costs a database and logs, so their number has a limit."""
    entries = tuple(new_token(Role.READ, tenant=f"t{number}")[1] for number in range(3))
    with pytest.raises(ConfigError, match="tenants_max"):
        AuthSettings(tokens=entries, tenants_max=2).entries()


@pytest.mark.parametrize("fields", [{"key_file": "k"}, {"certificate_file": "c"}, {"client_ca_file": "ca"}])
def test_half_a_certificate_is_an_error(fields):
    """Half of the encryption's settings never mean none of it."""
    with pytest.raises(ConfigError, match="both needed"):
        TlsSettings(**fields).files()
    assert TlsSettings().files() is None
