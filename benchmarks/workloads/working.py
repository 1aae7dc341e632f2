"""
Threads that work: functions of unlike weight, in one thread, in some and in a pool, in bursts, and in libraries.

Each function does a block of some 0.1 to 3 ms and writes down what it used.
"""

import hashlib
import json
import random
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from time import thread_time_ns

from benchmarks.workloads.truth import add, now

_TEXT = " ".join(f"word{number}" for number in range(400))
_DOCUMENT = json.dumps([{"id": number, "name": f"name-{number}", "tags": ["a", "b"]} for number in range(40)])
_BLOCK = bytes(range(256)) * 512


def square(number):
    return number * number


def do_arithmetic(rounds=4000):
    began = now()
    total = 0
    for number in range(rounds):
        total += number * number
    add("do_arithmetic", began)
    return total


def do_calls(rounds=3000):
    began = now()
    total = sum(square(number) for number in range(rounds)) + sum(map(square, range(rounds)))
    add("do_calls", began)
    return total


def do_json(rounds=6):
    began = now()
    for _ in range(rounds):
        json.dumps(json.loads(_DOCUMENT))
    add("do_json", began)


def do_words(rounds=4):
    began = now()
    counts: dict[str, int] = {}
    for _ in range(rounds):
        for word in _TEXT.split():
            counts[word] = counts.get(word, 0) + 1
    add("do_words", began)
    return counts


def do_recursion(depth=17):
    began = now()
    result = fibonacci(depth)
    add("do_recursion", began)
    return result


def fibonacci(number):
    return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)


def do_sort(size=4000):
    began = now()
    result = sorted(random.random() for _ in range(size))
    add("do_sort", began)
    return result


def do_compress():
    began = now()
    result = zlib.compress(_BLOCK, 6)
    add("do_compress", began)
    return result


def do_digest(rounds=3):
    began = now()
    for _ in range(rounds):
        hashlib.sha256(_BLOCK).hexdigest()
    add("do_digest", began)


def run_mix():
    """One thread, functions of unlike weight."""
    rng = random.Random(1)
    functions = [do_arithmetic, do_calls, do_json, do_words, do_recursion, do_sort]
    while True:
        rng.choices(functions, [8, 4, 4, 2, 2, 1])[0]()


def run_with_duty(function, duty):
    """Work a share of the time, on this thread's own CPU clock, in steps of about 20 ms."""
    while True:
        began = thread_time_ns()
        while thread_time_ns() - began < 20e6 * duty:
            function()
        time.sleep(0.02 * (1 - duty))


def run_threads():
    """Four threads, four functions, loads of 1 to 20."""
    for function, duty in ((do_json, 0.2), (do_words, 0.1), (do_recursion, 0.02)):
        threading.Thread(target=run_with_duty, args=(function, duty), daemon=True).start()
    run_with_duty(do_arithmetic, 0.4)


def run_bursts():
    """Bursts of about a millisecond, at random, from a thread that mostly sleeps."""
    rng = random.Random(2)
    while True:
        time.sleep(rng.expovariate(1 / 0.002))
        rng.choices([do_burst, do_json, do_words], [4, 2, 1])[0]()


def do_burst(rounds=14_000):
    began = now()
    total = 0
    for number in range(rounds):
        total ^= number
    add("do_burst", began)
    return total


def run_pool():
    """Eight threads of a pool that take jobs of all kinds."""
    rng = random.Random(3)
    functions = [do_arithmetic, do_calls, do_json, do_words, do_recursion, do_sort, do_digest]
    slots = threading.Semaphore(32)
    with ThreadPoolExecutor(8) as pool:
        while True:
            slots.acquire()
            job = pool.submit(rng.choices(functions, [6, 3, 3, 2, 2, 1, 1])[0])
            job.add_done_callback(lambda _: slots.release())
            if rng.random() < 0.2:
                time.sleep(0.002)


def run_native():
    """Libraries that let go of the interpreter lock, in two threads, and some Python beside them."""
    for function, duty in ((do_compress, 0.5), (do_sort, 0.1)):
        threading.Thread(target=run_with_duty, args=(function, duty), daemon=True).start()
    run_with_duty(do_digest, 0.25)


def do_matrix():
    import numpy as np  # noqa: PLC0415 (not on every Python)

    began = now()
    result = np.full((200, 200), 1.5) @ np.full((200, 200), 0.5)
    add("do_matrix", began)
    return result


def do_columns():
    import numpy as np  # noqa: PLC0415

    began = now()
    column = np.arange(100_000, dtype=np.float64)
    result = np.sqrt(column) * np.log1p(column) + np.sin(column)
    add("do_columns", began)
    return result


def do_ranks():
    import numpy as np  # noqa: PLC0415

    began = now()
    result = np.argsort(np.sin(np.arange(20_000)))
    add("do_ranks", began)
    return result


def run_numpy():
    """Arrays, in two threads: whole functions in C that let go of the interpreter lock, and some that do not."""
    threading.Thread(target=run_with_duty, args=(do_ranks, 0.3), daemon=True).start()
    rng = random.Random(4)
    while True:
        rng.choices([do_matrix, do_columns, do_json], [2, 3, 1])[0]()
        time.sleep(0.001)


_CALLS_AND_DATA = ("do_arithmetic", "do_calls", "do_json", "do_words", "do_recursion", "do_sort")
WORKING = {
    "mix": (run_mix, _CALLS_AND_DATA),
    "threads": (run_threads, ("do_arithmetic", "do_json", "do_words", "do_recursion")),
    "bursts": (run_bursts, ("do_burst", "do_json", "do_words")),
    "pool": (run_pool, (*_CALLS_AND_DATA, "do_digest")),
    "native": (run_native, ("do_compress", "do_sort", "do_digest")),
    "numpy": (run_numpy, ("do_matrix", "do_columns", "do_ranks", "do_json")),
}
