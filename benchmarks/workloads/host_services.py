"""
The services of a small host: a job on arrays, an asyncio server, an application for gunicorn, a web process that idles.

    python -m benchmarks.workloads.host_services array-job|asyncio-server|idle-web|load [PORT]...
    gunicorn benchmarks.workloads.host_services:application
"""

import asyncio
import http.server
import json
import random
import socket
import sys
import threading
import time
from pathlib import Path

_ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}"


def smooth_image(image):
    import numpy as np  # noqa: PLC0415 (only one of these services has it)

    for _ in range(4):
        image = (np.roll(image, 1, 0) + np.roll(image, -1, 0) + np.roll(image, 1, 1) + np.roll(image, -1, 1)) / 4
    return image


def find_peaks(image):
    import numpy as np  # noqa: PLC0415

    return np.argsort(image, axis=None)[-100:]


def run_array_job():
    import numpy as np  # noqa: PLC0415

    rng = np.random.default_rng(1)
    while True:
        find_peaks(smooth_image(rng.random((400, 400))))
        time.sleep(0.02)


async def load_rows(count):
    await asyncio.sleep(0.001)
    return [{"id": number, "price": number * 1.5} for number in range(count)]


async def answer_search(query):
    rows = await load_rows(200)
    return json.dumps(sorted(rows, key=lambda row: -row["price"])[: len(query)])


async def serve_connection(reader, writer):
    try:
        while line := await reader.readline():
            body = await answer_search(line.decode())
            while (await reader.readline()).strip():
                pass
            writer.write(_ANSWER.format(len(body), body).encode())
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def run_server(port):
    async with await asyncio.start_server(serve_connection, "127.0.0.1", port) as server:
        await server.serve_forever()


def render_report(rows):
    return "\n".join(f"{number:06d} {'*' * (number % 40)}" for number in range(rows))


def application(_environment, start_response):
    body = render_report(1200).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def watch_files():
    """What a development server's reloader does: look at every module's file once a second."""
    while True:
        for module in list(sys.modules.values()):
            if path := getattr(module, "__file__", None):
                Path(path).stat()
        time.sleep(1.0)


def run_idle_web(port):
    threading.Thread(target=watch_files, daemon=True).start()
    http.server.ThreadingHTTPServer(("127.0.0.1", port), http.server.SimpleHTTPRequestHandler).serve_forever()


def request_for_ever(port):
    rng = random.Random(port)
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass
        except OSError:
            time.sleep(0.2)
        time.sleep(rng.expovariate(1 / 0.01))


def run_load(*ports):
    for port in ports[1:]:
        threading.Thread(target=request_for_ever, args=(port,), daemon=True).start()
    request_for_ever(ports[0])


def main():
    kind, *ports = sys.argv[1], *map(int, sys.argv[2:])
    run = {
        "array-job": run_array_job,
        "asyncio-server": lambda port: asyncio.run(run_server(port)),
        "idle-web": run_idle_web,
        "load": run_load,
    }
    run[kind](*ports)


if __name__ == "__main__":
    main()
