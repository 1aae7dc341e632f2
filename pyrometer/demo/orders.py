"""What /orders does: asks a ledger on another port, and waits for its answer."""

import asyncio
import json
import random
import socket
import threading
from typing import Final

from pyrometer.demo.releases import Release
from pyrometer.demo.tracing import inner_span

_ANSWER_BYTES_MAX: Final = 65_536
_TIMEOUT_S: Final = 5.0
# A usual answer takes this long, give or take half.
_USUAL_S: Final = 0.008


class Ledger:
    """A server that knows past orders: one line of text in, one line of JSON out, never at once."""

    def __init__(self, release: Release, seed: int) -> None:
        self._release = release
        self._chance = random.Random(seed)
        self._bound = threading.Event()
        self.address: tuple[str, int] = ("127.0.0.1", 0)

    def start(self) -> None:
        """Serve on a free loopback port from a daemon thread."""
        threading.Thread(target=lambda: asyncio.run(self._serve()), name="ledger", daemon=True).start()
        self._bound.wait()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._answer, *self.address)
        self.address = server.sockets[0].getsockname()
        self._bound.set()
        async with server:
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        customer = (await reader.readline()).decode().strip()
        await asyncio.sleep(self.answer_time_s())
        orders = [{"number": int(customer) * 10 + n, "cents": 1_999 + n} for n in range(5)]
        writer.write(json.dumps(orders).encode() + b"\n")
        await writer.drain()
        writer.close()

    def answer_time_s(self) -> float:
        """Return how long the next answer takes."""
        usual_s = _USUAL_S * self._chance.uniform(0.5, 1.5)
        stalls = self._chance.random() < self._release.ledger_stall_fraction
        return usual_s + self._release.ledger_stall_s if stalls else usual_s


def list_orders(ledger_address: tuple[str, int], customer: int) -> list[dict[str, int]]:
    """Return a customer's past orders."""
    with inner_span("query ledger"):
        answer = query_ledger(ledger_address, customer)
    orders: list[dict[str, int]] = json.loads(answer)
    return orders


def query_ledger(address: tuple[str, int], customer: int) -> bytes:
    """Send a customer's number, and return the ledger's line."""
    with socket.create_connection(address, timeout=_TIMEOUT_S) as connection:
        connection.sendall(f"{customer}\n".encode())
        return wait_for_ledger(connection)


def wait_for_ledger(connection: socket.socket) -> bytes:
    """Read until the ledger ends its answer."""
    with connection.makefile("rb") as stream:
        return stream.readline(_ANSWER_BYTES_MAX)
