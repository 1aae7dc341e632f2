"""The collector's query API, as typed answers."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import urllib3

from pyrometer import __version__
from pyrometer.addresses import is_loopback
from pyrometer.api import (
    API_PREFIX,
    CompareAnswer,
    FlamegraphAnswer,
    FunctionsAnswer,
    HostsAnswer,
    LatencyAnswer,
    Problem,
    ServicesAnswer,
)
from pyrometer.api_cost import CostAnswer, CostBy
from pyrometer.api_detect import DetectAnswer
from pyrometer.api_events import EventBody, EventStored
from pyrometer.api_store import BackupBody, BackupsAnswer, StoreAnswer
from pyrometer.api_suspects import SuspectsAnswer
from pyrometer.errors import ConfigError, PyrometerError, UnreachableError

Answer = TypeVar("Answer")
Parameters = Mapping[str, str | int | None]

_TOKEN_BYTES_MAX: Final = 4096
_CONNECT_TIMEOUT_S: Final = 3.0
# What an error that is not a problem document may say of itself, characters.
_EXCERPT_CHARS: Final = 200
_STATUS_ERROR: Final = 400
_JSON: Final = "application/json"
# The first that fits: the later ones are wider.
_REASONS: Final = (
    (urllib3.exceptions.SSLError, "it is not trusted, or does not speak TLS"),
    (urllib3.exceptions.NameResolutionError, "its name does not resolve"),
    (urllib3.exceptions.NewConnectionError, "connection refused"),
    (urllib3.exceptions.ConnectTimeoutError, "no connection in time"),
    (urllib3.exceptions.ReadTimeoutError, "no answer in time"),
    (urllib3.exceptions.ProtocolError, "it broke off"),
)


class ApiError(PyrometerError):
    """The collector answered with an error; ``problem`` is what it said. Its text is untrusted."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"the collector refused the request: {problem.title} ({problem.status}): {problem.detail}")
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """
    What a client shows a collector, and by what it knows one. All are files, so that no secret is on a command line.

    Attributes:
        token_file: Holds the token to send; read again for each request, so that it can be replaced.
        ca_file: PEM: the authorities to trust instead of the system's.
        certificate_file: PEM: our own certificate and its key, for a collector that asks for one.
    """

    token_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None

    def headers(self) -> dict[str, str]:
        """
        Return what to send along.

        Raises:
            ConfigError: If the token's file cannot be read, or holds something else.
        """
        if self.token_file is None:
            return {}
        try:
            with self.token_file.open("rb") as file:
                token = file.read(_TOKEN_BYTES_MAX).decode("ascii").strip()
        except OSError as error:
            raise ConfigError(f"token file {self.token_file}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"token file {self.token_file}: holds no token") from error
        if not token.isprintable() or not token or " " in token:
            raise ConfigError(f"token file {self.token_file}: must hold one token and nothing else")
        return {"Authorization": f"Bearer {token}"}

    def tls(self) -> ssl.SSLContext | None:
        """
        Return what https connections are made with; None for the system's own way.

        Raises:
            ConfigError: If a file cannot be read or is not PEM.
        """
        if self.ca_file is None and self.certificate_file is None:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"CA {self.ca_file or '-'} and certificate {self.certificate_file or '-'} cannot be used: {error}; they"
                " must be PEM files"
            ) from error
        return context


