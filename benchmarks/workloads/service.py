"""
A service that is busy or idle, with the depth of stack and the threads of a real one, that counts its own work.

    python -m benchmarks.workloads.service busy|idle COUNTERS SLOT

Busy: two threads serve requests as fast as they can: through layers of middleware, JSON is parsed, checked, joined,
sorted, rendered and answered, in about a millisecond. Idle: a selector that wakes once a second, and three threads of a
pool that wait. COUNTERS is a file of records, THREADS_MAX for each slot: requests served and kernel thread id.
With SDK_ADDRESS in the environment, Pyroscope's SDK is started first, SDK_RATE_HZ times a second.
"""

import json
import mmap
import os
import queue
import random
import re
import selectors
import struct
import sys
import threading
from collections import defaultdict

THREADS_MAX = 8
RECORD = struct.Struct("=QQ")
SLOT_BYTES = THREADS_MAX * RECORD.size
_WORD = re.compile(r"[a-z]+")
_LAYERS = ("log", "trace", "authenticate", "limit", "session", "locale", "compress", "route")


class Order:
    """What a request is about."""

    def __init__(self, number, lines):
        self.number = number
        self.lines = lines

    @property
    def total(self):
        return sum(line["price"] * line["quantity"] for line in self.lines)

    def validate(self):
        return [line for line in self.lines if is_valid(line)]


def is_valid(line):
    return line["quantity"] > 0 and bool(_WORD.match(line["name"]))


def layer(name, inner):
    def call(request):
        request.setdefault("path", []).append(name)
        answer = inner(request)
        answer["headers"][f"x-{name}"] = str(len(request["path"]))
        return answer

    return call


def parse(body):
    document = json.loads(body)
    return [Order(entry["number"], entry["lines"]) for entry in document["orders"]]


def group_by_name(orders):
    groups = defaultdict(list)
    for order in orders:
        for line in order.validate():
            groups[line["name"]].append(line["price"] * line["quantity"])
    return groups


def rank(groups):
    return sorted(((sum(prices), name) for name, prices in groups.items()), reverse=True)[:10]


def render(ranking, orders):
    rows = [f"<tr><td>{name}</td><td>{total:.2f}</td></tr>" for total, name in ranking]
    return {"body": "".join(rows), "total": sum(order.total for order in orders), "headers": {}}


def handle(request):
    orders = parse(request["body"])
    return render(rank(group_by_name(orders)), orders)


def make_application():
    application = handle
    for name in reversed(_LAYERS):
        application = layer(name, application)
    return application


def make_body(rng):
    names = ["anvil", "bolt", "crate", "drill", "easel", "flask", "gauge", "hinge", "inlay", "joint"]
    orders = [
        {
            "number": number,
            "lines": [
                {"name": rng.choice(names), "price": rng.random() * 100, "quantity": rng.randrange(5)} for _ in range(8)
            ],
        }
        for number in range(20)
    ]
    return json.dumps({"orders": orders})


def register(counters, slot, thread):
    offset = slot * SLOT_BYTES + thread * RECORD.size
    RECORD.pack_into(counters, offset, 0, threading.get_native_id())
    return offset


def serve(counters, slot, thread):
    application = make_application()
    bodies = [make_body(random.Random(slot * THREADS_MAX + thread + seed)) for seed in range(5)]
    offset = register(counters, slot, thread)
    served = 0
    while True:
        application({"body": bodies[served % len(bodies)]})
        served += 1
        struct.pack_into("=Q", counters, offset, served)


def wait_for_jobs(jobs, counters, slot, thread):
    register(counters, slot, thread)
    while True:
        jobs.get()()


def run_busy(counters, slot):
    threading.Thread(target=serve, args=(counters, slot, 1), daemon=True).start()
    print("up", flush=True)
    serve(counters, slot, 0)


def run_idle(counters, slot):
    jobs = queue.Queue()
    for thread in range(1, 4):
        threading.Thread(target=wait_for_jobs, args=(jobs, counters, slot, thread), daemon=True).start()
    register(counters, slot, 0)
    print("up", flush=True)
    with selectors.DefaultSelector() as selector:
        while True:
            selector.select(1.0)


def start_sdk():
    import pyroscope  # noqa: PLC0415 (only where it is what is measured)

    pyroscope.configure(
        application_name=os.environ["OTEL_SERVICE_NAME"],
        server_address=os.environ["SDK_ADDRESS"],
        sample_rate=int(os.environ["SDK_RATE_HZ"]),
    )


def main():
    kind, path, slot = sys.argv[1:4]
    with open(path, "r+b") as file:  # noqa: PTH123
        counters = mmap.mmap(file.fileno(), 0)
    if "SDK_ADDRESS" in os.environ:
        start_sdk()
    {"busy": run_busy, "idle": run_idle}[kind](counters, int(slot))


if __name__ == "__main__":
    main()
