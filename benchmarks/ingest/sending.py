"""Sends requests as fast as they are answered, over several connections."""

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

CONNECTIONS: Final = 16
_HEADERS: Final = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
_RETRY_STATUS: Final = {429, 503}
_RETRY_S: Final = 0.05
_TIMEOUT_S: Final = 60


@dataclass(slots=True)
class Sent:
    """What became of requests: how often one was told to come again, and the time each answer took, seconds."""

    told_to_wait: int = 0
    answer_s: list[float] = field(default_factory=list)


def send_all(host: str, port: int, path: str, bodies: Sequence[bytes], count: int) -> Sent:
    """
    Send *count* requests, the bodies in turn; one that is told to come again does.

    Raises:
        RuntimeError: One was refused.
    """
    sent, errors = Sent(), []
    numbers = iter(range(count))
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        try:
            while not errors:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                _send(connection, path, bodies[number % len(bodies)], sent)
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise RuntimeError(f"a request to {path} failed: {errors[0]}")
    return sent


def _send(connection: http.client.HTTPConnection, path: str, body: bytes, sent: Sent) -> None:
    while True:
        started = time.monotonic()
        connection.request("POST", path, body=body, headers=_HEADERS)
        answer = connection.getresponse()
        text = answer.read()
        sent.answer_s.append(time.monotonic() - started)
        if answer.status == 200:
            return
        if answer.status not in _RETRY_STATUS:
            raise RuntimeError(f"{answer.status}: {text[:200]!r}")
        sent.told_to_wait += 1
        time.sleep(_RETRY_S)