class CollectorClient:
    """
    Asks one collector.

    Safe for use by several threads at once.
    """

    def __init__(
        self,
        base_url: str,
        timeout_s: float,
        *,
        answer_bytes_max: int = 64 * 1024 * 1024,
        credentials: Credentials | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._credentials = credentials or Credentials()
        if self._credentials.token_file and not _keeps_secrets(self.base_url):
            raise ConfigError(f"a token is not sent to {self.base_url}: use https, or a loopback address")
        self._answer_bytes_max = answer_bytes_max
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=min(_CONNECT_TIMEOUT_S, timeout_s), read=timeout_s),
            retries=False,
            ssl_context=self._credentials.tls(),
        )

    def services(self, start: str) -> ServicesAnswer:
        """Return all services since *start*, a relative time such as ``-1h``."""
        return self._ask("/services", {"start": start}, ServicesAnswer)

    def flamegraph(
        self, service: str, version: str | None, start: str, *, nodes_max: int, baseline_version: str | None = None
    ) -> FlamegraphAnswer:
        """Return the CPU flame graph of one release or all, next to a baseline release where one is named."""
        parameters: Parameters = {
            "service": service,
            "version": version,
            "start": start,
            "max_nodes": nodes_max,
            "baseline_version": baseline_version,
        }
        return self._ask("/flamegraph", parameters, FlamegraphAnswer)

    def functions(
        self, service: str, version: str | None, start: str, *, limit: int, search: str = ""
    ) -> FunctionsAnswer:
        """Return the functions of a service whose name or file contains *search*, the largest own time first."""
        parameters: Parameters = {
            "service": service,
            "version": version,
            "start": start,
            "limit": limit,
            "search": search or None,
        }
        return self._ask("/functions", parameters, FunctionsAnswer)

    def latency(self, service: str, start: str, *, version: str | None = None) -> LatencyAnswer:
        """Return the operations of a service and its latency over time."""
        return self._ask("/latency", {"service": service, "version": version, "start": start}, LatencyAnswer)

    def hosts(self, start: str, *, host: str | None = None) -> HostsAnswer:
        """Return the hosts, with the metrics of one over time where one is named."""
        return self._ask("/hosts", {"start": start, "host": host}, HostsAnswer)

    def compare(self, service: str, baseline: str, candidate: str, start: str, *, limit: int) -> CompareAnswer:
        """Return what changed between two releases of a service."""
        parameters: Parameters = {
            "service": service,
            "baseline": baseline,
            "candidate": candidate,
            "start": start,
            "limit": limit,
        }
        return self._ask("/compare", parameters, CompareAnswer)

    def cost(self, start: str, *, by: CostBy, service: str | None, limit: int) -> CostAnswer:
        """Return what services, or the parts of one, cost a month."""
        return self._ask("/cost", {"start": start, "by": by, "service": service, "limit": limit}, CostAnswer)

    def suspects(
        self,
        service: str,
        baseline: str,
        candidate: str,
        start: str,
        *,
        function: str | None = None,
        file: str | None = None,
        operation: str | None = None,
    ) -> SuspectsAnswer:
        """Return the changes that are likely behind what got worse: a function, or an operation."""
        parameters: Parameters = {
            "service": service,
            "baseline": baseline,
            "candidate": candidate,
            "start": start,
            "function": function,
            "file": file,
            "operation": operation,
        }
        return self._ask("/suspects", parameters, SuspectsAnswer)

    def post_event(self, event: EventBody) -> EventStored:
        """Tell of an event."""
        return self._decoded(EventStored, *self._request(f"{self.base_url}{API_PREFIX}/events", _JSON, posted=event))

    def detect(self, service: str, start: str, *, improvements: bool, limit: int, record: bool = False) -> DetectAnswer:
        """Return what changed in a service, over time or with its last release; keep it where *record* says so."""
        parameters: Parameters = {
            "service": service,
            "start": start,
            "improvements": "true" if improvements else "false",
            "limit": limit,
        }
        return self._ask("/detect", parameters, DetectAnswer, posted={} if record else None)

    def store(self, *, limit: int) -> StoreAnswer:
        """Return what the database takes on the disk; asks for a token that may administer."""
        return self._ask("/store", {"limit": limit}, StoreAnswer)

    def backups(self) -> BackupsAnswer:
        """Return the backups since the database was started, the newest first."""
        return self._ask("/store/backups", {}, BackupsAnswer)

    def post_backup(self, name: str) -> BackupBody:
        """Begin a backup."""
        return self._ask("/store/backups", {}, BackupBody, posted={"name": name})

    def _ask(
        self, route: str, parameters: Parameters, answer_type: type[Answer], *, posted: dict[str, str] | None = None
    ) -> Answer:
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        url = f"{self.base_url}{API_PREFIX}{route}?{query}"
        return self._decoded(answer_type, *self._request(url, _JSON, posted=posted))

    def _decoded(self, answer_type: type[Answer], status: int, body: bytes) -> Answer:
        if status >= _STATUS_ERROR:
            raise self._error(status, body)
        try:
            return msgspec.json.decode(body, type=answer_type)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise PyrometerError(
                f"{self.base_url} does not answer like a collector of this version ({error}); check that the address"
                " is the collector's and that both run the same version"
            ) from error

    def raw(self, route: str, parameters: Parameters, *, media_type: str) -> bytes:
        """Return the answer of any route as it comes, of the media type that is asked for."""
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        status, body = self._request(f"{self.base_url}{API_PREFIX}/{quote(route.strip('/'))}?{query}", media_type)
        if status >= _STATUS_ERROR:
            raise self._error(status, body)
        return body

    def _request(self, url: str, media_type: str, *, posted: Any = None) -> tuple[int, bytes]:
        headers = {
            "Accept": media_type,
            "Accept-Encoding": "gzip",
            "User-Agent": f"pyrometer/{__version__}",
            **self._credentials.headers(),
        }
        try:
            response = self._pool.request(
                "GET" if posted is None else "POST",
                url,
                headers=headers if posted is None else {**headers, "Content-Type": _JSON},
                body=None if posted is None else msgspec.json.encode(posted),
                preload_content=False,
                redirect=False,
            )
            try:
                body = response.read(self._answer_bytes_max + 1, decode_content=True)
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnreachableError(f"the collector at {self.base_url} does not answer: {_reason(error)}") from error
        if len(body) > self._answer_bytes_max:
            response.close()
            raise PyrometerError(
                f"the answer of {self.base_url} is larger than answer_bytes_max = {self._answer_bytes_max}; choose a"
                " shorter time range or raise the setting"
            )
        return response.status, body

    def _error(self, status: int, body: bytes) -> PyrometerError:
        try:
            return ApiError(msgspec.json.decode(body, type=Problem))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            said: Any = json.dumps(body[:_EXCERPT_CHARS].decode(errors="replace"), ensure_ascii=False)
            return PyrometerError(f"{self.base_url} answered with status {status}, and not as a collector: {said}")


def _keeps_secrets(base_url: str) -> bool:
    parts = urlsplit(base_url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def _reason(error: BaseException) -> str:
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return type(error).__name__
