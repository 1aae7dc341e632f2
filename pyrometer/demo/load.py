"""
An open-loop load generator: requests come when they come, whether or not earlier ones were answered.

Arrivals are a Poisson process; each request goes to any release with the same chance and draws its endpoint from the
same mix, so the releases get the same work. The rate falls where the shop would use more CPU than its budget.
"""

import os
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil
import urllib3

from pyrometer.up.stopping import StopRequest

NOMINAL_RATE: Final = 40.0
CPU_BUDGET_CORES: Final = 0.6
RATE_MIN: Final = 2.0
IN_FLIGHT_MAX: Final = 24
ADJUST_EVERY_S: Final = 5.0
REPORT_EVERY_S: Final = 60.0
_EXPIRED_CARDS: Final = 0.01
_LATE_MAX_S: Final = 1.0
_HEALTH_TIMEOUT_S: Final = 0.5
# Buyers of a new product come together: so many at once.
_BURSTS: Final = {"/stock": 5}
_MIX: Final = {"/checkout": 30, "/search": 25, "/orders": 20, "/stock": 4, "/export": 10}


def draw_paths(chance: random.Random) -> list[str]:
    """Return the path of the next arrival: several times where such requests come in bursts."""
    path = chance.choices(list(_MIX), weights=list(_MIX.values()))[0]
    return [path] * _BURSTS.get(path, 1)


def draw_request(path: str, chance: random.Random) -> str:
    """Return the path and query of a random request to *path*."""
    match path:
        case "/checkout":
            card = "expired" if chance.random() < _EXPIRED_CARDS else "valid"
            return f"{path}?cart={chance.randrange(100_000)}&lines={chance.randrange(100, 200)}&card={card}"
        case "/search":
            return f"{path}?q={chance.choice(('amber', 'cedar', 'fjord', 'hazel'))}+{chance.randrange(2_000)}"
        case "/orders":
            return f"{path}?customer={chance.randrange(100_000)}"
        case "/stock":
            return f"{path}?product={chance.randrange(2_000)}"
        case _:
            return f"{path}?rows={chance.randrange(3_000, 6_000)}"


def adjusted_rate(rate: float, used_cores: float, *, budget_cores: float, nominal: float) -> float:
    """
    Return the rate to go on with, in requests per second.

    Args:
        rate: The rate of the last interval.
        used_cores: CPU seconds per second that the shop and this generator used in it.
        budget_cores: What they may use.
        nominal: The rate wanted where the budget allows it.
    """
    # CPU use grows with the rate, so the ratio is the correction; one step never more than halves or adds a tenth,
    # because a single interval is a small sample.
    step = min(1.1, max(0.5, budget_cores / max(used_cores, 1e-3)))
    return min(nominal, max(RATE_MIN, rate * step))


@dataclass(slots=True)
class Tally:
    """What became of the requests; ``dropped`` were due while too many others had no answer."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0


class Load:
    """Sends requests to the targets until asked to stop."""

    def __init__(self, targets: Sequence[str], *, rate: float, budget_cores: float, seed: int) -> None:
        self._targets = targets
        self._nominal = rate
        self._rate = rate
        self._budget_cores = budget_cores
        self._chance = random.Random(seed)
        self._free = threading.Semaphore(IN_FLIGHT_MAX)
        self._tally_lock = threading.Lock()
        self._tally = Tally()
        self._http = urllib3.PoolManager(maxsize=IN_FLIGHT_MAX, retries=False, timeout=urllib3.Timeout(total=5.0))

    def run(self, request: StopRequest) -> None:
        """Send until a signal arrives."""
        due = adjusted = reported = time.monotonic()
        used_s = self._cpu_seconds()
        with ThreadPoolExecutor(IN_FLIGHT_MAX, thread_name_prefix="load") as pool:
            while request.first is None:
                due += self._chance.expovariate(self._rate)
                due = max(due, time.monotonic() - _LATE_MAX_S)  # after a long stop, do not make up for all of it
                while request.first is None and (wait_s := due - time.monotonic()) > 0:
                    request.wait(wait_s)
                self._dispatch(pool)
                now = time.monotonic()
                if now - adjusted >= ADJUST_EVERY_S:
                    before, used_s = used_s, self._cpu_seconds()
                    self._adjust((used_s - before) / (now - adjusted))
                    adjusted = now
                if now - reported >= REPORT_EVERY_S:
                    self._report()
                    reported = now
            pool.shutdown(wait=False, cancel_futures=True)

    def _dispatch(self, pool: ThreadPoolExecutor) -> None:
        target = self._chance.choice(self._targets)
        for path in draw_paths(self._chance):
            if self._free.acquire(blocking=False):
                pool.submit(self._send, target + draw_request(path, self._chance))
            else:
                self._tally.dropped += 1

    def _send(self, url: str) -> None:
        failed = True
        try:
            failed = self._http.request("GET", url).status >= 400
        except urllib3.exceptions.HTTPError:
            pass  # counted below: a service that is being restarted is part of the show
        finally:
            self._free.release()
        with self._tally_lock:
            self._tally.sent += 1
            self._tally.failed += failed

    def _cpu_seconds(self) -> float:
        """Return the CPU seconds used so far by this process and by the services that answer."""
        return _cpu_seconds_of(os.getpid()) + sum(_cpu_seconds_of(self._pid_of(target)) for target in self._targets)

    def _pid_of(self, target: str) -> int:
        with suppress(urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError):
            return int(self._http.request("GET", f"{target}/healthz", timeout=_HEALTH_TIMEOUT_S).json()["pid"])
        return 0

    def _adjust(self, used_cores: float) -> None:
        self._rate = adjusted_rate(self._rate, used_cores, budget_cores=self._budget_cores, nominal=self._nominal)

    def _report(self) -> None:
        tally = self._tally
        print(  # noqa: T201  the log of the demo
            f"load: {self._rate:.1f} requests/s; {tally.sent} sent, {tally.failed} failed, {tally.dropped} dropped",
            flush=True,
        )


def _cpu_seconds_of(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times() if pid else None
    except psutil.Error:
        return 0.0
    return float(times.user + times.system) if times else 0.0
