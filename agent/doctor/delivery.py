"""Can what is measured be delivered? The collector, its clock, the token, and the spool on the disk."""

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from agent.destination import Destination, Route, Signal, open_pool, resolve_destination
from agent.doctor.finding import Finding, fail, ok, warn
from agent.settings import AgentSettings, SpoolSettings
from agent.spool_place import spool_directory
from pyrometer.errors import ConfigError
from pyrometer.text import printable
from pyrometer.units import format_bytes

# The whole report is to be there in three seconds, a name server that does not answer included.
_ANSWER_S: Final = 1.5
_SKEW_S_MAX: Final = 2.0
_UNAUTHORIZED: Final = (401, 403)


class CollectorCheck:
    """Asks the collector in threads of its own, while other things are looked at."""

    def __init__(self, settings: AgentSettings, environment: Mapping[str, str]) -> None:
        """Begin to ask."""
        self._findings: dict[Signal, list[Finding]] = {}
        self._deadline_s = time.monotonic() + _ANSWER_S
        self._urls: Mapping[Signal, str] = {}
        self._refused: Finding | None = None
        try:
            destination = resolve_destination(settings.export, environment)
        except ConfigError as error:
            self._refused = fail("collector", str(error), "mend the setting")
            return
        self._urls = destination.urls
        self._threads = [
            threading.Thread(target=self._ask, args=(destination, signal), daemon=True) for signal in Signal
        ]
        for thread in self._threads:
            thread.start()

    def findings(self) -> Iterator[Finding]:
        """Wait for the answers, up to the deadline."""
        if self._refused is not None:
            yield self._refused
            return
        for thread in self._threads:
            thread.join(max(0.0, self._deadline_s - time.monotonic()))
        for signal in Signal:
            silent = fail(
                f"collector, {signal}",
                f"{printable(self._urls[signal])} does not answer within {_ANSWER_S} s",
                "start the collector, or set export.endpoint; look for a firewall and at the name server",
            )
            yield from self._findings.get(signal, [silent])

    def _ask(self, destination: Destination, signal: Signal) -> None:
        self._findings[signal] = list(_ask(destination, destination.routes[signal], signal))


def _ask(destination: Destination, route: Route, signal: Signal) -> Iterator[Finding]:
    """Send an empty request, which is a valid one and stores nothing."""
    topic, url = f"collector, {signal}", printable(route.url)
    headers = {**route.headers, "content-type": "application/x-protobuf"}
    if destination.token is not None:
        headers["authorization"] = f"Bearer {destination.token.value()}"
    pool = open_pool(route)
    sent_s = time.time()
    try:
        response = pool.request(
            "POST", route.url, body=b"", headers=headers, timeout=urllib3.Timeout(total=_ANSWER_S), redirect=False
        )
    except (HTTPError, OSError) as error:
        yield fail(
            topic,
            f"{url} cannot be reached: {printable(str(error))[:200]}",
            "start the collector, or set export.endpoint to where it is",
        )
        return
    finally:
        pool.clear()
    yield _judge(topic, url, response.status, has_token=destination.token is not None)
    if signal is Signal.PROFILES:
        yield from _compare_clocks(response.headers.get("date"), sent_s, time.time())


def _judge(topic: str, url: str, status: int, *, has_token: bool) -> Finding:
    if 200 <= status < 300:  # noqa: PLR2004
        return ok(topic, f"{url} takes it{' with our token' if has_token else ''}")
    if status in _UNAUTHORIZED:
        return fail(
            topic,
            f"{url} answers {status}: {'our token is not taken' if has_token else 'it wants a token'}",
            "set export.token_file to a file with the collector's token",
        )
    if status == 404:  # noqa: PLR2004
        return fail(
            topic, f"{url} answers 404: it has no receiver for {topic[11:]}", "point export.endpoint at Pyrometer"
        )
    return fail(topic, f"{url} answers {status}", "look at the collector's log")


def _compare_clocks(date: str | None, sent_s: float, received_s: float) -> Iterator[Finding]:
    """Compare our clock with the second in the answer's head, which was cut off below."""
    try:
        theirs_s = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return
    skew_s = max(sent_s - (theirs_s + 1), theirs_s - received_s, 0.0)
    if skew_s > _SKEW_S_MAX:
        yield warn(
            "collector, clock",
            f"its clock and ours differ by {skew_s:.0f} s: samples and spans of different machines will not meet",
            "run chrony or systemd-timesyncd on both",
        )
    else:
        yield ok("collector, clock", "agrees with ours")


def check_spool(settings: SpoolSettings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Whether what waits for the collector has a place on the disk."""
    if settings.bytes_max == 0:
        yield ok("spool", "off: what waits for the collector is kept in memory")
        return
    folder = spool_directory(settings, environment)
    shown = printable(str(folder))
    existing = next(path for path in (folder, *folder.parents) if path.is_dir())
    if not os.access(existing, os.W_OK | os.X_OK, effective_ids=True):
        yield fail(
            "spool",
            f"{shown} cannot be written: what waits for the collector is kept in memory, and lost with the agent",
            f"make it belong to uid {os.geteuid()}, or set export.spool.directory",
        )
        return
    state = ", which an agent uses now" if _is_locked(folder) else ""
    yield ok("spool", f"{shown} can be {'written' if existing == folder else 'made'}{state}")
    yield _check_space(existing, settings.bytes_max)


def _check_space(folder: Path, wanted: int) -> Finding:
    free = shutil.disk_usage(folder).free
    text = f"{format_bytes(free)} free, {format_bytes(wanted)} wanted at most"
    if free >= wanted:
        return ok("disk space", text)
    return warn("disk space", text, "make room, or lower export.spool.bytes_max")


def _is_locked(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / "spool.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
