"""Threads, coroutines and generators that wait for each other: what makes a profiler take waiting for working."""

import asyncio
import json
import queue
import selectors
import socket
import threading

from benchmarks.workloads.truth import add, now
from benchmarks.workloads.working import do_arithmetic, do_recursion, do_words, run_with_duty

_ROWS = [{"id": number, "name": f"name-{number}"} for number in range(60)]


def wait_on_condition():
    condition = threading.Condition()
    while True:
        began = now()
        with condition:
            condition.wait(0.01)
        add("wait_on_condition", began)


def wait_in_selector():
    with selectors.DefaultSelector() as selector:
        while True:
            began = now()
            selector.select(0.01)
            add("wait_in_selector", began)


def wait_for_queue():
    jobs = queue.SimpleQueue()
    while True:
        began = now()
        try:
            jobs.get(timeout=0.01)
        except queue.Empty:
            add("wait_for_queue", began)


def run_waiters():
    """Twelve threads that wake a hundred times a second and do nothing, beside one that works a third of the time."""
    for wait in (wait_on_condition, wait_in_selector, wait_for_queue):
        for _ in range(4):
            threading.Thread(target=wait, daemon=True).start()
    run_with_duty(do_arithmetic, 0.33)


def echo(connection):
    while data := connection.recv(16):
        connection.sendall(data)


def do_round_trips(connection, rounds=20):
    began = now()
    for _ in range(rounds):
        connection.sendall(b"ping")
        connection.recv(16)
    add("do_round_trips", began)


def repeat(function, *arguments):
    while True:
        function(*arguments)


def run_convoy():
    """Three threads fight for the interpreter lock, and a fourth lets go of it with every system call."""
    here, there = socket.socketpair()
    threading.Thread(target=echo, args=(there,), daemon=True).start()
    threading.Thread(target=repeat, args=(do_round_trips, here), daemon=True).start()
    for function in (do_words, do_recursion):
        threading.Thread(target=repeat, args=(function,), daemon=True).start()
    repeat(do_arithmetic)


async def fetch_rows(rows=300):
    await asyncio.sleep(0)
    began = now()
    total = 0
    for number in range(rows * 10):
        total += number
    add("fetch_rows", began)
    await asyncio.sleep(0.002)
    return total


async def serve_search():
    while True:
        await fetch_rows()
        began = now()
        json.dumps([row for row in _ROWS for _ in range(8) if row["id"] % 2])
        add("serve_search", began)
        await asyncio.sleep(0.004)


async def serve_orders():
    while True:
        began = now()
        counts = {}
        for number in range(4000):
            counts[number % 50] = counts.get(number % 50, 0) + 1
        add("serve_orders", began)
        await asyncio.sleep(0.003)


async def refresh_cache():
    while True:
        began = now()
        sorted(str(number) for number in range(4000))
        add("refresh_cache", began)
        await asyncio.sleep(0.02)


async def run_tasks():
    await asyncio.gather(*(serve_search() for _ in range(3)), serve_orders(), refresh_cache())


def run_asyncio():
    """Coroutines that await coroutines, in one thread."""
    asyncio.run(run_tasks())


def read_numbers():
    number = 0
    while True:
        began = now()
        for _ in range(1500):
            number = (number * 1_103_515_245 + 12_345) % 2_147_483_648
        add("read_numbers", began)
        yield number


def read_twice():
    while True:
        yield from read_numbers()


def make_words(numbers):
    for number in numbers:
        began = now()
        words = [str(number + step) for step in range(900)]
        add("make_words", began)
        yield words


def keep_even(lists):
    for words in lists:
        began = now()
        kept = [word for word in words if word.endswith(("0", "2", "4", "6", "8"))]
        add("keep_even", began)
        yield kept


def run_generators():
    """A pipeline of generators, each of which works between two yields."""
    for words in keep_even(make_words(read_twice())):
        began = now()
        "".join(words).count("1")
        add("run_generators", began)


WAITING = {
    "waiters": (run_waiters, ("do_arithmetic", "wait_on_condition", "wait_in_selector", "wait_for_queue")),
    "convoy": (run_convoy, ("do_arithmetic", "do_words", "do_recursion", "do_round_trips")),
    "asyncio": (run_asyncio, ("fetch_rows", "serve_search", "serve_orders", "refresh_cache")),
    "generators": (run_generators, ("read_numbers", "make_words", "keep_even", "run_generators")),
}
