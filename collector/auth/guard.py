"""The one place where a request is allowed or refused, before its body is read, over HTTP and gRPC alike."""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from collector.auth.tokens import DEFAULT_TENANT, Role, TokenEntry, find_token
from pyrometer.errors import ConfigError, PyrometerError

# A longer header is no token of ours.
_HEADER_BYTES_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """
    Who asks.

    Attributes:
        tenant: Whose data it may write or read.
        role: What it may do.
        token_id: Empty where no token is asked for.
    """

    tenant: str = DEFAULT_TENANT
    role: Role = Role.ADMIN
    token_id: str = ""


class DeniedError(PyrometerError):
    """
    A request is not allowed.

    Attributes:
        status: 401 without a token of ours, 403 with one that is for something else, 429 for one that asks too often.
        reason: For the counter: unauthenticated, forbidden or rate_limited.
        retry_after_s: When to come again; None where that changes nothing.
    """

    def __init__(self, status: HTTPStatus, reason: str, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s

    def headers(self) -> dict[str, str]:
        """Return what an HTTP answer says beside its status."""
        if self.status == HTTPStatus.UNAUTHORIZED:
            return {"www-authenticate": 'Bearer realm="pyrometer"'}
        return {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}


class Guard:
    """
    Knows the tokens. Without any, everybody may do all: then only loopback is listened on, unless a setting says more.

    Args:
        entries: All tokens.
        requests_per_s_max: Of one token, over a second; as many again may come at once.
        count: Told the reason of each refusal.
        now_s: A clock that never goes back, seconds.

    Raises:
        ConfigError: If two entries have one id.
    """

    def __init__(
        self,
        entries: Sequence[TokenEntry] = (),
        *,
        requests_per_s_max: float = 1000.0,
        count: Callable[[str], None] = lambda _: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries = _by_id(entries)
        self._rate = requests_per_s_max
        self._count = count
        self._now_s = now_s
        self._lock = threading.Lock()
        # Of each token: how many requests it may make at once, and when that was reckoned.
        self._allowance: dict[str, tuple[float, float]] = {}

    def replace(self, entries: Sequence[TokenEntry]) -> None:
        """
        Know these tokens from now on, and no others.

        Raises:
            ConfigError: If there are none, or two have one id; nothing is changed then.
        """
        by_id = _by_id(entries)
        if not by_id:
            raise ConfigError("there would be no token, and so nobody who could do anything")
        with self._lock:
            self._entries = by_id
            self._allowance = {key: value for key, value in self._allowance.items() if key in by_id}

    @property
    def tenants(self) -> frozenset[str]:
        """All tenants that a token names, and the default one."""
        return frozenset({DEFAULT_TENANT, *(entry.tenant for entry in self._entries.values())})

    @property
    def asks_for_tokens(self) -> bool:
        """Whether a request needs a token."""
        return bool(self._entries)

    def authorise(self, headers: Mapping[bytes, bytes], role: Role) -> Principal:
        """
        Return who makes a request.

        Args:
            headers: By lower-case name; of gRPC the metadata.
            role: What the request needs.

        Raises:
            DeniedError: If it may not be made, or not now.
        """
        if not self._entries:
            return Principal()
        try:
            return self._authorise(headers, role)
        except DeniedError as error:
            self._count(error.reason)
            raise

    def _authorise(self, headers: Mapping[bytes, bytes], role: Role) -> Principal:
        entry = find_token(_bearer(headers), self._entries)
        if entry is None:
            raise DeniedError(
                HTTPStatus.UNAUTHORIZED,
                "unauthenticated",
                "a token of this collector is needed: send the header Authorization: Bearer TOKEN",
            )
        if entry.role not in (role, Role.ADMIN):
            raise DeniedError(
                HTTPStatus.FORBIDDEN, "forbidden", f"this needs a token of role {role}; this one has {entry.role}"
            )
        self._spend(entry.id)
        return Principal(tenant=entry.tenant, role=entry.role, token_id=entry.id)

    def _spend(self, token_id: str) -> None:
        """Take one request off a token's allowance, which refills at the rate and holds one second's worth."""
        burst = max(1.0, self._rate)
        with self._lock:
            now_s = self._now_s()
            left, at_s = self._allowance.get(token_id, (burst, now_s))
            left = min(burst, left + (now_s - at_s) * self._rate)
            self._allowance[token_id] = (left - 1 if left >= 1 else left, now_s)
        if left < 1:
            raise DeniedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "rate_limited",
                f"this token may make {self._rate:g} requests a second; come again later",
                retry_after_s=max(1, math.ceil((1 - left) / self._rate)),
            )


def _by_id(entries: Sequence[TokenEntry]) -> dict[str, TokenEntry]:
    by_id = {entry.id: entry for entry in entries}
    if len(by_id) < len(entries):
        raise ConfigError("two tokens have the same id; remove one of them")
    return by_id


def _bearer(headers: Mapping[bytes, bytes]) -> str:
    value = headers.get(b"authorization", b"")
    scheme, _, token = value[:_HEADER_BYTES_MAX].partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""
