"""A proxy that passes requests on, and lets answers vanish as it is told: what a network does at its worst."""

import contextlib
import socket
import threading
from collections.abc import Callable


class AnswerEater:
    """
    Listens on a port of its own and forwards to another; a connection whose answer is eaten is closed.

    `eats` is asked for each piece of an answer; when it says yes, the request was dealt with and nobody will know.
    """

    def __init__(self, target_port: int, eats: Callable[[], bool]) -> None:
        self.eats = eats
        self.eaten = 0
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        # Closing alone would not wake the thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port), timeout=30)
            except OSError:
                client.close()
                continue
            for source, sink, answers in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass, args=(source, sink, answers), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:  # noqa: FBT001
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if answers and self.eats():
                    self.eaten += 1
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()  # each direction closes what it reads from
