"""A pool of connections for a library whose connections serve one thread at a time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """Something with an end."""

    def close(self) -> None:
        """End it."""


Connection = TypeVar("Connection", bound=Closable)


class Pool(Generic[Connection]):
    """
    Lends each connection to one user at a time, and opens at most ``size_max``; further users wait.

    A connection whose use raised what ``is_broken`` recognises is closed and not lent again.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        size_max: int,
        is_broken: Callable[[BaseException], bool] = lambda _: False,
    ) -> None:
        self._connect = connect
        self._is_broken = is_broken
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._free = threading.Semaphore(size_max)
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection for the length of a with block."""
        with self._free:
            connection = self._take()
            try:
                yield connection
            except BaseException as error:
                if self._is_broken(error):
                    connection.close()
                else:
                    self._give_back(connection)
                raise
            self._give_back(connection)

    def close(self) -> None:
        """Close idle connections now and the lent ones when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection:
        with self._lock:
            if self._closed:
                raise RuntimeError("the store is closed")
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()
